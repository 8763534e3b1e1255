#include "compiler/sema/values.h"

#include <algorithm>
#include <set>

#include "compiler/sema/literals.h"
#include "compiler/support/result.h"

namespace ks::sema {
namespace {

Operand OfValues(ValuesPtr values, Span span) {
  Operand out;
  if (!values->ok()) return out;
  out.what = Operand::What::Values;
  out.type = values->type;
  out.values = std::move(values);
  out.span = span;
  return out;
}

// What literals that were written without a declared type have in common; nothing if that is nothing.
std::optional<Type> Common(const Type& a, const Type& b) {
  if (SameElement(a, b)) return a;
  auto pair = [&](TypeId x, TypeId y) { return (a.scalar == x && b.scalar == y) || (a.scalar == y && b.scalar == x); };
  if (pair(TypeId::Ip, TypeId::Cidr)) return One(TypeId::Cidr);
  if (pair(TypeId::Int, TypeId::Mode)) return One(TypeId::Int);
  if (pair(TypeId::String, TypeId::Path)) return One(TypeId::Path);
  return std::nullopt;
}

}  // namespace

std::optional<Value> Evaluator::FromText(std::string_view text, const Type& type, const Scope& scope, Span span) {
  ParsedText parsed = ParseText(text, type);
  if (!parsed.out_of_range.empty()) {
    scope.Report<Diag::OutOfRange>(span, Shorten(text), parsed.out_of_range);
    return std::nullopt;
  }
  if (!parsed.value) {
    scope.Report<Diag::MalformedLiteral>(span, Shorten(text), Describe(type));
    return std::nullopt;
  }
  if (!parsed.mended.empty()) {
    Diagnostic& d = scope.Report<Diag::HostBits>(span, Shorten(text));
    d.help = fmt::format("the block is `{}`", parsed.mended);
    scope.Fix(d, span, parsed.mended);
    return std::nullopt;
  }
  return parsed.value;
}

Operand Evaluator::Evaluate(const syntax::Expr& expr, const Scope& scope, const Want* want) {
  if (auto* literal = std::get_if<syntax::Literal>(&expr.node)) return EvaluateLiteral(expr, *literal, scope, want);
  if (auto* list = std::get_if<syntax::List>(&expr.node)) return EvaluateList(expr, *list, scope, want);
  if (auto* path = std::get_if<syntax::Path>(&expr.node)) return EvaluatePath(expr, *path, scope, want);
  if (auto* index = std::get_if<syntax::Index>(&expr.node)) return EvaluateIndex(expr, *index, scope);
  if (IsLower(expr)) return EvaluateLower(expr, std::get<syntax::Call>(expr.node), scope, want);
  scope.Report<Diag::NotAValue>(expr.span, Shorten(expr.span.text()), "a condition", "a value");
  return Operand::Failed();
}

Operand Evaluator::EvaluateLiteral(const syntax::Expr& expr, const syntax::Literal& literal, const Scope& scope,
                                   const Want* want) {
  auto list = std::make_shared<ValueList>();
  Type natural = One(NaturalType(literal.kind));
  bool text = IsText(natural.scalar);
  const std::string& written = text ? literal.value : literal.text;
  // Numbers beyond 64 bits were reported by the parser.
  bool number = natural.scalar == TypeId::Int || natural.scalar == TypeId::Mode || natural.scalar == TypeId::Duration ||
                natural.scalar == TypeId::Size;
  if (number && !ParseText(written, natural).out_of_range.empty()) return Operand::Failed();
  std::optional<Value> value = FromText(written, natural, scope, expr.span);
  if (!value) return Operand::Failed();
  list->type = natural;
  list->guessed = true;
  list->values.push_back(std::move(*value));
  list->spans.push_back(expr.span);
  if (want == nullptr) return OfValues(std::move(list), expr.span);
  return OfValues(Coerce(std::move(list), *want, scope, expr.span), expr.span);
}

Operand Evaluator::EvaluateList(const syntax::Expr& expr, const syntax::List& list, const Scope& scope,
                                const Want* want) {
  auto out = std::make_shared<ValueList>();
  out->guessed = want == nullptr;
  bool failed = false;
  std::optional<Type> element;
  if (want != nullptr) element = want->type;
  std::set<Value> seen;
  for (const syntax::ExprPtr& item : list.items) {
    if (!item) continue;
    if (std::holds_alternative<syntax::List>(item->node)) {
      scope.Report<Diag::NotAValue>(item->span, Shorten(item->span.text()), "a list", "a value").help =
          "lists do not nest; a let that is a list may stand in a list";
      failed = true;
      continue;
    }
    Operand operand = Evaluate(*item, scope, want);
    if (operand.what == Operand::What::Error) {
      failed = true;
      continue;
    }
    if (operand.what != Operand::What::Values) {
      if (operand.what == Operand::What::Parameter) {
        scope.Report<Diag::NotAValue>(item->span, Shorten(item->span.text()), "a parameter", "a value").help =
            "a list is known when the policy is compiled";
      } else {
        scope.Report<Diag::NotAValue>(item->span, Shorten(item->span.text()),
                                      operand.what == Operand::What::Field ? "a field" : "a record", "a value");
      }
      failed = true;
      continue;
    }
    const ValueList& values = *operand.values;
    Type item_type = values.type;
    item_type.shape = Type::Shape::One;
    if (want == nullptr) {
      std::optional<Type> common = element ? Common(*element, item_type) : item_type;
      if (!common) {
        Diagnostic& d = scope.Report<Diag::TypeMismatch>(item->span, "this list's first element", Phrase(*element),
                                                         Shorten(item->span.text()), Phrase(item_type));
        d.help = "all elements of a list have one type";
        failed = true;
        continue;
      }
      if (common->scalar == TypeId::Cidr && element && element->scalar == TypeId::Ip) {
        for (Value& value : out->values) ToBlock(value);
      }
      element = common;
      out->guessed = out->guessed && values.guessed;
    }
    for (size_t i = 0; i < values.values.size(); ++i) {
      Value value = values.values[i];
      if (want == nullptr && element->scalar == TypeId::Cidr) ToBlock(value);
      if (!seen.insert(value).second) {
        // A let may overlap with what is written beside it.
        if (std::holds_alternative<syntax::Literal>(item->node)) {
          Diagnostic& d = scope.Report<Diag::Repeated>(item->span, Shorten(item->span.text()));
          d.help = "remove one of the two";
          const syntax::ExprPtr* before = &item - 1;
          if (&item != list.items.data() && *before) scope.FixByRemovingBehind(d, (*before)->span, item->span);
        }
        continue;
      }
      out->values.push_back(std::move(value));
      out->spans.push_back(values.spans[i]);
    }
    total_values_ += values.values.size();
    if (out->values.size() > kMaxValues || total_values_ > kMaxValuesPerModule) {
      bool one = out->values.size() > kMaxValues;
      scope.Report<Diag::TooManyValues>(expr.span, one ? kMaxValues : kMaxValuesPerModule,
                                        one ? "in one list" : "in the lists of this file");
      return Operand::Failed();
    }
  }
  if (failed) return Operand::Failed();
  if (out->values.empty()) {
    scope.Report<Diag::Vacuous>(expr.span, "never", "the list is empty");
    return Operand::Failed();
  }
  out->type = *element;
  out->type.shape = Type::Shape::Many;
  return OfValues(std::move(out), expr.span);
}

Operand Evaluator::EvaluatePath(const syntax::Expr& expr, const syntax::Path& path, const Scope& scope,
                                const Want* want) {
  if (want != nullptr && !want->type.enumeration.empty() && path.parts.size() == 1) {
    if (auto value = schema::EnumeratorValue(want->type.enumeration, path.parts[0].text)) {
      auto list = std::make_shared<ValueList>();
      list->type = want->type;
      list->type.shape = Type::Shape::One;
      list->values.emplace_back(*value);
      list->spans.push_back(expr.span);
      return OfValues(std::move(list), expr.span);
    }
  }
  Operand out;
  out.span = expr.span;
  Resolved resolved = names_.Find(path, scope);
  switch (resolved.what) {
    case Resolved::What::Error:
      return Operand::Failed();
    case Resolved::What::Nothing: {
      if (want != nullptr && !want->type.enumeration.empty() && path.parts.size() == 1) {
        std::vector<std::string_view> names;
        for (const schema::Enumerator& row : schema::Enumerators(want->type.enumeration)) names.push_back(row.name);
        Diagnostic& d = scope.Report<Diag::UnknownEnumerator>(expr.span, path.parts[0].text, want->type.enumeration);
        if (std::string_view near = DidYouMean(path.parts[0].text, names); !near.empty()) {
          d.help = fmt::format("did you mean `{}`?", near);
          scope.Fix(d, expr.span, std::string(near));
        } else if (names.size() <= 12) {
          d.help = fmt::format("it is one of {}", fmt::join(names, ", "));
        }
        return Operand::Failed();
      }
      Diagnostic& d = names_.ReportUnknown(path, scope);
      if (want != nullptr && IsText(want->type.scalar) && path.parts.size() == 1 && d.fixes.empty()) {
        d.help = "did you mean the string?";
        scope.Fix(d, expr.span, fmt::format("\"{}\"", path.parts[0].text));
      }
      return Operand::Failed();
    }
    case Resolved::What::Field:
      out.what = Operand::What::Field;
      out.field = resolved.field;
      out.type = TypeOf(resolved.field);
      return out;
    case Resolved::What::Record:
      out.what = Operand::What::Record;
      out.type = {Type::Shape::Record, {}, {}, resolved.object};
      out.field.step = resolved.field.step;
      return out;
    case Resolved::What::Parameter:
      out = resolved.parameter->operand;
      out.span = expr.span;
      if (out.what == Operand::What::Field) out.field.record = scope.Place(expr.span);
      if (out.what == Operand::What::Values && want != nullptr) {
        return OfValues(Coerce(out.values, *want, scope, expr.span), expr.span);
      }
      return out;
    case Resolved::What::Declared:
      if (resolved.declaration->let == nullptr) {
        scope.Report<Diag::NotAValue>(expr.span, Shorten(path.Dotted()), "a def", "a value");
        return Operand::Failed();
      }
      ValuesPtr values = LetValues(*resolved.declaration, scope, expr.span);
      if (!values->ok()) return Operand::Failed();
      if (want != nullptr) values = Coerce(std::move(values), *want, scope, expr.span);
      return OfValues(std::move(values), expr.span);
  }
  return Operand::Failed();
}

ValuesPtr Evaluator::LetValues(const Library::Declaration& declaration, const Scope& scope, Span use) {
  const syntax::Let& let = *declaration.let;
  State& state = lets_[&let];
  if (state.visiting) {
    std::string cycle;
    auto from = std::find(visiting_.begin(), visiting_.end(), &let);
    for (auto it = from; it != visiting_.end(); ++it) cycle += (*it)->name.text + " → ";
    scope.Report<Diag::Recursion>(use, let.name.text, cycle + let.name.text);
    return Broken();
  }
  const Library::Package* package = names_.library().Find(PackageOf(*declaration.module));
  bool embedded = package != nullptr && package->embedded;
  bool own = declaration.module == &names_.checked();
  if (!state.values) {
    if (visiting_.size() >= kMaxCallDepth) {
      scope.Report<Diag::NestedTooDeep>(use, kMaxCallDepth, "lets", let.name.text);
      return Broken();
    }
    state.visiting = true;
    visiting_.push_back(&let);
    Diagnostics aside;
    Diagnostics& diagnostics = own || embedded ? *scope.diagnostics : aside;
    ValuesPtr values = EvaluateLet(let, *declaration.module, embedded, diagnostics, scope.depth);
    visiting_.pop_back();
    state.visiting = false;
    state.values = std::move(values);
  }
  return state.values;
}

ValuesPtr Evaluator::EvaluateLet(const syntax::Let& let, const syntax::Module& module, bool embedded,
                                 Diagnostics& diagnostics, size_t depth) {
  Scope scope;
  scope.module = &module;
  scope.diagnostics = &diagnostics;
  scope.depth = depth;
  std::optional<Want> want;
  bool many = false;
  if (let.type) {
    const syntax::Type* element = &*let.type;
    many = let.type->element != nullptr;
    if (many) {
      if (let.type->name.text != "set" && let.type->name.text != "list") {
        Diagnostic& d = scope.Report<Diag::UnknownType>(let.type->name.span, let.type->name.text + "<…>");
        d.help = "a type with an element is a set or a list, as in set<cidr>";
        return Broken();
      }
      element = let.type->element.get();
    }
    std::optional<Type> type = element->element ? std::nullopt : FindType(element->name.text);
    if (!type || type->shape == Type::Shape::Record) {
      Diagnostic& d = scope.Report<Diag::UnknownType>(element->name.span, element->name.text);
      if (type) {
        d.help = "a record is no value";
      } else if (std::string_view near = DidYouMean(element->name.text, TypeNames()); !near.empty()) {
        d.help = fmt::format("did you mean `{}`?", near);
        scope.Fix(d, element->name.span, std::string(near));
      } else if (element->name.text == "set" || element->name.text == "list") {
        d.help = "say of what, as in set<path>";
      }
      return Broken();
    }
    want = Want{*type, false, false,
                many ? fmt::format("an element of `{}`", let.name.text) : fmt::format("`{}`", let.name.text)};
  }
  std::shared_ptr<ValueList> out;
  if (let.from) {
    if (!want || !many) {
      scope
          .Report<Diag::DataFile>(let.from_span, Shorten(let.from->value), "the let does not say of what type they are")
          .help = fmt::format("as in `let {}: set<cidr> from …`", let.name.text);
      return Broken();
    }
    ValuesPtr values = FromFile(let, want->type, scope, embedded);
    if (!values->ok()) return Broken();
    out = std::make_shared<ValueList>(*values);
  } else {
    if (!let.value) return Broken();
    Operand operand = Evaluate(*let.value, scope, want ? &*want : nullptr);
    if (operand.what == Operand::What::Field || operand.what == Operand::What::Record) {
      scope
          .Report<Diag::NotAValue>(let.value->span, Shorten(let.value->span.text()),
                                   operand.what == Operand::What::Field ? "a field" : "a record", "a value")
          .help = "a let is known when the policy is compiled; a def may look at fields";
      return Broken();
    }
    if (operand.what != Operand::What::Values) return Broken();
    bool is_many = operand.type.shape == Type::Shape::Many;
    if (let.type && is_many != many) {
      if (is_many) {
        scope.Report<Diag::ListForOne>(let.value->span, let.name.text).help =
            fmt::format("declare it as `list<{}>`", let.type->name.text);
      } else {
        Diagnostic& d = scope.Report<Diag::OneForList>(let.value->span, let.name.text);
        d.help = "put it into a list";
        scope.Fix(d, let.value->span, fmt::format("[{}]", let.value->span.text()));
      }
      return Broken();
    }
    out = std::make_shared<ValueList>(*operand.values);
    if (let.type) out->guessed = false;
  }
  out->label = let.name.text;
  return out;
}

}  // namespace ks::sema
