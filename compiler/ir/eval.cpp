#include "compiler/ir/eval.h"

#include <algorithm>
#include <limits>
#include <set>

#include "compiler/ir/glob.h"
#include "compiler/ir/pattern.h"
#include "compiler/ir/reading.h"
#include "compiler/support/result.h"

namespace ks::ir {
namespace {

using schema::Status;

constexpr AtomResult kFalse{Truth::False, 0};
constexpr AtomResult kTrue{Truth::True, 0};
constexpr AtomResult kUnknown{Truth::Unknown, 0};

AtomResult Found(std::optional<size_t> index) {
  return index ? AtomResult{Truth::True, static_cast<uint32_t>(*index)} : kFalse;
}

AtomResult Decided(bool holds) { return holds ? kTrue : kFalse; }

// ---- Tests on a value that is there, whole
// ------------------------------------------------------------------------------

std::optional<size_t> FindIn(const std::vector<Value>& literals, const Value& value) {
  const auto* ip = std::get_if<schema::IpAddress>(&value);
  std::optional<size_t> best;
  int best_bits = -1;
  for (size_t i = 0; i < literals.size(); ++i) {
    int bits = -1;
    if (literals[i] == value) {
      if (ip == nullptr) return i;
      bits = 128;
    } else if (const auto* cidr = std::get_if<schema::Cidr>(&literals[i]); cidr != nullptr && ip != nullptr) {
      if (cidr->Contains(*ip)) bits = cidr->bits;
    }
    if (bits > best_bits) {
      best = i;
      best_bits = bits;
    }
  }
  return best;
}

std::optional<size_t> FindUnder(const std::vector<Value>& literals, std::string_view path) {
  std::optional<size_t> best;
  size_t best_size = std::numeric_limits<size_t>::max();
  for (size_t i = 0; i < literals.size(); ++i) {
    std::string_view prefix = UnderPrefix(std::get<std::string>(literals[i]));
    if (prefix.size() >= best_size || !path.starts_with(prefix)) continue;
    if (path.size() > prefix.size() && path[prefix.size()] != '/') continue;
    best = i;
    best_size = prefix.size();
  }
  return best;
}

std::optional<size_t> FindLike(const std::vector<Value>& literals, std::string_view text) {
  for (size_t i = 0; i < literals.size(); ++i) {
    if (GlobMatches(ParseGlob(std::get<std::string>(literals[i])), text)) return i;
  }
  return std::nullopt;
}

// The literal that ends first, of those the first; *end is where.
std::optional<size_t> FindContained(const std::vector<Value>& literals, std::string_view text) {
  std::optional<size_t> best;
  size_t best_end = std::numeric_limits<size_t>::max();
  for (size_t i = 0; i < literals.size(); ++i) {
    const auto& literal = std::get<std::string>(literals[i]);
    size_t begin = text.substr(0, best_end).find(literal);
    if (begin == std::string_view::npos || begin + literal.size() >= best_end) continue;
    best = i;
    best_end = begin + literal.size();
  }
  return best;
}

// Calls `visit` with each element of a list until it gives something. An element that no NUL ends was cut.
template <typename Visit>
std::optional<size_t> VisitElements(std::string_view list, const Visit& visit) {
  while (!list.empty()) {
    size_t end = list.find('\0');
    bool cut = end == std::string_view::npos;
    if (std::optional<size_t> found = visit(list.substr(0, end), cut)) return found;
    if (cut) break;
    list.remove_prefix(end + 1);
  }
  return std::nullopt;
}

std::optional<size_t> FindContainedInList(const std::vector<Value>& literals, std::string_view list) {
  return VisitElements(list, [&](std::string_view element, bool) { return FindContained(literals, element); });
}

std::optional<size_t> FindElement(const std::vector<Value>& literals, std::string_view list) {
  return VisitElements(list, [&](std::string_view element, bool cut) -> std::optional<size_t> {
    for (size_t i = 0; i < literals.size() && !cut; ++i) {
      if (std::get<std::string>(literals[i]) == element) return i;
    }
    return std::nullopt;
  });
}

std::optional<size_t> FindMatchInList(const std::vector<Value>& patterns, std::string_view list) {
  return VisitElements(list, [&](std::string_view element, bool cut) -> std::optional<size_t> {
    if (cut) return std::nullopt;  // its end is not the end
    return FindMatch(patterns, element);
  });
}

std::optional<size_t> FindBits(const std::vector<Value>& literals, int64_t value) {
  for (size_t i = 0; i < literals.size(); ++i) {
    int64_t mask = std::get<int64_t>(literals[i]);
    if ((value & mask) == mask) return i;
  }
  return std::nullopt;
}

// ---- The table: status × test
// -------------------------------------------------------------------------------------------

AtomResult EvalPresent(Status status) {
  switch (status) {
    case Status::Ok:
    case Status::Truncated:
    case Status::Raw:
    case Status::Foreign:
      return kTrue;
    case Status::Absent:
      return kFalse;
    case Status::Unread:
    case Status::Unknown:
      break;
  }
  return kUnknown;
}

// A text of which only a part is there. The part is the head of a list, the tail of a path; what is found in it is
// there in any case, what is not found may be in the rest.
AtomResult EvalTruncated(const Atom& atom, std::string_view part) {
  std::optional<size_t> found;
  switch (atom.test) {
    case Test::In:
      return kFalse;  // it is longer than the capture, and no literal is
    case Test::Contains:
      found = TypeOf(atom.operand) == schema::TypeId::StringList ? FindContainedInList(atom.literals, part)
                                                                 : FindContained(atom.literals, part);
      break;
    case Test::HasElement:
      found = FindElement(atom.literals, part);
      break;
    case Test::Matches:
      if (TypeOf(atom.operand) == schema::TypeId::StringList) found = FindMatchInList(atom.literals, part);
      break;
    case Test::Present:
    case Test::Range:
    case Test::Under:
    case Test::Like:
    case Test::HasBits:
    case Test::EqualField:
    case Test::LessField:
    case Test::HasOther:
      break;
  }
  return found ? Found(found) : kUnknown;
}

AtomResult EvalOk(const Atom& atom, const Value& value) {
  switch (atom.test) {
    case Test::In:
      return Found(FindIn(atom.literals, value));
    case Test::Range: {
      KS_CHECK(atom.literals.size() == 2, "a range has two bounds");
      int64_t x = std::get<int64_t>(value);
      return Decided(std::get<int64_t>(atom.literals[0]) <= x && x <= std::get<int64_t>(atom.literals[1]));
    }
    case Test::Under:
      return Found(FindUnder(atom.literals, std::get<std::string>(value)));
    case Test::Like:
      return Found(FindLike(atom.literals, std::get<std::string>(value)));
    case Test::Contains:
      return Found(TypeOf(atom.operand) == schema::TypeId::StringList
                       ? FindContainedInList(atom.literals, std::get<std::string>(value))
                       : FindContained(atom.literals, std::get<std::string>(value)));
    case Test::HasElement:
      return Found(FindElement(atom.literals, std::get<std::string>(value)));
    case Test::HasBits:
      return Found(FindBits(atom.literals, std::get<int64_t>(value)));
    case Test::Matches:
      return Found(TypeOf(atom.operand) == schema::TypeId::StringList
                       ? FindMatchInList(atom.literals, std::get<std::string>(value))
                       : FindMatch(atom.literals, std::get<std::string>(value)));
    case Test::Present:
    case Test::EqualField:
    case Test::LessField:
    case Test::HasOther:
      break;
  }
  return kUnknown;
}

// The record that an operand is read from; null if it is that of a step that is not known.
const schema::Record* RecordOf(const Operand& operand, const Frame& frame) {
  if (operand.step == kThisEvent) return frame.event;
  return operand.step <= frame.steps.size() ? frame.steps[operand.step - 1] : nullptr;
}

AtomResult EvalTwo(const Atom& atom, const Frame& frame) {
  const schema::Record* left_record = RecordOf(atom.operand, frame);
  const schema::Record* right_record = RecordOf(*atom.other, frame);
  if (left_record == nullptr || right_record == nullptr) return kUnknown;
  const Reading left(atom.operand, *left_record), right(*atom.other, *right_record);
  if (left.status == Status::Absent || right.status == Status::Absent) return kFalse;
  if (!left.readable() || !right.readable() || right.status != Status::Ok) return kUnknown;
  if (atom.test == Test::HasOther) {
    bool found = FindElement({right.value()}, std::get<std::string>(left.value())).has_value();
    return found || left.status == Status::Ok ? Decided(found) : kUnknown;
  }
  if (left.status != Status::Ok) return kUnknown;
  return Decided(atom.test == Test::EqualField ? left.value() == right.value()
                                               : std::get<int64_t>(left.value()) < std::get<int64_t>(right.value()));
}

}  // namespace

std::string_view UnderPrefix(std::string_view literal) {
  while (literal.ends_with('/')) literal.remove_suffix(1);
  return literal;
}

schema::FieldValue ReadOperand(const Operand& operand, const schema::Record& record) {
  const Reading reading(operand, record);
  if (reading.readable()) return {reading.status, reading.value()};
  const bool says = reading.status == Status::Absent || reading.status == Status::Unread;
  return {says ? reading.status : Status::Unknown, {}};
}

AtomResult EvalAtom(const Atom& atom, const Frame& frame) {
  if (AsksOfSet(atom.test) && atom.literals.empty()) return kFalse;
  if (atom.other) return EvalTwo(atom, frame);
  const schema::Record* of = RecordOf(atom.operand, frame);
  if (of == nullptr) return kUnknown;
  const schema::Record& record = *of;
  const Reading read(atom.operand, record);
  if (atom.test == Test::Present) return read.begun ? kTrue : EvalPresent(read.status);
  if (read.status == Status::Absent) return kFalse;
  if (!read.readable()) return kUnknown;
  if (read.status == Status::Ok) return EvalOk(atom, read.value());
  const auto* text = std::get_if<std::string>(&read.value());
  return text != nullptr ? EvalTruncated(atom, *text) : kUnknown;
}

Truth Eval(const Pred& pred, const Frame& frame) {
  switch (pred.op) {
    case Pred::Op::True:
      return Truth::True;
    case Pred::Op::False:
      return Truth::False;
    case Pred::Op::Atom:
      return EvalAtom(*pred.atom, frame).truth;
    case Pred::Op::Not: {
      Truth truth = Eval(pred.operands.front(), frame);
      if (truth == Truth::Unknown) return truth;
      return truth == Truth::True ? Truth::False : Truth::True;
    }
    case Pred::Op::And:
    case Pred::Op::Or:
      break;
  }
  Truth neutral = pred.op == Pred::Op::And ? Truth::True : Truth::False;
  Truth result = neutral;
  for (const Pred& operand : pred.operands) {
    Truth truth = Eval(operand, frame);
    if (truth == Truth::Unknown) {
      result = truth;
    } else if (truth != neutral) {
      return truth;
    }
  }
  return result;
}

namespace {

void VisitTrue(const Pred& pred, bool negated, const Frame& frame,
               const std::function<void(const Atom&, uint32_t)>& on_true) {
  if (pred.op == Pred::Op::Atom && !negated) {
    AtomResult result = EvalAtom(*pred.atom, frame);
    if (result.truth == Truth::True) on_true(*pred.atom, result.index);
  }
  bool below = negated != (pred.op == Pred::Op::Not);
  for (const Pred& operand : pred.operands) VisitTrue(operand, below, frame, on_true);
}

void AddFields(const Pred& pred, std::set<FieldId>* fields) {
  if (pred.atom) {
    for (const Operand* operand : {&pred.atom->operand, pred.atom->other ? &*pred.atom->other : nullptr}) {
      if (operand != nullptr && operand->step == kThisEvent) fields->insert(operand->field);
    }
  }
  for (const Pred& operand : pred.operands) AddFields(operand, fields);
}

}  // namespace

void ForEachTrueAtom(const Pred& pred, const Frame& frame, const std::function<void(const Atom&, uint32_t)>& on_true) {
  VisitTrue(pred, false, frame, on_true);
}

std::vector<FieldId> FieldsOf(const Pred& pred) {
  std::set<FieldId> fields;
  AddFields(pred, &fields);
  return {fields.begin(), fields.end()};
}

}  // namespace ks::ir
