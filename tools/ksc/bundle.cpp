// ksc bundle: keys, signatures, and what a bundle holds.
#include "compiler/bundle/bundle.h"

#include <fmt/format.h>
#include <unistd.h>

#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

constexpr size_t kMaxKeyBytes = 1 << 20;

void PrintManifest(const bundle::Manifest& manifest, bool json) {
  if (json) {
    std::string objects;
    for (const auto& object : manifest.objects) {
      objects += fmt::format(R"({}{{"name":{},"type":{},"size":{},"sha256":{}}})", objects.empty() ? "" : ",",
                             JsonString(object.name), JsonString(object.type), object.size, JsonString(object.sha256));
    }
    std::string sources;
    for (const auto& source : manifest.sources) {
      sources += fmt::format(R"({}{{"name":{},"sha256":{}}})", sources.empty() ? "" : ",", JsonString(source.name),
                             JsonString(source.sha256));
    }
    fmt::print(
        R"({{"bundle":{},"version":{},"issued_at":{},"not_before":{},"expires_at":{},"min_agent":{},"engine_abi":{},"schema_hash":{},"compiler":{},"objects":[{}],"sources":[{}]}})"
        "\n",
        JsonString(manifest.bundle), manifest.version, JsonString(manifest.issued_at), JsonString(manifest.not_before),
        JsonString(manifest.expires_at), JsonString(manifest.min_agent), manifest.engine_abi,
        JsonString(manifest.schema_hash), JsonString(manifest.compiler_version), objects, sources);
    return;
  }
  fmt::print("bundle    {} version {}\nissued    {}, expires {}\nneeds     agent {}, ABI {}, kernel {}, schema {}\n",
             manifest.bundle, manifest.version, manifest.issued_at, manifest.expires_at, manifest.min_agent,
             manifest.engine_abi, manifest.kernel_min, manifest.schema_hash);
  fmt::print("compiler  {} {}\n", manifest.compiler_name, manifest.compiler_version);
  for (const auto& object : manifest.objects) {
    fmt::print("member    {:<20} {:<12} {:>8} bytes  sha256 {}\n", object.name, object.type, object.size,
               object.sha256);
  }
  for (const auto& source : manifest.sources) fmt::print("source    {}  sha256 {}\n", source.name, source.sha256);
}

}  // namespace

int BundleKeygen(const Words& words) {
  const cli::Command command = {"ksc bundle keygen",
                                "",
                                0,
                                0,
                                "Makes an Ed25519 pair of keys: KEY.pem (private, mode 0600) and KEY.pub beside it.",
                                "  ksc bundle keygen -o key.pem",
                                {{"-o", "KEY.pem", "where the private key goes; never overwritten", true, {}}}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  std::string path = arguments->Get("-o");
  if (!path.ends_with(".pem") || path.size() == 4)
    return cli::Usage(command, "-o must end in .pem: the public key goes beside it, in .pub");
  std::string public_path = path.substr(0, path.size() - 4) + ".pub";
  for (const std::string& file : {path, public_path}) {
    if (::access(file.c_str(), F_OK) == 0) {
      return cli::Fail({"write the key", file, "it exists, and a key is never overwritten",
                        "choose another name, or remove it yourself", "key-exists"});
    }
  }
  Result<bundle::KeyPair> pair = bundle::GenerateKey();
  if (!pair) return cli::Fail(pair.error());
  if (Status written = WriteFile(path, pair->private_pem, 0600); !written) return cli::Fail(written.error());
  if (Status written = WriteFile(public_path, pair->public_pem, 0644); !written) {
    ::unlink(path.c_str());
    return cli::Fail(written.error());
  }
  fmt::print("{}: private key, keep it secret\n{}: public key, for --trust\n", path, public_path);
  return cli::kFine;
}

int BundleSign(const Words& words) {
  const cli::Command command = {
      "ksc bundle sign",
      "BUNDLE.kspb",
      1,
      1,
      "Replaces a bundle's signature by one of another key; all else stays.",
      "  ksc bundle sign dev.kspb --key prod.pem -o prod.kspb",
      {{"--key", "KEY.pem", "private key", true, {}}, {"-o", "OUT.kspb", "the signed bundle", true, {}}}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  Result<std::string> bytes = ReadFile(arguments->positionals()[0], bundle::kMaxBundleBytes);
  if (!bytes) return cli::Fail(bytes.error());
  Result<std::string> key = bundle::ReadPrivateKey(arguments->Get("--key"));
  if (!key) return cli::Fail(key.error());
  Result<std::string> signed_bytes = bundle::Resign(*bytes, *key);
  if (!signed_bytes) return cli::Fail(signed_bytes.error());
  if (Status written = WriteFile(arguments->Get("-o"), *signed_bytes); !written) return cli::Fail(written.error());
  fmt::print("{}: signed\n", arguments->Get("-o"));
  return cli::kFine;
}

int BundleVerify(const Words& words) {
  const cli::Command command = {
      "ksc bundle verify",
      "BUNDLE.kspb",
      1,
      1,
      "Checks a bundle as the agent does before it loads one. A refusal is exit status 1 and names its code.",
      "  ksc bundle verify prod.kspb --trust key.pub",
      {{"--trust", "KEY.pub", "trusted public keys, PEM", true, {}}, FormatOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  bool json = WantsJson(*arguments);
  std::string path = arguments->positionals()[0];
  Result<std::string> pem = ReadFile(arguments->Get("--trust"), kMaxKeyBytes);
  if (!pem) return cli::Fail(pem.error(), json);
  Result<bundle::Trust> trust = bundle::Trust::FromPem(*pem);
  if (!trust) return cli::Fail(trust.error(), json);
  Result<std::string> bytes = ReadFile(path, bundle::kMaxBundleBytes);
  if (!bytes) return cli::Fail(bytes.error(), json);
  Result<bundle::VerifiedBundle> verified = bundle::Verify(*bytes, *trust, Now());
  if (!verified) {
    const Error& error = verified.error();
    if (json) {
      fmt::print(R"({{"bundle":{},"verified":false,"code":{},"cause":{}}})"
                 "\n",
                 JsonString(path), JsonString(error.code), JsonString(error.cause));
    } else {
      fmt::print(stderr, "refused[{}]: {}: {}\n", error.code, path, error.cause);
      if (!error.advice.empty()) fmt::print(stderr, "  help: {}\n", error.advice);
    }
    return cli::kFindings;
  }
  if (json) {
    fmt::print(R"({{"bundle":{},"verified":true,"digest":{},"key":{}}})"
               "\n",
               JsonString(path), JsonString(verified->digest()), JsonString(verified->key_id()));
  } else {
    fmt::print("{}: verified\n  {} version {}, {}\n  signed by {}\n", path, verified->manifest().bundle,
               verified->manifest().version, verified->digest(), verified->key_id());
  }
  return cli::kFine;
}

int BundleShow(const Words& words) {
  const cli::Command command = {"ksc bundle show",
                                "BUNDLE.kspb",
                                1,
                                1,
                                "Prints what a bundle says of itself. Nothing of it is verified.",
                                "  ksc bundle show prod.kspb",
                                {FormatOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  bool json = WantsJson(*arguments);
  Result<std::string> bytes = ReadFile(arguments->positionals()[0], bundle::kMaxBundleBytes);
  if (!bytes) return cli::Fail(bytes.error(), json);
  Result<bundle::Manifest> manifest = bundle::Inspect(*bytes);
  if (!manifest) return cli::Fail(manifest.error(), json);
  PrintManifest(*manifest, json);
  if (!json) fmt::print("\nThis is what the bundle says; `ksc bundle verify` checks it.\n");
  return cli::kFine;
}

}  // namespace ks::ksc
