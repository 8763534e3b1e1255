// Expressions → conditions: operators chosen by type, lets and defs replaced by what they stand for.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/sema/names.h"
#include "compiler/sema/operators.h"
#include "compiler/sema/values.h"

namespace ks::sema {

class Expander {
 public:
  Expander(Names& names, Evaluator& evaluator) : names_(names), evaluator_(evaluator) {}

  // A rule begins: conditions are counted from here.
  void StartRule() { rule_nodes_ = 0; }
  // Reports what is wrong; what could not be understood is True.
  Condition Expand(const syntax::Expr& expr, const Scope& scope);
  // Whether anything went wrong since the last call, also what is reported elsewhere.
  bool TakeFailed();

  // A def by itself, with its parameters as unknowns. Null if it has mistakes of its own.
  const Def* CheckDef(const Library::Declaration& declaration, const Scope& scope, Span use);

  // Reports a field that one of the scope's kinds lacks. `step`: whose kinds they are, if that is not clear.
  bool CheckKinds(const FieldRef& field, const Scope& scope, Span span, Span step = {});

 private:
  struct State {
    bool visiting = false, done = false, ok = false;
    Def def;
  };
  Condition Fail();
  Condition ExpandNode(const syntax::Expr& expr, const Scope& scope);
  Scope Deeper(const Scope& scope, Span span);
  Condition Node(Condition::Op op, Span span, const Scope& scope);
  Condition ExpandCompare(const syntax::Expr& expr, const syntax::Compare& compare, const Scope& scope);
  Condition ExpandExists(const syntax::Compare& compare, Span span, const Scope& scope);
  Condition ExpandCall(const syntax::Path& callee, const std::vector<syntax::ExprPtr>* arguments, Span span,
                       const Scope& scope);
  Condition ExpandLogic(const syntax::Expr& expr, const syntax::Logic& logic, const Scope& scope);
  Operand Argument(const syntax::Expr& expr, const syntax::Parameter& parameter, const Type& type, std::string_view def,
                   const Scope& scope);
  bool CheckDefBody(const syntax::Def& def, const Scope& scope, Def* out);
  Condition ExpandSameProcess(const syntax::Expr& expr, const syntax::Compare& compare, const Operand& left,
                              const Operand& right, const Scope& scope);
  Condition ExpandDescends(const syntax::Expr& expr, const syntax::Compare& compare, const Scope& scope);
  Condition ExpandLabel(const syntax::Expr& expr, const syntax::Compare& compare, const Operand& left,
                        const Scope& scope);
  Condition ExistsInList(const Operand& operand, Span span, const Scope& scope);
  Operand CompareLeft(const syntax::Compare& compare, const Scope& scope);
  void SuggestOperator(const syntax::Compare& compare, const Operand& left, const Scope& scope, Diagnostic* d);
  const OperatorRow* ChooseOperator(const syntax::Compare& compare, const Operand& left, const Scope& scope);
  bool CompareRight(const syntax::Compare& compare, const OperatorRow& row, const Operand& left, const Scope& scope,
                    Condition* out);
  bool CheckFields(const syntax::Compare& compare, const OperatorRow& row, const Operand& left, const Operand& right,
                   const Scope& scope);
  bool CheckShape(const syntax::Compare& compare, const OperatorRow& row, const Operand& right, const Scope& scope);

  Names& names_;
  Evaluator& evaluator_;
  std::map<const syntax::Def*, State> defs_;
  std::vector<const syntax::Def*> visiting_;
  size_t rule_nodes_ = 0, module_nodes_ = 0, module_values_ = 0;
  bool failed_ = false, exhausted_ = false;
};

// The values of a comparison as literals of the field: too long, never or always true, ill formed. Mends `under "/x/"`.
bool CheckLiterals(const OperatorRow& row, const Operand& left, const ValueList& list, const Scope& scope, Span use,
                   std::vector<Value>* values, const syntax::Compare* compare = nullptr);

}  // namespace ks::sema
