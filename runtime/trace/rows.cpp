// Events and losses ⇄ the rows of a block.
#include <bitset>

#include "runtime/trace/format.h"

namespace ks::trace {
namespace {

using schema::FieldId;
using schema::FieldRow;
using schema::Slot;
using FieldStatus = schema::Status;

enum class RowTag : uint8_t { Event = 0, LostAny = 1, Lost = 2 };

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

bool TakeValue(Cursor& cursor, Slot slot, schema::Value* value) {
  switch (slot) {
    case Slot::Int:
      return cursor.Signed(&value->emplace<int64_t>());
    case Slot::Ip:
      return TakeIp(cursor, &value->emplace<schema::IpAddress>());
    case Slot::Endpoint: {
      auto& endpoint = value->emplace<schema::Endpoint>();
      return TakeIp(cursor, &endpoint.ip) && cursor.NumberUpTo(UINT16_MAX, &endpoint.port);
    }
    case Slot::Text: {
      std::string_view text;
      if (!cursor.Text(kMaxText, &text)) return false;
      *value = std::string(text);
      return true;
    }
    case Slot::None:
      break;
  }
  return false;
}

bool TakeTime(Cursor& cursor, RowBase& base) {
  int64_t delta = 0;
  if (!cursor.Signed(&delta)) return false;
  base.time_ns += static_cast<uint64_t>(delta);
  return base.time_ns <= static_cast<uint64_t>(INT64_MAX);
}

// One field of an event. Fields that this build does not know are read and dropped.
std::optional<Why> TakeField(Cursor& cursor, const Layout& layout, uint64_t column_number, schema::Record& record) {
  if (column_number == 0 || column_number > layout.columns.size()) return "a field of no column";
  const Column& column = layout.columns[column_number - 1];
  FieldStatus status{};
  if (!cursor.NumberUpTo(static_cast<uint64_t>(FieldStatus::Unknown), &status) || status == FieldStatus::Unread) {
    return "a field in no state";
  }
  if (status == FieldStatus::Truncated && column.slot != Slot::Text) return "a cut field that is no text";
  schema::Value value;
  if (HoldsValue(status) && !TakeValue(cursor, column.slot, &value)) return "a malformed value";
  if (!column.field) return std::nullopt;
  const FieldRow& row = schema::Row(*column.field);
  if (row.type == schema::TypeId::StringList && status == FieldStatus::Ok) {
    const std::string& list = std::get<std::string>(value);
    if (!list.empty() && list.back() != '\0') return "a list that ends within an element";
  }
  record.Set(*column.field, std::move(value), status);
  return std::nullopt;
}

std::optional<Why> TakeEvent(Cursor& cursor, const Layout& layout, RowBase& base, event::Event* event, bool* known) {
  size_t kind = 0, fields = 0;
  int64_t sequence = 0;
  if (!TakeTime(cursor, base)) return "a malformed time";
  if (!cursor.NumberUpTo(UINT16_MAX, &event->cpu) || !cursor.Number(&kind) || kind >= layout.kinds.size() ||
      !cursor.NumberUpTo(UINT32_MAX, &event->generation) || !cursor.Signed(&sequence) ||
      !cursor.NumberUpTo(layout.columns.size(), &fields)) {
    return "a malformed event";
  }
  event->sequence = base.sequence += static_cast<uint64_t>(sequence);
  *known = layout.kinds[kind].has_value();
  if (*known) event->kind = *layout.kinds[kind];
  for (uint64_t column = 0; fields > 0; --fields) {
    uint64_t delta = 0;
    if (!cursor.NumberUpTo(kMaxColumns, &delta) || delta == 0) return "columns out of order";
    column += delta;
    if (auto why = TakeField(cursor, layout, column, event->record)) return why;
  }
  event::SetTime(*event, base.time_ns);
  return std::nullopt;
}

}  // namespace

void EncodeEvent(const event::Event& event, RowBase& base, std::string& out) {
  PutNumber(out, static_cast<uint64_t>(RowTag::Event));
  PutSigned(out, static_cast<int64_t>(event.time_ns - base.time_ns));
  PutNumber(out, event.cpu);
  PutNumber(out, static_cast<uint64_t>(event.kind));
  PutNumber(out, event.generation);
  PutSigned(out, static_cast<int64_t>(event.sequence - base.sequence));
  base = {event.time_ns, event.sequence};
  const auto holds = [&](const FieldRow& row) {
    return row.id != FieldId::event_time && event.record[row.id].status != FieldStatus::Unread;
  };
  size_t fields = 0;
  for (const FieldRow& row : schema::Fields()) fields += holds(row);
  PutNumber(out, fields);
  size_t before = 0;
  for (const FieldRow& row : schema::Fields()) {
    if (!holds(row)) continue;
    const schema::FieldValue& field = event.record[row.id];
    KS_CHECK(field.status <= FieldStatus::Unknown, std::string(row.dotted) + " was not normalised");
    const size_t column = static_cast<size_t>(row.id) + 1;
    PutNumber(out, column - before);
    before = column;
    PutNumber(out, static_cast<uint64_t>(field.status));
    if (HoldsValue(field.status)) PutValue(out, field.value, row);
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

std::optional<Why> DecodeRows(std::string_view bytes, const Layout& layout, RowCounts* counts,
                              const std::function<void(const event::Event&)>& on_event,
                              const std::function<void(const Lost&)>& on_lost) {
  Cursor cursor(bytes);
  RowBase base;
  while (!cursor.AtEnd()) {
    uint64_t tag = 0;
    if (!cursor.NumberUpTo(static_cast<uint64_t>(RowTag::Lost), &tag)) return "a record of an unknown kind";
    if (tag == static_cast<uint64_t>(RowTag::Event)) {
      event::Event event;
      bool known = false;
      if (auto why = TakeEvent(cursor, layout, base, &event, &known)) return why;
      ++counts->events;
      if (known) on_event(event);
    } else {
      Lost lost{};
      if (!TakeTime(cursor, base)) return "a malformed time";
      if (!cursor.NumberUpTo(UINT16_MAX, &lost.cpu) || !cursor.Number(&lost.records)) return "a malformed LOST record";
      size_t kinds = 0;
      if (tag == static_cast<uint64_t>(RowTag::Lost) && !cursor.NumberUpTo(kMaxKinds, &kinds)) {
        return "a malformed LOST record";
      }
      for (; kinds > 0; --kinds) {
        size_t kind = 0;
        if (!cursor.Number(&kind) || kind >= layout.kinds.size()) return "a malformed LOST record";
        if (layout.kinds[kind]) lost.kinds.push_back(*layout.kinds[kind]);
      }
      lost.time_ns = base.time_ns;
      ++counts->lost;
      on_lost(lost);
    }
  }
  return std::nullopt;
}

}  // namespace ks::trace
