#include "tools/kubesentryd/trust.h"

namespace ks::agent {

Result<bundle::Trust> ReadTrust(const std::string& path) {
  constexpr size_t kMaxBytes = 64 * 1024;
  auto pem = ReadFile(path, kMaxBytes);
  if (!pem) {
    Error error = pem.error();
    error.tried = "read the trusted keys in";
    if (error.advice.empty()) error.advice = "give the .pub file that `ksc bundle keygen` wrote";
    return error;
  }
  auto trust = bundle::Trust::FromPem(*pem);
  if (!trust) {
    Error error = trust.error();
    error.on = path;
    return error;
  }
  return trust;
}

}  // namespace ks::agent
