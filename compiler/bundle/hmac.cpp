#include "compiler/bundle/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "compiler/support/result.h"

namespace ks::bundle {

std::string HmacSha256(std::string_view key, std::string_view text) {
  std::string out(32, '\0');
  unsigned size = 0;
  const bool good =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
           text.size(), reinterpret_cast<unsigned char*>(out.data()), &size) != nullptr;
  KS_CHECK(good && size == out.size(), "HMAC-SHA256 cannot fail");
  return out;
}

}  // namespace ks::bundle
