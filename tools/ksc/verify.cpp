// ksc verify: what a bundle's programs cost the verifiers of kernels, or why one refuses them.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/bundle/bundle.h"
#include "compiler/codegen/stats.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/verify_kernels.h"

namespace ks::ksc {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr size_t kMaxKeyBytes = 1 << 20;

const cli::Command& VerifyCommand() {
  static const cli::Command kCommand = {
      "ksc verify",
      "BUNDLE.kspb…",
      1,
      32,
      "Loads bundles through the verifier of this kernel, or of others in machines under QEMU, and shows what each "
      "hook's\nprogram costs there, or why it is refused: rule, condition, what to change. Nothing is attached. This "
      "kernel needs\nCAP_BPF and CAP_PERFMON, as the agent does; machines need nothing.",
      "  ksc verify prod.kspb --trust key.pub\n  ksc verify prod.kspb --trust key.pub --kernel 5.10 --kernel 7",
      {{"--trust", "KEY.pub", "trusted public keys, PEM: nothing else is loaded", true, {}},
       {"--kernel",
        "V",
        "5.10, 6.1, 6.12, 7 (in machines) or host (this one, the default); may be given several times",
        false,
        {"host", "5.10", "6.1", "6.12", "7"},
        true},
       {"--agent", "FILE", "the kubesentryd that loads; else $KUBESENTRYD, else the one beside ksc", false, {}},
       {"--vm", "FILE", "the project's tools/vm; else $KSC_VM, else that of the clone around ksc", false, {}},
       FormatOption()}};
  return kCommand;
}

// By hook: what is the same on every kernel.
using Stacks = std::map<std::string, uint32_t>;

Stacks StacksOf(const std::string& elf) {
  Stacks stacks;
  codegen::BpfObject object;
  object.elf = elf;
  if (!codegen::Measure(object)) return stacks;
  for (const codegen::ProgramStats& program : object.programs) {
    stacks[program.section.substr(program.section.find('/') + 1)] = program.stack_bytes;
  }
  return stacks;
}

struct Subject {
  std::string path;
  Stacks stacks;
};

// Not loaded anywhere. Of the file: the world failed.
int Refuse(const std::string& path, const Error& error, bool as_json) {
  if (error.code.starts_with("file-")) return cli::Fail(error, as_json);
  if (as_json) {
    ordered_json facts = {{"bundle", path}, {"loads", false}, {"code", error.code}, {"cause", error.cause}};
    if (!error.advice.empty()) facts["advice"] = error.advice;
    fmt::print("{}\n", facts.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  } else {
    fmt::print(stderr, "refused[{}]: {}: {}\n", error.code, path, error.cause);
    if (!error.advice.empty()) fmt::print(stderr, "  help: {}\n", error.advice);
  }
  return cli::kFindings;
}

void PrintJson(const Subject& subject, const KernelAnswer& answer) {
  ordered_json facts = {{"bundle", subject.path},
                        {"kernel", answer.kernel},
                        {"release", answer.facts.value("kernel", "")},
                        {"emulated", answer.kernel != kThisKernel}};
  static const std::set<std::string> kOurs = {"bundle", "kernel", "tried", "on", "detail"};
  for (const auto& [key, value] : answer.facts.items()) {
    if (!kOurs.contains(key)) facts[key] = value;
  }
  if (facts.contains("hooks")) {
    for (ordered_json& hook : facts["hooks"]) {
      const auto stack = subject.stacks.find(hook.value("hook", ""));
      if (stack != subject.stacks.end()) hook["stack_bytes"] = stack->second;
    }
  }
  fmt::print("{}\n", facts.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

void PrintText(const Subject& subject, const KernelAnswer& answer) {
  const std::string on = fmt::format("{}{}", answer.facts.value("kernel", "?"),
                                     answer.kernel == kThisKernel ? " (this kernel)" : " (emulated)");
  if (!answer.facts.value("loads", false)) {
    fmt::print("{}: refused on {}\n  {}: {}\n{}", subject.path, on, answer.facts.value("code", "?"),
               answer.facts.value("cause", ""), answer.facts.value("detail", ""));
    if (const std::string advice = answer.facts.value("advice", ""); !advice.empty()) {
      fmt::print("  help: {}\n", advice);
    }
    return;
  }
  fmt::print("{}: loads on {} in {:.0f} ms; {} bytes of maps\n", subject.path, on, answer.facts.value("load_ms", 0.0),
             answer.facts.value("map_bytes", uint64_t{0}));
  fmt::print("  {:<22} {:>12} {:>22} {:>8} {:>7} {:>10}\n", "hook", "instructions", "verified (of 1000000)", "states",
             "stack", "verify ms");
  for (const json& hook : answer.facts.value("hooks", json::array())) {
    const std::string name = hook.value("hook", "");
    const auto stack = subject.stacks.find(name);
    fmt::print("  {:<22} {:>12} {:>22} {:>8} {:>7} {:>10.1f}\n", name, hook.value("instructions", 0),
               hook.value("verified", 0), hook.value("states", 0),
               stack == subject.stacks.end() ? "?" : std::to_string(stack->second), hook.value("verify_ms", 0.0));
  }
}

// The kernel's log goes beside the bundle, a file for each kernel.
void KeepLog(const Subject& subject, KernelAnswer* answer) {
  Error error;
  error.log = answer->facts.value("log", "");
  error.detail = answer->facts.value("detail", "");
  answer->facts.erase("log");
  cli::KeepLog(&error, fmt::format("{}.{}.log", subject.path, answer->kernel));
  answer->facts["detail"] = error.detail;
  for (const auto& [name, value] : error.facts) answer->facts[name] = value;
}

bool IsOfTheWorld(const KernelAnswer& answer) {
  static const std::set<std::string> kFindings = {"kernel-verifier", "kernel-btf", "kernel-object"};
  const std::string code = answer.facts.value("code", "");
  return !answer.facts.value("loads", false) && code.starts_with("kernel-") && !kFindings.contains(code);
}

}  // namespace

int Verify(const Words& words) {
  int code = cli::kFine;
  const auto arguments = cli::Parse(VerifyCommand(), words, &code);
  if (!arguments) return code;
  const bool as_json = WantsJson(*arguments);
  std::vector<std::string> machines;
  bool here = !arguments->Has("--kernel");
  for (const std::string& kernel : arguments->All("--kernel")) {
    if (kernel == kThisKernel) {
      here = true;
    } else if (std::find(machines.begin(), machines.end(), kernel) == machines.end()) {
      machines.push_back(kernel);
    }
  }
  const std::string trust_path = arguments->Get("--trust");
  Result<std::string> pem = ReadFile(trust_path, kMaxKeyBytes);
  if (!pem) return cli::Fail(pem.error(), as_json);
  Result<bundle::Trust> trust = bundle::Trust::FromPem(*pem);
  if (!trust) {
    Error error = trust.error();
    error.on = trust_path;
    return cli::Fail(error, as_json);
  }

  // What is wrong with a bundle itself is said before any kernel is asked.
  std::vector<Subject> subjects;
  std::vector<std::string> paths;
  for (const std::string& path : arguments->positionals()) {
    Result<std::string> bytes = ReadFile(path, bundle::kMaxBundleBytes);
    Result<bundle::VerifiedBundle> verified =
        bytes ? bundle::Verify(*bytes, *trust, Now()) : Result<bundle::VerifiedBundle>(bytes.error());
    if (!verified) {
      code = std::max(code, Refuse(path, verified.error(), as_json));
      continue;
    }
    subjects.push_back({path, StacksOf(verified->bpf_object())});
    paths.push_back(path);
  }
  if (subjects.empty()) return code;

  Result<VerifyTools> tools = FindVerifyTools(arguments->Get("--agent"), arguments->Get("--vm"), !machines.empty());
  if (!tools) return cli::Fail(tools.error(), as_json);
  std::vector<KernelAnswer> answers;
  const auto take = [&](Result<std::vector<KernelAnswer>> some) {
    if (!some) {
      code = cli::Fail(some.error(), as_json);
      return;
    }
    answers.insert(answers.end(), some->begin(), some->end());
  };
  if (here) take(CheckHere(*tools, paths, trust_path));
  if (!machines.empty()) take(CheckInMachines(*tools, machines, paths, trust_path));
  for (size_t i = 0; i < subjects.size(); i++) {
    for (KernelAnswer& answer : answers) {
      if (answer.bundle != i) continue;
      KeepLog(subjects[i], &answer);
      if (as_json) {
        PrintJson(subjects[i], answer);
      } else {
        PrintText(subjects[i], answer);
      }
      if (!answer.facts.value("loads", false)) {
        code = std::max<int>(code, IsOfTheWorld(answer) ? cli::kWorldFailed : cli::kFindings);
      }
    }
  }
  return code;
}

}  // namespace ks::ksc
