// Random predicates and records for property tests: well typed, and close enough to each other that every test is often
// true, false and unknown.
#pragma once

#include <random>

#include "compiler/ir/ir.h"

namespace ks::ir {

// KS_TEST_SEED, or a fixed number. Prints it, so that a failure can be had again.
uint64_t TestSeed();

class RandomIr {
 public:
  explicit RandomIr(uint64_t seed, bool hostile = false) : engine_(seed), hostile_(hostile) {}

  // Fields are those that events of the kind carry, userspace ones too.
  Atom RandomAtom(EventKind kind);
  // Any shape, constants included: not simplified, not in normal form. Depth 0 is an atom.
  Pred RandomPred(EventKind kind, int depth);
  // A whole rule with everything that rules can say; texts are hostile.
  Rule RandomRule(EventKind kind);

  // Likewise, with a sequence, an aggregate or a limit.
  Rule RandomStatefulRule(EventKind kind);

  // Every field of the kind, in any status that a decoder or the kernel gives it; values often come from the literals
  // of `near`. Ok texts are at most as long as the capture. Truncated texts are a part of what was longer, of `capture`
  // bytes and sometimes fewer: of a list the head, else the tail. Texts hold no NUL, lists end in one if they are Ok;
  // unless `hostile`: then there may be a NUL anywhere, which no kernel sends.
  schema::Record RandomRecord(EventKind kind, const Pred& near);

  EventKind RandomKind();
  // 0 to n-1.
  size_t Below(size_t n) { return static_cast<size_t>(engine_() % n); }
  bool Chance(size_t percent) { return Below(100) < percent; }
  // Bytes that a text form must escape, or that look like its syntax.
  std::string HostileText();

 private:
  Operand RandomOperand(EventKind kind, uint8_t step);
  Key RandomKey(EventKind kind, size_t most);
  Sequence RandomSequence(EventKind kind);
  Aggregate RandomAggregate(EventKind kind);
  Value RandomLiteral(const Operand& operand, Test test);
  std::string RandomText(size_t most);
  std::string RandomPath(size_t most);
  std::string RandomPattern();
  std::string RandomRegex();
  schema::IpAddress RandomIp();
  int64_t RandomInt(std::string_view enumeration);
  Value RandomValue(const schema::FieldRow& row, const std::vector<const Atom*>& near);
  std::string Vary(std::string text);
  std::string TextThatFits(std::string_view pattern);
  std::vector<FieldId> FieldsOfKind(EventKind kind);

  std::mt19937_64 engine_;
  const bool hostile_;
};

}  // namespace ks::ir
