// ksc compile --explain: how the kernel half decides each test, and why so.
#include <fmt/format.h>

#include <map>

#include "bpf/schema/schema.h"
#include "compiler/ir/index.h"
#include "compiler/ir/passes.h"
#include "compiler/ir/text.h"
#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

struct Decision {
  std::string how;   // inline, trie, automaton, hash, ranges, rows
  std::string what;  // the test, or the dimension
  std::string why;
};

bool IsText(const ir::Operand& operand) { return schema::Row(ir::TypeOf(operand)).slot == schema::Slot::Text; }

Decision OfAtom(const ir::Atom& atom) {
  const std::string what = ir::Print(ir::MakeAtom(atom));
  switch (atom.test) {
    case ir::Test::Like:
    case ir::Test::Contains:
    case ir::Test::HasElement:
      return {"automaton", what, "what may stand anywhere in a text is found in one pass over it"};
    case ir::Test::Under:
      return {"trie", what, "prefixes by length, words compared in code: few rules ask for this event"};
    case ir::Test::In:
      if (atom.literals.size() == 1 && !IsText(atom.operand)) return {"inline", what, "one value: a comparison"};
      return {"trie", what, "a switch over words, in code: few rules ask for this event"};
    default:
      return {"inline", what, "a comparison of numbers"};
  }
}

Decision OfDimension(const ir::Dimension& dimension) {
  using Class = ir::Dimension::Class;
  const std::string of = fmt::format("{} rules share one lookup", dimension.rules);
  switch (dimension.what) {
    case Class::Text:
    case Class::Endpoint:
    case Class::Number:
      return {"hash", dimension.note, of};
    case Class::Under:
      return {"hash by prefix", dimension.note, of + ", one probe at each '/' that a literal's length ends at"};
    case Class::Address:
      return {"hash by prefix", dimension.note, of + ", one probe for each size of block"};
    case Class::Span:
      return {"ranges", dimension.note, of + ", by binary search"};
    case Class::Test:
      return {"inline", dimension.note, "no set of values: a test of its own"};
    case Class::AnyFound:
    case Class::NoneFound:
      return {"automaton", dimension.note, of + ": all its texts in one pass"};
  }
  return {};
}

}  // namespace

void ExplainPlan(const driver::Analysis& analysis, bool json) {
  for (const ir::KindPlan& kind : analysis.plan.kinds) {
    const std::string_view name = schema::Row(kind.kind).name;
    std::vector<Decision> decisions;
    std::string strategy = "straight", why;
    if (kind.index) {
      strategy = "rows";
      why = fmt::format("{} rules, more than {}: the cost of an event must not grow with them: {}", kind.rules.size(),
                        ir::kMaxStraightRules, kind.index->Explain().front());
      for (const ir::Dimension& dimension : kind.index->dimensions) decisions.push_back(OfDimension(dimension));
      for (const std::string& spilled : kind.index->spilled)
        decisions.push_back({"residual", spilled, "no automaton has room for it: userspace decides"});
      std::map<std::string, size_t> widened;
      for (const ir::Widened& one : kind.index->widened) ++widened[one.why];
      for (const auto& [reason, rules] : widened)
        decisions.push_back({"residual", fmt::format("{} rules pass more than they say", rules), reason});
    } else {
      why = fmt::format("{} rules, at most {}: each test in code, once", kind.rules.size(), ir::kMaxStraightRules);
      for (const ir::Atom& atom : kind.atoms) decisions.push_back(OfAtom(atom));
    }
    std::map<std::string, size_t> residual;
    for (const ir::RulePlan& rule : kind.rules) {
      for (const std::string& reason : analysis.program.rules[rule.rule].reasons) ++residual[reason];
    }
    for (const auto& [reason, rules] : residual)
      decisions.push_back({"residual", fmt::format("a part of {} rules", rules), reason});
    if (!json) fmt::print("on {}: {}: {}\n", name, strategy, why);
    for (const Decision& one : decisions) {
      if (json) {
        fmt::print(R"({{"event":"{}","strategy":"{}","how":"{}","what":{},"why":{}}})"
                   "\n",
                   name, strategy, one.how, JsonString(one.what), JsonString(one.why));
      } else {
        fmt::print("  {:<14} {}\n  {:<14}   because {}\n", one.how, one.what, "", one.why);
      }
    }
  }
}

}  // namespace ks::ksc
