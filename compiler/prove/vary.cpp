#include "compiler/prove/vary.h"

namespace ks::prove {

bool Vary(const ir::Operand& operand, size_t number, schema::Record* record) {
  const schema::FieldValue& field = (*record)[operand.field];
  if (operand.element >= 0 || (field.status != schema::Status::Ok && field.status != schema::Status::Unread))
    return false;
  const schema::FieldRow& row = schema::Row(operand.field);
  schema::Value value = field.value;
  const auto less_than = static_cast<int64_t>(number);
  switch (schema::Row(row.type).slot) {
    case schema::Slot::Int:
      // Only numbers that are no names.
      if (!row.enumeration.empty()) return false;
      value = (std::holds_alternative<int64_t>(value) ? std::get<int64_t>(value) : 0) + less_than;
      break;
    case schema::Slot::Text: {
      std::string text = std::holds_alternative<std::string>(value) ? std::get<std::string>(value) : "";
      if (row.type == schema::TypeId::StringList) return false;
      if (text.empty() && row.type == schema::TypeId::Path) text = "/";
      if (number > 0) text += std::to_string(number);
      if (text.size() > row.capture) return false;
      value = std::move(text);
      break;
    }
    case schema::Slot::Ip:
    case schema::Slot::Endpoint: {
      auto endpoint =
          std::holds_alternative<schema::Endpoint>(value) ? std::get<schema::Endpoint>(value) : schema::Endpoint();
      if (const auto* address = std::get_if<schema::IpAddress>(&value)) endpoint.ip = *address;
      if (operand.part == ir::Part::Port) {
        endpoint.port = static_cast<uint16_t>(endpoint.port + number);
      } else {
        const size_t low = endpoint.ip.bytes[15] + number;
        endpoint.ip.bytes[15] = static_cast<uint8_t>(low);
        endpoint.ip.bytes[14] = static_cast<uint8_t>(endpoint.ip.bytes[14] + low / 256);
      }
      if (schema::Row(row.type).slot == schema::Slot::Ip) {
        value = endpoint.ip;
      } else {
        value = endpoint;
      }
      break;
    }
    default:
      return false;
  }
  record->Set(operand.field, std::move(value));
  return true;
}

bool VaryWithin(const ir::Key& operands, size_t number, const std::function<bool(const schema::Record&)>& still,
                schema::Record* record) {
  constexpr size_t kTries = 8, kApart = 4096;
  for (size_t attempt = 0; attempt < kTries; ++attempt) {
    schema::Record varied = *record;
    bool all = true;
    for (const ir::Operand& operand : operands) all = all && Vary(operand, number + attempt * kApart, &varied);
    if (!all || !still(varied)) continue;
    *record = std::move(varied);
    return true;
  }
  return false;
}

ir::Pred SameValue(const ir::Operand& operand, const ir::Operand& other, const schema::Record& record) {
  ir::Operand there = other, here = operand;
  there.step = here.step = ir::kThisEvent;
  const schema::FieldValue value = ir::ReadOperand(there, record);
  ir::Atom atom;
  atom.operand = here;
  if (value.status != schema::Status::Ok) {
    // Unread: nobody asked for it; what a test does not give is the same in all events, but for what may be absent.
    if (value.status != schema::Status::Absent) return ir::True();
    atom.test = ir::Test::Present;
    return ir::MakeNot(ir::MakeAtom(std::move(atom)));
  }
  atom.test = ir::Test::In;
  atom.literals = {value.value};
  return ir::MakeAtom(std::move(atom));
}

}  // namespace ks::prove
