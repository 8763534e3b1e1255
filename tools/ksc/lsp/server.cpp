#include "tools/ksc/lsp/server.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/support/result.h"
#include "tools/ksc/lsp/framing.h"

namespace ks::lsp {
namespace {

constexpr int kParseError = -32700, kInvalidRequest = -32600, kMethodNotFound = -32601, kInternal = -32603,
              kNotInitialized = -32002;
constexpr int kErrorMessage = 1, kInfoMessage = 3;
constexpr size_t kMaxOpen = 10'000;

}  // namespace

Server::Server(Host host) : host_(std::move(host)), workspace_({.now_ns = host_.now_ns, .environment = ""}) {}

const std::map<std::string, Server::Handler, std::less<>>& Server::Handlers() {
  static const std::map<std::string, Handler, std::less<>> kHandlers = {
      {"initialize", &Server::Initialize},
      {"shutdown", &Server::Shutdown},
      {"textDocument/completion", &Server::Completion},
      {"textDocument/hover", &Server::Hover},
      {"textDocument/definition", &Server::Definition},
      {"textDocument/references", &Server::References},
      {"textDocument/prepareRename", &Server::PrepareRename},
      {"textDocument/rename", &Server::Rename},
      {"textDocument/documentSymbol", &Server::Symbols},
      {"textDocument/formatting", &Server::Formatting},
      {"textDocument/codeAction", &Server::CodeActions},
      {"textDocument/codeLens", &Server::CodeLenses},
      {"workspace/executeCommand", &Server::ExecuteCommand},
  };
  return kHandlers;
}

void Server::Send(const json& message) {
  out_->push_back(message.dump(-1, ' ', false, json::error_handler_t::replace));
}

void Server::Log(int type, const std::string& text) {
  Send({{"jsonrpc", "2.0"}, {"method", "window/logMessage"}, {"params", {{"type", type}, {"message", text}}}});
}

void Server::Refuse(const std::string& mistake, std::vector<std::string>* out) {
  out_ = out;
  Send({{"jsonrpc", "2.0"}, {"id", nullptr}, {"error", {{"code", kParseError}, {"message", mistake}}}});
}

void Server::Handle(const std::string& body, std::vector<std::string>* out) {
  out_ = out;
  json message = json::parse(MendSurrogates(body), nullptr, false);
  if (message.is_discarded()) return Refuse("this is no JSON", out);
  const json& id = Member(message, "id");
  std::string method = TextMember(message, "method");
  bool request = message.is_object() && message.contains("id");
  auto fail = [&](int code, const std::string& text) {
    Send({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", text}}}});
  };
  if (method.empty()) {
    if (request && (message.contains("result") || message.contains("error"))) return;  // an answer to us
    return fail(kInvalidRequest, "a message needs a method");
  }
  if (request && !id.is_string() && !id.is_number()) return fail(kInvalidRequest, "an id is a number or a string");
  const json& params = Member(message, "params");
  if (!request) {
    if (method == "exit") {
      exited_ = true;
    } else if (initialized_ && !shut_down_) {
      Notify(method, params);
    }
    return;
  }
  auto handler = Handlers().find(method);
  if (!initialized_ && method != "initialize") return fail(kNotInitialized, "the first request is `initialize`");
  if (initialized_ && method == "initialize") return fail(kInvalidRequest, "`initialize` comes once");
  if (shut_down_) return fail(kInvalidRequest, "the server was shut down");
  if (handler == Handlers().end()) return fail(kMethodNotFound, fmt::format("there is no method `{}` here", method));
  try {
    Settle(out);
    json result = (this->*handler->second)(params);
    Send({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
  } catch (const Failure& failure) {
    fail(failure.code, failure.message);
  } catch (const json::exception& error) {
    fail(kInternal, error.what());
  }
}

void Server::Notify(const std::string& method, const json& params) {
  if (method == "textDocument/didOpen") return Opened(params);
  if (method == "textDocument/didChange") return Changed(params);
  if (method == "textDocument/didClose") return Closed(params);
  if (method == "workspace/didChangeWatchedFiles") return FilesChanged(params);
  if (method == "workspace/didChangeWorkspaceFolders") return FoldersChanged(params);
}

// ---- Start and end

json Server::Initialize(const json& params) {
  initialized_ = true;
  const json& offered = Member(Member(Member(params, "capabilities"), "general"), "positionEncodings");
  if (offered.is_array() && std::find(offered.begin(), offered.end(), json("utf-8")) != offered.end()) {
    encoding_ = Encoding::Utf8;
  }
  const json& folders = Member(params, "workspaceFolders");
  if (folders.is_array()) {
    for (const json& folder : folders) {
      if (auto path = PathOf(TextMember(folder, "uri"))) AddFolder(*path);
    }
  } else if (auto root = PathOf(TextMember(params, "rootUri"))) {
    AddFolder(*root);
  }
  json capabilities = {
      {"positionEncoding", encoding_ == Encoding::Utf8 ? "utf-8" : "utf-16"},
      {"textDocumentSync", {{"openClose", true}, {"change", 2}}},
      {"completionProvider", {{"triggerCharacters", {".", "{", "|", " ", "\""}}}},
      {"hoverProvider", true},
      {"definitionProvider", true},
      {"referencesProvider", true},
      {"renameProvider", {{"prepareProvider", true}}},
      {"documentSymbolProvider", true},
      {"documentFormattingProvider", true},
      {"codeActionProvider", {{"codeActionKinds", {"quickfix"}}}},
      {"codeLensProvider", {{"resolveProvider", false}}},
      {"executeCommandProvider", {{"commands", {"ksc.runTest"}}}},
      {"workspace", {{"workspaceFolders", {{"supported", true}, {"changeNotifications", true}}}}},
  };
  return {{"capabilities", std::move(capabilities)}, {"serverInfo", {{"name", "ksc"}, {"version", host_.version}}}};
}

json Server::Shutdown(const json&) {
  shut_down_ = true;
  return nullptr;
}

// ---- Files

void Server::AddFolder(const std::string& path) {
  folders_.push_back(path);
  for (const std::string& file : driver::PolicyFilesBelow(path)) {
    if (!open_.contains(file)) ReadFromDisk(file);
  }
}

void Server::ReadFromDisk(const std::string& path) {
  Result<std::string> text = ReadFile(path, kMaxSourceBytes);
  if (text) {
    workspace_.Set(path, std::move(*text));
  } else {
    workspace_.Remove(path);
    Log(kErrorMessage, text.error().ToString());
  }
  dirty_ = true;
}

std::string Server::NameOf(const std::string& uri) const {
  auto path = PathOf(uri);
  if (!path) return uri;  // an unsaved text, which has no file yet
  if (auto it = read_only_.find(*path); it != read_only_.end()) return it->second;
  return *path;
}

std::string Server::UriFor(const std::string& name) const { return name.starts_with('/') ? UriOf(name) : name; }

void Server::Opened(const json& params) {
  const json& document = Member(params, "textDocument");
  std::string name = NameOf(TextMember(document, "uri"));
  const ide::Document* known = workspace_.Find(name);
  if (name.empty() || open_.size() >= kMaxOpen || (known && known->embedded)) return;
  open_[name] = Member(document, "version").is_number_integer() ? Member(document, "version").get<int64_t>() : 0;
  workspace_.Set(name, TextMember(document, "text"));
  dirty_ = true;
}

void Server::Changed(const json& params) {
  const json& identifier = Member(params, "textDocument");
  std::string name = NameOf(TextMember(identifier, "uri"));
  const json& changes = Member(params, "contentChanges");
  if (!open_.contains(name) || !changes.is_array()) return;
  Settle(out_);
  const ide::Document* document = workspace_.Find(name);
  if (document == nullptr) return;
  std::string text(document->file().text());
  for (const json& change : changes) {
    const json& range = Member(change, "range");
    std::string inserted = TextMember(change, "text");
    if (!range.is_object()) {
      text = std::move(inserted);
      continue;
    }
    SourceFile file(name, text);
    auto place = [&](const char* end) {
      const json& at = Member(range, end);
      return OffsetOf(file, NumberMember(at, "line").value_or(0), NumberMember(at, "character").value_or(0), encoding_);
    };
    uint32_t begin = place("start"), end = std::max(begin, place("end"));
    if (text.size() + inserted.size() > 2 * kMaxSourceBytes) continue;
    text.replace(begin, end - begin, inserted);
  }
  if (auto version = NumberMember(identifier, "version")) open_[name] = static_cast<int64_t>(*version);
  failed_tests_.erase(name);
  workspace_.Set(name, std::move(text));
  dirty_ = true;
}

void Server::Closed(const json& params) {
  std::string name = NameOf(TextMember(Member(params, "textDocument"), "uri"));
  if (open_.erase(name) == 0) return;
  // What is on disk holds again.
  bool ours = std::any_of(folders_.begin(), folders_.end(), [&](const std::string& f) { return name.starts_with(f); });
  if (Result<std::string> text = ReadFile(name, kMaxSourceBytes); ours && text) {
    workspace_.Set(name, std::move(*text));
  } else {
    workspace_.Remove(name);
  }
  dirty_ = true;
}

void Server::FilesChanged(const json& params) {
  constexpr uint64_t kDeleted = 3;
  const json& changes = Member(params, "changes");
  if (!changes.is_array()) return;
  for (const json& change : changes) {
    auto path = PathOf(TextMember(change, "uri"));
    if (!path || open_.contains(*path)) continue;
    if (!path->ends_with(".ksp")) {
      workspace_.Invalidate();  // a file of data
    } else if (NumberMember(change, "type") == kDeleted) {
      workspace_.Remove(*path);
    } else {
      ReadFromDisk(*path);
    }
    dirty_ = true;
  }
}

void Server::FoldersChanged(const json& params) {
  const json& event = Member(params, "event");
  if (const json& added = Member(event, "added"); added.is_array()) {
    for (const json& folder : added) {
      if (auto path = PathOf(TextMember(folder, "uri"))) AddFolder(*path);
    }
  }
  if (const json& removed = Member(event, "removed"); removed.is_array()) {
    for (const json& folder : removed) {
      auto path = PathOf(TextMember(folder, "uri"));
      if (!path || std::erase(folders_, *path) == 0) continue;
      for (const ide::Document* document : workspace_.Documents()) {
        if (document->name.starts_with(*path + "/") && !open_.contains(document->name))
          workspace_.Remove(document->name);
      }
      dirty_ = true;
    }
  }
}

// ---- Diagnostics

void Server::Settle(std::vector<std::string>* out) {
  out_ = out;
  if (dirty_) {
    dirty_ = false;
    for (std::string& name : workspace_.Update()) to_publish_.insert(std::move(name));
  }
  for (const std::string& name : to_publish_) Publish(name);
  to_publish_.clear();
}

json Server::DiagnosticOf(const Diagnostic& diagnostic) const {
  const DiagRow& row = kDiagRows[static_cast<size_t>(diagnostic.id)];
  std::string text = diagnostic.message;
  if (!diagnostic.label.empty()) text += "\n" + diagnostic.label;
  if (!diagnostic.help.empty()) text += "\nhelp: " + diagnostic.help;
  json made = {{"range", RangeOf(diagnostic.span, encoding_)},
               {"severity", diagnostic.severity == Severity::Error     ? 1
                            : diagnostic.severity == Severity::Warning ? 2
                                                                       : 3},
               {"code", row.code},
               {"source", "ksc"},
               {"message", std::move(text)}};
  for (const Label& label : diagnostic.related) {
    if (label.span.file == nullptr) continue;
    made["relatedInformation"].push_back(
        {{"location", {{"uri", UriFor(label.span.file->name())}, {"range", RangeOf(label.span, encoding_)}}},
         {"message", label.text}});
  }
  return made;
}

void Server::Publish(const std::string& name) {
  const ide::Document* document = workspace_.Find(name);
  json list = json::array();
  if (document != nullptr) {
    for (const Diagnostic& diagnostic : document->Everything()) list.push_back(DiagnosticOf(diagnostic));
    if (auto failed = failed_tests_.find(name); failed != failed_tests_.end()) {
      for (const json& item : failed->second) list.push_back(item);
    }
  }
  // A file that nobody looks at and that is fine need not be spoken of.
  if (list.empty() && !told_.contains(name) && !open_.contains(name)) return;
  if (list.empty()) {
    told_.erase(name);
  } else {
    told_.insert(name);
  }
  json params = {{"uri", UriFor(name)}, {"diagnostics", std::move(list)}};
  if (auto it = open_.find(name); it != open_.end()) params["version"] = it->second;
  Send({{"jsonrpc", "2.0"}, {"method", "textDocument/publishDiagnostics"}, {"params", std::move(params)}});
}

// ---- Commands

json Server::ExecuteCommand(const json& params) {
  std::string command = TextMember(params, "command");
  if (command != "ksc.runTest") throw Failure{kInvalidRequest, fmt::format("there is no command `{}`", command)};
  const json& arguments = Member(params, "arguments");
  auto argument = [&](size_t i) {
    return arguments.is_array() && i < arguments.size() && arguments[i].is_string() ? arguments[i].get<std::string>()
                                                                                    : "";
  };
  std::string name = NameOf(argument(0)), rule = argument(1), test_case = argument(2);
  if (workspace_.Find(name) == nullptr)
    throw Failure{kInvalidRequest, "the first argument is the URI of a policy that is known"};
  std::vector<driver::Source> sources;
  for (const ide::Document* document : workspace_.Documents()) {
    sources.push_back({document->name, std::string(document->file().text()), ""});
  }
  auto analysis = driver::Analyze(std::move(sources), {.now_ns = host_.now_ns, .environment = ""});
  if (!analysis) throw Failure{kInternal, analysis.error().ToString()};
  if (!(*analysis)->ok()) {
    const Diagnostic* first = nullptr;
    for (const Diagnostic& d : (*analysis)->diagnostics.all()) {
      if (first == nullptr && d.severity == Severity::Error) first = &d;
    }
    throw Failure{kInvalidRequest, fmt::format("the policy has {} error(s), so nothing was run; the first: {}{}",
                                               (*analysis)->diagnostics.errors(),
                                               first && first->span.file ? first->span.file->name() + ": " : "",
                                               first ? first->message : "")};
  }
  json results = json::array();
  size_t passed = 0, failed = 0;
  failed_tests_.erase(name);
  for (const TestResult& result : host_.run_tests(**analysis)) {
    if (result.file != name || (!rule.empty() && result.rule != rule) ||
        (!test_case.empty() && result.name != test_case))
      continue;
    (result.passed ? passed : failed)++;
    results.push_back({{"rule", result.rule}, {"case", result.name}, {"passed", result.passed}, {"why", result.why}});
    Log(result.passed ? kInfoMessage : kErrorMessage,
        fmt::format("{} {}: {}{}", result.passed ? "ok   " : "FAIL ", result.rule, result.name,
                    result.why.empty() ? "" : "\n" + result.why));
    if (result.passed) continue;
    failed_tests_[name].push_back({{"range", RangeOf(result.span, encoding_)},
                                   {"severity", 1},
                                   {"source", "ksc test"},
                                   {"message", fmt::format("{}: {}\n{}", result.rule, result.name, result.why)}});
  }
  if (passed + failed == 0) throw Failure{kInvalidRequest, "there is no such test in this file"};
  Publish(name);
  return {{"passed", passed}, {"failed", failed}, {"cases", std::move(results)}};
}

}  // namespace ks::lsp
