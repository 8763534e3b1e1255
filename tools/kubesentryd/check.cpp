// kubesentryd check: bundles through the kernel's verifier, as `run` would load them, but into no bank and on no hook.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <nlohmann/json.hpp>
#include <set>

#include "runtime/loader/loader.h"
#include "tools/cli/args.h"
#include "tools/kubesentryd/clock.h"
#include "tools/kubesentryd/commands.h"
#include "tools/kubesentryd/trust.h"

namespace ks::agent {
namespace {

using nlohmann::ordered_json;

constexpr uint32_t kSmallRing = 64 * 1024;  // nothing goes into it

const cli::Command kCommand{
    .name = "kubesentryd check",
    .positionals = "BUNDLE.kspb…",
    .min_positionals = 1,
    .max_positionals = 64,
    .about =
        "Verifies bundles and loads their programs through this kernel's verifier, as `run` does, and ends: they are "
        "attached\nto nothing, no event is seen, and an agent that runs is not disturbed. Needs what `run` needs. "
        "`ksc verify` asks\nthis on other kernels, too.",
    .example = "  kubesentryd check prod.kspb --trust key.pub",
    .options = {
        {.name = "--trust", .value = "FILE", .about = "public keys (PEM) whose bundles are loaded", .required = true},
        {.name = "--format",
         .value = "FORMAT",
         .about = "human (default), or json: one object a line and bundle",
         .choices = {"human", "json"}},
    }};

// What is wrong with the world, and not with the bundle.
bool IsOfTheWorld(const Error& error) {
  static const std::set<std::string_view> kOfTheBundle = {"kernel-verifier", "kernel-btf", "kernel-object"};
  return (error.code.starts_with("kernel-") && !kOfTheBundle.contains(error.code)) || error.code.starts_with("file-");
}

ordered_json FactsOf(const std::string& path, const std::string& release) {
  ordered_json facts;
  facts["bundle"] = path;
  facts["kernel"] = release;
  return facts;
}

void Print(const ordered_json& facts) {
  fmt::print("{}\n", facts.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

void PrintLoaded(const std::string& path, const std::string& release, const loader::LoadedBundle& loaded, bool json) {
  const kernel::LoadedObject& object = *loaded.object;
  if (json) {
    ordered_json facts = FactsOf(path, release);
    facts["loads"] = true;
    facts["load_ms"] = object.load_ms();
    facts["map_bytes"] = object.map_bytes();
    facts["hooks"] = ordered_json::array();
    for (const kernel::LoadedHook& hook : object.hooks()) {
      facts["hooks"].push_back({{"hook", hook.hook},
                                {"instructions", hook.instructions},
                                {"verified", hook.verified_instructions},
                                {"states", hook.states},
                                {"verify_ms", hook.verify_us / 1000.0},
                                {"jited_bytes", hook.jited_bytes}});
    }
    return Print(facts);
  }
  fmt::print("{}: loads on {} in {:.1f} ms; {} bytes of maps\n", path, release, object.load_ms(), object.map_bytes());
  for (const kernel::LoadedHook& hook : object.hooks()) {
    fmt::print("  {:<24} {:>8} instructions, {:>8} verified, {:>7.1f} ms\n", hook.hook, hook.instructions,
               hook.verified_instructions, hook.verify_us / 1000.0);
  }
}

void PrintRefused(const std::string& path, const std::string& release, const Error& error, bool json) {
  if (!json) {
    fmt::print(stderr, "error[{}]: {}\n", error.code, error.ToString());
    return;
  }
  ordered_json facts = FactsOf(path, release);
  facts["loads"] = false;
  facts["code"] = error.code;
  facts["tried"] = error.tried;
  facts["on"] = error.on;
  facts["cause"] = error.cause;
  facts["advice"] = error.advice;
  for (const auto& [name, value] : error.facts) facts[name] = value;
  if (!error.detail.empty()) facts["detail"] = error.detail;
  if (!error.log.empty()) facts["log"] = error.log;
  Print(facts);
}

}  // namespace

int CheckBundles(const Words& words) {
  int code = cli::kFine;
  const auto arguments = cli::Parse(kCommand, words, &code);
  if (!arguments) return code;
  const bool json = arguments->Get("--format", "human") == "json";
  const auto trust = ReadTrust(arguments->Get("--trust"));
  if (!trust) return cli::Fail(trust.error(), json);
  utsname about{};
  ::uname(&about);
  const std::string release = about.release;
  // Opened for the first bundle that verifies: what is wrong with a bundle is said also where BPF is not to be had.
  std::unique_ptr<kernel::Kernel> kernel;
  for (const std::string& path : arguments->positionals()) {
    auto verified = loader::ReadBundle(path, *trust, NowSeconds());
    if (verified && !kernel) {
      auto opened = kernel::OpenLibbpfKernel({.ring_bytes = kSmallRing});
      if (!opened) return cli::Fail(opened.error(), json);
      kernel = std::move(*opened);
    }
    auto loaded =
        verified ? loader::Loader(*kernel).Load(std::move(*verified)) : Result<loader::LoadedBundle>(verified.error());
    if (loaded) {
      PrintLoaded(path, release, *loaded, json);
    } else {
      Error error = loaded.error();
      if (error.on == "the bundle") error.on = path;
      if (!json) cli::KeepLog(&error, path + ".verifier.log");
      PrintRefused(path, release, error, json);
      code = std::max<int>(code, IsOfTheWorld(error) ? cli::kWorldFailed : cli::kFindings);
    }
    std::fflush(stdout);
  }
  return code;
}

}  // namespace ks::agent
