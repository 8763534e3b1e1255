// What may be absent is asked for first: `container exists and container.id == "x"`. Checked along every conjunction,
// and, since `A or B` matters for B only when A is false, along disjunctions of negations, too.
#pragma once

#include <cstdint>
#include <string>

#include "compiler/sema/scope.h"

namespace ks::sema {

// A set of records that are known to be there; bit per ObjectId.
using Facts = uint64_t;

// What is known to be there if the condition is true.
Facts FactsOf(const Condition& condition);

// Reports every field of the condition that may be absent although what `given` says is there.
void CheckGuards(const Condition& condition, Facts given, Diagnostics& diagnostics);

// For one field outside of a condition, in an alert. `where`: to put the guard in front of, if there is one.
void CheckGuard(const FieldRef& field, Facts given, const syntax::Expr* where, Diagnostics& diagnostics);

// "container exists", "process.stdin is socket".
std::string GuardOf(ObjectId object);

}  // namespace ks::sema
