// Bundles: the .kspb container, its manifest and its signature (design: bundle.md). Shared by ksc and the agent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/ir.h"
#include "compiler/support/result.h"

namespace ks::bundle {

inline constexpr size_t kMaxBundleBytes = 64 * 1024 * 1024;

struct Member {
  std::string name;  // "policy.bpf.o"
  std::string type;  // "bpf-elf", "residual-v1", "egress-v1"
  std::string bytes;
};

struct SourceDigest {
  std::string name, sha256;
};

// The signed statement about a bundle. Field for field the JSON of bundle.md.
struct Manifest {
  std::string bundle;  // its name: "prod-baseline"
  uint64_t version = 0;
  std::string issued_at, not_before, expires_at;  // RFC 3339, UTC, seconds
  std::string min_agent;
  uint32_t engine_abi = 0;
  std::string schema_hash;
  std::string kernel_min;
  std::vector<std::string> kernel_features;
  std::vector<std::string> arch;
  std::vector<std::string> caps;
  std::string compiler_name, compiler_version;
  std::vector<SourceDigest> sources;
  struct Object {
    std::string name, type, sha256;
    uint64_t size = 0;
  };
  std::vector<Object> objects;
  std::vector<std::string> crit;
};

// Another one wherever an agent would understand what a bundle holds otherwise than the compiler meant it; so also if
// ir::Index numbers clauses otherwise.
inline constexpr uint32_t kEngineAbi = 4;

struct PackOptions {
  std::string name;
  uint64_t version = 1;
  std::string issued_at;  // from the clock or SOURCE_DATE_EPOCH by the caller: same input, same bytes
  std::string expires_at;
  std::string compiler_version;
};

// What the compiler hands over: object, program, sources.
struct Contents {
  std::string bpf_object;
  const ir::Program* program = nullptr;
  std::vector<SourceDigest> sources;
};

// Manifest and members, not yet signed.
struct Unsigned {
  std::string manifest_json;
  std::vector<Member> members;
};
Unsigned Pack(const Contents& contents, const PackOptions& options);

// DSSE over the manifest with the private key (PEM, Ed25519), and the container's bytes.
Result<std::string> Sign(const Unsigned& bundle, const std::string& private_key_pem);
// Signs an existing bundle's manifest again with another key (all else unchanged).
Result<std::string> Resign(std::string_view container, const std::string& private_key_pem);

struct KeyPair {
  std::string private_pem, public_pem;
};
Result<KeyPair> GenerateKey();
// Reads a private key file; refuses one that others may read (mode & 077).
Result<std::string> ReadPrivateKey(const std::string& path);

// Trusted public keys: hex(sha256(SPKI)) → key. One or more PEM blocks in one file.
class Trust {
 public:
  static Result<Trust> FromPem(std::string_view pem);
  struct Key {
    std::string id;    // hex(sha256(SPKI))
    std::string spki;  // DER
  };
  const std::vector<Key>& keys() const { return keys_; }

 private:
  std::vector<Key> keys_;
};

// A bundle whose signature, manifest and members were checked, in this order: container, envelope, payload type,
// signature, manifest, crit, validity, agent, ABI, schema, arch, members. Only Verify makes one.
class VerifiedBundle {
 public:
  const Manifest& manifest() const { return manifest_; }
  const std::string& digest() const { return digest_; }  // "sha256:…" of the manifest's payload
  const std::string& egress_digest() const { return egress_digest_; }
  const std::string& key_id() const { return key_id_; }
  const std::string& bpf_object() const { return bpf_object_; }
  const ir::Program& program() const { return program_; }
  const std::string& egress_json() const { return egress_json_; }

 private:
  friend Result<VerifiedBundle> Verify(std::string_view, const Trust&, int64_t);
  VerifiedBundle() = default;
  Manifest manifest_;
  std::string digest_, egress_digest_, key_id_, bpf_object_, egress_json_;
  ir::Program program_;
};

// `now`: seconds since 1970, for not_before and expires_at. Error::code is one of: bundle-too-large, container,
// envelope, payload-type, signature-missing, signature-wrong-key, signature-invalid, manifest, crit, not-yet-valid,
// expired, agent-too-old, abi, schema, arch, members, digest, residual.
Result<VerifiedBundle> Verify(std::string_view container, const Trust& trust, int64_t now);

// Without any trust: what a bundle says of itself, for `ksc bundle show`. Never used to load.
Result<Manifest> Inspect(std::string_view container);

// Without any trust: a bundle's program, for `ksc replay`, which loads nothing. Members are checked against the
// manifest.
struct Untrusted {
  Manifest manifest;
  std::string digest;
  ir::Program program;
};
Result<Untrusted> OpenUntrusted(std::string_view container);

// The egress manifest (data.md) of a program.
std::string EgressJson(const ir::Program& program, const PackOptions& options);

}  // namespace ks::bundle
