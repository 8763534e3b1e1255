#include "compiler/sema/tests.h"

#include <algorithm>

#include "compiler/sema/literals.h"

namespace ks::sema {

void ReportBase(const std::string& name, Span span, const std::map<std::string_view, const syntax::TestLet*>& lets,
                const Scope& scope) {
  std::vector<std::string_view> names;
  for (const auto& [known, let] : lets) names.push_back(known);
  Diagnostic& d = scope.Report<Diag::UnknownBase>(span, Shorten(name));
  if (std::string_view near = DidYouMean(name, names); !near.empty()) {
    d.help = fmt::format("did you mean `{}`?", near);
    scope.Fix(d, span, std::string(near));
  } else {
    d.help = "what `with` changes is a let of the same test, above";
  }
}

void TestChecker::CheckEnvironment(const syntax::Test& test, const std::string& rule, const Scope& scope) {
  const std::string& environment = test.environment->value;
  std::vector<std::string_view> names;
  for (const Library::TuneAt& at : names_.library().TunesOf(rule)) {
    if (at.tune->environment.value == environment) return;
    names.push_back(at.tune->environment.value);
  }
  Diagnostic& d = scope.Report<Diag::UnknownEnvironment>(test.environment->span, Shorten(test.rule.Dotted()),
                                                         Shorten(environment));
  if (std::string_view near = DidYouMean(environment, names); !near.empty()) {
    d.help = fmt::format("did you mean `{}`?", near);
    scope.Fix(d, test.environment->span, fmt::format("\"{}\"", near));
  } else if (names.empty()) {
    d.help = "a test of what holds everywhere has no `in`";
  } else {
    d.help = fmt::format("there are tunes of it for {}", fmt::join(names, ", "));
  }
}

std::vector<TestCase> TestChecker::Check(const syntax::Test& test, const Scope& scope) {
  std::string home = PackageOf(*scope.module);
  std::string id = RuleIdOf(test.rule, home);
  if (names_.library().FindRule(id) == nullptr) {
    std::vector<std::string_view> names;
    if (const Library::Package* package = names_.library().Find(home)) {
      for (const auto& [name, rule] : package->rules) names.push_back(name);
    }
    Diagnostic& d = scope.Report<Diag::TestOfNothing>(test.rule_span, Shorten(test.rule.Dotted()));
    if (std::string_view near = DidYouMean(test.rule.Dotted(), names); !near.empty()) {
      d.help = fmt::format("did you mean `{}`?", near);
      scope.Fix(d, test.rule_span, std::string(near));
    } else {
      d.help = "a rule of another package is named with its package, as in `test std.rules.reverse_shell`";
    }
  }
  rule_ = id;
  if (test.environment) CheckEnvironment(test, id, scope);
  CheckLets(test, scope);
  std::vector<TestCase> cases;
  for (const syntax::TestCase& test_case : test.cases) {
    std::string of = test.environment ? id + " in " + test.environment->value : id;
    if (!case_names_.emplace(of, test_case.name.value).second) {
      scope.Report<Diag::DuplicateName>(test_case.name.span, "a case of this rule with the name",
                                        Shorten(test_case.name.value));
    }
    cases.push_back(CheckCase(test_case, id, scope));
    if (test.environment) cases.back().environment = test.environment->value;
  }
  for (const syntax::TestLet& let : test.lets) {
    if (lets_[let.name.text] == &let && !used_lets_.contains(&let)) {
      scope.Report<Diag::UnusedName>(let.name.span, let.name.text).help = "remove it, or use it";
    }
  }
  return cases;
}

void TestChecker::CheckRecord(const syntax::RecordInit& record, const std::string& prefix, const Scope& scope,
                              Feed* out) {
  std::map<std::string_view, Span> seen;
  for (const syntax::FieldInit& init : record.fields) {
    std::string dotted = prefix.empty() ? init.name.text : prefix + "." + init.name.text;
    auto [it, fresh] = seen.emplace(init.name.text, init.name.span);
    if (!fresh) {
      scope.Report<Diag::FieldGivenTwice>(init.name.span, dotted).related.push_back({it->second, "first given here"});
      continue;
    }
    if (init.value) CheckField(init, dotted, scope, out);
  }
}

void TestChecker::ReportUnknown(const std::string& prefix, const syntax::Name& name, EventKind kind,
                                const Scope& scope) {
  // The event's own fields have no name in front.
  std::vector<std::string_view> names;
  auto add = [&](std::string_view dotted) {
    if (!prefix.empty()) {
      if (!dotted.starts_with(prefix) || dotted.size() <= prefix.size() || dotted[prefix.size()] != '.') return;
      dotted.remove_prefix(prefix.size() + 1);
    }
    if (!dotted.empty() && dotted.find('.') == std::string_view::npos) names.push_back(dotted);
  };
  for (const schema::FieldRow& row : schema::Fields()) {
    if (schema::Has(kind, row.id)) add(row.dotted);
  }
  for (const schema::ObjectRow& row : schema::Objects()) add(row.dotted);
  Diagnostic& d =
      scope.Report<Diag::UnknownField>(name.span, prefix.empty() ? schema::Row(kind).name : prefix, name.text);
  if (std::string_view near = DidYouMean(name.text, names); !near.empty()) {
    d.help = fmt::format("did you mean `{}`?", near);
    scope.Fix(d, name.span, std::string(near));
    d.machine_applicable = IsOnlyMeaning(name.text, near, names);
  } else {
    d.help = fmt::format("it has {}", fmt::join(names, ", "));
  }
}

void TestChecker::EnterRecord(ObjectId object, const syntax::RecordInit& record, const syntax::Name& name,
                              const Scope& scope, Feed* out) {
  const schema::ObjectRow& row = schema::Row(object);
  bool there = std::find(out->present.begin(), out->present.end(), object) != out->present.end();
  if (row.guard == schema::Guard::Exists && !there) out->present.push_back(object);
  if (row.guard == schema::Guard::Socket) {
    // `stdin: { peer: … }` says that it is a socket.
    FieldId guard = schema::GuardField(object);
    if (auto socket = schema::EnumeratorValue(schema::Row(guard).enumeration, "socket")) {
      Give(guard, *socket, name, scope, out);
    }
  }
  CheckRecord(record, std::string(row.dotted), scope, out);
}

void TestChecker::CheckField(const syntax::FieldInit& init, const std::string& dotted, const Scope& scope, Feed* out) {
  auto object = schema::FindObject(dotted);
  auto field = schema::FindField(dotted);
  if (!object && !field) {
    size_t dot = dotted.rfind('.');
    return ReportUnknown(dot == std::string::npos ? "" : dotted.substr(0, dot), init.name, out->kind, scope);
  }
  if (auto* record = std::get_if<syntax::RecordInit>(&init.value->node)) {
    if (object) return EnterRecord(*object, *record, init.name, scope, out);
    scope.Report<Diag::RecordForValue>(init.value->span, dotted, "is a value, not a record");
    return;
  }
  const auto& expr = std::get<syntax::ExprPtr>(init.value->node);
  if (!expr) return;
  if (auto* path = std::get_if<syntax::Path>(&expr->node); path != nullptr && object && path->parts.size() == 1) {
    if (auto it = lets_.find(path->parts[0].text); it != lets_.end()) {
      used_lets_.insert(it->second);
      if (it->second->object.text != dotted) {
        scope.Report<Diag::RecordForValue>(expr->span, it->second->name.text,
                                           fmt::format("is a {}, not a {}", it->second->object.text, dotted));
        return;
      }
      EnterLet(*it->second, *object, init.name, scope, out);
      if (init.value->with) EnterRecord(*object, *init.value->with, init.name, scope, out);
      return;
    }
    if (init.value->with) return ReportBase(path->parts[0].text, expr->span, lets_, scope);
  }
  if (!field) {
    scope.Report<Diag::RecordForValue>(expr->span, dotted, "is a record").help =
        fmt::format("write its fields in braces, as in {{ {}: {{ … }} }}", init.name.text);
    return;
  }
  if (std::optional<Value> value = FieldValue(*field, *expr, scope))
    Give(*field, std::move(*value), init.name, scope, out);
}

void TestChecker::Give(FieldId field, Value value, const syntax::Name& name, const Scope& scope, Feed* out) {
  if (!schema::Has(out->kind, field)) {
    std::vector<std::string_view> having;
    for (const schema::EventRow& row : schema::Events()) {
      if (schema::Has(row.kind, field)) having.push_back(row.name);
    }
    scope.Report<Diag::FieldNotInKind>(name.span, schema::Row(out->kind).name, schema::Row(field).dotted).help =
        fmt::format("events that have it: {}", fmt::join(having, ", "));
    return;
  }
  // What stands behind `with` replaces what the let says.
  for (Given& given : out->fields) {
    if (given.field == field) {
      given.value = std::move(value);
      return;
    }
  }
  out->fields.push_back({field, std::move(value)});
}

std::optional<Value> TestChecker::FieldValue(FieldId field, const syntax::Expr& expr, const Scope& scope) {
  const schema::FieldRow& row = schema::Row(field);
  bool list = row.type == TypeId::StringList;
  Want want{One(list ? TypeId::String : row.type, row.enumeration), false, list, fmt::format("`{}`", row.dotted)};
  auto* empty = std::get_if<syntax::List>(&expr.node);
  if (empty != nullptr && empty->items.empty() && (list || row.type == TypeId::Flags)) {
    return list ? Value(std::string()) : Value(int64_t{0});
  }
  Operand operand;
  if (empty != nullptr && list) {
    // Arguments may repeat, unlike the elements of a set.
    auto arguments = std::make_shared<ValueList>();
    for (const syntax::ExprPtr& item : empty->items) {
      Operand one = item ? evaluator_.Evaluate(*item, scope, &want) : Operand();
      if (one.what == Operand::What::Error) return std::nullopt;
      if (one.what != Operand::What::Values) {
        scope.Report<Diag::NotAValue>(item->span, Shorten(item->span.text()), "no constant", "a value");
        return std::nullopt;
      }
      arguments->values.insert(arguments->values.end(), one.values->values.begin(), one.values->values.end());
    }
    arguments->type = Many(TypeId::String);
    operand.what = Operand::What::Values;
    operand.type = arguments->type;
    operand.values = std::move(arguments);
  } else {
    operand = evaluator_.Evaluate(expr, scope, &want);
  }
  if (operand.what == Operand::What::Error) return std::nullopt;
  if (operand.what != Operand::What::Values) {
    scope.Report<Diag::NotAValue>(expr.span, Shorten(expr.span.text()),
                                  operand.what == Operand::What::Field ? "a field" : "a record", "a value");
    return std::nullopt;
  }
  bool many = operand.type.shape == Type::Shape::Many;
  Value value;
  if (list) {
    if (!many) {
      Diagnostic& d = scope.Report<Diag::OneForList>(expr.span, row.dotted);
      d.help = "put it into a list";
      scope.Fix(d, expr.span, fmt::format("[{}]", expr.span.text()));
      return std::nullopt;
    }
    std::string joined;
    for (const Value& element : operand.values->values) joined += std::get<std::string>(element) + '\0';
    value = std::move(joined);
  } else if (row.type == TypeId::Flags) {
    int64_t bits = 0;
    for (const Value& flag : operand.values->values) bits |= std::get<int64_t>(flag);
    value = bits;
  } else if (many) {
    scope.Report<Diag::ListForOne>(expr.span, row.dotted);
    return std::nullopt;
  } else {
    value = operand.values->values[0];
  }
  if (auto* text = std::get_if<std::string>(&value)) {
    if (text->size() > row.capture) {
      scope.Report<Diag::LongerThanCapture>(expr.span, "this value", text->size(), row.capture, row.dotted);
      return std::nullopt;
    }
    std::string mended;
    std::string_view why = row.type == TypeId::Path && !text->empty() ? WhyNotNormal(*text, &mended) : "";
    if (!why.empty()) {
      Diagnostic& d = scope.Report<Diag::NotInNormalForm>(expr.span, Shorten(*text), why);
      if (!mended.empty() && expr.span.text().starts_with('"')) {
        d.help = "write it as it is observed";
        scope.Fix(d, expr.span, fmt::format("\"{}\"", mended));
      }
      return std::nullopt;
    }
  }
  return value;
}

}  // namespace ks::sema
