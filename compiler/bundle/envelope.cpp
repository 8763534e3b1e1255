#include "compiler/bundle/envelope.h"

#include <fmt/format.h>

#include "compiler/bundle/base64.h"
#include "compiler/bundle/strict_json.h"

namespace ks::bundle {
namespace {

using nlohmann::json;

Error Refuse(std::string cause) {
  return {"read the signed envelope", std::string(kEnvelopeName), std::move(cause),
          "a bundle is used as `ksc compile` wrote it; fetch or build it again", "envelope"};
}

// A member of that type, or null.
const json* Find(const json& object, const char* name, json::value_t type) {
  const auto found = object.find(name);
  return found != object.end() && found->type() == type ? &*found : nullptr;
}

}  // namespace

std::string PreAuthEncoding(std::string_view type, std::string_view payload) {
  return fmt::format("DSSEv1 {} {} {} {}", type.size(), type, payload.size(), payload);
}

std::string WriteEnvelope(const Envelope& envelope) {
  nlohmann::ordered_json out;
  out["payloadType"] = envelope.payload_type;
  out["payload"] = EncodeBase64(envelope.payload);
  out["signatures"] = nlohmann::ordered_json::array();
  for (const Signature& signature : envelope.signatures) {
    nlohmann::ordered_json item;
    item["keyid"] = signature.key_id;
    item["sig"] = EncodeBase64(signature.bytes);
    out["signatures"].push_back(std::move(item));
  }
  return ToText(out) + "\n";
}

Result<Envelope> ReadEnvelope(std::string_view text) {
  const auto parsed = ParseStrictJson(text, {.bytes = kMaxEnvelopeBytes, .depth = 16, .values = 256});
  if (!parsed) return Refuse(parsed.error().cause);
  const json& root = *parsed;
  if (!root.is_object()) return Refuse("it is not an object");
  for (const auto& [key, value] : root.items()) {
    if (key != "payloadType" && key != "payload" && key != "signatures") {
      return Refuse(fmt::format("it has a member `{}` that no envelope has", key.substr(0, 40)));
    }
  }
  const json* type = Find(root, "payloadType", json::value_t::string);
  const json* payload = Find(root, "payload", json::value_t::string);
  if (!type || !payload) return Refuse("payloadType or payload is missing or not a string");

  Envelope envelope;
  envelope.payload_type = type->get_ref<const std::string&>();
  auto decoded = DecodeBase64(payload->get_ref<const std::string&>());
  if (!decoded) return Refuse("the payload is not strict base64");
  envelope.payload = std::move(*decoded);

  if (!root.contains("signatures")) return envelope;
  const json& list = root["signatures"];
  if (!list.is_array()) return Refuse("signatures is not a list");
  if (list.size() > kMaxSignatures) return Refuse(fmt::format("more than {} signatures", kMaxSignatures));
  for (const json& item : list) {
    if (!item.is_object()) return Refuse("a signature is not an object");
    const json* id = Find(item, "keyid", json::value_t::string);
    const json* sig = Find(item, "sig", json::value_t::string);
    if (!id || !sig || item.size() != 2) return Refuse("a signature does not consist of keyid and sig");
    const auto& claimed = id->get_ref<const std::string&>();
    const auto& encoded = sig->get_ref<const std::string&>();
    if (claimed.size() > 256 || encoded.size() > kMaxSignatureText) return Refuse("a signature is too long");
    auto bytes = DecodeBase64(encoded);
    if (!bytes) return Refuse("a signature is not strict base64");
    for (const Signature& other : envelope.signatures) {
      if (other.key_id == claimed) return Refuse("two signatures name the same key");
    }
    envelope.signatures.push_back({claimed, std::move(*bytes)});
  }
  return envelope;
}

}  // namespace ks::bundle
