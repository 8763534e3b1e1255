#include "runtime/engine/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "compiler/ir/reading.h"
#include "runtime/event/event.h"

namespace ks::engine {
namespace {

using schema::DataClass;
using schema::TypeId;
using FieldStatus = schema::Status;

// Arguments as one would type them; those that would not come out as one are in quotes.
void AppendArguments(std::string_view list, std::string* out) {
  for (bool first = true; !list.empty(); first = false) {
    const size_t end = std::min(list.find('\0'), list.size());
    const std::string_view element = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    if (!first) *out += ' ';
    const bool quote = element.empty() || element.find_first_of(" \t\n\"") != std::string_view::npos;
    if (quote) *out += '"';
    event::AppendPrintable(element, out);
    if (quote) *out += '"';
  }
}

void AppendValue(const ir::Reading& read, const ir::Operand& operand, std::string* out) {
  const schema::FieldRow& row = schema::Row(operand.field);
  const TypeId type = ir::TypeOf(operand);
  const bool cut = read.status == FieldStatus::Truncated;
  if (const auto* text = std::get_if<std::string>(&read.value())) {
    if (cut && type == TypeId::Path) *out += "…";  // of a path the tail is kept
    if (type == TypeId::StringList) {
      AppendArguments(*text, out);
      if (cut) *out += " …";
      return;
    }
    event::AppendPrintable(*text, out);
    if (cut && type != TypeId::Path) *out += "…";
  } else if (const auto* ip = std::get_if<schema::IpAddress>(&read.value())) {
    *out += ToString(*ip);
  } else if (operand.part == ir::Part::Port) {
    fmt::format_to(std::back_inserter(*out), "{}", std::get<int64_t>(read.value()));
  } else {
    *out += ToString(read.value(), row.type, row.enumeration);
  }
}

const schema::Record* RecordOf(const ir::Operand& operand, const ir::Frame& frame) {
  if (operand.step == ir::kThisEvent) return frame.event;
  return operand.step <= frame.steps.size() ? frame.steps[operand.step - 1] : nullptr;
}

void Fill(const ir::TemplatePart& part, const ir::Frame& frame, const std::vector<schema::FieldId>& disclosed,
          std::string* out) {
  const schema::FieldId id = part.operand->field;
  const schema::Record* record = RecordOf(*part.operand, frame);
  const bool locked = schema::Row(id).data_class == DataClass::MatchOnly && !std::ranges::count(disclosed, id);
  if (record == nullptr || locked) {
    *out += '?';
    return;
  }
  const ir::Reading read(*part.operand, *record);
  if (read.readable()) {
    AppendValue(read, *part.operand, out);
  } else if (read.status == FieldStatus::Absent) {
    event::AppendPrintable(part.fallback ? std::string_view(*part.fallback) : "none", out);
  } else {
    *out += '?';
  }
}

}  // namespace

std::string FillTemplate(const std::vector<ir::TemplatePart>& parts, const ir::Frame& frame,
                         const std::vector<schema::FieldId>& disclosed, std::optional<uint64_t> measure) {
  std::string out;
  for (const ir::TemplatePart& part : parts) {
    event::AppendPrintable(part.text, &out);
    if (part.operand) Fill(part, frame, disclosed, &out);
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
