// DSSE: a payload, its type, and signatures over both.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/bundle/keys.h"
#include "compiler/support/result.h"

namespace ks::bundle {

inline constexpr std::string_view kPayloadType = "application/vnd.kubesentry.bundle.v1+json";
inline constexpr std::string_view kEnvelopeName = "manifest.dsse.json";
inline constexpr size_t kMaxEnvelopeBytes = 256 * 1024;
inline constexpr size_t kMaxSignatures = 16;
inline constexpr size_t kMaxSignatureText = 4096;

struct Envelope {
  std::string payload_type;
  std::string payload;
  std::vector<Signature> signatures;  // key ids are claims until a signature verifies
};

// What is signed: type and payload with their lengths, so that neither can be read as a part of the other.
std::string PreAuthEncoding(std::string_view type, std::string_view payload);

std::string WriteEnvelope(const Envelope& envelope);
// Error::code is envelope. No signatures at all is not an error here.
Result<Envelope> ReadEnvelope(std::string_view text);

}  // namespace ks::bundle
