// Program → manifest and members → signed container.
#include <fmt/format.h>

#include "compiler/bundle/archive.h"
#include "compiler/bundle/bundle.h"
#include "compiler/bundle/envelope.h"
#include "compiler/bundle/keys.h"
#include "compiler/bundle/manifest.h"
#include "compiler/bundle/verify_steps.h"
#include "compiler/ir/text.h"

namespace ks::bundle {
namespace {

Result<std::string> SignAndWrite(const std::string& manifest_json, const Manifest& manifest,
                                 std::vector<ArchiveMember> members, const std::string& private_key_pem) {
  auto signature = SignBytes(PreAuthEncoding(kPayloadType, manifest_json), private_key_pem);
  if (!signature) return signature.error();
  const std::string envelope = WriteEnvelope({std::string(kPayloadType), manifest_json, {*signature}});
  members.insert(members.begin(), ArchiveMember{std::string(kEnvelopeName), envelope});
  std::string bytes = WriteArchive(members, static_cast<uint64_t>(*ParseTime(manifest.issued_at)));
  if (envelope.size() > kMaxEnvelopeBytes || bytes.size() > kMaxBundleBytes) {
    return Error{"write the bundle", manifest.bundle,
                 fmt::format("{} bytes with a manifest of {}; {} and {} are allowed", bytes.size(), envelope.size(),
                             kMaxBundleBytes, kMaxEnvelopeBytes),
                 "split the policy into several bundles", "bundle-too-large"};
  }
  return bytes;
}

}  // namespace

Unsigned Pack(const Contents& contents, const PackOptions& options) {
  KS_CHECK(contents.program != nullptr, "a bundle is of a program");
  Unsigned out;
  out.members.push_back({"policy.bpf.o", std::string(kBpfType), contents.bpf_object});
  out.members.push_back({"policy.residual", std::string(kResidualType), ir::Print(*contents.program)});
  out.members.push_back({"egress.json", std::string(kEgressType), EgressJson(*contents.program, options)});

  Manifest m;
  m.bundle = options.name;
  m.version = options.version;
  m.issued_at = options.issued_at;
  m.not_before = options.issued_at;
  m.expires_at = options.expires_at;
  m.min_agent = KS_VERSION;
  m.engine_abi = kEngineAbi;
  m.schema_hash = schema::Hash();
  m.kernel_min = "5.8";
  m.kernel_features = {"ringbuf", "btf"};
  m.arch = {"x86_64"};
  m.caps = {"CAP_BPF", "CAP_PERFMON"};
  m.compiler_name = "ksc";
  m.compiler_version = options.compiler_version;
  m.sources = contents.sources;
  for (const Member& member : out.members) {
    m.objects.push_back({member.name, member.type, Sha256Hex(member.bytes), member.bytes.size()});
  }
  m.crit = {"kernel", "engine_abi", "schema_hash"};
  out.manifest_json = WriteManifest(m);
  return out;
}

Result<std::string> Sign(const Unsigned& bundle, const std::string& private_key_pem) {
  // The reader's rules hold for what we write: a bundle that the agent would refuse is not signed.
  auto manifest = ReadManifest(bundle.manifest_json);
  if (!manifest) return manifest.error();
  std::vector<ArchiveMember> members;
  members.reserve(bundle.members.size());
  for (const Member& member : bundle.members) members.push_back({member.name, member.bytes});
  if (Status matches = CheckMembers(*manifest, members); !matches) return matches.error();
  return SignAndWrite(bundle.manifest_json, *manifest, std::move(members), private_key_pem);
}

Result<std::string> Resign(std::string_view container, const std::string& private_key_pem) {
  auto opened = OpenContainer(container);
  if (!opened) return opened.error();
  auto manifest = ReadManifest(opened->envelope.payload);
  if (!manifest) return manifest.error();
  if (Status matches = CheckMembers(*manifest, opened->objects); !matches) return matches.error();
  return SignAndWrite(opened->envelope.payload, *manifest, opened->objects, private_key_pem);
}

}  // namespace ks::bundle
