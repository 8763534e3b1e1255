#include "compiler/mutate/force.h"

#include <algorithm>
#include <limits>
#include <string>

#include "compiler/mutate/candidates.h"

namespace ks::mutate {
namespace {

using ir::Atom;
using ir::Pred;
using schema::FieldId;
using schema::Record;
using schema::Status;
using schema::TypeId;
using schema::Value;

constexpr size_t kMostRounds = 24;
Value Zero(const schema::FieldRow& row) {
  switch (schema::Row(row.type).slot) {
    case schema::Slot::Text:
      return std::string();
    case schema::Slot::Ip:
      return schema::IpAddress();
    case schema::Slot::Endpoint:
      return schema::Endpoint();
    default:
      return int64_t{0};
  }
}

// Makes what the field's guard covers be there, or not; a text that nobody gives is empty.
void SetThere(schema::EventKind kind, FieldId of, bool there, Record* record) {
  const schema::ObjectRow& object = schema::Row(schema::Row(of).object);
  if (object.guard == schema::Guard::Always) return;
  bool socket = object.guard == schema::Guard::Socket;
  for (const schema::FieldRow& row : schema::Fields()) {
    bool same = socket ? row.object == object.id : schema::GuardObject(row.object) == schema::GuardObject(object.id);
    if (!same || !schema::Has(kind, row.id)) continue;
    if (!there) record->SetStatus(row.id, Status::Absent);
    else if ((*record)[row.id].status != Status::Ok) record->Set(row.id, Zero(row));
  }
  if (!socket) return;
  FieldId guard = schema::GuardField(object.id);
  auto is_socket = schema::EnumeratorValue(schema::Row(guard).enumeration, "socket");
  if (is_socket && there) record->Set(guard, *is_socket);
}

}  // namespace

void SetField(schema::EventKind kind, FieldId field, Value value, Record* record) {
  SetThere(kind, field, true, record);
  record->Set(field, std::move(value));
  const FieldId result = FieldId::event_result, error = FieldId::event_errno;
  if (field == result && schema::Has(kind, error)) {
    int64_t failed = std::get<int64_t>((*record)[result].value);
    if (failed == 0) record->Set(error, int64_t{0});
    else if ((*record)[error].value == Value(int64_t{0})) record->Set(error, int64_t{1});
  }
  if (field == FieldId::file_path && schema::Has(kind, FieldId::file_canonical)) {
    record->Set(FieldId::file_canonical, (*record)[field].value);
  }
  if ((field == FieldId::process_pid || field == FieldId::process_start_time) &&
      schema::Has(kind, FieldId::process_id)) {
    record->Set(FieldId::process_id,
                schema::ProcessId(std::get<int64_t>((*record)[FieldId::process_pid].value),
                                  std::get<int64_t>((*record)[FieldId::process_start_time].value)));
  }
  for (const schema::ObjectRow& object : schema::Objects()) {
    if (object.guard != schema::Guard::Socket || schema::GuardField(object.id) != field) continue;
    auto socket = schema::EnumeratorValue(schema::Row(field).enumeration, "socket");
    bool there = socket && (*record)[field].value == Value(*socket);
    for (const schema::FieldRow& row : schema::Fields()) {
      if (row.object == object.id && schema::Has(kind, row.id)) SetThere(kind, row.id, there, record);
    }
  }
}

namespace {

void AddAtoms(const Pred& pred, std::vector<const Atom*>* out) {
  if (pred.atom) out->push_back(&*pred.atom);
  for (const Pred& operand : pred.operands) AddAtoms(operand, out);
}

// The smaller goals that a conjunction comes to.
void AddGoals(const Pred& pred, bool value, std::vector<Pred>* out) {
  if (pred.op == Pred::Op::Not) return AddGoals(pred.operands[0], !value, out);
  if (pred.op == (value ? Pred::Op::And : Pred::Op::Or)) {
    for (const Pred& operand : pred.operands) AddGoals(operand, value, out);
    return;
  }
  out->push_back(value ? pred : ir::MakeNot(pred));
}

class Search {
 public:
  Search(schema::EventKind kind, const std::vector<Pred>& goals, const Observed& observed,
         std::span<const Record* const> steps)
      : kind_(kind), observed_(observed), steps_(steps) {
    for (const Pred& goal : goals) AddGoals(goal, true, &goals_);
    for (const Pred& goal : goals_) AddAtoms(goal, &atoms_);
  }

  bool Run(Record* record) {
    size_t open = Open(*record);
    for (size_t round = 0; open > 0 && round < kMostRounds; ++round) {
      Record best = *record;
      size_t best_open = open;
      ForEachMove(*record, [&](Record changed) {
        size_t left = Open(changed);
        if (left < best_open) {
          best_open = left;
          best = std::move(changed);
        }
        return best_open > 0;
      });
      // Two fields together, where one alone helps nothing.
      if (best_open == open && round < 4) {
        ForEachMove(*record, [&](Record first) {
          if (Open(first) > open + 1) return true;
          ForEachMove(first, [&](Record second) {
            size_t left = Open(second);
            if (left < best_open) {
              best_open = left;
              best = std::move(second);
            }
            return best_open == open;
          });
          return best_open == open && moves_ < kMostMoves;
        });
      }
      if (best_open == open) return false;
      open = best_open;
      *record = std::move(best);
    }
    return open == 0;
  }

 private:
  static constexpr size_t kMostMoves = 60'000;

  size_t Open(const Record& record) const {
    const ir::Frame frame(&record, steps_);
    return static_cast<size_t>(std::count_if(goals_.begin(), goals_.end(), [&](const Pred& goal) {
      return ir::Eval(goal, frame) != ir::Truth::True;
    }));
  }

  template <typename Visit>
  void ForEachMove(const Record& record, const Visit& visit) {
    for (const Atom* atom : atoms_) {
      for (const ir::Operand* operand : {&atom->operand, atom->other ? &*atom->other : nullptr}) {
        if (operand == nullptr || operand->step != ir::kThisEvent || !schema::Has(kind_, operand->field)) continue;
        const schema::FieldRow& row = schema::Row(operand->field);
        std::vector<Value> values = WithSteps(*atom, *operand, record);
        if (row.type == TypeId::Path) AddBelow(operand->field, &values);
        for (Value& value : values) {
          if (++moves_ > kMostMoves) return;
          if (auto* path = std::get_if<std::string>(&value); path != nullptr && row.type == TypeId::Path) {
            if (!path->starts_with('/')) path->insert(0, "/");
          }
          const std::string* text = Text(value);
          if (text != nullptr && text->size() > row.capture) continue;
          Record changed = record;
          SetField(kind_, operand->field, std::move(value), &changed);
          if (!visit(std::move(changed))) return;
        }
        if (schema::Row(schema::Row(operand->field).object).guard == schema::Guard::Exists) {
          Record changed = record;
          SetThere(kind_, operand->field, false, &changed);
          if (!visit(std::move(changed))) return;
        }
      }
    }
  }

  // Paths that lie where one atom wants them and look as another does.
  void AddBelow(FieldId field, std::vector<Value>* out) const {
    std::vector<std::string> folders, endings;
    for (const Atom* atom : atoms_) {
      if (atom->operand.field != field || atom->operand.step != ir::kThisEvent) continue;
      for (const Value& literal : atom->literals) {
        const std::string* text = Text(literal);
        if (text == nullptr || folders.size() + endings.size() > kMostLiterals) continue;
        if (atom->test == ir::Test::Under) folders.emplace_back(ir::UnderPrefix(*text));
        if (atom->test == ir::Test::Like && text->starts_with('*')) endings.push_back(Instance(text->substr(1), false));
        if (atom->test == ir::Test::Like && text->ends_with("/*")) {
          folders.push_back(Instance(text->substr(0, text->size() - 2), false));
        }
      }
    }
    for (const std::string& folder : folders) {
      for (const std::string& ending : endings) {
        Once(out, folder + (ending.starts_with('/') ? "" : "/x") + ending);
      }
    }
  }

  std::vector<Value> WithSteps(const Atom& atom, const ir::Operand& operand, const Record& record) const {
    std::vector<Value> values = CandidatesOf(atom, operand, record, observed_);
    if (!atom.other) return values;
    const ir::Operand& other = operand == atom.operand ? *atom.other : atom.operand;
    if (other.step == ir::kThisEvent || other.step > steps_.size() || steps_[other.step - 1] == nullptr) return values;
    schema::FieldValue value = ir::ReadOperand(other, *steps_[other.step - 1]);
    if (value.status != Status::Ok) return values;
    if (schema::Row(operand.field).type != TypeId::StringList) {
      values.insert(values.begin(), value.value);
    } else if (const std::string* text = Text(value.value)) {
      values.insert(values.begin(), Value(*text + '\0'));
    }
    return values;
  }

  schema::EventKind kind_;
  const Observed& observed_;
  std::span<const Record* const> steps_;
  std::vector<Pred> goals_;
  std::vector<const Atom*> atoms_;
  size_t moves_ = 0;
};

}  // namespace

void Observed::Add(schema::EventKind kind, const Record& record) {
  for (const schema::FieldRow& row : schema::Fields()) {
    const schema::FieldValue& value = record[row.id];
    if (!schema::Has(kind, row.id) || value.status != Status::Ok) continue;
    std::vector<Value>& values = values_[row.id];
    auto add = [&](Value one) {
      if (values.size() < kMostObserved) Once(&values, std::move(one));
    };
    if (row.type == TypeId::StringList) {
      for (std::string& element : Elements(std::get<std::string>(value.value))) add(std::move(element));
    } else if (row.type == TypeId::Flags) {
      int64_t bits = std::get<int64_t>(value.value);
      for (const schema::Enumerator& one : schema::Enumerators(row.enumeration)) {
        if (one.value != 0 && (bits & one.value) == one.value) add(one.value);
      }
    } else {
      add(value.value);
    }
  }
}

const std::vector<Value>& Observed::Of(FieldId field) const {
  static const std::vector<Value> kNone;
  auto it = values_.find(field);
  return it == values_.end() ? kNone : it->second;
}

std::optional<Forced> Force(schema::EventKind kind, const Record& from, const std::vector<Pred>& goals,
                            const Observed& observed, std::span<const Record* const> steps) {
  Forced out{from, {}};
  if (!Search(kind, goals, observed, steps).Run(&out.record)) return std::nullopt;
  for (const schema::FieldRow& row : schema::Fields()) {
    if (!(out.record[row.id] == from[row.id])) out.changed.push_back(row.id);
  }
  return out;
}

std::vector<Value> OthersThan(FieldId field, const Value& value) {
  const schema::FieldRow& row = schema::Row(field);
  std::vector<Value> out;
  if (const auto* number = std::get_if<int64_t>(&value)) {
    if (!row.enumeration.empty()) {
      for (const schema::Enumerator& one : schema::Enumerators(row.enumeration)) {
        if (one.value != *number && out.size() < 2) out.emplace_back(one.value);
      }
    } else {
      out.emplace_back(*number == std::numeric_limits<int64_t>::max() ? int64_t{0} : *number + 1);
    }
  } else if (const std::string* text = Text(value)) {
    if (row.type == TypeId::StringList) out.emplace_back(*text + "x" + '\0');
    else if (row.type == TypeId::Path) out.emplace_back(*text + (text->empty() ? "/x" : "x"));
    else out.emplace_back(*text + "x");
  } else if (const auto* ip = std::get_if<schema::IpAddress>(&value)) {
    schema::IpAddress next = *ip;
    next.bytes[15] = static_cast<uint8_t>(next.bytes[15] + 1);
    out.emplace_back(next);
  } else if (const auto* endpoint = std::get_if<schema::Endpoint>(&value)) {
    schema::Endpoint next = *endpoint;
    next.ip.bytes[15] = static_cast<uint8_t>(next.ip.bytes[15] + 1);
    out.emplace_back(next);
    out.emplace_back(schema::Endpoint{endpoint->ip, static_cast<uint16_t>(endpoint->port + 1)});
  }
  return out;
}

}  // namespace ks::mutate
