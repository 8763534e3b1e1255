#include "tools/ksc/policy.h"

#include <fmt/format.h>

#include "compiler/bundle/bundle.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/fix.h"
#include "tools/ksc/results.h"

namespace ks::ksc {
namespace {

// With the file it is about, of which the part is known.
Error Of(const std::string& path, Error error) {
  const bool whole = error.on.empty() || error.on == "the bundle" || error.on == "the key file";
  error.on = whole ? path : fmt::format("{} ({})", path, error.on);
  return error;
}

Result<Policy> FromBundle(const std::string& path, const std::string& trust_path) {
  Result<std::string> bytes = ReadFile(path, bundle::kMaxBundleBytes);
  if (!bytes) return bytes.error();
  Policy policy;
  if (trust_path.empty()) {
    Result<bundle::Untrusted> opened = bundle::OpenUntrusted(*bytes);
    if (!opened) return Of(path, opened.error());
    policy.program = std::move(opened->program);
    policy.origin.bundle_digest = opened->digest;
    policy.origin.bundle_version = opened->manifest.version;
    return policy;
  }
  Result<std::string> pem = ReadFile(trust_path, 1 << 20);
  if (!pem) return pem.error();
  Result<bundle::Trust> trust = bundle::Trust::FromPem(*pem);
  if (!trust) return Of(trust_path, trust.error());
  Result<bundle::VerifiedBundle> verified = bundle::Verify(*bytes, *trust, Now());
  if (!verified) return Of(path, verified.error());
  policy.program = verified->program();
  policy.origin.bundle_digest = verified->digest();
  policy.origin.bundle_version = verified->manifest().version;
  policy.origin.egress_digest = verified->egress_digest();
  return policy;
}

}  // namespace

std::optional<Policy> LoadPolicy(const std::vector<std::string>& paths, const cli::Arguments& arguments, int* code) {
  bool json = WantsJson(arguments);
  if (paths.size() == 1 && IsBundle(paths[0])) {
    Result<Policy> policy = FromBundle(paths[0], arguments.Get("--trust"));
    if (policy) {
      policy->places = RulePlacesOf(policy->program, {});
      return std::move(*policy);
    }
    *code = cli::Fail(policy.error(), json);
    return std::nullopt;
  }
  auto analysis = AnalyzePaths(paths, json, code, OptionsOf(arguments));
  if (!analysis) return std::nullopt;
  const std::string format = arguments.Get("--format", "human");
  if (!analysis->ok() && IsForMachines(format)) {
    *code = ReportAs(*analysis, format, false);
    return std::nullopt;
  }
  *code = Report(*analysis, {false, false, false});
  if (!analysis->ok()) return std::nullopt;
  RulePlaces places = RulePlacesOf(analysis->program, analysis->files);
  return Policy{std::move(analysis->program), {}, std::move(places)};
}

std::vector<const ir::Rule*> RulesOf(const ir::Program& program) {
  std::vector<const ir::Rule*> rules;
  for (const ir::SplitRule& split : program.rules) {
    const ir::Rule* rule = split.machine ? &program.machines[*split.machine].rule : &split.rule;
    if (rules.empty() || rules.back() != rule) rules.push_back(rule);
  }
  return rules;
}

}  // namespace ks::ksc
