#include "runtime/evaluate/scratch.h"

#include <algorithm>
#include <cstring>

#include "compiler/support/result.h"

namespace ks::evaluate {
namespace {

void WriteValue(uint8_t* slot, const schema::FieldRow& row, const schema::Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    memcpy(slot, number, sizeof(*number));
  } else if (const auto* ip = std::get_if<schema::IpAddress>(&value)) {
    memcpy(slot, ip->bytes.data(), ip->bytes.size());
  } else if (const auto* endpoint = std::get_if<schema::Endpoint>(&value)) {
    memcpy(slot, endpoint->ip.bytes.data(), endpoint->ip.bytes.size());
    memcpy(slot + offsetof(ks_slot_Endpoint, port), &endpoint->port, sizeof(endpoint->port));
  } else {
    const auto& text = std::get<std::string>(value);
    KS_CHECK(text.size() <= row.capture, "a record's text fits its capture");
    const uint32_t len = static_cast<uint32_t>(text.size());
    memcpy(slot, &len, sizeof(len));
    std::fill_n(std::copy(text.begin(), text.end(), slot + 8), 8, uint8_t{0});
  }
}

bool HasValue(schema::Status status) {
  return status == schema::Status::Ok || status == schema::Status::Truncated || status == schema::Status::Raw ||
         status == schema::Status::Foreign;
}

}  // namespace

void Fill(ks_scratch& scratch, const schema::Record& record, uint64_t noise) {
  auto* bytes = reinterpret_cast<uint8_t*>(&scratch);
  for (size_t i = 0; i < sizeof(scratch); i += sizeof(noise)) {
    noise = noise * 6364136223846793005u + 1442695040888963407u;
    memcpy(bytes + i, &noise, sizeof(noise));
  }
  memset(scratch.can, kNotEvaluated, sizeof(scratch.can));
  for (const schema::FieldRow& row : schema::Fields()) {
    const schema::FieldValue& field = record[row.id];
    scratch.status[static_cast<size_t>(row.id)] = static_cast<uint8_t>(field.status);
    if (row.decided == schema::Decided::User) continue;  // texts of these have no room in scratch
    if (HasValue(field.status)) WriteValue(reinterpret_cast<uint8_t*>(&scratch.fields) + row.offset, row, field.value);
  }
}

}  // namespace ks::evaluate
