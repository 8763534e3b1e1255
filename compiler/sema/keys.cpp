// What state is bounded by: keys, windows, numbers; and `limit` and `max keys`.
#include <algorithm>

#include "compiler/sema/literals.h"
#include "compiler/sema/rules.h"

namespace ks::sema {
namespace {

// "1", "4,000,000"
std::string Grouped(uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

bool Contains(const Key& key, const FieldRef& field) {
  return std::any_of(key.begin(), key.end(), [&](const FieldRef& of) { return of.SameAs(field); });
}

}  // namespace

std::vector<FieldId> IdentityOf(ObjectId object) {
  std::string dotted(schema::Row(object).dotted);
  auto pid = schema::FindField(dotted + ".pid");
  auto start = schema::FindField(dotted + ".start_time");
  if (pid && start) return {*pid, *start};
  for (std::string_view name : {".id", ".uid"}) {
    // The image of a container has an id of its own; a record within another is not told apart by the outer one's.
    if (auto field = schema::FindField(dotted + std::string(name)); field && schema::Row(*field).object == object) {
      return {*field};
    }
  }
  return {};
}

Key RuleChecker::CheckKey(const std::vector<syntax::Path>& paths, const Scope& scope, const std::vector<KindsAt>& all) {
  Key key;
  for (const syntax::Path& path : paths) {
    Span span = SpanOf(path);
    std::string dotted = Shorten(path.Dotted());
    Resolved resolved = names_.Find(path, scope);
    if (resolved.what == Resolved::What::Nothing) names_.ReportUnknown(path, scope);
    if (resolved.what == Resolved::What::Nothing || resolved.what == Resolved::What::Error) continue;
    Key fields;
    if (resolved.what == Resolved::What::Field) {
      fields.push_back(resolved.field);
    } else if (resolved.what == Resolved::What::Record) {
      for (FieldId field : IdentityOf(resolved.object)) {
        FieldRef one = resolved.field;
        one.field = field;
        one.record = scope.Place(span);
        fields.push_back(one);
      }
      if (fields.empty()) {
        scope.Report<Diag::KeyRecord>(span, dotted).help =
            fmt::format("name fields of it; `by process`, `by container` and `by pod` are possible as a whole");
      }
    } else {
      scope.Report<Diag::NotAValue>(span, dotted, "a let or a def", "a field of the event");
    }
    for (const FieldRef& field : fields) {
      Scope at = scope;
      bool ok = true;
      for (const KindsAt& kinds : all) {
        at.kinds = kinds.kinds;
        ok = expander_.CheckKinds(field, at, span, kinds.span);
        if (ok) continue;
        break;
      }
      if (!ok) break;
      if (Contains(key, field)) {
        scope.Report<Diag::Repeated>(span, NameOf(field)).help = "remove one of the two";
      } else {
        key.push_back(field);
      }
    }
  }
  return key;
}

int64_t RuleChecker::CheckWindow(const std::optional<syntax::Quantity>& within, Span clause, std::string_view what,
                                 const Scope& scope) {
  if (!within) {
    Diagnostic& d = scope.Report<Diag::WindowMissing>(clause, what);
    d.help = "say in what span of time it must happen: memory is bounded by it";
    scope.Fix(d, {clause.file, clause.end, clause.end}, " within 30s");
    return 0;
  }
  Type type = One(NaturalType(within->literal.kind));
  if (type.scalar != TypeId::Duration) {
    scope
        .Report<Diag::TypeMismatch>(within->span, "a window", Phrase(One(TypeId::Duration)),
                                    Shorten(within->span.text()), Phrase(type))
        .help = "as in `within 30s`";
    return 0;
  }
  ParsedText parsed = ParseText(within->literal.text, type);
  if (!parsed.value && parsed.out_of_range.empty()) return 0;  // reported by the parser
  int64_t ns = parsed.value ? std::get<int64_t>(*parsed.value) : 0;
  if (ns <= 0 || ns > kMaxWindowNs) {
    scope.Report<Diag::OutOfRange>(within->span, Shorten(within->span.text()), "a window lasts from 1ns to 366d");
    return 0;
  }
  return ns;
}

std::optional<uint64_t> RuleChecker::CheckNumber(const syntax::Quantity& number, uint64_t least, uint64_t most,
                                                 std::string_view what, const Scope& scope) {
  Type type = One(NaturalType(number.literal.kind));
  std::string written = Shorten(number.span.text());
  if (type.scalar != TypeId::Int) {
    scope.Report<Diag::TypeMismatch>(number.span, fmt::format("`{}`", what), Phrase(One(TypeId::Int)), written,
                                     Phrase(type));
    return std::nullopt;
  }
  ParsedText parsed = ParseText(number.literal.text, type);
  int64_t value = parsed.value ? std::get<int64_t>(*parsed.value) : -1;
  if (value < 0 || static_cast<uint64_t>(value) < least || static_cast<uint64_t>(value) > most) {
    scope.Report<Diag::OutOfRange>(number.span, written,
                                   fmt::format("`{}` takes {} to {}", what, Grouped(least), Grouped(most)));
    return std::nullopt;
  }
  return static_cast<uint64_t>(value);
}

std::optional<Limit> RuleChecker::CheckLimit(const syntax::Limit& limit, const RuleScope& rule) {
  Limit out;
  std::optional<uint64_t> count = CheckNumber(limit.count, 1, kMaxCount, "limit", rule.scope);
  out.per_ns = CheckWindow(limit.per, limit.span, "limit", rule.scope);
  if (limit.by) out.by = CheckKey(limit.by->paths, rule.scope, {{rule.scope.kinds, {}}});
  if (!count || out.per_ns == 0) return std::nullopt;
  out.count = *count;
  return out;
}

std::optional<uint64_t> RuleChecker::CheckMaxKeys(const syntax::Quantity& keys, const Rule& rule, const Scope& scope) {
  const syntax::Rule& syntax = *rule.syntax;
  if (syntax.sequences.empty() && syntax.whens.empty() && syntax.limits.empty() && !rule.limit) {
    Diagnostic& d = scope.Report<Diag::ClauseIdle>(keys.span, "max keys", "this rule keeps no state");
    d.help = "it bounds `sequence`, `when` and `limit`; remove it";
    return std::nullopt;
  }
  return CheckNumber(keys, 1, kMaxKeys, "max keys", scope);
}

}  // namespace ks::sema
