// Events and losses ⇄ the rows of a block.
#include "runtime/event/in_place.h"
#include "runtime/trace/format.h"

namespace ks::trace {
namespace {

using schema::FieldId;
using schema::FieldRow;
using schema::Slot;
using FieldStatus = schema::Status;

enum class RowTag : uint8_t { WholeEvent = 0, LostAny = 1, Lost = 2, Event = 3 };

constexpr size_t kKeptText = 4096;

bool HoldsValue(FieldStatus status) { return status == FieldStatus::Ok || status == FieldStatus::Truncated; }

void PutValue(std::string& out, const schema::Value& value, const FieldRow& row) {
  const Slot slot = schema::Row(row.type).slot;
  if (const auto* number = std::get_if<int64_t>(&value); number && slot == Slot::Int) {
    PutSigned(out, *number);
  } else if (const auto* text = std::get_if<std::string>(&value); text && slot == Slot::Text) {
    PutText(out, std::string_view(*text).substr(0, kMaxText));
  } else if (const auto* ip = std::get_if<schema::IpAddress>(&value); ip && slot == Slot::Ip) {
    out.append(reinterpret_cast<const char*>(ip->bytes.data()), ip->bytes.size());
  } else if (const auto* endpoint = std::get_if<schema::Endpoint>(&value); endpoint && slot == Slot::Endpoint) {
    out.append(reinterpret_cast<const char*>(endpoint->ip.bytes.data()), endpoint->ip.bytes.size());
    PutNumber(out, endpoint->port);
  } else {
    KS_CHECK(false, std::string(row.dotted) + " holds a value of another type");
  }
}

bool TakeIp(Cursor& cursor, schema::IpAddress* ip) {
  std::string_view bytes;
  if (!cursor.Take(ip->bytes.size(), &bytes)) return false;
  std::memcpy(ip->bytes.data(), bytes.data(), bytes.size());
  return true;
}

// In the memory that the value has.
bool TakeValue(Cursor& cursor, Slot slot, schema::Value& value) {
  switch (slot) {
    case Slot::Int:
      return cursor.Signed(&event::ValueInPlace<int64_t>(value));
    case Slot::Ip:
      return TakeIp(cursor, &event::ValueInPlace<schema::IpAddress>(value));
    case Slot::Endpoint: {
      auto& endpoint = event::ValueInPlace<schema::Endpoint>(value);
      return TakeIp(cursor, &endpoint.ip) && cursor.NumberUpTo(UINT16_MAX, &endpoint.port);
    }
    case Slot::Text: {
      std::string_view text;
      if (!cursor.Text(kMaxText, &text)) return false;
      event::ValueInPlace<std::string>(value).assign(text);
      return true;
    }
    case Slot::None:
      break;
  }
  return false;
}

void ClearFields(schema::Record& record) {
  for (const FieldRow& row : schema::Fields()) record.SetStatus(row.id, FieldStatus::Unread);
}

bool TakeTime(Cursor& cursor, RowBase& base) {
  int64_t delta = 0;
  if (!cursor.Signed(&delta)) return false;
  base.time_ns += static_cast<uint64_t>(delta);
  return base.time_ns <= static_cast<uint64_t>(INT64_MAX);
}

// Fields that this build does not know are read and dropped.
std::optional<Why> TakeField(Cursor& cursor, const Column& column, RowTag tag, schema::Record& record) {
  FieldStatus status{};
  if (!cursor.NumberUpTo(static_cast<uint64_t>(FieldStatus::Unknown), &status) ||
      (status == FieldStatus::Unread && tag == RowTag::WholeEvent)) {
    return "a field in no state";
  }
  if (status == FieldStatus::Truncated && column.slot != Slot::Text) return "a cut field that is no text";
  schema::Value dropped;
  schema::FieldValue* field = column.field ? &event::FieldAt(record, *column.field) : nullptr;
  schema::Value& value = field ? field->value : dropped;
  if (field) field->status = status;
  if (!HoldsValue(status)) return std::nullopt;
  if (!TakeValue(cursor, column.slot, value)) return "a malformed value";
  if (column.is_list && status == FieldStatus::Ok && field) {
    const std::string& list = std::get<std::string>(value);
    if (!list.empty() && list.back() != '\0') return "a list that ends within an element";
  }
  return std::nullopt;
}

// *event: that of its slot, brought forward.
std::optional<Why> TakeEvent(Cursor& cursor, RowTag tag, const Layout& layout, RowBase& base, event::Event** event, bool* known) {
  uint16_t cpu = 0;
  uint32_t generation = 0;
  size_t kind = 0, slot = 0, fields = 0;
  int64_t sequence = 0;
  if (!TakeTime(cursor, base)) return "a malformed time";
  if (!cursor.NumberUpTo(UINT16_MAX, &cpu) || !cursor.Number(&kind) || kind >= layout.kinds.size() ||
      !cursor.NumberUpTo(UINT32_MAX, &generation) || !cursor.Signed(&sequence) ||
      (tag == RowTag::Event && !cursor.NumberUpTo(kSlots - 1, &slot)) || !cursor.NumberUpTo(layout.columns.size(), &fields)) {
    return "a malformed event";
  }
  event::Event& own = base.Slot(slot);
  *event = &own;
  own.cpu = cpu;
  own.generation = generation;
  own.sequence = base.sequence += static_cast<uint64_t>(sequence);
  *known = layout.kinds[kind].has_value();
  if (*known) own.kind = *layout.kinds[kind];
  if (tag == RowTag::WholeEvent) ClearFields(own.record);
  for (uint64_t column = 0; fields > 0; --fields) {
    uint64_t delta = 0;
    if (!cursor.NumberUpTo(kMaxColumns, &delta) || delta == 0) return "columns out of order";
    column += delta;
    if (column > layout.columns.size()) return "a field of no column";
    if (auto why = TakeField(cursor, layout.columns[column - 1], tag, own.record)) return why;
  }
  own.time_ns = base.time_ns;
  event::FieldAt(own.record, FieldId::event_time) = {FieldStatus::Ok, static_cast<int64_t>(base.time_ns)};
  return std::nullopt;
}

// Numbers of threads are near to each other: those that run beside each other mostly have slots of their own.
size_t SlotOf(const event::Event& event) {
  const schema::FieldValue& thread = event.record[FieldId::process_tid];
  const auto* number = event::HasValue(thread) ? std::get_if<int64_t>(&thread.value) : nullptr;
  return number ? static_cast<size_t>(*number) % kSlots : 0;
}

}  // namespace

event::Event& RowBase::Slot(size_t number) {
  std::unique_ptr<event::Event>& slot = slots_[number];
  if (!slot) slot = std::make_unique<event::Event>();
  used_.set(number);
  return *slot;
}

void RowBase::Clear() {
  time_ns = sequence = 0;
  for (size_t i = 0; i < kSlots; ++i) {
    if (!used_[i]) continue;
    schema::Record& record = slots_[i]->record;
    ClearFields(record);
    // Memory of texts as long as few are is not kept: files may be made to have them everywhere.
    for (const FieldRow& row : schema::Fields()) {
      auto* text = std::get_if<std::string>(&event::FieldAt(record, row.id).value);
      if (text && text->capacity() > kKeptText) std::string().swap(*text);
    }
  }
  used_.reset();
}

void EncodeEvent(const event::Event& event, RowBase& base, std::string& out) {
  const size_t slot = SlotOf(event);
  PutNumber(out, static_cast<uint64_t>(RowTag::Event));
  PutSigned(out, static_cast<int64_t>(event.time_ns - base.time_ns));
  PutNumber(out, event.cpu);
  PutNumber(out, static_cast<uint64_t>(event.kind));
  PutNumber(out, event.generation);
  PutSigned(out, static_cast<int64_t>(event.sequence - base.sequence));
  PutNumber(out, slot);
  base.time_ns = event.time_ns;
  base.sequence = event.sequence;
  schema::Record& last = base.Slot(slot).record;
  std::array<const FieldRow*, schema::kFieldCount> changed;
  size_t count = 0;
  for (const FieldRow& row : schema::Fields()) {
    if (row.id != FieldId::event_time && !event::Same(last[row.id], event.record[row.id])) changed[count++] = &row;
  }
  PutNumber(out, count);
  size_t before = 0;
  for (size_t i = 0; i < count; ++i) {
    const FieldRow& row = *changed[i];
    const schema::FieldValue& field = event.record[row.id];
    KS_CHECK(field.status <= FieldStatus::Unknown, std::string(row.dotted) + " was not normalised");
    const size_t column = static_cast<size_t>(row.id) + 1;
    PutNumber(out, column - before);
    before = column;
    PutNumber(out, static_cast<uint64_t>(field.status));
    if (HoldsValue(field.status)) {
      PutValue(out, field.value, row);
      event::FieldAt(last, row.id).value = field.value;
    }
    last.SetStatus(row.id, field.status);
  }
}

void EncodeLost(const Lost& lost, RowBase& base, std::string& out) {
  PutNumber(out, static_cast<uint64_t>(RowTag::Lost));
  PutSigned(out, static_cast<int64_t>(lost.time_ns - base.time_ns));
  PutNumber(out, lost.cpu);
  PutNumber(out, lost.records);
  PutNumber(out, lost.kinds.size());
  for (schema::EventKind kind : lost.kinds) PutNumber(out, static_cast<uint64_t>(kind));
  base.time_ns = lost.time_ns;
}

std::optional<Why> DecodeRow(Cursor& cursor, const Layout& layout, RowBase& base, RowCounts* counts,
                             const std::function<void(const event::Event&)>& on_event,
                             const std::function<void(const Lost&)>& on_lost) {
  RowTag tag{};
  if (!cursor.NumberUpTo(static_cast<uint64_t>(RowTag::Event), &tag)) return "a record of an unknown kind";
  if (tag == RowTag::Event || tag == RowTag::WholeEvent) {
    event::Event* event = nullptr;
    bool known = false;
    if (auto why = TakeEvent(cursor, tag, layout, base, &event, &known)) return why;
    ++counts->events;
    if (known) on_event(*event);
    return std::nullopt;
  }
  Lost lost{};
  if (!TakeTime(cursor, base)) return "a malformed time";
  if (!cursor.NumberUpTo(UINT16_MAX, &lost.cpu) || !cursor.Number(&lost.records)) return "a malformed LOST record";
  size_t kinds = 0;
  if (tag == RowTag::Lost && !cursor.NumberUpTo(kMaxKinds, &kinds)) return "a malformed LOST record";
  for (; kinds > 0; --kinds) {
    size_t kind = 0;
    if (!cursor.Number(&kind) || kind >= layout.kinds.size()) return "a malformed LOST record";
    if (layout.kinds[kind]) lost.kinds.push_back(*layout.kinds[kind]);
  }
  lost.time_ns = base.time_ns;
  ++counts->lost;
  on_lost(lost);
  return std::nullopt;
}

std::optional<Why> DecodeRows(std::string_view bytes, const Layout& layout, RowBase& base, RowCounts* counts,
                              const std::function<void(const event::Event&)>& on_event,
                              const std::function<void(const Lost&)>& on_lost) {
  Cursor cursor(bytes);
  base.Clear();
  while (!cursor.AtEnd()) {
    if (auto why = DecodeRow(cursor, layout, base, counts, on_event, on_lost)) return why;
  }
  return std::nullopt;
}

}  // namespace ks::trace
