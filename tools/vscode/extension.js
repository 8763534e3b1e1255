// Starts `ksc lsp` and hands it to VS Code. All that is known of the language is known there.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

// What came of "run test": a word at the bottom; the whole story is in the output and at the lines that failed.
async function executeCommand(command, argumentList, next) {
  try {
    const result = await next(command, argumentList);
    if (command === "ksc.runTest" && result) {
      if (result.failed > 0) {
        const choice = await vscode.window.showErrorMessage(`${result.failed} failed, ${result.passed} passed`, "Show");
        if (choice === "Show") client.outputChannel.show();
      } else {
        vscode.window.setStatusBarMessage(`ksc: ${result.passed} passed`, 5000);
      }
    }
    return result;
  } catch (error) {
    vscode.window.showErrorMessage(`ksc: ${error.message}`);
    return undefined;
  }
}

async function activate(context) {
  const command = vscode.workspace.getConfiguration("ksp").get("path", "ksc");
  const watcher = vscode.workspace.createFileSystemWatcher("**/*.{ksp,txt,list,cidr}");
  context.subscriptions.push(watcher);
  client = new LanguageClient("ksp", "Kubesentry rules", { command, args: ["lsp"] }, {
    documentSelector: [{ language: "ksp" }],
    synchronize: { fileEvents: watcher },
    middleware: { executeCommand },
  });
  try {
    await client.start();
  } catch (error) {
    vscode.window.showErrorMessage(`Could not start \`${command} lsp\`: ${error.message}. Is it installed? The setting ksp.path says where it is.`);
  }
}

async function deactivate() {
  if (client) await client.stop();
}

module.exports = { activate, deactivate };
