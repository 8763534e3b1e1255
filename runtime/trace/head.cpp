// The header: who recorded, and which columns there are, matched by name with this build's table.
#include <algorithm>
#include <array>
#include <set>

#include "runtime/trace/format.h"

namespace ks::trace {
namespace {

using schema::DataClass;
using schema::FieldRow;
using schema::Slot;

constexpr std::array<std::string_view, 5> kSlotNames = {"none", "int", "ip", "endpoint", "text"};

std::string_view ClassName(DataClass data_class) {
  return data_class == DataClass::Metadata ? "metadata" : "match-only";
}

// Names end up on terminals: only what names of the table are made of.
bool IsName(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

// A list that is too long ends in how much more there was.
std::string Shortened(std::string_view list) {
  if (list.size() <= kMaxName) return std::string(list);
  size_t left_out = 0;
  for (size_t at = list.size(); (at = list.find_last_of(",;", at - 1)) != std::string_view::npos && at > 0;) {
    const std::string more = " and " + std::to_string(++left_out) + " more";
    if (at + more.size() <= kMaxName) return std::string(list.substr(0, at)) + more;
  }
  return std::string(list.substr(0, kMaxName - 3)) + "...";
}

bool TakeFact(Cursor& cursor, std::string* out) {
  std::string_view text;
  if (!cursor.Text(kMaxName, &text)) return false;
  *out = event::Printable(text);
  return true;
}

std::optional<Why> TakeColumn(Cursor& cursor, Layout* layout) {
  std::string_view name, type, enumeration, data_class, slot;
  if (!cursor.Text(kMaxName, &name) || !cursor.Text(kMaxName, &type) || !cursor.Text(kMaxName, &enumeration) ||
      !cursor.Text(kMaxName, &data_class) || !cursor.Text(kMaxName, &slot)) {
    return "it ends within a column";
  }
  if (!IsName(name)) return "a column has a malformed name";
  const auto known_slot = std::ranges::find(kSlotNames, slot);
  if (known_slot == kSlotNames.begin() || known_slot == kSlotNames.end()) {
    return "the column " + std::string(name) + " holds values that this build cannot read";
  }
  Column column{schema::FindField(name), static_cast<Slot>(known_slot - kSlotNames.begin()), false};
  if (column.field) {
    const FieldRow& row = schema::Row(*column.field);
    column.is_list = row.type == schema::TypeId::StringList;
    const bool same = schema::Row(row.type).spelled == type && row.enumeration == enumeration &&
                      schema::Row(row.type).slot == column.slot;
    if (!same || row.id == schema::FieldId::event_time) column.field.reset();
    (same ? layout->info.columns : layout->info.unknown_columns).emplace_back(name);
  } else {
    layout->info.unknown_columns.emplace_back(name);
  }
  layout->columns.push_back(column);
  return std::nullopt;
}

}  // namespace

std::string EncodeHead(const HostFacts& host, std::string_view match_only) {
  std::string out;
  for (const std::string& fact : {host.node, host.kernel, host.arch, host.boot}) {
    PutText(out, std::string_view(fact).substr(0, kMaxName));
  }
  PutText(out, schema::Hash());
  PutText(out, Shortened(match_only));
  PutNumber(out, schema::Events().size());
  for (const schema::EventRow& row : schema::Events()) PutText(out, row.name);
  PutNumber(out, schema::Fields().size());
  for (const FieldRow& row : schema::Fields()) {
    const schema::TypeRow& type = schema::Row(row.type);
    PutText(out, row.dotted);
    PutText(out, type.spelled);
    PutText(out, row.enumeration);
    PutText(out, ClassName(row.data_class));
    PutText(out, kSlotNames[static_cast<size_t>(type.slot)]);
  }
  return out;
}

std::optional<Why> DecodeHead(std::string_view bytes, Layout* layout) {
  Cursor cursor(bytes);
  Info& info = layout->info;
  HostFacts& host = info.host;
  if (!TakeFact(cursor, &host.node) || !TakeFact(cursor, &host.kernel) || !TakeFact(cursor, &host.arch) ||
      !TakeFact(cursor, &host.boot) || !TakeFact(cursor, &info.schema_hash) || !TakeFact(cursor, &info.match_only)) {
    return "it ends within the facts of the host";
  }
  std::set<std::string, std::less<>> seen;
  size_t kinds = 0, columns = 0;
  if (!cursor.NumberUpTo(kMaxKinds, &kinds)) return "too many kinds of events";
  for (; kinds > 0; --kinds) {
    std::string_view name;
    if (!cursor.Text(kMaxName, &name) || !IsName(name)) return "a kind of events has a malformed name";
    if (!seen.emplace(name).second) return "a kind of events comes twice";
    layout->kinds.push_back(schema::FindEvent(name));
    if (!layout->kinds.back()) info.unknown_kinds.emplace_back(name);
  }
  if (!cursor.NumberUpTo(kMaxColumns, &columns)) return "too many columns";
  for (; columns > 0; --columns) {
    if (auto why = TakeColumn(cursor, layout)) return why;
  }
  if (!cursor.AtEnd()) return "there is more behind its columns";
  for (auto* names : {&info.columns, &info.unknown_columns}) {
    std::set<std::string_view> unique(names->begin(), names->end());
    if (unique.size() != names->size()) return "a column comes twice";
  }
  return std::nullopt;
}

}  // namespace ks::trace
