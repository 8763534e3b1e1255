#include "runtime/state/packed.h"

#include <cstring>

namespace ks::state {
namespace {

struct Head {
  uint64_t time_ns, sequence;
  uint32_t generation, said;
  uint16_t cpu, fields;
  uint8_t kind;
  uint8_t padding[3];  // named, so that it is zero and the bytes are the same each time
};
static_assert(sizeof(Head) == 32);

void PutVarint(uint64_t number, std::string* out) {
  for (; number >= 128; number >>= 7) *out += static_cast<char>(number | 128);
  *out += static_cast<char>(number);
}

template <typename T>
T GetRaw(SavedReader* in) {
  T value{};
  const std::string_view bytes = in->Bytes(sizeof(value));
  if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof(value));
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

schema::Value GetValue(size_t form, SavedReader* in) {
  switch (form) {
    case 0: {
      const uint64_t number = in->Number();
      return static_cast<int64_t>(number >> 1 ^ (~(number & 1) + 1));
    }
    case 1:
      return std::string(in->Text());
    case 2:
      return GetRaw<schema::IpAddress>(in);
    case 3:
      return GetRaw<schema::Cidr>(in);
    default:
      return GetRaw<schema::Endpoint>(in);
  }
}

// The form that values of the field have.
size_t FormOf(schema::FieldId field) {
  switch (schema::Row(schema::Row(field).type).slot) {
    case schema::Slot::Int:
      return 0;
    case schema::Slot::Text:
      return 1;
    case schema::Slot::Ip:
      return 2;
    case schema::Slot::Endpoint:
      return 4;
    case schema::Slot::None:
      break;
  }
  return 3;
}

}  // namespace

Blob Packer::Pack(const Kept& kept) {
  const auto [said, is_new] = numbers_.emplace(Said{kept.matched, kept.uncertain, kept.shown}, said_.size());
  if (is_new) said_.push_back(&said->first);
  const event::Event& event = kept.event;
  std::string out(sizeof(Head), '\0');
  Head head{event.time_ns, event.sequence, event.generation, said->second, event.cpu, 0, static_cast<uint8_t>(event.kind), {}};
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
  SavedReader in(packed.view(), UINT64_MAX);
  std::shared_ptr<const Kept> kept = Parse(&in, true);
  KS_CHECK(in.at_end(), "a packed event is what Pack wrote");
  return kept;
}

std::shared_ptr<const Kept> Packer::LoadEvent(SavedReader* in) const { return Parse(in, false); }

std::shared_ptr<const Kept> Packer::Parse(SavedReader* in, bool is_own) const {
  auto kept = std::make_shared<Kept>();
  const auto head = GetRaw<Head>(in);
  in->Require(head.said < said_.size() && head.kind < schema::kKindCount);
  if (!in->ok()) return nullptr;
  event::Event& event = kept->event;
  event.time_ns = head.time_ns;
  event.sequence = head.sequence;
  event.generation = head.generation;
  event.cpu = head.cpu;
  event.kind = static_cast<schema::EventKind>(head.kind);
  std::tie(kept->matched, kept->uncertain, kept->shown) = *said_[head.said];
  size_t next = 0;
  for (uint16_t i = 0; i < head.fields && in->ok(); ++i) {
    const size_t number = in->Number(schema::kFieldCount - 1);
    const auto field = static_cast<schema::FieldId>(number);
    const auto form = static_cast<uint8_t>(GetRaw<uint8_t>(in));
    const auto status = static_cast<schema::Status>(form & 15);
    const bool has_value = status == schema::Status::Ok || status == schema::Status::Truncated;
    // Evaluation relies on it that a field's values have the form of its type.
    in->Require(is_own || (number >= next && (form & 15) >= 1 && (form & 15) <= static_cast<int>(schema::Status::Unknown) &&
                           form >> 4 == (has_value ? FormOf(field) : 0)));
    if (!in->ok()) break;
    next = number + 1;
    event.record.Set(field, has_value ? GetValue(form >> 4, in) : schema::Value{}, status);
  }
  return in->ok() ? kept : nullptr;
}

void Packer::Save(SavedWriter* out) const {
  out->Number(said_.size());
  for (const Said* said : said_) {
    const auto& [words, uncertain, shown] = *said;
    out->Number(words.size());
    for (const std::string& word : words) out->Text(word);
    out->Fields(uncertain);
    out->Fields(shown);
  }
}

void Packer::Load(SavedReader* in) {
  for (size_t i = 0, n = in->Count(); i < n && in->ok(); ++i) {
    Said said;
    auto& [words, uncertain, shown] = said;
    for (size_t j = 0, m = in->Count(); j < m && in->ok(); ++j) words.emplace_back(in->Text());
    uncertain = in->Fields();
    shown = in->Fields();
    const auto [place, is_new] = numbers_.emplace(std::move(said), said_.size());
    in->Require(is_new);
    if (is_new) said_.push_back(&place->first);
  }
}

}  // namespace ks::state
