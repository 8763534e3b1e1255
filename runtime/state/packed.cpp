#include "runtime/state/packed.h"

#include <algorithm>
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
  char bytes[10];
  size_t size = 0;
  for (; number >= 128; number >>= 7) bytes[size++] = static_cast<char>(number | 128);
  bytes[size++] = static_cast<char>(number);
  out->append(bytes, size);
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

FieldSet NeededFields(const event::Match& match, const ir::SplitRule& probe) {
  FieldSet needed;
  for (schema::FieldId field : match.shown) needed.set(static_cast<size_t>(field));
  for (const ir::Operand& operand : probe.needs) needed.set(static_cast<size_t>(operand.field));
  for (const ir::TemplatePart& part : probe.rule.alert) {
    if (part.operand) needed.set(static_cast<size_t>(part.operand->field));
  }
  return needed;
}

int Packer::Before::Compare(const Said& a, const View& b) {
  const auto of = [](const auto& x, const auto& y) {
    const auto order = std::lexicographical_compare_three_way(x.begin(), x.end(), y.begin(), y.end());
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  };
  if (const int words = of(a.matched, b.matched); words != 0) return words;
  if (const int fields = of(a.uncertain, b.uncertain); fields != 0) return fields;
  return of(a.shown, b.shown);
}

uint32_t Packer::Number(std::shared_ptr<const Said> said) {
  const auto [place, is_new] = numbers_.try_emplace(said.get(), said_.size());
  if (is_new) said_.push_back(std::move(said));
  return place->second;
}

Blob Packer::Pack(const event::Event& event, const FieldSet& fields, const event::Match& match) {
  const auto known = numbers_.find(View{match.matched, match.uncertain, match.shown});
  if (known != numbers_.end()) return PackSaid(event, fields, known->second);
  return PackSaid(event, fields, Number(MakeSaid(match)));
}

Blob Packer::Pack(const Kept& kept) { return PackSaid(kept.event, FieldSet().set(), Number(kept.said)); }

Blob Packer::PackSaid(const event::Event& event, const FieldSet& fields, uint32_t said) {
  std::string& out = bytes_;
  out.assign(sizeof(Head), '\0');
  Head head{event.time_ns, event.sequence, event.generation, said, event.cpu, 0, static_cast<uint8_t>(event.kind), {}};
  for (size_t i = 0; i < schema::kFieldCount; ++i) {
    const schema::FieldValue& field = event.record[static_cast<schema::FieldId>(i)];
    if (!fields.test(i) || field.status == schema::Status::Unread) continue;
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
  kept->said = said_[head.said];
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
  for (const auto& said : said_) {
    out->Number(said->matched.size());
    for (const std::string& word : said->matched) out->Text(word);
    out->Fields(said->uncertain);
    out->Fields(said->shown);
  }
}

void Packer::Load(SavedReader* in) {
  for (size_t i = 0, n = in->Count(); i < n && in->ok(); ++i) {
    Said said;
    for (size_t j = 0, m = in->Count(); j < m && in->ok(); ++j) said.matched.emplace_back(in->Text());
    said.uncertain = in->Fields();
    said.shown = in->Fields();
    in->Require(Number(std::make_shared<const Said>(std::move(said))) == i);
  }
}

}  // namespace ks::state
