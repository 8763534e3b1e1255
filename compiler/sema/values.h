// Literals, lists and lets → values of the type that is wanted.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/sema/names.h"
#include "compiler/sema/scope.h"

namespace ks::sema {

// What stands on the other side of a list or literal.
struct Want {
  Type type;              // One: what each value must be
  bool blocks = false;    // for an address a block will do, too
  bool any_text = false;  // a path is as good as a string
  std::string who;        // "`process.name`", for messages
};

inline ValuesPtr Broken() { return std::make_shared<ValueList>(); }

// An address as the block that holds only it.
inline void ToBlock(Value& value) {
  if (auto* ip = std::get_if<schema::IpAddress>(&value)) value = schema::Cidr{*ip, 128};
}

bool IsLabels(FieldId field);             // a list of key=value
bool IsLower(const syntax::Expr& expr);  // lower(…)

class Evaluator {
 public:
  explicit Evaluator(Names& names) : names_(names) {}

  // What an expression that is no condition stands for. `want` gives names and literals their type; null: as written.
  Operand Evaluate(const syntax::Expr& expr, const Scope& scope, const Want* want);

  // The values of a let. Its mistakes are reported here if no other check does: a user's other modules have their own.
  ValuesPtr LetValues(const Library::Declaration& declaration, const Scope& scope, Span use);

  // A value of this type from its text; reports. `span` is that of the text.
  std::optional<Value> FromText(std::string_view text, const Type& type, const Scope& scope, Span span);

 private:
  struct State {
    bool visiting = false;
    ValuesPtr values;
  };
  Operand EvaluateLiteral(const syntax::Expr& expr, const syntax::Literal& literal, const Scope& scope,
                          const Want* want);
  Operand EvaluateList(const syntax::Expr& expr, const syntax::List& list, const Scope& scope, const Want* want);
  Operand EvaluatePath(const syntax::Expr& expr, const syntax::Path& path, const Scope& scope, const Want* want);
  Operand EvaluateIndex(const syntax::Expr& expr, const syntax::Index& index, const Scope& scope);
  Operand EvaluateLower(const syntax::Expr& expr, const syntax::Call& call, const Scope& scope, const Want* want);
  ValuesPtr EvaluateLet(const syntax::Let& let, const syntax::Module& module, bool embedded, Diagnostics& diagnostics,
                        size_t depth);
  ValuesPtr FromFile(const syntax::Let& let, const Type& type, const Scope& scope, bool embedded);
  ValuesPtr Coerce(ValuesPtr list, const Want& want, const Scope& scope, Span use);
  bool CoerceValue(const ValueList& list, size_t at, const Want& want, const Scope& scope, Span use, Value* out);
  void ReportMismatch(const ValueList& list, size_t at, const Want& want, const Scope& scope, Span span);

  Names& names_;
  std::map<const syntax::Let*, State> lets_;
  std::vector<const syntax::Let*> visiting_;
  size_t total_values_ = 0;
};

}  // namespace ks::sema
