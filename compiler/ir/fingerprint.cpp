// The parts of a rule that its state depends on, as bytes: the whole of them, not a hash, so that no two are mistaken.
#include "compiler/ir/limits.h"

namespace ks::ir {
namespace {

class Writer {
 public:
  void Number(uint64_t number) { out_.append(reinterpret_cast<const char*>(&number), sizeof(number)); }
  void Text(std::string_view text) {
    Number(text.size());
    out_ += text;
  }
  void Literal(const schema::Value& literal) {
    Number(literal.index());
    std::visit(*this, literal);
  }
  void operator()(int64_t number) { Number(static_cast<uint64_t>(number)); }
  void operator()(const std::string& text) { Text(text); }
  void operator()(const schema::IpAddress& ip) {
    out_.append(reinterpret_cast<const char*>(ip.bytes.data()), ip.bytes.size());
  }
  void operator()(const schema::Cidr& cidr) {
    (*this)(cidr.base);
    Number(cidr.bits);
  }
  void operator()(const schema::Endpoint& endpoint) {
    (*this)(endpoint.ip);
    Number(endpoint.port);
  }
  void Operand(const ir::Operand& operand) {
    Text(schema::Row(operand.field).dotted);
    Number(static_cast<uint64_t>(operand.part));
    Number(static_cast<uint64_t>(static_cast<int64_t>(operand.element)));
    Number(operand.lower ? 1 : 0);
    Number(operand.step);
  }
  void Operands(const std::vector<ir::Operand>& operands) {
    Number(operands.size());
    for (const ir::Operand& operand : operands) Operand(operand);
  }
  void Kinds(const std::vector<ir::EventKind>& kinds) {
    Number(kinds.size());
    for (ir::EventKind kind : kinds) Text(schema::Row(kind).name);
  }
  void Pred(const ir::Pred& pred) {
    Number(static_cast<uint64_t>(pred.op));
    if (pred.atom) {
      Operand(pred.atom->operand);
      Number(static_cast<uint64_t>(pred.atom->test));
      Number(pred.atom->literals.size());
      for (const schema::Value& literal : pred.atom->literals) Literal(literal);
      Number(pred.atom->other ? 1 : 0);
      if (pred.atom->other) Operand(*pred.atom->other);
    }
    Number(pred.operands.size());
    for (const ir::Pred& operand : pred.operands) Pred(operand);
  }
  void Step(const ir::Step& step) {
    Number(static_cast<uint64_t>(step.role));
    Kinds(step.kinds);
    Pred(step.when);
    Number(step.joins.size());
    for (const ir::Join& join : step.joins) {
      Operand(join.own);
      Operand(join.other);
    }
    Pred(step.cross);
    Number(step.repeat);
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace

std::string Fingerprint(const ir::Machine& machine) {
  const ir::Rule& rule = machine.rule;
  Writer out;
  out.Text(rule.id);
  out.Kinds(rule.kinds);
  out.Pred(rule.when);
  out.Number(rule.max_keys);
  out.Number(rule.sequence ? 1 : 0);
  if (rule.sequence) {
    out.Number(rule.sequence->unordered ? 1 : 0);
    out.Operands(rule.sequence->by);
    out.Number(static_cast<uint64_t>(rule.sequence->within_ns));
    out.Number(rule.sequence->steps.size());
    for (const ir::Step& step : rule.sequence->steps) out.Step(step);
  }
  out.Number(rule.aggregate ? 1 : 0);
  if (rule.aggregate) {
    out.Number(static_cast<uint64_t>(rule.aggregate->function));
    out.Operands(rule.aggregate->of);
    out.Number(rule.aggregate->at_least);
    out.Operands(rule.aggregate->by);
    out.Number(static_cast<uint64_t>(rule.aggregate->within_ns));
  }
  out.Number(rule.limit ? 1 : 0);
  if (rule.limit) {
    out.Number(rule.limit->count);
    out.Number(static_cast<uint64_t>(rule.limit->per_ns));
    out.Operands(rule.limit->by);
  }
  return out.Take();
}

// FNV-1a. Who writes policies is trusted; two rules of one program with one hash are not limited in the kernel.
uint64_t LimitId(const Machine& machine) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char byte : Fingerprint(machine)) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

}  // namespace ks::ir
