#include "compiler/bundle/keys.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace ks::bundle {
namespace {

constexpr size_t kMaxKeyFile = 64 * 1024;
constexpr size_t kMaxKeys = 16;
constexpr size_t kSignatureBytes = 64;
constexpr const char* kIsPublic = "it is a public key, which verifies and cannot sign";
constexpr const char* kWantsPrivate =
    "give the private key: `ksc bundle keygen -o KEY.pem` writes KEY.pem, and KEY.pub beside it";

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* pointer) const {
    free(pointer);
  }
};
using Pkey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using MdCtx = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

Bio Memory(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  KS_CHECK(bio != nullptr, "out of memory");
  return bio;
}

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

// Without this OpenSSL would ask for a passphrase on the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

std::string Spki(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  KS_CHECK(size > 0, "a key that OpenSSL cannot encode");
  std::string out(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

Error BadKey(std::string cause, std::string advice) {
  return {"read the private key", "the key", std::move(cause), std::move(advice), "key"};
}

Error BadTrust(std::string cause) {
  return {"read trusted keys", "the key file", std::move(cause),
          "give the .pub file that `ksc bundle keygen` wrote: PEM blocks PUBLIC KEY with Ed25519 keys", "trust"};
}

Error FileError(const std::string& path, std::string cause, std::string advice, std::string code) {
  return {"read the private key", path, std::move(cause), std::move(advice), std::move(code)};
}

}  // namespace

std::string Sha256Hex(std::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(Bytes(bytes), bytes.size(), digest);
  std::string out;
  for (unsigned char byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

Result<Signature> SignBytes(std::string_view message, std::string_view private_key_pem) {
  if (private_key_pem.size() > kMaxKeyFile) return BadKey("it is too long", "");
  Pkey key(PEM_read_bio_PrivateKey(Memory(private_key_pem).get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (!key && private_key_pem.find("PUBLIC KEY-----") != std::string_view::npos) {
    return BadKey(kIsPublic, kWantsPrivate);
  }
  if (!key) {
    return BadKey("it is not an unencrypted private key in PEM", "make one with `ksc bundle keygen -o KEY.pem`");
  }
  if (EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) {
    return BadKey("it is not an Ed25519 key", "make one with `ksc bundle keygen -o KEY.pem`");
  }
  Signature signature{Sha256Hex(Spki(key.get())), std::string(kSignatureBytes, '\0')};
  size_t size = signature.bytes.size();
  MdCtx context(EVP_MD_CTX_new());
  const bool good = context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.bytes.data()), &size,
                                   Bytes(message), message.size()) == 1;
  ERR_clear_error();
  KS_CHECK(good && size == kSignatureBytes, "Ed25519 cannot fail with a key that was read");
  return signature;
}

bool SignatureIsValid(const Trust::Key& key, std::string_view message, std::string_view signature) {
  if (signature.size() != kSignatureBytes) return false;
  const unsigned char* der = Bytes(key.spki);
  Pkey pkey(d2i_PUBKEY(nullptr, &der, static_cast<long>(key.spki.size())));
  MdCtx context(EVP_MD_CTX_new());
  const bool good =
      pkey && context && EVP_PKEY_get_id(pkey.get()) == EVP_PKEY_ED25519 &&
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) == 1 &&
      EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(message), message.size()) == 1;
  ERR_clear_error();
  return good;
}

Result<KeyPair> GenerateKey() {
  Pkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!key) return Error{"make a key", "Ed25519", "OpenSSL has no random numbers", "", "key"};
  Bio secret(BIO_new(BIO_s_mem())), open(BIO_new(BIO_s_mem()));
  const bool good =
      secret && open &&
      PEM_write_bio_PKCS8PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
      PEM_write_bio_PUBKEY(open.get(), key.get()) == 1;
  KS_CHECK(good, "a fresh key can be written to memory");
  return KeyPair{TextOf(secret.get()), TextOf(open.get())};
}

Result<std::string> ReadPrivateKey(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError(path, std::strerror(errno), "make one with `ksc bundle keygen -o KEY.pem`", "file");
  struct stat info{};
  Result<std::string> result = FileError(path, "it is not a regular file", "", "file");
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    if (path.ends_with(".pub")) {  // everybody may read it, and its mode is no mistake
      result = FileError(path, kIsPublic, kWantsPrivate, "key");
    } else if ((info.st_mode & 077) != 0) {
      result = FileError(path, fmt::format("its mode is {:04o}: others can read or change it", info.st_mode & 07777),
                         fmt::format("chmod 600 {}; if others had access, make a new key", path), "key-not-private");
    } else {
      std::string text(kMaxKeyFile + 1, '\0');
      size_t size = 0;
      ssize_t got = 0;
      while (size < text.size() && (got = read(fd, text.data() + size, text.size() - size)) > 0) {
        size += static_cast<size_t>(got);
      }
      if (got < 0) {
        result = FileError(path, std::strerror(errno), "", "file");
      } else if (size > kMaxKeyFile) {
        result = FileError(path, "it is too long for a key", "", "key");
      } else {
        result = text.substr(0, size);
      }
      OPENSSL_cleanse(text.data(), text.size());
    }
  }
  close(fd);
  return result;
}

Result<Trust> Trust::FromPem(std::string_view pem) {
  if (pem.size() > kMaxKeyFile) return BadTrust("it is too long");
  Trust trust;
  const Bio bio = Memory(pem);
  while (true) {
    char *name = nullptr, *header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    if (PEM_read_bio(bio.get(), &name, &header, &data, &size) != 1) {
      const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      ERR_clear_error();
      if (!at_end) return BadTrust("a PEM block is damaged");
      break;
    }
    const std::string block = name;
    std::string der(reinterpret_cast<char*>(data), static_cast<size_t>(size));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_cleanse(data, static_cast<size_t>(size));
    OPENSSL_free(data);
    if (block != "PUBLIC KEY") return BadTrust(fmt::format("it holds a block {}", block));
    const unsigned char* at = Bytes(der);
    const Pkey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
    ERR_clear_error();
    // One encoding per key: the id is a hash of it.
    if (!key || Spki(key.get()) != der) return BadTrust("a block is not a public key");
    if (EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) return BadTrust("a key is not Ed25519");
    std::string id = Sha256Hex(der);
    const bool known = std::any_of(trust.keys_.begin(), trust.keys_.end(), [&](const Key& k) { return k.id == id; });
    if (known) continue;
    if (trust.keys_.size() == kMaxKeys) return BadTrust(fmt::format("more than {} keys", kMaxKeys));
    trust.keys_.push_back({std::move(id), std::move(der)});
  }
  if (trust.keys_.empty()) return BadTrust("it holds no public key");
  return trust;
}

}  // namespace ks::bundle
