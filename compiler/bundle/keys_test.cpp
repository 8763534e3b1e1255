#include "compiler/bundle/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "compiler/bundle/envelope.h"
#include "compiler/bundle/manifest.h"

namespace ks::bundle {
namespace {

// A P-256 key: well formed, but of an algorithm that is not ours.
constexpr std::string_view kEcPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n"
    "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
    "-----END PUBLIC KEY-----\n";

class TemporaryFile {
 public:
  TemporaryFile(const std::string& text, mode_t mode) {
    const int fd = mkstemp(path_);
    KS_CHECK(fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "temporary file");
    fchmod(fd, mode);
    close(fd);
  }
  ~TemporaryFile() { unlink(path_); }
  std::string path() const { return path_; }

 private:
  char path_[32] = "/tmp/ks-key-XXXXXX";
};

TEST(Keys, SignAndVerify) {
  const KeyPair pair = *GenerateKey();
  EXPECT_TRUE(pair.private_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
  const auto trust = Trust::FromPem(pair.public_pem);
  ASSERT_TRUE(trust);
  const auto signature = SignBytes("message", pair.private_pem);
  ASSERT_TRUE(signature);
  EXPECT_EQ(signature->key_id, trust->keys()[0].id);
  EXPECT_EQ(signature->key_id, Sha256Hex(trust->keys()[0].spki));
  EXPECT_TRUE(SignatureIsValid(trust->keys()[0], "message", signature->bytes));
  EXPECT_FALSE(SignatureIsValid(trust->keys()[0], "Message", signature->bytes));
  EXPECT_FALSE(SignatureIsValid(trust->keys()[0], "message", signature->bytes.substr(1)));
}

TEST(Keys, TrustTakesSeveralAndEachOnce) {
  const KeyPair a = *GenerateKey(), b = *GenerateKey();
  const auto trust = Trust::FromPem("# ours\n" + a.public_pem + "\n" + b.public_pem + a.public_pem);
  ASSERT_TRUE(trust);
  EXPECT_EQ(trust->keys().size(), 2u);
}

TEST(Keys, TrustRefusesWhatIsNoPublicEd25519Key) {
  const KeyPair pair = *GenerateKey();
  auto code = [](std::string_view pem) {
    const auto trust = Trust::FromPem(pem);
    return trust ? "accepted" : trust.error().code;
  };
  EXPECT_EQ(code(""), "trust");
  EXPECT_EQ(code("hello"), "trust");
  EXPECT_EQ(code(pair.private_pem), "trust");
  EXPECT_EQ(code(pair.public_pem + pair.private_pem), "trust");
  EXPECT_EQ(code(kEcPublic), "trust");
  EXPECT_EQ(code(pair.public_pem.substr(0, 60)), "trust");
  std::string damaged = pair.public_pem;
  damaged[40] = '!';
  EXPECT_EQ(code(damaged), "trust");
  EXPECT_EQ(code(std::string(100000, ' ') + pair.public_pem), "trust");
  std::string many;
  for (int i = 0; i < 17; i++) many += GenerateKey()->public_pem;
  EXPECT_EQ(code(many), "trust");
}

TEST(Keys, APrivateKeyIsForItsOwnerOnly) {
  const KeyPair pair = *GenerateKey();
  for (mode_t mode : {0600, 0400, 0700}) {
    const TemporaryFile file(pair.private_pem, mode);
    const auto read = ReadPrivateKey(file.path());
    ASSERT_TRUE(read) << read.error().ToString();
    EXPECT_EQ(*read, pair.private_pem);
  }
  for (mode_t mode : {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666}) {
    const TemporaryFile file(pair.private_pem, mode);
    const auto read = ReadPrivateKey(file.path());
    ASSERT_FALSE(read) << mode;
    EXPECT_EQ(read.error().code, "key-not-private");
    EXPECT_EQ(read.error().on, file.path());
  }
}

TEST(Keys, APrivateKeyIsAFileOfAKeysLength) {
  EXPECT_EQ(ReadPrivateKey("/nowhere/at/all").error().code, "file");
  EXPECT_EQ(ReadPrivateKey("/tmp").error().code, "file");
  EXPECT_EQ(ReadPrivateKey("/dev/zero").error().code, "file");
  const TemporaryFile large(std::string(70000, 'x'), 0600);
  EXPECT_EQ(ReadPrivateKey(large.path()).error().code, "key");
}

TEST(Keys, PreAuthEncodingIsThatOfItsSpecification) {
  EXPECT_EQ(PreAuthEncoding("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

TEST(Manifest, ParsesTimesInOneForm) {
  EXPECT_EQ(ParseTime("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(ParseTime("2026-11-23T17:12:03Z"), 1795453923);
  EXPECT_EQ(ParseTime("2024-02-29T23:59:59Z"), 1709251199);
  for (std::string_view text :
       {"", "2026-11-23", "2026-11-23T17:12:03", "2026-11-23T17:12:03+00:00", "2026-11-23t17:12:03Z",
        "2026-11-23T17:12:03.0Z", "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z", "2026-11-23T24:00:00Z",
        "2026-11-23T23:60:00Z", "2026-11-23T23:59:60Z", "1969-12-31T23:59:59Z", " 026-11-23T17:12:03Z",
        "2026-11-23T17:12:03z"}) {
    EXPECT_EQ(ParseTime(text), std::nullopt) << text;
  }
}

TEST(Manifest, ComparesVersionsByNumber) {
  EXPECT_EQ(VersionAtLeast("0.10.0", "0.9"), true);
  EXPECT_EQ(VersionAtLeast("0.1.0", "0.1"), true);
  EXPECT_EQ(VersionAtLeast("0.1", "0.1.1"), false);
  EXPECT_EQ(VersionAtLeast("1", "0.99.99"), true);
  for (std::string_view text : {"", "x", "1.", ".1", "1.x", "-1", "1.2.3.4.5", "99999999999", "1 "}) {
    EXPECT_EQ(VersionAtLeast("1", text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace ks::bundle
