// Verification, in the order of design/bundle.md: nothing is parsed before it is needed to decide whether to go on.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/bundle/archive.h"
#include "compiler/bundle/bundle.h"
#include "compiler/bundle/envelope.h"
#include "compiler/bundle/keys.h"
#include "compiler/bundle/manifest.h"
#include "compiler/bundle/verify_steps.h"
#include "compiler/ir/passes.h"
#include "compiler/ir/text.h"

namespace ks::bundle {
namespace {

#if defined(__x86_64__)
constexpr std::string_view kArch = "x86_64";
#elif defined(__aarch64__)
constexpr std::string_view kArch = "aarch64";
#else
#error "which architecture is this, in the words of uname -m?"
#endif

Error Refuse(std::string cause, std::string advice, std::string code) {
  return {"verify the bundle", "the bundle", std::move(cause), std::move(advice), std::move(code)};
}

std::string KeyNames(const Trust& trust) {
  std::string out;
  for (const Trust::Key& key : trust.keys()) out += (out.empty() ? "" : ", ") + key.id.substr(0, 12);
  return out;
}

// The id of a trusted key whose signature over the payload holds. Ids in the envelope only say which key to try.
Result<std::string> CheckSignatures(const Envelope& envelope, const Trust& trust) {
  if (envelope.signatures.empty()) {
    return Refuse("it is not signed", "sign it: `ksc bundle sign BUNDLE --key KEY.pem`", "signature-missing");
  }
  const std::string signed_bytes = PreAuthEncoding(envelope.payload_type, envelope.payload);
  bool tried = false;
  for (const Signature& signature : envelope.signatures) {
    for (const Trust::Key& key : trust.keys()) {
      if (key.id != signature.key_id) continue;
      tried = true;
      if (SignatureIsValid(key, signed_bytes, signature.bytes)) return key.id;
    }
  }
  if (tried) {
    return Refuse("a signature that names a trusted key is not that key's signature of this manifest",
                  "the bundle was changed after it was signed: fetch or build it again", "signature-invalid");
  }
  return Refuse(
      fmt::format("none of its {} signature(s) is by a trusted key ({})", envelope.signatures.size(), KeyNames(trust)),
      "sign it with a trusted key, or trust its signer's .pub file", "signature-wrong-key");
}

Status CheckManifest(const Manifest& m, uint64_t mtime, int64_t now) {
  // ReadManifest took only texts that parse.
  if (now < *ParseTime(m.not_before)) {
    return Refuse(fmt::format("it is valid from {} on", m.not_before), "check the clock of this node", "not-yet-valid");
  }
  if (now >= *ParseTime(m.expires_at)) {
    return Refuse(fmt::format("it expired at {}", m.expires_at), "compile and sign a new version", "expired");
  }
  if (!*VersionAtLeast(KS_VERSION, m.min_agent)) {
    return Refuse(fmt::format("it needs version {} or later; this is {}", m.min_agent, KS_VERSION),
                  "update the agent first", "agent-too-old");
  }
  if (m.engine_abi != kEngineAbi) {
    bool newer = m.engine_abi > kEngineAbi;
    return Refuse(fmt::format("it is for engine ABI {}; this is {}, {}", m.engine_abi, kEngineAbi,
                              newer ? "which does not know all that it may say" : "which reads it differently"),
                  newer ? "update the agent first, or compile it with a compiler of the agent's version"
                        : "compile it again with a compiler of the agent's version",
                  "abi");
  }
  if (m.schema_hash != schema::Hash()) {
    return Refuse(fmt::format("it was compiled for event table {}; this build has {}", m.schema_hash, schema::Hash()),
                  "compile it with a compiler of the agent's version", "schema");
  }
  if (std::find(m.arch.begin(), m.arch.end(), kArch) == m.arch.end()) {
    return Refuse(fmt::format("it is not for {}", kArch), "compile it for this architecture", "arch");
  }
  if (mtime != static_cast<uint64_t>(*ParseTime(m.issued_at))) {
    return Refuse("the container's times are not the manifest's `issued_at`", "fetch or build it again", "members");
  }
  return Ok();
}

const ArchiveMember* ObjectOfType(const Manifest& manifest, const std::vector<ArchiveMember>& objects,
                                  std::string_view type) {
  for (size_t i = 0; i < objects.size(); i++) {
    if (manifest.objects[i].type == type) return &objects[i];
  }
  return nullptr;
}

Result<ir::Program> ReadProgram(const Manifest& manifest, const std::vector<ArchiveMember>& objects) {
  auto program = ir::ParseProgram(ObjectOfType(manifest, objects, kResidualType)->bytes);
  if (!program) {
    return Refuse(fmt::format("its program cannot be read: {}", program.error().cause), "compile it again", "residual");
  }
  if (auto plan = ir::MakePlan(*program); !plan) {
    return Refuse(fmt::format("its program cannot be planned: {}", plan.error().cause), "compile it again", "residual");
  }
  return program;
}

}  // namespace

Result<Opened> OpenContainer(std::string_view container) {
  auto archive = ReadArchive(container);
  if (!archive) return archive.error();
  if (archive->members[0].name != kEnvelopeName) {
    return Refuse(fmt::format("its first member is {}, not {}", archive->members[0].name, kEnvelopeName),
                  "fetch or build it again", "container");
  }
  auto envelope = ReadEnvelope(archive->members[0].bytes);
  if (!envelope) return envelope.error();
  if (envelope->payload_type != kPayloadType) {
    return Refuse("the envelope is of something other than a bundle", "fetch or build it again", "payload-type");
  }
  archive->members.erase(archive->members.begin());
  return Opened{archive->mtime, std::move(*envelope), std::move(archive->members)};
}

Status CheckMembers(const Manifest& manifest, const std::vector<ArchiveMember>& objects) {
  const std::string again = "fetch or build it again";
  if (objects.size() != manifest.objects.size()) {
    return Refuse(fmt::format("it has {} members, its manifest names {}", objects.size(), manifest.objects.size()),
                  again, "members");
  }
  for (size_t i = 0; i < objects.size(); i++) {
    const Manifest::Object& named = manifest.objects[i];
    if (objects[i].name != named.name) {
      return Refuse(fmt::format("member {} is {}, the manifest says {}", i + 1, objects[i].name, named.name), again,
                    "members");
    }
    if (objects[i].bytes.size() != named.size) {
      return Refuse(
          fmt::format("{} has {} bytes, the manifest says {}", named.name, objects[i].bytes.size(), named.size), again,
          "members");
    }
    if (Sha256Hex(objects[i].bytes) != named.sha256) {
      return Refuse(fmt::format("{} is not what was signed: its digest differs", named.name), again, "digest");
    }
  }
  for (std::string_view type : {kBpfType, kResidualType, kEgressType}) {
    const auto count = std::count_if(manifest.objects.begin(), manifest.objects.end(),
                                     [&](const Manifest::Object& object) { return object.type == type; });
    if (count != 1) return Refuse(fmt::format("it has {} members of type {}, not one", count, type), again, "members");
  }
  if (manifest.objects.size() != 3)
    return Refuse("it has a member of a type that this build does not know", again, "members");
  return Ok();
}

Result<VerifiedBundle> Verify(std::string_view container, const Trust& trust, int64_t now) {
  auto opened = OpenContainer(container);
  if (!opened) return opened.error();
  auto key_id = CheckSignatures(opened->envelope, trust);
  if (!key_id) return key_id.error();
  auto manifest = ReadManifest(opened->envelope.payload);
  if (!manifest) return manifest.error();
  if (Status fits = CheckManifest(*manifest, opened->mtime, now); !fits) return fits.error();
  if (Status matches = CheckMembers(*manifest, opened->objects); !matches) return matches.error();

  auto program = ReadProgram(*manifest, opened->objects);
  if (!program) return program.error();
  VerifiedBundle out;
  out.digest_ = "sha256:" + Sha256Hex(opened->envelope.payload);
  out.key_id_ = *key_id;
  out.bpf_object_ = ObjectOfType(*manifest, opened->objects, kBpfType)->bytes;
  out.egress_json_ = ObjectOfType(*manifest, opened->objects, kEgressType)->bytes;
  out.egress_digest_ = "sha256:" + Sha256Hex(out.egress_json_);
  out.program_ = std::move(*program);
  out.manifest_ = std::move(*manifest);
  return out;
}

Result<Manifest> Inspect(std::string_view container) {
  auto opened = OpenContainer(container);
  if (!opened) return opened.error();
  return ReadManifest(opened->envelope.payload);
}

Result<Untrusted> OpenUntrusted(std::string_view container) {
  auto opened = OpenContainer(container);
  if (!opened) return opened.error();
  auto manifest = ReadManifest(opened->envelope.payload);
  if (!manifest) return manifest.error();
  if (manifest->schema_hash != schema::Hash()) {
    return Refuse(
        fmt::format("it was compiled for event table {}; this build has {}", manifest->schema_hash, schema::Hash()),
        "compile it with a compiler of this version", "schema");
  }
  if (Status matches = CheckMembers(*manifest, opened->objects); !matches) return matches.error();
  auto program = ReadProgram(*manifest, opened->objects);
  if (!program) return program.error();
  return Untrusted{std::move(*manifest), "sha256:" + Sha256Hex(opened->envelope.payload), std::move(*program)};
}

}  // namespace ks::bundle
