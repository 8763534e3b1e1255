// ksc compile --explain: how the kernel half decides each test, and why so.
#include <fmt/format.h>

#include <map>

#include "bpf/schema/schema.h"
#include "compiler/ir/index.h"
#include "compiler/ir/limits.h"
#include "compiler/ir/passes.h"
#include "compiler/ir/text.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/power_assert.h"

namespace ks::ksc {
namespace {

struct Line {
  std::string how;   // inline, trie, automaton, hash, ranges, residual
  std::string what;  // the test, or the dimension
  std::string with;  // what was emitted for it; "" if nothing
  std::string why;
};

bool IsText(const ir::Operand& operand) { return schema::Row(ir::TypeOf(operand)).slot == schema::Slot::Text; }

// Why the code generator did what it did.
std::string WhyOf(const ir::Atom& atom, const codegen::Emitted& emitted) {
  if (emitted.how == "automaton") return "what may stand anywhere in a text is found in one pass over it";
  if (emitted.how == "inline") return atom.literals.size() > 1 ? "few values" : "one comparison";
  if (atom.test == ir::Test::Under) return "prefixes by length, words compared in code: few rules ask for this event";
  return IsText(atom.operand) ? "a switch over words, in code: few rules ask for this event"
                              : "a switch over values, in code: few rules ask for this event";
}

std::string WhyOf(const ir::Dimension& dimension) {
  using Class = ir::Dimension::Class;
  const std::string of = fmt::format("{} rules share one lookup", dimension.rules);
  switch (dimension.what) {
    case Class::Text:
    case Class::Endpoint:
    case Class::Number:
      return of;
    case Class::Under:
      return of + ", one probe at each '/' that a literal's length ends at";
    case Class::Address:
      return of + ", one probe for each size of block";
    case Class::Span:
      return of + ", by binary search";
    case Class::Test:
      return "no set of values: a test of its own";
    case Class::AnyFound:
    case Class::NoneFound:
      return of + ": all its texts in one pass";
  }
  return "";
}

// Of what was emitted for the kind.
std::vector<Line> Emitted(const ir::KindPlan& kind, const codegen::BpfObject& object) {
  std::vector<Line> lines;
  for (const codegen::Decision& decision : object.decisions) {
    if (decision.kind != kind.kind) continue;
    const codegen::Emitted& emitted = decision.emitted;
    if (kind.index) {
      const ir::Dimension& dimension = kind.index->dimensions[decision.number];
      lines.push_back({emitted.how, dimension.note, emitted.with, WhyOf(dimension)});
    } else {
      const ir::Atom& atom = kind.atoms[decision.number];
      lines.push_back({emitted.how, ir::Print(ir::MakeAtom(atom)), emitted.with, WhyOf(atom, emitted)});
    }
  }
  return lines;
}

}  // namespace

namespace {

// Where the limits of one kind's rules are applied.
std::vector<Line> LimitLines(const driver::Analysis& analysis, const ir::KernelLimits& limits, ir::EventKind kind) {
  std::vector<Line> lines;
  for (const ir::LimitPlace& place : limits.places) {
    if (place.kind != kind) continue;
    const ir::Rule& rule = analysis.program.machines[place.machine].rule;
    const std::string what = fmt::format("limit {} per {} of {}", rule.limit->count,
                                         SpelledTime(rule.limit->per_ns), rule.id);
    if (place.why_not.empty()) {
      lines.push_back({"limit", what, "", "the kernel half decides its condition and reads its key: what is over it makes no record"});
    } else {
      lines.push_back({"limit above", what, "", place.why_not});
    }
  }
  return lines;
}

}  // namespace

void ExplainPlan(const driver::Analysis& analysis, const codegen::BpfObject& object, bool json) {
  const ir::KernelLimits limits = ir::LimitsInKernel(analysis.program, analysis.plan);
  for (const ir::KindPlan& kind : analysis.plan.kinds) {
    const std::string_view name = schema::Row(kind.kind).name;
    std::vector<Line> lines = Emitted(kind, object);
    const std::vector<Line> limited = LimitLines(analysis, limits, kind.kind);
    std::string strategy = "straight", why;
    if (kind.index) {
      strategy = "rows";
      why = fmt::format("{} rules, more than {}: the cost of an event must not grow with them: {}", kind.rules.size(),
                        ir::kMaxStraightRules, kind.index->Explain().front());
      for (const std::string& spilled : kind.index->spilled)
        lines.push_back({"residual", spilled, "", "no automaton has room for it: userspace decides"});
      std::map<std::string, size_t> widened;
      for (const ir::Widened& one : kind.index->widened) ++widened[one.why];
      for (const auto& [reason, rules] : widened)
        lines.push_back({"residual", fmt::format("{} rules pass more than they say", rules), "", reason});
    } else {
      why = fmt::format("{} rules, at most {}: each test in code, once", kind.rules.size(), ir::kMaxStraightRules);
    }
    std::map<std::string, size_t> residual;
    for (const ir::RulePlan& rule : kind.rules) {
      for (const std::string& reason : analysis.program.rules[rule.rule].reasons) ++residual[reason];
    }
    for (const auto& [reason, rules] : residual)
      lines.push_back({"residual", fmt::format("a part of {} rules", rules), "", reason});
    lines.insert(lines.end(), limited.begin(), limited.end());
    if (!json) fmt::print("on {}: {}: {}\n", name, strategy, why);
    for (const Line& one : lines) {
      if (json) {
        fmt::print(R"({{"event":"{}","strategy":"{}","how":"{}","what":{},"emitted":{},"why":{}}})"
                   "\n",
                   name, strategy, one.how, JsonString(one.what), JsonString(one.with), JsonString(one.why));
      } else {
        fmt::print("  {:<14} {}\n", one.how, one.what);
        if (!one.with.empty()) fmt::print("  {:<14}   as {}\n", "", one.with);
        fmt::print("  {:<14}   because {}\n", "", one.why);
      }
    }
  }
}

}  // namespace ks::ksc
