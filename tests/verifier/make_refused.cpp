// Bundles that verifiers refuse, each for a reason of its own, made of one policy:
//   make_refused POLICY.ksp KEY.pem FOLDER [NAME…]      all names of codegen::Refused, or these
#include <fmt/format.h>

#include <set>

#include "compiler/bundle/bundle.h"
#include "compiler/driver/driver.h"

namespace ks {
namespace {

int Fail(const Error& error) {
  fmt::print(stderr, "make_refused: {}\n", error.ToString());
  return 1;
}

int Make(const std::string& policy, const std::string& key_path, const std::string& folder,
         const std::set<std::string_view>& names) {
  auto key = bundle::ReadPrivateKey(key_path);
  if (!key) return Fail(key.error());
  auto analysis = driver::Analyze(std::vector<std::string>{policy}, driver::Options{});
  if (!analysis) return Fail(analysis.error());
  if (!(*analysis)->ok()) return Fail({"compile", policy, "it has mistakes: `ksc check` shows them", "", ""});
  std::vector<codegen::Refused> all(std::begin(codegen::kRefusals), std::end(codegen::kRefusals));
  all.push_back(codegen::Refused::None);
  for (codegen::Refused refused : all) {
    if (!names.empty() && !names.contains(codegen::Name(refused))) continue;
    codegen::EmitOptions options;
    options.refused = refused;
    auto object = driver::Generate(**analysis, options);
    if (!object) return Fail(object.error());
    bundle::Contents contents;
    contents.bpf_object = object->elf;
    contents.program = &(*analysis)->program;
    bundle::PackOptions about;
    about.name = std::string(codegen::Name(refused));
    about.issued_at = "2026-01-01T00:00:00Z";
    about.expires_at = "2099-01-01T00:00:00Z";
    about.compiler_version = "0";
    auto signed_bundle = bundle::Sign(bundle::Pack(contents, about), *key);
    if (!signed_bundle) return Fail(signed_bundle.error());
    if (Status written = WriteFile(folder + "/" + about.name + ".kspb", *signed_bundle); !written) {
      return Fail(written.error());
    }
  }
  return 0;
}

}  // namespace
}  // namespace ks

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: make_refused POLICY.ksp KEY.pem FOLDER [NAME…]\n");
    return 2;
  }
  return ks::Make(argv[1], argv[2], argv[3], {argv + 4, argv + argc});
}
