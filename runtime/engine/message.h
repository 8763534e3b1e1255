// What a match says in words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/eval.h"
#include "runtime/event/event.h"

namespace ks::engine {

// The template with the values of this event, of a sequence's steps and of the measure, Printable. "?": a value that is
// not known, or that the rule did not disclose (the compiler refuses that; this is the second lock) · "none", or the
// part's own fallback: there is none · "…" where a value was cut.
std::string FillTemplate(const std::vector<ir::TemplatePart>& parts, const ir::Frame& frame,
                         const std::vector<schema::FieldId>& disclosed, std::optional<uint64_t> measure = {});

// What an alert without a template says.
std::string PlainMessage(const event::RuleInfo& rule);

// "credential_files#2" for the second literal of a named set, else the literal as it is written.
std::string MatchedWord(const ir::Atom& atom, uint32_t index);

}  // namespace ks::engine
