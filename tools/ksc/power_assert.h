// Conditions in the words of the language, and what each of their parts was for an event: for why, explain and test.
#pragma once

#include <string>
#include <vector>

#include "compiler/ir/eval.h"

namespace ks::ksc {

// "drop.file.path": steps by their names, in the order in which operands count them.
std::string Spelled(const ir::Operand& operand, const std::vector<std::string>& steps = {});
std::string Spelled(const ir::Pred& pred, const std::vector<std::string>& steps = {});
std::string Spelled(const ir::Key& key, const std::vector<std::string>& steps = {});
// "30s", "5d", "1500ms"
std::string SpelledTime(int64_t ns);
// Names of the steps that match, or their numbers.
std::vector<std::string> StepNames(const ir::Rule& rule);

// What a step asks of the steps before it: its joins, as equalities, and the rest. True if nothing.
ir::Pred TiesOf(const ir::Step& step);
// The operands of a conjunction, or the predicate itself; nothing of True.
std::vector<const ir::Pred*> PartsOf(const ir::Pred& pred);

// One part of a conjunction.
struct Verdict {
  enum class Is : uint8_t { Ok, Fail, Unknown, NotEvaluated };
  Is is = Is::Ok;
  std::string part;    // the condition
  std::string values;  // of its fields: `process.name = "bash"`
};
std::string_view Word(Verdict::Is is);  // ok FAIL unknown -

// The parts in their order. What reads an absent value behind a part that failed was guarded by it: not evaluated.
std::vector<Verdict> Judge(const ir::Pred& when, const ir::Frame& frame, const std::vector<std::string>& steps = {});
size_t Failed(const std::vector<Verdict>& verdicts);
// In two columns, without and with their line ends.
std::vector<std::string> Lines(const std::vector<Verdict>& verdicts, std::string_view indent);
std::string Table(const std::vector<Verdict>& verdicts, std::string_view indent);

}  // namespace ks::ksc
