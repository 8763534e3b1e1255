#include "compiler/mutate/mutants.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "compiler/ir/passes.h"
#include "compiler/ir/text.h"
#include "compiler/lower/lower.h"
#include "compiler/mutate/mutants_parts.h"
#include "compiler/sema/literals.h"

namespace ks::mutate {
namespace {

using sema::Condition;

// Where a rule holds conditions.
template <typename Rule>
auto RootsOf(Rule* rule) {
  std::vector<decltype(&rule->where)> out = {&rule->where};
  for (auto& exception : rule->exceptions) out.push_back(&exception.condition);
  if (rule->sequence) {
    for (auto& step : rule->sequence->steps) out.push_back(&step.where);
  }
  return out;
}

bool FindPath(const Condition& from, const Condition* wanted, std::vector<size_t>* path) {
  if (&from == wanted) return true;
  for (size_t i = 0; i < from.operands.size(); ++i) {
    path->push_back(i);
    if (FindPath(from.operands[i], wanted, path)) return true;
    path->pop_back();
  }
  return false;
}

// The rule with another condition in place of one of its own.
sema::Rule Replaced(const sema::Rule& rule, const Condition* old, Condition by) {
  sema::Rule out = rule;
  const auto from = RootsOf(&rule);
  const auto to = RootsOf(&out);
  for (size_t i = 0; i < from.size(); ++i) {
    std::vector<size_t> path;
    if (!FindPath(*from[i], old, &path)) continue;
    Condition* at = to[i];
    for (size_t step : path) at = &at->operands[step];
    *at = std::move(by);
    return out;
  }
  KS_CHECK(false, "a mutant changes a condition of its rule");
  return out;
}

Condition Negated(const Condition& condition) {
  if (condition.op == Condition::Op::Not) {
    Condition inner = condition.operands[0];
    inner.syntax = condition.syntax;
    return inner;
  }
  Condition out;
  out.op = Condition::Op::Not;
  out.span = condition.span;
  out.syntax = condition.syntax;
  out.operands.push_back(condition);
  return out;
}

std::vector<Edit> NegatedText(const syntax::Expr& expr) {
  static constexpr std::array<std::array<std::string_view, 2>, 6> kOpposites = {
      {{"==", "!="}, {"!=", "=="}, {"<", ">="}, {">=", "<"}, {">", "<="}, {"<=", ">"}}};
  const auto* compare = std::get_if<syntax::Compare>(&expr.node);
  if (compare != nullptr) {
    for (const auto& [op, opposite] : kOpposites) {
      if (compare->op == op) return {{compare->op_span, std::string(opposite)}};
    }
    if (compare->negated) return {{compare->op_span, compare->op}};
    if (compare->op == "is") return {{compare->op_span, "is not"}};
    if (compare->op == "in" || compare->op == "under" || compare->op == "like") {
      return {{compare->op_span, "not " + compare->op}};
    }
  }
  Span begin = expr.span;
  begin.end = begin.begin;
  return {{begin, "not "}};
}

class Maker {
 public:
  Maker(const sema::Rule& rule, const Context& context, std::vector<Mutant>* out)
      : rule_(rule), context_(context), out_(out) {}

  void Run() {
    const std::vector<RuleDecision> decisions = DecisionsOf(rule_);
    for (decision_ = 0; decision_ < decisions.size(); ++decision_) Visit(decisions[decision_].root);
  }

 private:
  void Visit(const Decision& at) {
    if (at.op == Decision::Op::Condition) {
      if (at.condition != nullptr && at.condition->syntax != nullptr) VisitOne(at);
      return;
    }
    const auto* logic = at.condition == nullptr || at.condition->syntax == nullptr
                            ? nullptr
                            : std::get_if<syntax::Logic>(&at.condition->syntax->node);
    for (size_t i = 0; i < at.operands.size(); ++i) {
      if (logic != nullptr && logic->operands.size() == at.operands.size()) Drop(at, *logic, i);
      size_t before = around_.size();
      for (size_t k = 0; k < at.operands.size() && at.op != Decision::Op::Not; ++k) {
        const ir::Pred& beside = at.operands[k].pred;
        if (k != i) around_.push_back(at.op == Decision::Op::And ? beside : ir::MakeNot(beside));
      }
      Visit(at.operands[i]);
      around_.resize(before);
    }
  }

  void Drop(const Decision& at, const syntax::Logic& logic, size_t i) {
    bool conjunct = at.op == Decision::Op::And;
    Condition rest = *at.condition;
    rest.operands.erase(rest.operands.begin() + static_cast<ptrdiff_t>(i));
    if (rest.operands.size() == 1) {
      Condition only = std::move(rest.operands[0]);
      rest = std::move(only);
    }
    const Span& span = logic.operands[i]->span;
    Mutant* mutant = Add(conjunct ? Operator::DropConjunct : Operator::DropDisjunct, "without " + Shown(span), span, at,
                         std::move(rest));
    mutant->edits.push_back(WithoutItem(span, i > 0 ? &logic.operands[i - 1]->span : nullptr,
                                        i + 1 < logic.operands.size() ? &logic.operands[i + 1]->span : nullptr));
    std::vector<ir::Pred> way = around_;
    for (size_t k = 0; k < at.operands.size(); ++k) {
      bool holds = conjunct == (k != i);
      way.push_back(holds ? at.operands[k].pred : ir::MakeNot(at.operands[k].pred));
    }
    mutant->ways.push_back(std::move(way));
  }

  void VisitOne(const Decision& at) {
    if (at.pred.op == ir::Pred::Op::True || at.pred.op == ir::Pred::Op::False) return;
    const syntax::Expr& expr = *at.condition->syntax;
    Mutant* negated = Add(Operator::Negate, "the opposite of " + Shown(expr.span), expr.span, at,
                          Negated(*at.condition));
    negated->edits = NegatedText(expr);
    for (bool value : {true, false}) {
      negated->ways.push_back(around_);
      negated->ways.back().push_back(value ? at.pred : ir::MakeNot(at.pred));
    }
    for (LiteralChange& change : LiteralChanges(*at.condition, context_)) {
      ir::Pred now = DecisionOf(change.condition).pred;
      Mutant* mutant = Add(change.op, change.about, expr.span, at, std::move(change.condition));
      mutant->edits = std::move(change.edits);
      for (bool value : {true, false}) {
        mutant->ways.push_back(around_);
        mutant->ways.back().push_back(value ? at.pred : ir::MakeNot(at.pred));
        mutant->ways.back().push_back(value ? ir::MakeNot(now) : now);
      }
    }
  }

  Mutant* Add(Operator op, std::string about, const Span& at, const Decision& decision, Condition by) {
    Mutant mutant;
    mutant.op = op;
    mutant.about = std::move(about);
    mutant.at = at;
    mutant.rule = Replaced(rule_, decision.condition, std::move(by));
    mutant.decision = decision_;
    out_->push_back(std::move(mutant));
    return &out_->back();
  }

  const sema::Rule& rule_;
  const Context& context_;
  std::vector<Mutant>* out_;
  size_t decision_ = 0;
  std::vector<ir::Pred> around_;  // what has to hold for a condition to decide
};

}  // namespace

std::string_view Name(Operator op) {
  static constexpr auto kNames = std::to_array<std::string_view>(
      {"drop a conjunct", "drop a disjunct", "negate", "widen a set", "narrow a set", "swap steps", "delete a step",
       "halve a window", "double a window", "threshold + 1", "threshold - 1", "drop a key", "drop an exception"});
  return kNames[static_cast<size_t>(op)];
}

std::string Shown(const Span& span) {
  std::string text(span.text());
  std::replace(text.begin(), text.end(), '\n', ' ');
  text.erase(std::unique(text.begin(), text.end(), [](char a, char b) { return a == ' ' && b == ' '; }), text.end());
  return fmt::format("`{}`", sema::Shorten(text));
}

Edit WithoutItem(const Span& item, const Span* before, const Span* after) {
  if (before != nullptr && before->file == item.file) return {{item.file, before->end, item.end}, ""};
  if (after != nullptr && after->file == item.file) return {{item.file, item.begin, after->begin}, ""};
  return {item, ""};
}

void AddConditionMutants(const sema::Rule& rule, const Context& context, std::vector<Mutant>* out) {
  Maker(rule, context, out).Run();
}

std::vector<Mutant> MutantsOf(const sema::Rule& rule, const Context& context) {
  std::vector<Mutant> out;
  AddConditionMutants(rule, context, &out);
  AddStateMutants(rule, &out);
  return out;
}

ir::Rule Lower(const sema::Rule& rule, const sema::CheckedModule& module) {
  sema::CheckedModule one;
  one.module = module.module;
  one.package = module.package;
  one.rules.push_back(rule);
  one.rules[0].disabled = false;
  return std::move(lower::Lower({&one, 1}).rules[0]);
}

bool IsEquivalent(const sema::Rule& rule, const Mutant& mutant, const sema::CheckedModule& module) {
  if (mutant.decision) {
    const std::vector<RuleDecision> before = DecisionsOf(rule), after = DecisionsOf(mutant.rule);
    return Equivalent(before[*mutant.decision].root.pred, after[*mutant.decision].root.pred);
  }
  return ir::Print(Lower(rule, module)) == ir::Print(Lower(mutant.rule, module));
}

std::string DiffOf(const Mutant& mutant) {
  std::map<const SourceFile*, std::vector<const Edit*>> files;
  for (const Edit& edit : mutant.edits) {
    if (edit.span.file != nullptr) files[edit.span.file].push_back(&edit);
  }
  std::string out;
  for (auto& [file, edits] : files) {
    std::sort(edits.begin(), edits.end(), [](const Edit* a, const Edit* b) { return a->span.begin < b->span.begin; });
    uint32_t begin = file->LineStart(file->At(edits.front()->span.begin).line), end = edits.back()->span.end;
    end = static_cast<uint32_t>(std::min(file->text().find('\n', end), file->text().size()));
    std::string after;
    uint32_t at = begin;
    for (const Edit* edit : edits) {
      after += file->text().substr(at, edit->span.begin - at);
      after += edit->text;
      at = edit->span.end;
    }
    after += file->text().substr(at, end - at);
    auto lines = [&](char sign, std::string_view text) {
      while (!text.empty()) {
        size_t stop = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, stop);
        if (line.find_first_not_of(" \t") != std::string_view::npos) out += fmt::format("{}{}\n", sign, line);
        text.remove_prefix(std::min(stop + 1, text.size()));
      }
    };
    lines('-', file->text().substr(begin, end - begin));
    lines('+', after);
  }
  return out;
}

}  // namespace ks::mutate
