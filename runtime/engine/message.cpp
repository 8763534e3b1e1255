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

std::string Shown(const schema::FieldValue& value, const ir::Operand& operand) {
  const schema::FieldRow& row = schema::Row(operand.field);
  const TypeId type = ir::TypeOf(operand);
  const bool cut = value.status == FieldStatus::Truncated;
  if (const auto* text = std::get_if<std::string>(&value.value)) {
    if (type == TypeId::StringList) return JoinArguments(*text) + (cut ? " …" : "");
    std::string printable = event::Printable(*text);
    if (!cut) return printable;
    return type == TypeId::Path ? "…" + printable : printable + "…";  // of a path the tail is kept
  }
  if (const auto* ip = std::get_if<schema::IpAddress>(&value.value)) return ToString(*ip);
  if (operand.part == ir::Part::Port) return fmt::format("{}", std::get<int64_t>(value.value));
  return ToString(value.value, row.type, row.enumeration);
}

const schema::Record* RecordOf(const ir::Operand& operand, const ir::Frame& frame) {
  if (operand.step == ir::kThisEvent) return frame.event;
  return operand.step <= frame.steps.size() ? frame.steps[operand.step - 1] : nullptr;
}

std::string Fill(const ir::TemplatePart& part, const ir::Frame& frame, const std::vector<schema::FieldId>& disclosed) {
  const schema::FieldId id = part.operand->field;
  const schema::Record* record = RecordOf(*part.operand, frame);
  const bool locked = schema::Row(id).data_class == DataClass::MatchOnly && !std::ranges::count(disclosed, id);
  if (record == nullptr || locked) return "?";
  const schema::FieldValue value = ir::ReadOperand(*part.operand, *record);
  if (value.status == FieldStatus::Absent) return part.fallback ? event::Printable(*part.fallback) : "none";
  if (value.status == FieldStatus::Ok || value.status == FieldStatus::Truncated) return Shown(value, *part.operand);
  return "?";
}

}  // namespace

std::string FillTemplate(const std::vector<ir::TemplatePart>& parts, const ir::Frame& frame,
                         const std::vector<schema::FieldId>& disclosed, std::optional<uint64_t> measure) {
  std::string out;
  for (const ir::TemplatePart& part : parts) {
    out += event::Printable(part.text);
    if (part.operand) out += Fill(part, frame, disclosed);
    if (part.measure) out += measure ? fmt::format("{}", *measure) : "?";
  }
  return out;
}

std::string PlainMessage(const event::RuleInfo& rule) {
  return event::Printable(rule.title.empty() ? rule.name : rule.title);
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
