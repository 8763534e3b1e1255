// What a match says in words.
#pragma once

#include <string>
#include <vector>

#include "compiler/ir/ir.h"

namespace ks::engine {

// The template with the event's values, Printable. "?": a value that is not known, or that the rule did not disclose
// (the compiler refuses that; this is the second lock) · "none": there is none · "…" where a value was cut.
std::string FillTemplate(const std::vector<ir::TemplatePart>& parts, const schema::Record& record,
                         const std::vector<schema::FieldId>& disclosed);

// "credential_files#2" for the second literal of a named set, else the literal as it is written.
std::string MatchedWord(const ir::Atom& atom, uint32_t index);

}  // namespace ks::engine
