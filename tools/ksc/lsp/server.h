// The language server: messages of an editor in, answers and diagnostics out. Knows no file descriptor.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/driver/driver.h"
#include "compiler/ide/ide.h"
#include "tools/ksc/lsp/convert.h"

namespace ks::lsp {

// What came of one case of a test.
struct TestResult {
  std::string rule, name;
  bool passed = false;
  std::string why;
  std::string file;  // of the expectation that failed, else of the case
  Span span;         // lives as long as the analysis
};

struct Host {
  std::string version;
  int64_t now_ns = 0;
  // Runs the tests of a policy without errors.
  std::function<std::vector<TestResult>(const driver::Analysis&)> run_tests;
  // Where the standard library is written for reading; "": nowhere.
  std::string cache_folder;
};

class Server {
 public:
  explicit Server(Host host);

  // Takes one message; what is to be sent is appended to *out. After a burst of messages call Settle.
  void Handle(const std::string& body, std::vector<std::string>* out);
  // Something that is no message was met.
  void Refuse(const std::string& mistake, std::vector<std::string>* out);
  // Computes and sends the diagnostics that changed.
  void Settle(std::vector<std::string>* out);

  bool exited() const { return exited_; }
  int exit_code() const { return shut_down_ ? 0 : 1; }

 private:
  struct Failure {
    int code;
    std::string message;
  };
  using Handler = json (Server::*)(const json& params);
  static const std::map<std::string, Handler, std::less<>>& Handlers();

  json Initialize(const json& params);
  json Shutdown(const json& params);
  json Completion(const json& params);
  json Hover(const json& params);
  json Definition(const json& params);
  json References(const json& params);
  json PrepareRename(const json& params);
  json Rename(const json& params);
  json Symbols(const json& params);
  json Formatting(const json& params);
  json CodeActions(const json& params);
  json CodeLenses(const json& params);
  json ExecuteCommand(const json& params);

  void Notify(const std::string& method, const json& params);
  void Opened(const json& params);
  void Changed(const json& params);
  void Closed(const json& params);
  void FilesChanged(const json& params);
  void FoldersChanged(const json& params);

  void AddFolder(const std::string& path);
  void ReadFromDisk(const std::string& path);
  void Send(const json& message);
  void Log(int type, const std::string& text);
  void Publish(const std::string& name);
  json DiagnosticOf(const Diagnostic& diagnostic) const;
  json LocationOf(const Span& span);
  json EditsOf(const std::vector<FixIt>& edits);

  // The document and offset that a request is about. Throws Failure.
  struct Asked {
    const ide::Document* document;
    uint32_t offset;
  };
  const ide::Document& DocumentOf(const json& params);
  Asked Ask(const json& params);
  std::string NameOf(const std::string& uri) const;
  std::string UriFor(const std::string& name) const;
  // A file of the standard library, for reading; "" if it cannot be written.
  std::string Materialise(const ide::Document& embedded);

  Host host_;
  driver::Workspace workspace_;
  Encoding encoding_ = Encoding::Utf16;
  bool initialized_ = false, shut_down_ = false, exited_ = false, dirty_ = false;
  std::vector<std::string> folders_;
  std::map<std::string, int64_t> open_;                    // name → version
  std::set<std::string> told_;                             // files with diagnostics at the client
  std::map<std::string, std::string> read_only_;           // path of a written file of the standard library → its name
  std::map<std::string, std::vector<json>> failed_tests_;  // by file: shown until its text changes
  std::set<std::string> to_publish_;
  std::vector<std::string>* out_ = nullptr;
};

}  // namespace ks::lsp
