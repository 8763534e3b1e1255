// `when count|distinct|sum|first … by … within`.
#include <algorithm>
#include <array>
#include <limits>

#include "compiler/sema/literals.h"
#include "compiler/sema/rules.h"

namespace ks::sema {
namespace {

using Function = Aggregate::Function;

constexpr std::array<std::string_view, 4> kFunctions = {"count", "distinct", "sum", "first"};

bool IsSummable(TypeId type) { return type == TypeId::Int || type == TypeId::Size || type == TypeId::Duration; }

bool CheckFunction(const syntax::When& when, const Scope& scope, Function* function) {
  const syntax::Name& name = when.function;
  auto it = std::find(kFunctions.begin(), kFunctions.end(), name.text);
  if (it != kFunctions.end()) {
    *function = static_cast<Function>(it - kFunctions.begin());
    return true;
  }
  Diagnostic& d = scope.Report<Diag::UnknownMeasure>(name.span, Shorten(name.text));
  d.help = "a rule counts by count, distinct(…), sum(…) or first(…)";
  if (std::string_view near = DidYouMean(name.text, {kFunctions.begin(), kFunctions.end()}); !near.empty()) {
    d.help = fmt::format("did you mean `{}`?", near);
    scope.Fix(d, name.span, std::string(near));
  }
  return false;
}

bool CheckArity(const syntax::When& when, Function function, const Scope& scope) {
  size_t given = when.of.size();
  bool any = function == Function::Distinct || function == Function::First;
  if (any ? given > 0 : given == (function == Function::Sum ? 1u : 0u)) return true;
  std::string_view wants = any ? "one or more fields" : function == Function::Sum ? "one field" : "no field";
  Span span = given == 0 ? when.function.span : Join(when.function.span, when.of_spans.back());
  Diagnostic& d = scope.Report<Diag::WrongArguments>(span, when.function.text, wants,
                                                     given == 0 ? "none" : fmt::format("{}", given));
  if (function == Function::Count) {
    d.help = "how many different values a field has is `distinct(…)`";
  } else {
    d.help =
        fmt::format("as in `{}({})`", when.function.text, function == Function::Sum ? "child.pid" : "process.name");
  }
  return false;
}

}  // namespace

void RuleChecker::CheckThreshold(const syntax::When& when, const Scope& scope, Aggregate* out) {
  std::string_view function = when.function.text;
  if (out->function == Function::First) {
    if (!when.op.empty()) {
      scope.Report<Diag::MeasureOperator>(when.op_span, when.op, function, "it holds or does not").help =
          "remove the comparison: `first` holds when the value was not seen within the window";
    }
    return;
  }
  Span end = {when.function.span.file, when.function.span.end, when.function.span.end};
  if (when.op.empty() || !when.threshold) {
    Diagnostic& d = scope.Report<Diag::WrongArguments>(when.function.span, function, "a threshold", "none");
    d.help = fmt::format("as in `when {}{} >= 10`", function, out->function == Function::Count ? "" : "(…)");
    if (out->function == Function::Count) scope.Fix(d, end, " >= 10");
    return;
  }
  if (when.op != ">=" && when.op != ">") {
    bool fewer = when.op == "<" || when.op == "<=";
    Diagnostic& d =
        scope.Report<Diag::MeasureOperator>(when.op_span, when.op, function,
                                            fewer ? "too few is known only when the window closes"
                                                  : "the alert is raised at the event that reaches the threshold");
    if (fewer) {
      d.help = "that something stays away is a `sequence` that ends in `without`";
    } else if (when.op == "==") {
      d.help = "ask for the threshold to be reached";
      scope.Fix(d, when.op_span, ">=");
    } else {
      d.help = "compare with `>=` or `>`";
    }
    return;
  }
  bool sum = out->function == Function::Sum;
  uint64_t least = when.op == ">=" ? 1 : 0;
  if (!sum) {
    std::optional<uint64_t> number =
        CheckNumber(*when.threshold, least, kMaxCount - (1 - least), fmt::format("{} {}", function, when.op), scope);
    if (number) out->at_least = *number + (1 - least);
    return;
  }
  if (out->of.empty()) return;
  Type type = TypeOf(out->of[0]);
  Type natural = One(NaturalType(when.threshold->literal.kind));
  Span span = when.threshold->span;
  if (natural.scalar != type.scalar) {
    scope.Report<Diag::TypeMismatch>(span, fmt::format("the sum of `{}`", NameOf(out->of[0])), Phrase(type),
                                     Shorten(span.text()), Phrase(natural));
    return;
  }
  ParsedText parsed = ParseText(when.threshold->literal.text, type);
  int64_t value = parsed.value ? std::get<int64_t>(*parsed.value) : -1;
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() - 1;
  if (value < static_cast<int64_t>(least) || value > kMost) {
    scope.Report<Diag::OutOfRange>(span, Shorten(span.text()), "a sum is compared with something above zero");
    return;
  }
  out->at_least = static_cast<uint64_t>(value) + (1 - least);
}

std::optional<FieldRef> RuleChecker::CheckSummand(const syntax::When& when, const Scope& scope, const Facts& given) {
  const syntax::Path& path = when.of[0];
  Span span = SpanOf(path);
  Resolved resolved = names_.Find(path, scope);
  if (resolved.what == Resolved::What::Nothing) names_.ReportUnknown(path, scope);
  if (resolved.what == Resolved::What::Nothing || resolved.what == Resolved::What::Error) return std::nullopt;
  if (resolved.what != Resolved::What::Field) {
    scope.Report<Diag::NotAValue>(span, Shorten(path.Dotted()),
                                  resolved.what == Resolved::What::Record ? "a record" : "no field", "a field");
    return std::nullopt;
  }
  if (!expander_.CheckKinds(resolved.field, scope, span)) return std::nullopt;
  Type type = TypeOf(resolved.field);
  if (!IsSummable(type.scalar)) {
    scope.Report<Diag::OperatorType>(when.function.span, "sum", Shorten(path.Dotted()), Phrase(type)).help =
        "numbers, sizes and durations add up; how many different values there are is `distinct(…)`";
    return std::nullopt;
  }
  CheckGuard(resolved.field, given, nullptr, "", *scope.diagnostics);
  return resolved.field;
}

void RuleChecker::CheckAggregate(const syntax::When& when, const Scope& scope, const Facts& given, Rule* out) {
  Aggregate aggregate;
  aggregate.syntax = &when;
  bool known = CheckFunction(when, scope, &aggregate.function);
  bool arity = known && CheckArity(when, aggregate.function, scope);
  if (arity && aggregate.function == Function::Sum) {
    if (auto field = CheckSummand(when, scope, given)) aggregate.of.push_back(*field);
  } else if (arity) {
    aggregate.of = CheckKey(when.of, scope, {{scope.kinds, {}}});
  }
  if (known) CheckThreshold(when, scope, &aggregate);
  if (when.by) {
    aggregate.by = CheckKey(when.by->paths, scope, {{scope.kinds, {}}});
  } else if (known) {
    scope.Report<Diag::CountsAll>(when.function.span, when.function.text).help =
        "say per what it counts, as in `by container.id` or `by process.uid`";
  }
  Span end = when.span;
  aggregate.within_ns = CheckWindow(when.within, end, "this `when`", scope);
  if (known) out->aggregate = std::move(aggregate);
}

}  // namespace ks::sema
