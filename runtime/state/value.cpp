#include "runtime/state/value.h"

#include <algorithm>

namespace ks::state {
namespace {

using FieldStatus = schema::Status;

void AppendNumber(uint64_t number, std::string* out) {
  out->append(reinterpret_cast<const char*>(&number), sizeof(number));
}

struct Appender {
  std::string* out;
  void operator()(int64_t number) const { AppendNumber(static_cast<uint64_t>(number), out); }
  void operator()(const std::string& text) const {
    AppendNumber(text.size(), out);
    out->append(text);
  }
  void operator()(const schema::IpAddress& ip) const {
    out->append(reinterpret_cast<const char*>(ip.bytes.data()), ip.bytes.size());
  }
  void operator()(const schema::Cidr& cidr) const {
    (*this)(cidr.base);
    *out += static_cast<char>(cidr.bits);
  }
  void operator()(const schema::Endpoint& endpoint) const {
    (*this)(endpoint.ip);
    *out += static_cast<char>(endpoint.port & 255);
    *out += static_cast<char>(endpoint.port >> 8);
  }
};

void Append(const schema::FieldValue& value, bool cut_is_unknown, std::string* out) {
  FieldStatus status = value.status;
  if (status == FieldStatus::Truncated && cut_is_unknown) status = FieldStatus::Unknown;
  if (status != FieldStatus::Ok && status != FieldStatus::Absent && status != FieldStatus::Truncated) {
    status = FieldStatus::Unknown;
  }
  *out += static_cast<char>(status);
  if (status != FieldStatus::Ok && status != FieldStatus::Truncated) return;
  *out += static_cast<char>(value.value.index());
  std::visit(Appender{out}, value.value);
}

template <typename Visit>
void VisitOperands(const ir::Pred& pred, const Visit& visit) {
  if (pred.atom) {
    visit(pred.atom->operand);
    if (pred.atom->other) visit(*pred.atom->other);
  }
  for (const ir::Pred& operand : pred.operands) VisitOperands(operand, visit);
}

std::vector<schema::FieldId> Sorted(std::vector<schema::FieldId> fields) {
  std::ranges::sort(fields);
  fields.erase(std::ranges::unique(fields).begin(), fields.end());
  return fields;
}

}  // namespace

std::string Encode(const schema::FieldValue& value, bool cut_is_unknown) {
  std::string out;
  Append(value, cut_is_unknown, &out);
  return out;
}

std::string EncodeKey(const ir::Key& key, const schema::Record& record) {
  std::string out;
  for (const ir::Operand& operand : key) Append(ir::ReadOperand(operand, record), false, &out);
  return out;
}

ir::Truth JoinHolds(std::string_view own, std::string_view other) {
  const auto status = [](std::string_view value) { return static_cast<FieldStatus>(value[0]); };
  if (status(own) == FieldStatus::Absent || status(other) == FieldStatus::Absent) return ir::Truth::False;
  if (status(own) == FieldStatus::Unknown || status(other) == FieldStatus::Unknown) return ir::Truth::Unknown;
  if (own != other) return ir::Truth::False;
  return status(own) == FieldStatus::Truncated ? ir::Truth::Unknown : ir::Truth::True;
}

bool CutAlike(const ir::Join& join) {
  const schema::FieldRow& own = schema::Row(join.own.field);
  const schema::FieldRow& other = schema::Row(join.other.field);
  return own.capture == other.capture && own.type == other.type && join.own.element < 0 && join.other.element < 0;
}

std::vector<schema::FieldId> FieldsOfStep(const ir::Pred& pred, uint8_t step) {
  std::vector<schema::FieldId> fields;
  VisitOperands(pred, [&](const ir::Operand& operand) {
    if (operand.step == step) fields.push_back(operand.field);
  });
  return Sorted(std::move(fields));
}

std::vector<schema::FieldId> DoubtsOf(const ir::Pred& pred, const ir::Frame& frame) {
  std::vector<schema::FieldId> fields;
  VisitOperands(pred, [&](const ir::Operand& operand) {
    const schema::Record* record = frame.event;
    if (operand.step != ir::kThisEvent) {
      record = operand.step <= frame.steps.size() ? frame.steps[operand.step - 1] : nullptr;
    }
    if (record == nullptr) return;
    const FieldStatus status = (*record)[operand.field].status;
    if (status != FieldStatus::Ok && status != FieldStatus::Absent) fields.push_back(operand.field);
  });
  return Sorted(std::move(fields));
}

void AddFields(const std::vector<schema::FieldId>& more, std::vector<schema::FieldId>* fields) {
  if (more.empty()) return;
  fields->insert(fields->end(), more.begin(), more.end());
  *fields = Sorted(std::move(*fields));
}

}  // namespace ks::state
