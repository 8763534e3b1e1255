#include "runtime/engine/message.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/event/event.h"

namespace ks::engine {
namespace {

using schema::DataClass;
using schema::TypeId;
using FieldStatus = schema::Status;

// Arguments as one would type them; those that would not come out as one are in quotes.
std::string JoinArguments(std::string_view list) {
  std::string out;
  while (!list.empty()) {
    const size_t end = std::min(list.find('\0'), list.size());
    const std::string_view element = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    if (!out.empty()) out += ' ';
    const bool quote = element.empty() || element.find_first_of(" \t\n\"") != std::string_view::npos;
    const std::string text = event::Printable(element);
    out += quote ? '"' + text + '"' : text;
  }
  return out;
}

std::string Shown(const schema::FieldValue& field, const ir::Operand& operand) {
  const schema::FieldRow& row = schema::Row(operand.field);
  const bool cut = field.status == FieldStatus::Truncated;
  if (const auto* text = std::get_if<std::string>(&field.value)) {
    if (row.type == TypeId::StringList) return JoinArguments(*text) + (cut ? " …" : "");
    std::string printable = event::Printable(*text);
    if (!cut) return printable;
    return row.type == TypeId::Path ? "…" + printable : printable + "…";  // of a path the tail is kept
  }
  if (const auto* endpoint = std::get_if<schema::Endpoint>(&field.value)) {
    if (operand.part == ir::Part::Ip) return ToString(endpoint->ip);
    if (operand.part == ir::Part::Port) return fmt::format("{}", endpoint->port);
  }
  return ToString(field.value, row.type, row.enumeration);
}

}  // namespace

std::string FillTemplate(const std::vector<ir::TemplatePart>& parts, const schema::Record& record,
                         const std::vector<schema::FieldId>& disclosed) {
  std::string out;
  for (const ir::TemplatePart& part : parts) {
    out += event::Printable(part.text);
    if (!part.operand) continue;
    const schema::FieldId id = part.operand->field;
    const schema::FieldValue& field = record[id];
    if (schema::Row(id).data_class == DataClass::MatchOnly && !std::ranges::count(disclosed, id)) {
      out += '?';
    } else if (field.status == FieldStatus::Absent) {
      out += "none";
    } else if (field.status == FieldStatus::Ok || field.status == FieldStatus::Truncated) {
      out += Shown(field, *part.operand);
    } else {
      out += '?';
    }
  }
  return out;
}

std::string MatchedWord(const ir::Atom& atom, uint32_t index) {
  if (index >= atom.literals.size()) return atom.label;
  if (!atom.label.empty()) return fmt::format("{}#{}", atom.label, index + 1);
  const schema::Value& literal = atom.literals[index];
  const schema::FieldRow& row = schema::Row(atom.operand.field);
  // A list is compared by element.
  const TypeId type = row.type == TypeId::StringList ? TypeId::String : ir::TypeOf(atom.operand);
  return ToString(literal, type, row.enumeration);
}

}  // namespace ks::engine
