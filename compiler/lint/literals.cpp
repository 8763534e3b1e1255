// Lints of what stands on the right of one comparison.
#include <algorithm>
#include <cctype>
#include <optional>

#include "compiler/lint/conditions.h"
#include "compiler/lower/state.h"
#include "compiler/sema/literals.h"
#include "compiler/sema/operators.h"

namespace ks::lint {
namespace {

using ir::Atom;
using ir::Pred;
using ir::Test;
using schema::Value;
using sema::Condition;

constexpr size_t kMaxCompared = 64;  // literals of one list, each against each

const Condition* FindCompare(const Condition& condition, const Span& span) {
  if (condition.op == Condition::Op::Compare && condition.span.begin == span.begin && condition.span.end == span.end &&
      condition.span.file == span.file) {
    return &condition;
  }
  for (const Condition& operand : condition.operands) {
    if (const Condition* found = FindCompare(operand, span)) return found;
  }
  return nullptr;
}

// The atom of a comparison, with this literal alone.
const Atom* AtomOf(const Pred& pred) {
  if (pred.atom) return &*pred.atom;
  return pred.operands.empty() ? nullptr : AtomOf(pred.operands.front());
}

// The literals as the user wrote them, if each value is one of them.
std::vector<Span> SpansOf(const syntax::Compare& compare, size_t values) {
  std::vector<Span> spans;
  if (!compare.right) return spans;
  if (auto* list = std::get_if<syntax::List>(&compare.right->node)) {
    for (const syntax::ExprPtr& item : list->items) {
      if (!item || !std::holds_alternative<syntax::Literal>(item->node)) {
        auto* path = item ? std::get_if<syntax::Path>(&item->node) : nullptr;
        if (path == nullptr) return {};
      }
      spans.push_back(item->span);
    }
  }
  if (spans.size() != values) spans.clear();
  return spans;
}

// A regular expression that is one text, perhaps tied to an end.
struct PlainRegex {
  bool begins = false, ends = false;
  std::string text;
};

std::optional<PlainRegex> ReadPlainRegex(std::string_view pattern) {
  PlainRegex out;
  if (pattern.starts_with('^')) {
    out.begins = true;
    pattern.remove_prefix(1);
  }
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '$' && i + 1 == pattern.size()) {
      out.ends = true;
      break;
    }
    if (c == '\\' && i + 1 < pattern.size() && std::ispunct(static_cast<unsigned char>(pattern[i + 1]))) {
      c = pattern[++i];
    } else if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) {
      return std::nullopt;
    }
    // What would need escapes of the language is better read as it is.
    if (c == '"' || c == '\\' || c == '{' || c < 0x20 || c > 0x7e) return std::nullopt;
    out.text += c;
  }
  if (out.text.empty()) return std::nullopt;
  return out;
}

}  // namespace

// What says the same without an expression: `==`, `like` or `contains`.
void ConditionLint::CheckRegex(const syntax::Compare& compare, const Condition& condition) {
  auto* values = std::get_if<sema::Values>(&condition.right);
  if (values == nullptr || condition.compare != sema::OperatorId::Matches || values->values.size() != 1) return;
  auto* literal = compare.right ? std::get_if<syntax::Literal>(&compare.right->node) : nullptr;
  auto* pattern = std::get_if<std::string>(&values->values.front());
  const schema::FieldRow& row = schema::Row(condition.left.field);
  bool text = row.type == schema::TypeId::String || row.type == schema::TypeId::Path;
  if (literal == nullptr || pattern == nullptr || !text) return;
  std::optional<PlainRegex> plain = ReadPlainRegex(*pattern);
  if (!plain) return;
  bool equal = plain->begins && plain->ends, glob = plain->begins != plain->ends;
  if (plain->text.size() > row.capture) return;
  if (glob && plain->text.find_first_of("*?[") != std::string::npos) return;
  std::string mended;
  if (equal && row.type == schema::TypeId::Path && !sema::WhyNotNormal(plain->text, &mended).empty()) return;
  std::string op = equal ? (compare.negated ? "!=" : "==") : compare.negated ? "not " : "";
  if (!equal) op += glob ? "like" : "contains";
  std::string right = fmt::format("\"{}{}{}\"", glob && plain->ends ? "*" : "", plain->text, glob && plain->begins ? "*" : "");
  Diagnostic& d = diagnostics_.Report<Diag::RegexIsLiteral>(compare.right->span, sema::Shorten(compare.right->span.text()));
  d.help = fmt::format("write `{} {}`: the same, and cheaper", op, right);
  d.fixes.push_back({compare.op_span, op});
  d.fixes.push_back({compare.right->span, right});
  d.machine_applicable = true;
}

void ConditionLint::CheckList(const syntax::Compare& compare, const Condition& condition) {
  auto* values = std::get_if<sema::Values>(&condition.right);
  if (values == nullptr || values->values.size() < 2 || values->values.size() > kMaxCompared) return;
  sema::Right right = sema::Row(condition.compare).right;
  bool all = right == sema::Right::All;
  if (!values->label.empty()) {
    auto key = fmt::format("{} {}", values->label, static_cast<int>(condition.compare));
    if (!lists_seen_.insert(key).second) return;
  }
  Pred whole = lower::LowerCondition(condition);
  const Atom* atom = AtomOf(whole);
  if (atom == nullptr) return;
  if (atom->test == Test::In && !std::holds_alternative<schema::Cidr>(values->values.front()) &&
      !std::holds_alternative<schema::IpAddress>(values->values.front())) {
    return;  // distinct values are no part of each other
  }
  std::vector<Pred> single;
  for (const Value& value : values->values) {
    Atom one = *atom;
    one.literals = {value};
    one.label.clear();
    single.push_back(ir::MakeAtom(std::move(one)));
  }
  // Of `any` what implies another that stays has no effect; of `all`, what is implied by it.
  auto needless = [&](size_t i, size_t k) {
    return all ? solver_.Implies(single[k], single[i]) : solver_.Implies(single[i], single[k]);
  };
  std::vector<bool> gone(single.size(), false);
  for (size_t i = 0; i < single.size(); ++i) {
    for (size_t k = 0; k < single.size() && !gone[i]; ++k) gone[i] = k != i && !gone[k] && needless(i, k);
  }
  std::vector<std::vector<size_t>> by(single.size());
  for (size_t i = 0; i < single.size(); ++i) {
    for (size_t k = 0; gone[i] && k < single.size(); ++k) {
      if (gone[k] || !needless(i, k)) continue;
      by[k].push_back(i);
      break;
    }
  }
  std::vector<Span> spans = SpansOf(compare, single.size());
  for (size_t k = 0; k < single.size(); ++k) {
    if (gone[k] || by[k].empty()) continue;
    auto text = [&](size_t i) {
      return spans.empty() ? schema::ToString(values->values[i], ir::TypeOf(atom->operand), "")
                           : std::string(spans[i].text());
    };
    std::string names;
    for (size_t i : by[k]) names += fmt::format("{}`{}`", names.empty() ? "" : ", ", sema::Shorten(text(i)));
    Span place = spans.empty() ? compare.right->span : spans[by[k].front()];
    Diagnostic& d = diagnostics_.Report<Diag::LiteralShadowed>(place, names, by[k].size() == 1 ? "has" : "have",
                                                               sema::Shorten(text(k)));
    d.label = all ? fmt::format("holds wherever `{}` does", sema::Shorten(text(k)))
                  : fmt::format("`{}` holds wherever this does", sema::Shorten(text(k)));
    d.help = by[k].size() == 1 ? "remove it" : "remove them";
    if (atom->test == Test::Contains && !all) d.help += "; or, where whole names are meant, compare with `in`";
    if (spans.empty()) {
      if (!values->label.empty()) d.label = fmt::format("of `{}`: {}", values->label, d.label);
      continue;
    }
    d.related.push_back({spans[k], "this one"});
    // The list anew, as edits of neighbours would meet; a comment in it stands beside a literal that we cannot tell.
    const Span list = sema::Join(spans.front(), spans.back());
    std::vector<std::string_view> left;
    for (size_t i = 0; i < spans.size(); ++i) {
      if (std::ranges::find(by[k], i) == by[k].end()) left.push_back(spans[i].text());
    }
    d.fixes.push_back({list, fmt::format("{}", fmt::join(left, ", "))});
    d.machine_applicable = list.text().find('#') == std::string_view::npos;
  }
}

void ConditionLint::CheckGlob(const syntax::Compare& compare, const Condition& condition) {
  auto* values = std::get_if<sema::Values>(&condition.right);
  if (values == nullptr || condition.compare != sema::OperatorId::Like) return;
  auto* literal = compare.right ? std::get_if<syntax::Literal>(&compare.right->node) : nullptr;
  for (const Value& value : values->values) {
    const auto& text = std::get<std::string>(value);
    if (text.find_first_of("*?[\\") != std::string::npos) continue;
    Diagnostic& d = diagnostics_.Report<Diag::GlobIsLiteral>(compare.right->span, sema::Shorten(text));
    d.label = "fits this text alone";
    std::string mended;
    std::string_view never;
    if (schema::Row(condition.left.field).type == schema::TypeId::Path) never = sema::WhyNotNormal(text, &mended);
    if (!never.empty()) {
      d.help = fmt::format("add the `*` that is missing: `{}` is {}, and no path that is observed ever is",
                           sema::Shorten(text), never);
      continue;
    }
    d.help = "compare with `==`; or add the `*` that is missing";
    if (literal != nullptr) {
      d.fixes.push_back({compare.op_span, compare.negated ? "!=" : "=="});
    }
  }
}

void ConditionLint::VisitLiterals(const syntax::Expr& expr, const Condition& condition) {
  if (auto* logic = std::get_if<syntax::Logic>(&expr.node)) {
    for (const syntax::ExprPtr& operand : logic->operands) {
      if (operand) VisitLiterals(*operand, condition);
    }
  } else if (auto* negation = std::get_if<syntax::Not>(&expr.node)) {
    if (negation->operand) VisitLiterals(*negation->operand, condition);
  } else if (auto* compare = std::get_if<syntax::Compare>(&expr.node)) {
    if (const Condition* found = FindCompare(condition, expr.span)) {
      CheckList(*compare, *found);
      CheckGlob(*compare, *found);
      CheckRegex(*compare, *found);
    }
  }
}

}  // namespace ks::lint
