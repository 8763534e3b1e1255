// What the kernel can decide, and the law by which a rule is split.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/passes.h"

namespace ks::ir {
namespace {

std::string Dotted(const Operand& operand) { return std::string(schema::Row(operand.field).dotted); }

bool IsUser(const Operand& operand) { return schema::Row(operand.field).decided == schema::Decided::User; }

bool IsText(const Operand& operand) { return schema::Row(TypeOf(operand)).slot == schema::Slot::Text; }

std::string_view TestName(Test test) {
  if (test == Test::Like) return "pattern";
  return test == Test::Contains ? "substring" : "element";
}

}  // namespace

std::string WhyNeverInKernel(const Atom& atom) {
  for (const Operand* operand : {&atom.operand, atom.other ? &*atom.other : nullptr}) {
    if (operand == nullptr) continue;
    if (operand->step != kThisEvent) {
      return fmt::format("{} of an earlier step is kept in userspace only", Dotted(*operand));
    }
    if (IsUser(*operand)) return fmt::format("{} is known in userspace only", Dotted(*operand));
    if (operand->element >= 0) {
      return fmt::format("{}[{}] is taken out of its list in userspace only", Dotted(*operand), operand->element);
    }
    if (operand->lower) return fmt::format("lower({}) is made in userspace only", Dotted(*operand));
  }
  if (atom.test == Test::Matches) {
    return fmt::format("regular expressions are looked for in {} in userspace only", Dotted(atom.operand));
  }
  if (atom.test == Test::HasOther) {
    return fmt::format("{} is looked for in {} in userspace only", Dotted(*atom.other), Dotted(atom.operand));
  }
  return "";
}

std::string WhyNotInKernel(const Atom& atom) {
  if (std::string why = WhyNeverInKernel(atom); !why.empty()) return why;
  if (atom.test == Test::EqualField && IsText(atom.operand)) {
    return fmt::format("{} and {} are texts, and two texts are compared in userspace only", Dotted(atom.operand),
                       Dotted(*atom.other));
  }
  auto too_many = [&](size_t limit) {
    return fmt::format("{} values are compared with {}, and the kernel half takes {}", atom.literals.size(),
                       Dotted(atom.operand), limit);
  };
  if (atom.test == Test::In && atom.literals.size() > kMaxKernelLiterals) return too_many(kMaxKernelLiterals);
  if (atom.test == Test::Under && atom.literals.size() > kMaxKernelPrefixes) return too_many(kMaxKernelPrefixes);
  if (atom.test == Test::HasBits && atom.literals.size() > kMaxKernelMasks) return too_many(kMaxKernelMasks);
  size_t bytes = 0;
  for (const Value& literal : atom.literals) {
    if (const auto* text = std::get_if<std::string>(&literal)) bytes += text->size();
  }
  if (bytes > kMaxKernelLiteralBytes) {
    return fmt::format("{} bytes are compared with {}, and the kernel half takes {}", bytes, Dotted(atom.operand),
                       kMaxKernelLiteralBytes);
  }
  if (atom.test == Test::Like || atom.test == Test::Contains || atom.test == Test::HasElement) {
    if (!MakeDfa(atom.test, atom.literals, TypeOf(atom.operand))) {
      return fmt::format("the automaton for {} {}{} of {} is larger than {} states or {} transitions",
                         atom.literals.size(), TestName(atom.test), atom.literals.size() == 1 ? "" : "s",
                         Dotted(atom.operand), kMaxDfaStates, kMaxDfaCells);
    }
  }
  return "";
}

namespace {

// Splits a predicate in negation normal form.
class Splitter {
 public:
  // The kernel half; *whole becomes false if a literal stayed up.
  Pred KernelHalf(const Pred& pred, bool* whole) {
    switch (pred.op) {
      case Pred::Op::True:
      case Pred::Op::False:
        return pred;
      case Pred::Op::Atom:
      case Pred::Op::Not: {
        const Atom& atom = pred.op == Pred::Op::Atom ? *pred.atom : *pred.operands.front().atom;
        std::string why = WhyNotInKernel(atom);
        if (why.empty()) return pred;
        *whole = false;
        if (std::find(reasons_.begin(), reasons_.end(), why) == reasons_.end()) reasons_.push_back(std::move(why));
        return True();
      }
      case Pred::Op::And:
      case Pred::Op::Or:
        break;
    }
    std::vector<Pred> operands;
    operands.reserve(pred.operands.size());
    for (const Pred& operand : pred.operands) operands.push_back(KernelHalf(operand, whole));
    return pred.op == Pred::Op::And ? MakeAnd(std::move(operands)) : MakeOr(std::move(operands));
  }

  std::vector<std::string> TakeReasons() { return std::move(reasons_); }

 private:
  std::vector<std::string> reasons_;
};

}  // namespace

SplitRule Split(Rule rule) {
  Pred when = Simplify(Nnf(rule.when));
  std::vector<Pred> conjuncts;
  if (when.op == Pred::Op::And) {
    conjuncts = std::move(when.operands);
  } else {
    conjuncts.push_back(std::move(when));
  }
  Splitter splitter;
  std::vector<Pred> kernel, residual;
  for (Pred& conjunct : conjuncts) {
    bool whole = true;
    kernel.push_back(splitter.KernelHalf(conjunct, &whole));
    if (!whole) residual.push_back(std::move(conjunct));
  }
  SplitRule split;
  split.kernel = Simplify(MakeAnd(std::move(kernel)));
  split.residual = MakeAnd(std::move(residual));
  split.reasons = splitter.TakeReasons();
  split.rule = std::move(rule);
  return split;
}

}  // namespace ks::ir
