// Values that may change what a comparison says.
#pragma once

#include <string>
#include <vector>

#include "compiler/mutate/force.h"

namespace ks::mutate {

inline constexpr size_t kMostLiterals = 64;  // of one comparison, that are tried

// Whole values of the operand's field, near the literals of the atom and what was observed.
std::vector<schema::Value> CandidatesOf(const ir::Atom& atom, const ir::Operand& operand, const schema::Record& record,
                                        const Observed& observed);
// A text that the pattern fits: its stars stand for nothing or an x.
std::string Instance(const std::string& pattern, bool empty);
// Of a list as records have it: each ends in NUL.
std::vector<std::string> Elements(const std::string& list);
void Once(std::vector<schema::Value>* out, schema::Value value);  // unless it is there
const std::string* Text(const schema::Value& value);              // null if it is none

}  // namespace ks::mutate
