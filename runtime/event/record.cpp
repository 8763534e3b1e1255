// Ring record ⇄ Event. The record comes from our own programs in the kernel, but what is in it was partly chosen by the
// processes they watch: every length and number is checked before it is used.
#include <fmt/format.h>

#include <array>
#include <bit>
#include <bitset>
#include <cstring>
#include <limits>

#include "runtime/event/event.h"

namespace ks::event {
namespace {

using schema::FieldId;
using schema::FieldRow;
using schema::Slot;
using schema::TypeId;
using FieldStatus = schema::Status;

Error Refuse(std::string_view record, std::string cause) {
  return {"read", fmt::format("an event of {} bytes from the ring", record.size()), std::move(cause),
          "the programs in the kernel and this agent disagree: load a bundle made for this agent's schema",
          "event-malformed"};
}

// The caller has checked that the bytes are there.
template <typename T>
T Load(std::string_view bytes, size_t at = 0) {
  T value;
  bytes.copy(reinterpret_cast<char*>(&value), sizeof(value), at);
  return value;
}

constexpr size_t Padded(size_t bytes) { return (bytes + KS_ITEM_ALIGN - 1) / KS_ITEM_ALIGN * KS_ITEM_ALIGN; }

bool IsShort(const ks_item& item) { return item.high == KS_ITEM_SHORT && !(item.id & KS_ITEM_ATOM); }

// The number that an item of KS_ITEM_SHORT holds, as the bytes of its slot.
std::array<char, sizeof(ks_slot_Int)> Lengthen(const ks_item& item) {
  const uint32_t bits = item.len | static_cast<uint32_t>(item.index) << 16;
  return std::bit_cast<std::array<char, sizeof(ks_slot_Int)>>(ks_slot_Int{static_cast<int32_t>(bits)});
}

// Whether a field of this type can be in this state in a record.
bool CanBe(const FieldRow& row, FieldStatus status) {
  switch (status) {
    case FieldStatus::Ok:
    case FieldStatus::Absent:
    case FieldStatus::Unknown:
      return true;
    case FieldStatus::Truncated:
      return Row(row.type).slot == Slot::Text;
    case FieldStatus::Raw:
      return row.type == TypeId::Path;
    case FieldStatus::Foreign:
      return row.id == FieldId::event_syscall;
    case FieldStatus::Unread:
      return false;
  }
  return false;
}

// Whether a value follows a field of this state. A cut or raw value may be left out: then only its state is said.
bool HoldsValue(FieldStatus status, size_t len) {
  switch (status) {
    case FieldStatus::Ok:
      return true;
    case FieldStatus::Truncated:
    case FieldStatus::Raw:
    case FieldStatus::Foreign:
      return len != 0;
    default:
      return false;
  }
}

// The bytes that a value of the field takes in a record; of texts: at most.
size_t SlotBytes(const FieldRow& row) {
  switch (Row(row.type).slot) {
    case Slot::Int:
      return sizeof(ks_slot_Int);
    case Slot::Ip:
      return sizeof(ks_slot_Ip);
    case Slot::Endpoint:
      return sizeof(ks_slot_Endpoint);
    case Slot::Text:
      return row.capture;
    case Slot::None:
      break;
  }
  return 0;
}

schema::Value ReadValue(const FieldRow& row, std::string_view data) {
  switch (Row(row.type).slot) {
    case Slot::Int:
      return Load<int64_t>(data);
    case Slot::Ip:
      return Load<schema::IpAddress>(data);
    case Slot::Endpoint: {
      const auto slot = Load<ks_slot_Endpoint>(data);
      schema::Endpoint endpoint;
      std::memcpy(endpoint.ip.bytes.data(), slot.address, sizeof(slot.address));
      endpoint.port = slot.port;
      return endpoint;
    }
    case Slot::Text:
    case Slot::None:
      break;
  }
  return std::string(data);
}

uint64_t Word(std::string_view record, size_t number) {
  return Load<uint64_t>(record, sizeof(ks_record) + number * sizeof(uint64_t));
}

// A bit per clause: the summary says which words are there. The record has been checked to hold head.words of them.
bool ReadClauses(std::string_view record, const ks_record& head, Event* event) {
  event->by_clause = true;
  event->passed.resize(size_t{64} * head.summary);
  size_t next = head.summary;
  for (size_t i = 0; i < event->passed.size(); ++i) {
    if ((Word(record, i / 64) >> i % 64 & 1) == 0) continue;
    if (next == head.words) return false;
    event->passed[i] = Word(record, next++);
  }
  return next == head.words;
}

void SetField(schema::Record& record, const FieldRow& row, FieldStatus status, std::string_view data) {
  if (!HoldsValue(status, data.size())) {
    // A raw or foreign value that was not sent cannot be normalised.
    const bool lost = status == FieldStatus::Raw || status == FieldStatus::Foreign;
    record.Set(row.id, status == FieldStatus::Truncated ? schema::Value(std::string()) : schema::Value(),
               lost ? FieldStatus::Unknown : status);
    return;
  }
  schema::Value value = ReadValue(row, data);
  if (status == FieldStatus::Raw) {
    if (data.front() != '/') {
      record.Set(row.id, {}, FieldStatus::Unknown);
      return;
    }
    value = NormalizePath(data);
    status = FieldStatus::Ok;
  } else if (status == FieldStatus::Foreign) {
    const auto number = schema::SyscallFromI386(std::get<int64_t>(value));
    record.Set(row.id, number.value_or(0), number ? FieldStatus::Ok : FieldStatus::Unknown);
    return;
  } else if (row.type == TypeId::StringList && !data.empty() && data.back() != '\0') {
    // A process can overwrite its own arguments, the last NUL included: then what is there is a part of an element.
    status = FieldStatus::Truncated;
  }
  record.Set(row.id, std::move(value), status);
}

template <typename T>
void Append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AppendClauses(std::string& out, const std::vector<uint64_t>& passed) {
  for (size_t summary = 0; summary < passed.size() / 64; ++summary) {
    uint64_t word = 0;
    for (size_t bit = 0; bit < 64; ++bit) word |= uint64_t{passed[64 * summary + bit] != 0} << bit;
    Append(out, word);
  }
  for (uint64_t word : passed) {
    if (word != 0) Append(out, word);
  }
}

void AppendItem(std::string& out, const FieldRow& row, const schema::FieldValue& field) {
  std::string data;
  if (field.status != FieldStatus::Absent && field.status != FieldStatus::Unknown) {
    if (const auto* number = std::get_if<int64_t>(&field.value)) {
      // A text of which only its state is known has no value of its own.
      if (Row(row.type).slot == Slot::Int && *number == static_cast<int32_t>(*number)) {
        const auto bits = static_cast<uint32_t>(*number);
        Append(out, ks_item{static_cast<__u16>(row.id), static_cast<__u8>(field.status), KS_ITEM_SHORT,
                            static_cast<__u16>(bits), static_cast<__u16>(bits >> 16)});
        return;
      }
      Append(data, ks_slot_Int{*number});
    } else if (const auto* ip = std::get_if<schema::IpAddress>(&field.value)) {
      Append(data, *ip);
    } else if (const auto* endpoint = std::get_if<schema::Endpoint>(&field.value)) {
      ks_slot_Endpoint slot{};
      std::memcpy(slot.address, endpoint->ip.bytes.data(), sizeof(slot.address));
      slot.port = endpoint->port;
      Append(data, slot);
    } else if (const auto* text = std::get_if<std::string>(&field.value)) {
      data = *text;
    }
  }
  const size_t bytes = SlotBytes(row);
  KS_CHECK(Row(row.type).slot == Slot::Text ? data.size() <= bytes : data.empty() || data.size() == bytes,
           fmt::format("{} holds a value that its slot does not", row.dotted));
  Append(out,
         ks_item{static_cast<__u16>(row.id), static_cast<__u8>(field.status), 0, static_cast<__u16>(data.size()), 0});
  out += data;
  out.append(Padded(data.size()) - data.size(), '\0');
}

}  // namespace

void SetTime(Event& event, uint64_t time_ns) {
  event.time_ns = time_ns;
  event.record.Set(FieldId::event_time, static_cast<int64_t>(time_ns));
}

namespace {

Status DecodeTo(std::string_view record, int64_t boot_to_utc_ns, Event* out) {
  if (record.size() < sizeof(ks_record)) return Refuse(record, "it is shorter than its head");
  if (record.size() > KS_RECORD_MAX) return Refuse(record, fmt::format("it is longer than {} bytes", +KS_RECORD_MAX));
  const auto head = Load<ks_record>(record);
  if (head.kind >= schema::kKindCount) return Refuse(record, fmt::format("it is of an unknown kind, {}", head.kind));
  const size_t most = head.summary == 0 ? size_t{KS_RULE_WORDS} : size_t{KS_ROWS_SUMMARY} + KS_ROWS_WORDS;
  if (head.words > most || head.words < head.summary || head.summary > KS_ROWS_SUMMARY)
    return Refuse(record, fmt::format("it holds {} words of rules", head.words));
  size_t at = sizeof(ks_record) + head.words * sizeof(uint64_t);
  if (at > record.size()) return Refuse(record, "it ends within its words of rules");

  Event& event = *out;
  event.kind = static_cast<schema::EventKind>(head.kind);
  event.sequence = head.sequence;
  event.generation = head.generation;
  event.cpu = head.cpu;
  const uint64_t time = head.time_ns + static_cast<uint64_t>(boot_to_utc_ns);
  if (time > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    return Refuse(record, "its time is out of range");
  SetTime(event, time);
  if (head.summary != 0) {
    if (!ReadClauses(record, head, &event)) return Refuse(record, "its words of clauses are not those of its summary");
  } else {
    event.passed.resize(head.words);
    for (size_t i = 0; i < head.words; ++i) event.passed[i] = Word(record, i);
  }

  std::bitset<schema::kFieldCount> fields_seen;
  std::bitset<KS_MAX_ATOMS> atoms_seen;
  while (at < record.size()) {
    if (record.size() - at < sizeof(ks_item)) return Refuse(record, fmt::format("byte {}: it ends within an item", at));
    const auto item = Load<ks_item>(record, at);
    const size_t data_at = at + sizeof(ks_item);
    const bool is_atom = (item.id & KS_ITEM_ATOM) != 0;
    if (is_atom ? item.high != 0 && !event.by_clause : item.high > KS_ITEM_SHORT) {
      return Refuse(record, fmt::format("byte {}: an item of an unknown form, {}", at, item.high));
    }
    const size_t len = IsShort(item) ? 0 : item.len;
    if (Padded(len) > record.size() - data_at) {
      return Refuse(record, fmt::format("byte {}: the item has {} bytes, more than there are", at, item.len));
    }
    if (is_atom) {
      const uint16_t atom = item.id & ~KS_ITEM_ATOM;
      if (atom >= (event.by_clause ? uint16_t{KS_ROWS_DIMENSIONS} : uint16_t{KS_MAX_ATOMS}))
        return Refuse(record, fmt::format("byte {}: atom {} does not exist", at, atom));
      if (item.len != 0) return Refuse(record, fmt::format("byte {}: atom {} holds a value", at, atom));
      // A scanner may have found several things.
      if (atoms_seen.test(atom) && !event.by_clause)
        return Refuse(record, fmt::format("byte {}: atom {} comes twice", at, atom));
      atoms_seen.set(atom);
      event.atoms.push_back({atom, item.index | static_cast<uint32_t>(item.high) << 16});
    } else {
      if (item.id >= schema::kFieldCount)
        return Refuse(record, fmt::format("byte {}: field {} does not exist", at, item.id));
      const FieldRow& row = schema::Row(static_cast<FieldId>(item.id));
      const auto status = static_cast<FieldStatus>(item.status);
      if (fields_seen.test(item.id)) return Refuse(record, fmt::format("byte {}: {} comes twice", at, row.dotted));
      fields_seen.set(item.id);
      if (row.decided != schema::Decided::Kernel || !schema::Has(event.kind, row.id)) {
        return Refuse(record, fmt::format("byte {}: {} is no field of this kind of record", at, row.dotted));
      }
      if (!CanBe(row, status)) {
        return Refuse(record, fmt::format("byte {}: {} cannot have state {}", at, row.dotted, item.status));
      }
      if (IsShort(item)) {
        if (Row(row.type).slot != Slot::Int || !HoldsValue(status, sizeof(ks_slot_Int))) {
          return Refuse(record, fmt::format("byte {}: {} holds a number where none can be", at, row.dotted));
        }
        const auto value = Lengthen(item);
        SetField(event.record, row, status, {value.data(), value.size()});
        at = data_at;
        continue;
      }
      const size_t bytes = HoldsValue(status, item.len) ? SlotBytes(row) : 0;
      const bool text = Row(row.type).slot == Slot::Text;
      if (text ? item.len > bytes : item.len != bytes) {
        return Refuse(record,
                      fmt::format("byte {}: {} has {} bytes where {} are right", at, row.dotted, item.len, bytes));
      }
      SetField(event.record, row, status, record.substr(data_at, item.len));
    }
    at = data_at + Padded(len);
  }
  return Ok();
}

}  // namespace

// Where it is to stay: an event is some 4 KB.
Result<Event> Decode(std::string_view record, int64_t boot_to_utc_ns) {
  Result<Event> decoded{Event()};
  if (Status status = DecodeTo(record, boot_to_utc_ns, &*decoded); !status) decoded = status.error();
  return decoded;
}

std::string Encode(const Event& event) {
  KS_CHECK(event.passed.size() <= (event.by_clause ? size_t{KS_ROWS_WORDS} : size_t{KS_RULE_WORDS}) &&
               (!event.by_clause || event.passed.size() % 64 == 0),
           "more words of rules than a record holds");
  KS_CHECK(event.sequence >> 48 == 0, "a sequence number that no record's head holds");
  std::string out(sizeof(ks_record), '\0');
  if (event.by_clause) {
    AppendClauses(out, event.passed);
  } else {
    for (uint64_t word : event.passed) Append(out, word);
  }
  const size_t words = (out.size() - sizeof(ks_record)) / sizeof(uint64_t);
  for (const FieldRow& row : schema::Fields()) {
    const schema::FieldValue& field = event.record[row.id];
    if (row.decided == schema::Decided::Kernel && field.status != FieldStatus::Unread) AppendItem(out, row, field);
  }
  for (const AtomMatch& match : event.atoms) {
    Append(out, ks_item{static_cast<__u16>(match.atom | KS_ITEM_ATOM), KS_OK, static_cast<__u8>(match.index >> 16), 0,
                        static_cast<__u16>(match.index)});
  }
  KS_CHECK(out.size() <= KS_RECORD_MAX, "the event is larger than a record");
  ks_record head{};
  head.time_ns = event.time_ns;
  head.sequence = event.sequence;
  head.generation = event.generation;
  head.cpu = event.cpu;
  head.kind = static_cast<__u8>(event.kind);
  head.summary = static_cast<__u8>(event.by_clause ? event.passed.size() / 64 : 0);
  head.words = static_cast<__u16>(words);
  std::memcpy(out.data(), &head, sizeof(head));
  return out;
}

}  // namespace ks::event
