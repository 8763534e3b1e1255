// ksc lsp: the language server on standard input and output.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tools/ksc/commands.h"
#include "tools/ksc/lsp/framing.h"
#include "tools/ksc/lsp/server.h"
#include "tools/ksc/test_runner.h"

namespace ks::ksc {
namespace {

bool WriteAll(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool MoreIsComing() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return poll(&input, 1, 0) > 0;
}

std::string CacheFolder() {
  std::string version = std::string(KS_VERSION) + "-" + std::string(schema::Hash());
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache == '/')
    return fmt::format("{}/ksc/{}", cache, version);
  if (const char* home = std::getenv("HOME"); home && *home == '/')
    return fmt::format("{}/.cache/ksc/{}", home, version);
  return "";
}

std::vector<lsp::TestResult> RunAll(const driver::Analysis& analysis) {
  std::vector<lsp::TestResult> out;
  for (const TestOutcome& outcome : RunTests(analysis, [](const sema::TestCase&) { return true; })) {
    Span span = outcome.passed || !outcome.span.file ? outcome.test->syntax->name.span : outcome.span;
    out.push_back({outcome.test->rule, outcome.test->syntax->name.value, outcome.passed, outcome.why,
                   span.file ? span.file->name() : "", span});
  }
  return out;
}

}  // namespace

int Lsp(const Words& words) {
  const cli::Command command = {
      "ksc lsp",
      "",
      0,
      0,
      "The language server: speaks the Language Server Protocol on standard input and output. "
      "Editors start it; tools/vscode does for VS Code.",
      "  ksc lsp      # for example in Neovim: vim.lsp.start({cmd = {'ksc', 'lsp'}, root_dir = '.'})",
      {}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;

  lsp::Server server({KS_VERSION, Now() * 1'000'000'000, RunAll, CacheFolder()});
  lsp::Framing framing;
  std::vector<char> buffer(size_t{64} * 1024);
  while (!server.exited()) {
    std::vector<std::string> out;
    bool fatal = false;
    while (auto message = framing.Next()) {
      if (message->mistake.empty()) {
        server.Handle(message->body, &out);
      } else {
        server.Refuse(message->mistake, &out);
        fatal = message->fatal;
      }
      if (fatal || server.exited()) break;
    }
    // While someone types, what is already on its way comes first.
    if (!fatal && !server.exited() && !MoreIsComing()) server.Settle(&out);
    for (const std::string& body : out) {
      if (!WriteAll(lsp::Framed(body))) return cli::kWorldFailed;
    }
    if (fatal) {
      fmt::print(stderr, "error: could not read the client's messages: one has a header that says no length\n");
      return cli::kWorldFailed;
    }
    if (server.exited()) break;
    ssize_t n = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      fmt::print(stderr, "error: could not read standard input: {}\n", std::strerror(errno));
      return cli::kWorldFailed;
    }
    if (n == 0) break;  // the editor is gone
    framing.Feed({buffer.data(), static_cast<size_t>(n)});
  }
  return server.exit_code();
}

}  // namespace ks::ksc
