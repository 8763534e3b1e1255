#include "compiler/ir/reading.h"

namespace ks::ir {
namespace {

using schema::Status;

bool Suits(const Value& value, schema::TypeId type) {
  switch (schema::Row(type).slot) {
    case schema::Slot::Int:
      return std::holds_alternative<int64_t>(value);
    case schema::Slot::Ip:
      return std::holds_alternative<schema::IpAddress>(value);
    case schema::Slot::Endpoint:
      return std::holds_alternative<schema::Endpoint>(value);
    case schema::Slot::Text:
      return std::holds_alternative<std::string>(value);
    case schema::Slot::None:
      break;
  }
  return false;
}

}  // namespace

Reading::Reading(const Operand& operand, const schema::Record& record) : value_(&record[operand.field].value) {
  status = record[operand.field].status;
  bool here = status == Status::Ok || status == Status::Truncated;
  if (operand.element >= 0 && status != Status::Absent) {
    if (!here) status = Status::Unknown;
    if (here) TakeElement(static_cast<size_t>(operand.element));
    here = status == Status::Ok;
  }
  if (!here) return;
  if (operand.part != Part::Whole) TakePart(operand.part);
  if (!suits_ || !Suits(*value_, TypeOf(operand))) {
    suits_ = false;
  } else if (const auto* text = std::get_if<std::string>(value_); text != nullptr && operand.lower) {
    std::string lowered = *text;
    for (char& c : lowered) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    own_ = std::move(lowered);
    value_ = &own_;
  }
}

// An element that no NUL ends was cut; behind what was cut there may be more.
void Reading::TakeElement(size_t index) {
  const auto* list = std::get_if<std::string>(value_);
  if (list == nullptr) {
    suits_ = false;
    return;
  }
  bool whole = status == Status::Ok;
  std::string_view rest = *list;
  for (size_t i = 0; !rest.empty(); ++i) {
    size_t end = rest.find('\0');
    if (end == std::string_view::npos) {
      whole = false;
      begun = i == index;
      break;
    }
    if (i == index) {
      own_ = std::string(rest.substr(0, end));
      value_ = &own_;
      status = Status::Ok;
      return;
    }
    rest.remove_prefix(end + 1);
  }
  status = whole ? Status::Absent : Status::Unknown;
}

void Reading::TakePart(Part part) {
  const auto* endpoint = std::get_if<schema::Endpoint>(value_);
  suits_ = endpoint != nullptr;
  if (!suits_) return;
  if (part == Part::Ip) {
    own_ = endpoint->ip;
  } else {
    own_ = static_cast<int64_t>(endpoint->port);
  }
  value_ = &own_;
}

}  // namespace ks::ir
