#include "runtime/state/packed.h"

#include <cstring>

namespace ks::state {
namespace {

struct Head {
  uint64_t time_ns, sequence;
  uint32_t generation, said;
  uint16_t cpu, fields;
  uint8_t kind;
};

void PutVarint(uint64_t number, std::string* out) {
  for (; number >= 128; number >>= 7) *out += static_cast<char>(number | 128);
  *out += static_cast<char>(number);
}

// Of bytes that PutVarint wrote.
uint64_t GetVarint(const char** at) {
  uint64_t number = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<uint8_t>(*(*at)++);
    number |= uint64_t{byte & 127U} << shift;
    if (byte < 128) return number;
  }
}

template <typename T>
T GetRaw(const char** at) {
  T value;
  std::memcpy(&value, *at, sizeof(value));
  *at += sizeof(value);
  return value;
}

template <typename T>
void PutRaw(const T& value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void PutValue(const schema::Value& value, std::string* out) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    PutVarint(static_cast<uint64_t>(*number) << 1 ^ static_cast<uint64_t>(*number >> 63), out);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    PutVarint(text->size(), out);
    *out += *text;
  } else if (const auto* ip = std::get_if<schema::IpAddress>(&value)) {
    PutRaw(*ip, out);
  } else if (const auto* cidr = std::get_if<schema::Cidr>(&value)) {
    PutRaw(*cidr, out);
  } else {
    PutRaw(std::get<schema::Endpoint>(value), out);
  }
}

schema::Value GetValue(size_t form, const char** at) {
  switch (form) {
    case 0: {
      const uint64_t number = GetVarint(at);
      return static_cast<int64_t>(number >> 1 ^ (~(number & 1) + 1));
    }
    case 1: {
      const size_t size = GetVarint(at);
      std::string text(*at, size);
      *at += size;
      return text;
    }
    case 2:
      return GetRaw<schema::IpAddress>(at);
    case 3:
      return GetRaw<schema::Cidr>(at);
    default:
      return GetRaw<schema::Endpoint>(at);
  }
}

}  // namespace

Blob Packer::Pack(const Kept& kept) {
  const auto [said, is_new] = numbers_.emplace(Said{kept.matched, kept.uncertain, kept.shown}, said_.size());
  if (is_new) said_.push_back(&said->first);
  const event::Event& event = kept.event;
  std::string out(sizeof(Head), '\0');
  Head head{event.time_ns, event.sequence, event.generation, said->second, event.cpu, 0, static_cast<uint8_t>(event.kind)};
  for (size_t i = 0; i < schema::kFieldCount; ++i) {
    const schema::FieldValue& field = event.record[static_cast<schema::FieldId>(i)];
    if (field.status == schema::Status::Unread) continue;
    ++head.fields;
    PutVarint(i, &out);
    const bool has_value = field.status == schema::Status::Ok || field.status == schema::Status::Truncated;
    out += static_cast<char>(static_cast<size_t>(field.status) | (has_value ? field.value.index() << 4 : 0));
    if (has_value) PutValue(field.value, &out);
  }
  std::memcpy(out.data(), &head, sizeof(head));
  return Blob(out);
}

std::shared_ptr<const Kept> Packer::Unpack(const Blob& packed) const {
  auto kept = std::make_shared<Kept>();
  const char* at = packed.view().data();
  const auto head = GetRaw<Head>(&at);
  event::Event& event = kept->event;
  event.time_ns = head.time_ns;
  event.sequence = head.sequence;
  event.generation = head.generation;
  event.cpu = head.cpu;
  event.kind = static_cast<schema::EventKind>(head.kind);
  std::tie(kept->matched, kept->uncertain, kept->shown) = *said_[head.said];
  for (uint16_t i = 0; i < head.fields; ++i) {
    const auto field = static_cast<schema::FieldId>(GetVarint(&at));
    const auto form = static_cast<uint8_t>(*at++);
    const auto status = static_cast<schema::Status>(form & 15);
    const bool has_value = status == schema::Status::Ok || status == schema::Status::Truncated;
    event.record.Set(field, has_value ? GetValue(form >> 4, &at) : schema::Value{}, status);
  }
  return kept;
}

}  // namespace ks::state
