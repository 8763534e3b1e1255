// The whole way: pack, sign, verify; and everything that must be refused, each with its own code.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "compiler/bundle/archive.h"
#include "compiler/bundle/bundle.h"
#include "compiler/bundle/envelope.h"
#include "compiler/bundle/keys.h"
#include "compiler/bundle/manifest.h"
#include "compiler/bundle/strict_json.h"
#include "compiler/ir/passes.h"

namespace ks::bundle {
namespace {

constexpr int64_t kNow = 1795000000;  // 2026-11-18T11:06:40Z
constexpr uint64_t kIssued = 1793491200;

ir::Program SmallProgram() {
  ir::Rule rule;
  rule.id = "acme.shadow_read";
  rule.package = "acme";
  rule.name = "shadow_read";
  rule.title = "Shadow read";
  rule.severity = ir::RuleSeverity::high;
  rule.kinds = {schema::EventKind::open_};
  rule.source = "acme.ksp:3";
  ir::Atom atom;
  atom.operand = {schema::FieldId::file_path};
  atom.test = ir::Test::In;
  atom.literals = {std::string("/etc/shadow"), std::string("/etc/gshadow")};
  atom.label = "credential_files";
  rule.when = ir::MakeAtom(atom);
  rule.disclosures = {{schema::FieldId::file_path, "triage needs it"}};
  ir::Program program;
  program.rules.push_back(ir::Split(rule));
  return program;
}

PackOptions Options() {
  return {.name = "prod",
          .version = 42,
          .issued_at = "2026-11-01T00:00:00Z",
          .expires_at = "2027-11-01T00:00:00Z",
          .compiler_version = "0.1.0"};
}

const KeyPair& Key(size_t which) {
  static const std::vector<KeyPair> kKeys = [] {
    std::vector<KeyPair> keys;
    for (int i = 0; i < 3; i++) keys.push_back(*GenerateKey());
    return keys;
  }();
  return kKeys[which];
}

Trust Trusting(const std::string& pem) {
  auto trust = Trust::FromPem(pem);
  KS_CHECK(bool(trust), trust.error().ToString());
  return *trust;
}
const Trust& Trusted() {
  static const Trust kTrust = Trusting(Key(0).public_pem);
  return kTrust;
}

Unsigned Packed() {
  static const ir::Program kProgram = SmallProgram();
  Contents contents;
  contents.bpf_object = std::string(
      "\x7f"
      "ELF",
      4);
  contents.program = &kProgram;
  contents.sources = {{"acme.ksp", Sha256Hex("rule")}};
  return Pack(contents, Options());
}

const std::string& Good() {
  static const std::string kBundle = *Sign(Packed(), Key(0).private_pem);
  return kBundle;
}

std::string CodeOf(std::string_view bundle, const Trust& trust = Trusted(), int64_t now = kNow) {
  const auto verified = Verify(bundle, trust, now);
  return verified ? "accepted" : verified.error().code;
}

// A container with any envelope text in front of the packed members.
std::string WithEnvelopeText(const std::string& text) {
  const Unsigned packed = Packed();
  std::vector<ArchiveMember> members = {{std::string(kEnvelopeName), text}};
  for (const Member& member : packed.members) members.push_back({member.name, member.bytes});
  return WriteArchive(members, kIssued);
}
std::string WithEnvelope(const Envelope& envelope) { return WithEnvelopeText(WriteEnvelope(envelope)); }

Envelope SignedEnvelope(const std::string& payload, std::string_view type = kPayloadType, size_t key = 0) {
  return {std::string(type), payload, {*SignBytes(PreAuthEncoding(type, payload), Key(key).private_pem)}};
}

// Changes the manifest's JSON and signs it with the trusted key: what the signer himself may not do.
std::string WithManifest(const std::function<void(nlohmann::json&)>& change) {
  nlohmann::json manifest = *ParseStrictJson(Packed().manifest_json);
  change(manifest);
  return WithEnvelope(SignedEnvelope(manifest.dump()));
}

// Signed as it should be, but with other members in the container.
std::string WithMembers(const std::function<void(std::vector<ArchiveMember>&)>& change) {
  const auto archive = ReadArchive(Good());
  std::vector<ArchiveMember> members = archive->members;
  change(members);
  return WriteArchive(members, kIssued);
}

TEST(Bundle, IsVerifiedAndHoldsWhatWasPacked) {
  const auto verified = Verify(Good(), Trusted(), kNow);
  ASSERT_TRUE(verified) << verified.error().ToString();
  EXPECT_EQ(verified->manifest().bundle, "prod");
  EXPECT_EQ(verified->manifest().version, 42u);
  EXPECT_EQ(verified->manifest().schema_hash, schema::Hash());
  EXPECT_EQ(verified->manifest().sources[0].name, "acme.ksp");
  EXPECT_EQ(verified->digest(), "sha256:" + Sha256Hex(Packed().manifest_json));
  EXPECT_EQ(verified->key_id(), Trusted().keys()[0].id);
  EXPECT_EQ(verified->bpf_object(), std::string("\x7f"
                                                "ELF",
                                                4));
  ASSERT_EQ(verified->program().rules.size(), 1u);
  EXPECT_EQ(verified->program().rules[0].rule.id, "acme.shadow_read");
  EXPECT_EQ(verified->egress_digest(), "sha256:" + Sha256Hex(verified->egress_json()));
}

TEST(Bundle, IsTheSameBytesEveryTime) { EXPECT_EQ(*Sign(Packed(), Key(0).private_pem), Good()); }

TEST(Bundle, IsInspectedWithoutTrust) {
  const auto manifest = Inspect(Good());
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->bundle, "prod");
  ASSERT_EQ(manifest->objects.size(), 3u);
  EXPECT_EQ(manifest->objects[0].name, "policy.bpf.o");
  EXPECT_EQ(manifest->crit, (std::vector<std::string>{"kernel", "engine_abi", "schema_hash"}));
}

TEST(Bundle, ManifestRoundTrips) {
  const std::string& json = Packed().manifest_json;
  EXPECT_EQ(WriteManifest(*ReadManifest(json)), json);
}

TEST(Bundle, RefusesTruncationAtEveryByte) {
  for (size_t size = 0; size < Good().size(); size++) {
    ASSERT_NE(CodeOf(std::string_view(Good()).substr(0, size)), "accepted") << size;
  }
}

TEST(Bundle, RefusesEveryFlippedBit) {
#ifdef KS_SANITIZED
  constexpr size_t kStep = 7;  // some bit of every byte: all of them take 15 s there, and one without
#else
  constexpr size_t kStep = 1;
#endif
  std::string bytes = Good();
  for (size_t bit = 0; bit < bytes.size() * 8; bit += kStep) {
    const char mask = static_cast<char>(1 << bit % 8);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
    ASSERT_NE(CodeOf(bytes), "accepted") << "bit " << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
  }
  EXPECT_EQ(CodeOf(bytes), "accepted") << "and whole again";
}

TEST(Signature, MustBeThere) {
  Envelope envelope = SignedEnvelope(Packed().manifest_json);
  envelope.signatures.clear();
  EXPECT_EQ(CodeOf(WithEnvelope(envelope)), "signature-missing");
  const std::string with_list = WriteEnvelope(envelope);
  std::string without_list = with_list;
  without_list.replace(without_list.find(",\"signatures\":[]"), 16, "");
  EXPECT_EQ(CodeOf(WithEnvelopeText(without_list)), "signature-missing");
  EXPECT_EQ(CodeOf(WithEnvelopeText(Packed().manifest_json)), "envelope") << "a bare payload";
}

TEST(Signature, MustBeByATrustedKey) {
  EXPECT_EQ(CodeOf(*Sign(Packed(), Key(1).private_pem)), "signature-wrong-key");
  EXPECT_EQ(CodeOf(Good(), Trusting(Key(1).public_pem)), "signature-wrong-key");
  EXPECT_EQ(CodeOf(Good(), Trusting(Key(1).public_pem + Key(0).public_pem)), "accepted");
  EXPECT_EQ(CodeOf(*Resign(Good(), Key(1).private_pem), Trusting(Key(1).public_pem)), "accepted");
  EXPECT_EQ(CodeOf(*Resign(Good(), Key(1).private_pem)), "signature-wrong-key");
}

TEST(Signature, KeyIdsAreOnlyHints) {
  Envelope lying = SignedEnvelope(Packed().manifest_json, kPayloadType, 1);
  lying.signatures[0].key_id = Trusted().keys()[0].id;
  EXPECT_EQ(CodeOf(WithEnvelope(lying)), "signature-invalid");
  for (const std::string& id : {std::string(), std::string("?"), std::string(64, '0')}) {
    Envelope unknown = SignedEnvelope(Packed().manifest_json);
    unknown.signatures[0].key_id = id;
    EXPECT_EQ(CodeOf(WithEnvelope(unknown)), "signature-wrong-key");
  }
}

TEST(Signature, OneKeyCountsOnce) {
  Envelope twice = SignedEnvelope(Packed().manifest_json);
  twice.signatures.push_back(twice.signatures[0]);
  EXPECT_EQ(CodeOf(WithEnvelope(twice)), "envelope");
}

TEST(Signature, OthersBesideItDoNoHarm) {
  Envelope both = SignedEnvelope(Packed().manifest_json, kPayloadType, 1);
  both.signatures.push_back(SignedEnvelope(Packed().manifest_json).signatures[0]);
  EXPECT_EQ(CodeOf(WithEnvelope(both)), "accepted");
}

TEST(Signature, IsOverThePayloadsTypeToo) {
  EXPECT_EQ(CodeOf(WithEnvelope(SignedEnvelope(Packed().manifest_json, "application/json"))), "payload-type");
  Envelope relabelled = SignedEnvelope(Packed().manifest_json, "application/json");
  relabelled.payload_type = kPayloadType;
  EXPECT_EQ(CodeOf(WithEnvelope(relabelled)), "signature-invalid");
}

TEST(Signature, HasOneLength) {
  for (size_t size : {size_t{0}, size_t{1}, size_t{63}, size_t{65}, size_t{128}}) {
    Envelope envelope = SignedEnvelope(Packed().manifest_json);
    envelope.signatures[0].bytes.resize(size);
    EXPECT_EQ(CodeOf(WithEnvelope(envelope)), "signature-invalid") << size;
  }
}

TEST(Envelope, IsStrictJson) {
  const std::string good = WriteEnvelope(SignedEnvelope(Packed().manifest_json));
  EXPECT_EQ(CodeOf(WithEnvelopeText(good)), "accepted");
  for (const std::string& text : {"\xef\xbb\xbf" + good, good + "{}", good + std::string(1, '\0'),
                                  std::string(100000, '['), std::string("[]"), std::string("null"), std::string(),
                                  "{\"payload\":\"\"," + good.substr(1), "{\"cert\":\"\"," + good.substr(1)}) {
    EXPECT_EQ(CodeOf(WithEnvelopeText(text)), "envelope") << text.substr(0, 40);
  }
  std::string url_safe = good;
  url_safe.replace(url_safe.rfind("==\""), 2, "");
  EXPECT_EQ(CodeOf(WithEnvelopeText(url_safe)), "envelope") << "a signature without its padding";
}

TEST(Envelope, BoundsItsSignatures) {
  Envelope many = SignedEnvelope(Packed().manifest_json);
  const Signature real = many.signatures[0];
  many.signatures.clear();
  for (size_t i = 0; i + 1 < kMaxSignatures; i++) many.signatures.push_back({std::to_string(i), real.bytes});
  many.signatures.push_back(real);
  EXPECT_EQ(CodeOf(WithEnvelope(many)), "accepted");
  many.signatures.push_back({"one more", real.bytes});
  EXPECT_EQ(CodeOf(WithEnvelope(many)), "envelope");

  std::string million = "{\"payloadType\":\"x\",\"payload\":\"\",\"signatures\":[";
  for (int i = 0; i < 1000000; i++) million += "{},";
  EXPECT_EQ(CodeOf(WithEnvelopeText(million.substr(0, kMaxEnvelopeBytes - 2) + "]}")), "envelope");
  EXPECT_EQ(CodeOf(WithEnvelopeText(million + "{}]}")), "envelope");

  Envelope lengthy = SignedEnvelope(Packed().manifest_json);
  lengthy.signatures[0].bytes.resize(kMaxSignatureText);
  EXPECT_EQ(CodeOf(WithEnvelope(lengthy)), "envelope");
}

TEST(Manifest, MustBeWhole) {
  const nlohmann::json whole = *ParseStrictJson(Packed().manifest_json);
  for (const auto& [key, value] : whole.items()) {
    const std::string expected = key == "kernel" || key == "engine_abi" || key == "schema_hash" ? "crit" : "manifest";
    EXPECT_EQ(CodeOf(WithManifest([&](nlohmann::json& m) { m.erase(key); })), expected) << key;
    EXPECT_EQ(CodeOf(WithManifest([&](nlohmann::json& m) { m[key] = nullptr; })), "manifest") << key;
    EXPECT_EQ(CodeOf(WithManifest([&](nlohmann::json& m) { m[key] = nlohmann::json::array({-1}); })), "manifest")
        << key;
    EXPECT_EQ(CodeOf(WithManifest([&](nlohmann::json& m) { m[key] = "\n"; })), "manifest") << key;
  }
  EXPECT_EQ(CodeOf(WithEnvelope(SignedEnvelope("{}"))), "manifest");
  EXPECT_EQ(CodeOf(WithEnvelope(SignedEnvelope("[]"))), "manifest");
  EXPECT_EQ(CodeOf(WithEnvelope(SignedEnvelope(""))), "manifest");
  EXPECT_EQ(CodeOf(WithEnvelope(SignedEnvelope("{\"version\":1," + Packed().manifest_json.substr(1)))), "manifest");
  EXPECT_EQ(CodeOf(WithManifest([](nlohmann::json& m) { m["schema"] = "kubesentry.bundle/v2"; })), "manifest");
  EXPECT_EQ(CodeOf(WithManifest([](nlohmann::json& m) { m["version"] = 0; })), "manifest");
  EXPECT_EQ(CodeOf(WithManifest([](nlohmann::json& m) { m["bundle"] = "../x"; })), "manifest");
  EXPECT_EQ(CodeOf(WithManifest([](nlohmann::json& m) { m["objects"][0]["size"] = -1; })), "manifest");
  EXPECT_EQ(CodeOf(WithManifest([](nlohmann::json& m) { m["objects"][0]["sha256"] = "00"; })), "manifest");
}

TEST(Manifest, IgnoresWhatItDoesNotKnowUnlessThatIsCritical) {
  EXPECT_EQ(CodeOf(WithManifest([](nlohmann::json& m) { m["colour"] = "blue"; })), "accepted");
  EXPECT_EQ(CodeOf(WithManifest([](nlohmann::json& m) {
              m["colour"] = "blue";
              m["crit"].push_back("colour");
            })),
            "crit");
}

TEST(Manifest, DecidesByTheClockItIsGiven) {
  const int64_t start = *ParseTime("2026-11-01T00:00:00Z"), end = *ParseTime("2027-11-01T00:00:00Z");
  EXPECT_EQ(CodeOf(Good(), Trusted(), start - 1), "not-yet-valid");
  EXPECT_EQ(CodeOf(Good(), Trusted(), start), "accepted");
  EXPECT_EQ(CodeOf(Good(), Trusted(), end - 1), "accepted");
  EXPECT_EQ(CodeOf(Good(), Trusted(), end), "expired");
}

TEST(Manifest, MustFitTheAgent) {
  EXPECT_EQ(CodeOf(WithManifest([](nlohmann::json& m) { m["min_agent"] = "99.0"; })), "agent-too-old");
  EXPECT_EQ(CodeOf(WithManifest([](nlohmann::json& m) { m["engine_abi"] = kEngineAbi + 1; })), "abi");
  EXPECT_EQ(CodeOf(WithManifest([](nlohmann::json& m) { m["engine_abi"] = kEngineAbi - 1; })), "abi");
  EXPECT_EQ(CodeOf(WithManifest([](nlohmann::json& m) { m["schema_hash"] = "0123456789abcdef"; })), "schema");
  EXPECT_EQ(CodeOf(WithManifest([](nlohmann::json& m) { m["arch"] = {"s390x"}; })), "arch");
}

TEST(Members, AreExactlyThoseOfTheManifest) {
  using Members = std::vector<ArchiveMember>;
  EXPECT_EQ(CodeOf(WithMembers([](Members&) {})), "accepted");
  EXPECT_EQ(CodeOf(WithMembers([](Members& m) { m.pop_back(); })), "members");
  EXPECT_EQ(CodeOf(WithMembers([](Members& m) { m.resize(1); })), "members");
  EXPECT_EQ(CodeOf(WithMembers([](Members& m) { m.push_back({"extra", "x"}); })), "members");
  EXPECT_EQ(CodeOf(WithMembers([](Members& m) { std::swap(m[1], m[2]); })), "members");
  EXPECT_EQ(CodeOf(WithMembers([](Members& m) { m[1].name = "other.bpf.o"; })), "members");
  EXPECT_EQ(CodeOf(WithMembers([](Members& m) { m[1].bytes = "longer than it was"; })), "members");
  EXPECT_EQ(CodeOf(WithMembers([](Members& m) { m[1].bytes = "same"; })), "digest");
  EXPECT_EQ(CodeOf(WithMembers([](Members& m) { std::swap(m[0], m[1]); })), "container");
  EXPECT_EQ(CodeOf(WithMembers([](Members& m) { m.erase(m.begin()); })), "container");
}

TEST(Members, OfTwoSignedBundlesDoNotMix) {
  ir::Program program = SmallProgram();
  program.rules[0].rule.title = "another titl";
  Contents contents{std::string("\x7f"
                                "ELG",
                                4),
                    &program,
                    {}};
  const std::string other = *Sign(Pack(contents, Options()), Key(0).private_pem);
  ASSERT_EQ(CodeOf(other), "accepted");
  const auto from = ReadArchive(other);
  EXPECT_EQ(CodeOf(WithMembers([&](std::vector<ArchiveMember>& m) { m[1] = from->members[1]; })), "digest");
}

TEST(Members, HaveTheManifestsTime) {
  const auto archive = ReadArchive(Good());
  EXPECT_EQ(CodeOf(WriteArchive(archive->members, kIssued)), "accepted");
  EXPECT_EQ(CodeOf(WriteArchive(archive->members, kIssued + 1)), "members");
}

TEST(Members, MustHoldAProgramThatParses) {
  Unsigned packed = Packed();
  packed.members[1].bytes = "what is this?";
  nlohmann::json manifest = *ParseStrictJson(packed.manifest_json);
  manifest["objects"][1]["size"] = packed.members[1].bytes.size();
  manifest["objects"][1]["sha256"] = Sha256Hex(packed.members[1].bytes);
  packed.manifest_json = manifest.dump();
  EXPECT_EQ(CodeOf(*Sign(packed, Key(0).private_pem)), "residual");
}

TEST(Sign, RefusesWhatVerifyWouldRefuse) {
  Unsigned bad_name = Packed();
  bad_name.manifest_json = WriteManifest([&] {
    Manifest m = *ReadManifest(bad_name.manifest_json);
    m.bundle = "No Name";
    return m;
  }());
  EXPECT_EQ(Sign(bad_name, Key(0).private_pem).error().code, "manifest");
  Unsigned swapped = Packed();
  swapped.members[0].bytes += "x";
  EXPECT_EQ(Sign(swapped, Key(0).private_pem).error().code, "members");
  EXPECT_EQ(Sign(Packed(), Key(0).public_pem).error().code, "key");
  EXPECT_EQ(Sign(Packed(), "").error().code, "key");
  EXPECT_EQ(
      Resign(WithMembers([](std::vector<ArchiveMember>& m) { m[1].bytes = "same"; }), Key(0).private_pem).error().code,
      "digest");
}

TEST(Egress, SaysWhatLeavesAndWhatAMatchReveals) {
  const auto egress = ParseStrictJson(EgressJson(SmallProgram(), Options()));
  ASSERT_TRUE(egress);
  EXPECT_EQ(egress->at("schema"), "kubesentry.egress/v1");
  EXPECT_EQ(egress->at("version"), 42);
  ASSERT_EQ(egress->at("disclosed").size(), 1u);
  EXPECT_EQ(egress->at("disclosed")[0]["name"], "file.path");
  EXPECT_EQ(egress->at("disclosed")[0]["reason"], "triage needs it");
  ASSERT_EQ(egress->at("match_only").size(), 1u);
  EXPECT_EQ(egress->at("match_only")[0]["reveals"], "membership in credential_files (2 literals)");
  bool has_time = false;
  for (const auto& field : egress->at("fields")) {
    EXPECT_EQ(field.at("class"), "metadata");
    EXPECT_NE(field.at("name"), "file.path");
    if (field.at("name") == "time") {
      has_time = true;
      EXPECT_EQ(field.at("rules"), nlohmann::json::array({"acme.shadow_read"}));
    }
  }
  EXPECT_TRUE(has_time);
}

}  // namespace
}  // namespace ks::bundle
