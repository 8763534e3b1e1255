// What may be absent is asked for first: `container exists and container.id == "x"`. Checked along every conjunction,
// and, since `A or B` matters for B only when A is false, along disjunctions of negations, too.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "compiler/sema/scope.h"

namespace ks::sema {

// Which records are known to be there: of the event at hand, and of the events of the sequence's steps.
class Facts {
 public:
  static Facts All();  // of what never holds
  static Facts Of(ObjectId object, uint8_t step = 0);
  bool Has(ObjectId object, uint8_t step = 0) const;
  // What was said of the event at hand, said of it as step `step`.
  Facts AsStep(uint8_t step) const;
  // Records whose presence all steps share, because the key holds a field of theirs: known of one, known of all.
  void Share(ObjectId object, size_t steps);
  Facts& operator|=(const Facts& other);
  Facts& operator&=(const Facts& other);

 private:
  std::array<uint64_t, kMaxMatchingSteps + 1> bits_{};  // by step, then bit per ObjectId
};

// What is known to be there if the condition is true.
Facts FactsOf(const Condition& condition);

// Reports every field of the condition that may be absent although what `given` says is there. `steps`: of a sequence,
// for what the missing guard is called.
void CheckGuards(const Condition& condition, const Facts& given, Diagnostics& diagnostics,
                 const Steps* steps = nullptr);

// For one field outside of a condition, in an alert. `where`: to put the guard in front of, if there is one.
// `otherwise`: what else would mend it.
void CheckGuard(const FieldRef& field, const Facts& given, const syntax::Expr* where, std::string_view otherwise,
                Diagnostics& diagnostics);

// Whether the field may be absent although what `given` says is there.
bool MayBeAbsent(const FieldRef& field, const Facts& given);

// "container exists", "process.stdin is socket".
std::string GuardOf(ObjectId object);

}  // namespace ks::sema
