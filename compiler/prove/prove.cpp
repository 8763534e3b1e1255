#include "compiler/prove/prove.h"

#include "compiler/ir/eval.h"

#if KS_WITH_Z3
#include <algorithm>

#include "compiler/lint/domains.h"
#include "compiler/prove/question.h"
#endif

namespace ks::prove {

#if KS_WITH_Z3
namespace {

using ir::Atom;
using ir::Pred;
using ir::Truth;
using schema::FieldId;
using schema::Slot;
using schema::Status;
using schema::TypeId;

constexpr int64_t kDayNs = 86'400'000'000'000;
constexpr size_t kEnumeratorsTried = 400;

bool ComparesTexts(const Atom& atom) {
  return atom.test == ir::Test::EqualField && IsPlain(atom.operand) && IsPlain(*atom.other) &&
         SlotOf(atom.operand.field) == Slot::Text;
}

}  // namespace

void Question::Gather(const Pred& pred) {
  if (pred.atom) {
    atoms_.push_back(&*pred.atom);
    if (pred.atom->operand.step == ir::kThisEvent) AddField(pred.atom->operand.field);
    if (pred.atom->other && pred.atom->other->step == ir::kThisEvent) AddField(pred.atom->other->field);
  }
  for (const Pred& operand : pred.operands) Gather(operand);
}

void Question::AddField(FieldId field) {
  if (fields_.contains(field)) return;
  Field of{Fresh("status", 3), {}, {}, 0};
  solver_.add(z3::ule(of.status, context_.bv_val(6u, 3)));
  const Slot slot = SlotOf(field);
  if (slot == Slot::Int) of.value = Fresh("number", 64);
  if (slot == Slot::Ip || slot == Slot::Endpoint) of.value = Fresh("address", 128);
  if (slot == Slot::Endpoint) of.port = Fresh("port", 16);
  fields_.emplace(field, of);
  if (events_ == Events::Any) return;
  // The fields that say whether this one is there.
  const schema::ObjectRow& object = schema::Row(schema::Row(field).object);
  if (object.guard == schema::Guard::Socket) AddField(schema::GuardField(object.id));
}

// Sorts texts into classes; false if there is no time.
bool Question::GroupTexts() {
  std::map<FieldId, FieldId> leader;
  const auto find = [&](FieldId field) {
    while (leader.at(field) != field) field = leader.at(field);
    return field;
  };
  for (const auto& [field, of] : fields_) {
    if (SlotOf(field) == Slot::Text) leader.emplace(field, field);
  }
  for (const Atom* atom : atoms_) {
    if (atom->other && ComparesTexts(*atom)) leader[find(atom->operand.field)] = find(atom->other->field);
  }
  std::map<FieldId, size_t> numbers;
  for (const auto& [field, up] : leader) {
    auto [it, fresh] = numbers.emplace(find(field), groups_.size());
    if (fresh) groups_.emplace_back();
    groups_[it->second].fields.push_back(field);
    fields_.at(field).group = it->second;
  }
  for (const Atom* atom : atoms_) {
    if (atom->operand.step != ir::kThisEvent || !SortsTexts(*atom)) continue;
    std::vector<Atom>& known = groups_[fields_.at(atom->operand.field).group].atoms;
    if (std::ranges::none_of(known, [&](const Atom& other) { return other.SameAs(*atom); })) known.push_back(*atom);
  }
  for (Group& group : groups_) {
    group.classes = SortTexts(group.atoms, group.fields.front(), events_, deadline_);
    if (!group.classes.why_incomplete.empty()) why_ = group.classes.why_incomplete;
    if (group.classes.classes.empty()) return false;
    for (FieldId field : group.fields) {
      Field& of = fields_.at(field);
      of.value = Fresh("class", 32);
      solver_.add(z3::ult(*of.value, context_.bv_val(static_cast<unsigned>(group.classes.classes.size()), 32)));
    }
  }
  return true;
}

// What a test block can give the field.
void Question::AddDomain(FieldId field, const Field& of) {
  const schema::FieldRow& row = schema::Row(field);
  const schema::ObjectRow& object = schema::Row(row.object);
  if (!schema::Has(kind_, field)) {
    solver_.add(Is(field, Status::Unread));
    return;
  }
  if (object.guard == schema::Guard::Always) {
    solver_.add(Is(field, Status::Ok));
  } else if (object.guard == schema::Guard::Exists) {
    solver_.add(
        Is(field, Status::Ok) ==
        context_.bool_const(("there" + std::to_string(static_cast<int>(schema::GuardObject(object.id)))).c_str()));
    solver_.add(Is(field, Status::Ok) || Is(field, Status::Absent));
  } else {
    const FieldId guard = schema::GuardField(object.id);
    const auto socket = schema::EnumeratorValue(schema::Row(guard).enumeration, "socket");
    solver_.add(Is(field, Status::Ok) == (*fields_.at(guard).value == Number(socket.value_or(0))));
    solver_.add(Is(field, Status::Ok) || Is(field, Status::Absent));
  }
  if (SlotOf(field) == Slot::Ip || SlotOf(field) == Slot::Endpoint) {
    wishes_.push_back(of.value->extract(127, 32) == context_.bv_val(0xffff, 96));  // IPv4
  }
  if (SlotOf(field) != Slot::Int) return;
  const z3::expr& value = *of.value;
  z3::expr_vector parts(context_);
  const lint::Intervals domain = lint::DomainOf(field);
  for (const auto& [least, most] : domain.parts()) {
    parts.push_back(value >= Number(lint::Unbiased(static_cast<uint64_t>(least))) &&
                    value <= Number(lint::Unbiased(static_cast<uint64_t>(most))));
  }
  solver_.add(z3::mk_or(parts));
  wishes_.push_back(value >= Number(0));
  if (row.type == TypeId::Duration || row.type == TypeId::Size) solver_.add(value >= Number(0));
  if (row.type == TypeId::Time) {  // a date
    const z3::expr day = Fresh("day", 64);
    solver_.add(day >= Number(0) && day <= Number(80'000) && value == day * Number(kDayNs));
  }
  if (row.type == TypeId::Flags) {
    int64_t all = 0;
    for (const schema::Enumerator& name : schema::Enumerators(row.enumeration)) all |= name.value;
    solver_.add((value & Number(~all)) == Number(0));
  }
  if (row.type == TypeId::Enum) {
    z3::expr_vector names(context_);
    size_t tried = 0;
    for (const schema::Enumerator& name : schema::Enumerators(row.enumeration)) {
      if (++tried <= kEnumeratorsTried) names.push_back(value == Number(name.value));
    }
    solver_.add(z3::mk_or(names));
  }
}

namespace {

uint64_t Bits(const z3::model& model, const z3::expr& value) { return model.eval(value, true).get_numeral_uint64(); }

schema::IpAddress AddressOf(const z3::model& model, const z3::expr& value) {
  schema::IpAddress ip;
  for (unsigned half = 0; half < 2; ++half) {
    const uint64_t bits = Bits(model, half == 0 ? value.extract(127, 64) : value.extract(63, 0));
    for (unsigned i = 0; i < 8; ++i) ip.bytes[half * 8 + i] = static_cast<uint8_t>(bits >> (56 - 8 * i));
  }
  return ip;
}

}  // namespace

schema::Record Question::RecordOf(const z3::model& model) {
  schema::Record record;
  std::map<std::pair<size_t, uint64_t>, std::vector<FieldId>> given;  // by group and class
  for (const auto& [field, of] : fields_) {
    const auto status = static_cast<Status>(Bits(model, of.status));
    schema::Value value = int64_t{0};
    switch (SlotOf(field)) {
      case Slot::Int:
        value = static_cast<int64_t>(Bits(model, *of.value));
        break;
      case Slot::Ip:
        value = AddressOf(model, *of.value);
        break;
      case Slot::Endpoint:
        value = schema::Endpoint{AddressOf(model, *of.value), static_cast<uint16_t>(Bits(model, *of.port))};
        break;
      default: {
        const uint64_t number = Bits(model, *of.value);
        std::vector<FieldId>& same = given[{of.group, number}];
        const std::vector<std::string>& texts = groups_[of.group].classes.classes[number].texts;
        value = texts[std::min(same.size(), texts.size() - 1)];
        for (FieldId other : same) {
          auto equal = equal_.find(std::minmax(other, field));
          if (equal != equal_.end() && model.eval(equal->second, true).is_true()) value = record[other].value;
        }
        same.push_back(field);
      }
    }
    record.Set(field, std::move(value), status);
  }
  // A list that is to have an element gets it.
  for (const auto& [atom, kleene] : opaque_) {
    if (atom.test != ir::Test::HasOther || !model.eval(kleene.yes, true).is_true()) continue;
    const schema::FieldValue& list = record[atom.operand.field];
    const schema::FieldValue element = ir::ReadOperand(*atom.other, record);
    if (list.status != Status::Ok || element.status != Status::Ok) continue;
    record.Set(atom.operand.field, std::get<std::string>(list.value) + std::get<std::string>(element.value) + '\0');
  }
  return record;
}

Answer Question::Ask(std::span<const Want> wants) {
  for (const Want& want : wants) Gather(*want.pred);
  if (!GroupTexts()) return {Answer::Kind::Undecided, {}, why_.empty() ? "no text can be given to a field" : why_};
  if (events_ == Events::Testable) {
    for (const auto& [field, of] : fields_) AddDomain(field, of);
  }
  for (const Want& want : wants) {
    const Kleene kleene = Encode(*want.pred);
    z3::expr_vector any(context_);
    if (want.yes) any.push_back(kleene.yes);
    if (want.no) any.push_back(kleene.no);
    if (want.unknown) any.push_back(!kleene.yes && !kleene.no);
    solver_.add(z3::mk_or(any));
  }
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now()).count();
  if (left <= 0) return {Answer::Kind::Undecided, {}, "there was no time left"};
  solver_.set("timeout", static_cast<unsigned>(left));
  z3::check_result result = wishes_.empty() ? z3::unsat : solver_.check(wishes_);
  if (result != z3::sat) result = solver_.check();
  if (result == z3::unsat) {
    return why_.empty() ? Answer{Answer::Kind::None, {}, ""} : Answer{Answer::Kind::Undecided, {}, why_};
  }
  if (result == z3::unknown) return {Answer::Kind::Undecided, {}, "Z3 gave up: " + solver_.reason_unknown()};
  Answer answer{Answer::Kind::Found, RecordOf(solver_.get_model()), ""};
  for (const Want& want : wants) {
    const Truth truth = ir::Eval(*want.pred, answer.record);
    const bool met = truth == Truth::True ? want.yes : truth == Truth::False ? want.no : want.unknown;
    if (!met)
      return {Answer::Kind::Undecided,
              {},
              "the event that Z3 proposed is none, by ir::Eval: a test is in it that the proof does not look into"};
  }
  return answer;
}

bool Available() { return true; }

Answer Find(schema::EventKind kind, std::span<const Want> wants, Events events, Deadline deadline) {
  constexpr int kMaxMegabytes = 2048;  // beyond, Z3 throws
  try {
    z3::set_param("memory_max_size", kMaxMegabytes);
    return Question(kind, events, deadline).Ask(wants);
  } catch (const z3::exception& error) {
    return {Answer::Kind::Undecided, {}, std::string("Z3: ") + error.msg()};
  }
}

#else

bool Available() { return false; }

Answer Find(schema::EventKind, std::span<const Want>, Events, Deadline) {
  return {Answer::Kind::Undecided, {}, "this build has no Z3"};
}

#endif

}  // namespace ks::prove
