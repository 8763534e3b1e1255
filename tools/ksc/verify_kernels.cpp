#include "tools/ksc/verify_kernels.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "tools/ksc/child.h"

namespace ks::ksc {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view kMark = "KS-CHECK ";  // before each answer in a machine's serial log
constexpr size_t kMostLog = 64 << 20;
constexpr const char* kMachineSeconds = "300";

bool IsProgram(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

fs::path OwnFolder() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : self.parent_path();
}

// The project around a program that was built in it: build/release/bin → the folder with tools/vm.
std::string VmOfProject() {
  fs::path folder = OwnFolder();
  for (int up = 0; up < 4 && folder.has_relative_path(); up++, folder = folder.parent_path()) {
    if (IsProgram(folder / "tools/vm") && fs::exists(folder / "tools/vm_kernels.py")) return folder / "tools/vm";
  }
  return "";
}

std::string LastLine(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const size_t before = text.rfind('\n');
  return before == std::string::npos ? text : text.substr(before + 1);
}

Error AgentFailed(const std::string& agent, const Ended& ended) {
  // What it says with --format json of a failure that is not one bundle's.
  const json said = json::parse(LastLine(ended.err), nullptr, false);
  if (said.is_object() && said.contains("error")) {
    return {said.value("tried", ""), said.value("on", ""), said.value("cause", ""), said.value("advice", ""),
            said.value("error", "")};
  }
  return {"check with", agent,
          fmt::format("it ended with status {} and said {}", ended.status,
                      ended.err.empty() ? "nothing" : "`" + LastLine(ended.err) + "`"),
          "give the kubesentryd of this version with --agent", "verify-agent"};
}

// A folder that goes with us.
class Scratch {
 public:
  Scratch() {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "ksc-verify-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// The answers in what a machine said, in the order of the bundles.
std::vector<json> AnswersIn(std::string_view log) {
  std::vector<json> answers;
  while (!log.empty()) {
    const size_t end = std::min(log.find('\n'), log.size() - 1) + 1;
    std::string_view line = log.substr(0, end);
    log.remove_prefix(end);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    // Not only at its begin: the kernel may speak on the same line.
    const size_t mark = line.find(kMark);
    if (mark == std::string_view::npos) continue;
    json answer = json::parse(line.substr(mark + kMark.size()), nullptr, false);
    if (answer.is_object() && answer.contains("loads")) answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace

Result<VerifyTools> FindVerifyTools(const std::string& agent, const std::string& vm, bool needs_vm) {
  const auto from_environment = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  VerifyTools tools{agent.empty() ? from_environment("KUBESENTRYD") : agent,
                    vm.empty() ? from_environment("KSC_VM") : vm};
  if (tools.agent.empty()) tools.agent = OwnFolder() / "kubesentryd";
  if (!IsProgram(tools.agent)) {
    return Error{"find the agent that loads the programs", tools.agent, "there is no such program",
                 "say where kubesentryd is, with --agent or in the environment variable KUBESENTRYD", "verify-agent"};
  }
  if (!needs_vm) return tools;
  if (tools.vm.empty()) tools.vm = VmOfProject();
  if (tools.vm.empty() || !IsProgram(tools.vm)) {
    return Error{"find what boots other kernels", tools.vm.empty() ? "tools/vm" : tools.vm,
                 tools.vm.empty() ? "this ksc does not lie in a clone of the project" : "there is no such program",
                 "say where the project's tools/vm is, with --vm or in the environment variable KSC_VM; without "
                 "--kernel, this kernel is asked",
                 "verify-vm"};
  }
  return tools;
}

Result<std::vector<KernelAnswer>> CheckHere(const VerifyTools& tools, const std::vector<std::string>& bundles,
                                            const std::string& trust) {
  std::vector<std::string> words = {tools.agent, "check", "--format", "json", "--trust", trust, "--"};
  words.insert(words.end(), bundles.begin(), bundles.end());
  Progress progress("verifying on this kernel");
  Result<Ended> ended = RunChild(words, [&](int seconds) { progress(seconds); });
  if (!ended) return ended.error();
  std::vector<KernelAnswer> answers;
  std::string_view out = ended->out;
  for (size_t i = 0; i < bundles.size() && !out.empty(); i++) {
    const size_t end = std::min(out.find('\n'), out.size() - 1) + 1;
    json facts = json::parse(out.substr(0, end), nullptr, false);
    if (!facts.is_object()) break;
    answers.push_back({i, std::string(kThisKernel), std::move(facts)});
    out.remove_prefix(end);
  }
  if (answers.size() != bundles.size()) return AgentFailed(tools.agent, *ended);
  return answers;
}

Result<std::vector<KernelAnswer>> CheckInMachines(const VerifyTools& tools, const std::vector<std::string>& kernels,
                                                  const std::vector<std::string>& bundles, const std::string& trust) {
  const Scratch scratch;
  if (scratch.path().empty()) {
    return Error{"make a folder in", fs::temp_directory_path().string(), std::strerror(errno), "", "verify-vm"};
  }
  // Names that tools/vm does not take apart.
  std::vector<std::string> files;
  std::string inside;
  const auto add = [&](const std::string& path, const std::string& name) {
    std::error_code error;
    fs::create_symlink(fs::absolute(path), scratch.path() / name, error);
    files.push_back((scratch.path() / name).string() + ":/files/" + name);
  };
  add(tools.agent, "kubesentryd");
  add(trust, "trust.pub");
  for (size_t i = 0; i < bundles.size(); i++) {
    add(bundles[i], fmt::format("{}.kspb", i));
    inside += fmt::format(" {}.kspb", i);
  }
  std::vector<std::string> words = {tools.vm};
  words.insert(words.end(), kernels.begin(), kernels.end());
  const fs::path logs = scratch.path() / "logs";
  words.insert(words.end(), {"--timeout", kMachineSeconds, "--logs", logs, "--run",
                             "./kubesentryd check --format json --trust trust.pub" + inside + " | sed 's/^/" +
                                 std::string(kMark) + "/'",
                             "--files"});
  words.insert(words.end(), files.begin(), files.end());
  Progress progress(fmt::format("verifying on {} in machines", fmt::join(kernels, ", ")));
  Result<Ended> ended = RunChild(words, [&](int seconds) { progress(seconds); });
  if (!ended) return ended.error();
  const std::string list = fmt::format("{}", fmt::join(kernels, ", "));
  if (ended->status != 0 && ended->status != 1) {
    return Error{"boot the kernels", list, LastLine(ended->err.empty() ? ended->out : ended->err),
                 "tools/vm needs qemu-system-x86, cpio and busybox-static, and takes kernels from the mirrors that apt "
                 "is configured for; what it has fetched once it keeps",
                 "verify-vm"};
  }
  std::vector<KernelAnswer> answers;
  for (const std::string& kernel : kernels) {
    Result<std::string> log = ReadFile(logs / (kernel + ".log"), kMostLog);
    std::vector<json> found = log ? AnswersIn(*log) : std::vector<json>();
    if (found.size() != bundles.size()) {
      return Error{"check in a machine with kernel", kernel,
                   fmt::format("of {} bundles it answered for {}; it ended with: {}", bundles.size(), found.size(),
                               log ? LastLine(*log) : log.error().cause),
                   fmt::format("`{} {}` shows whether that kernel boots here", tools.vm, kernel), "verify-vm"};
    }
    for (size_t i = 0; i < found.size(); i++) answers.push_back({i, kernel, std::move(found[i])});
  }
  return answers;
}

}  // namespace ks::ksc
