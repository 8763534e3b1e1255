// Ed25519 keys, their signatures, and SHA-256. Only keys.cpp and hmac.cpp of this folder include OpenSSL.
#pragma once

#include <string>
#include <string_view>

#include "compiler/bundle/bundle.h"
#include "compiler/support/result.h"

namespace ks::bundle {

std::string Sha256Hex(std::string_view bytes);

struct Signature {
  std::string key_id;
  std::string bytes;
};
Result<Signature> SignBytes(std::string_view message, std::string_view private_key_pem);
bool SignatureIsValid(const Trust::Key& key, std::string_view message, std::string_view signature);

}  // namespace ks::bundle
