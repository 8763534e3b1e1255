// Expressions: paths, literals, comparisons, logic.
#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <utility>

#include "compiler/support/result.h"
#include "compiler/syntax/maker.h"

namespace ks::syntax {
namespace {

LiteralKind KindOfLiteral(const Token& token) {
  switch (TypeOf(token)) {
    case KspParser::STRING:
      return LiteralKind::String;
    case KspParser::RAW_STRING:
      return LiteralKind::RawString;
    case KspParser::INT:
      return LiteralKind::Int;
    case KspParser::HEX:
      return LiteralKind::Hex;
    case KspParser::OCTAL:
      return LiteralKind::Octal;
    case KspParser::DURATION:
      return LiteralKind::Duration;
    case KspParser::SIZE:
      return LiteralKind::Size;
    case KspParser::IP:
      return LiteralKind::Ip;
    case KspParser::CIDR:
      return LiteralKind::Cidr;
    case KspParser::ENDPOINT:
      return LiteralKind::Endpoint;
    case KspParser::DATE:
      return LiteralKind::Date;
    default:
      return LiteralKind::Bool;
  }
}

}  // namespace

Path Maker::MakePath(KspParser::PathContext* path) const {
  Path made;
  made.parts.push_back(NameOf(path->ID()));
  for (auto* name : path->name()) made.parts.push_back(NameOf(At(name->start)));
  return made;
}

void Maker::MakePaths(const std::vector<KspParser::PathContext*>& contexts, std::vector<Path>* paths,
                      std::vector<Span>* spans) const {
  for (auto* path : contexts) {
    paths->push_back(MakePath(path));
    spans->push_back(SpanOf(path));
  }
}

ExprPtr Maker::MakeExpr(Span span, decltype(Expr::node) node) const {
  auto made = std::make_unique<Expr>();
  made->span = span;
  made->node = std::move(node);
  return made;
}

ExprPtr Maker::Expression(KspParser::ExpressionContext* context) {
  std::vector<ExprPtr> operands;
  std::vector<const Token*> words;
  for (antlr4::tree::ParseTree* child : context->children) {
    if (auto* word = dynamic_cast<antlr4::tree::TerminalNode*>(child)) {
      words.push_back(&At(word));
    } else {
      operands.push_back(Unary(static_cast<KspParser::UnaryContext*>(child)));
    }
  }
  if (operands.size() == 1) return std::move(operands[0]);
  auto is_and = [this](const Token* word) { return View(*word) == "and"; };
  bool same = std::all_of(words.begin(), words.end(), [&](auto* w) { return is_and(w) == is_and(words[0]); });
  if (same) {
    return MakeExpr(SpanOf(context), Logic{is_and(words[0]) ? LogicOp::And : LogicOp::Or, std::move(operands)});
  }
  return Mixed(SpanOf(context), std::move(operands), words);
}

ExprPtr Maker::Mixed(Span span, std::vector<ExprPtr> operands, const std::vector<const Token*>& words) {
  auto is_and = [this](const Token* word) { return View(*word) == "and"; };
  auto differs = std::find_if(words.begin(), words.end(), [&](auto* w) { return is_and(w) != is_and(words[0]); });
  Diagnostic& d = diagnostics_.Report<Diag::MixedLogic>(SpanOf(**differs));
  d.related.push_back({SpanOf(*words[0]), fmt::format("the other is this `{}`", View(*words[0]))});
  d.help = "say what belongs together; most languages read it so";
  // Runs of operands joined by `and` are the operands of one `or`.
  std::vector<ExprPtr> any;
  for (size_t at = 0; at < operands.size();) {
    size_t end = at + 1;
    while (end < operands.size() && is_and(words[end - 1])) ++end;
    Span run{&file_, operands[at]->span.begin, operands[end - 1]->span.end};
    if (end - at == 1) {
      any.push_back(std::move(operands[at]));
    } else {
      d.fixes.push_back({{&file_, run.begin, run.begin}, "("});
      d.fixes.push_back({{&file_, run.end, run.end}, ")"});
      std::vector<ExprPtr> all(std::make_move_iterator(operands.begin() + static_cast<ptrdiff_t>(at)),
                               std::make_move_iterator(operands.begin() + static_cast<ptrdiff_t>(end)));
      any.push_back(MakeExpr(run, Logic{LogicOp::And, std::move(all)}));
    }
    at = end;
  }
  return MakeExpr(span, Logic{LogicOp::Or, std::move(any)});
}

ExprPtr Maker::Unary(KspParser::UnaryContext* context) {
  if (auto* comparison = context->comparison()) return Comparison(comparison);
  KspParser::UnaryContext* operand = context->unary();
  KS_CHECK(operand, "a `not` without an operand is no complete parse tree");
  return MakeExpr(SpanOf(context), Not{Unary(operand)});
}

ExprPtr Maker::Comparison(KspParser::ComparisonContext* context) {
  ExprPtr left = Operand(context->operand());
  std::vector<KspParser::CheckContext*> checks = context->check();
  if (checks.size() > 1) Chained(*context->operand(), checks[0], checks[1]);
  if (checks.empty()) return left;
  KspParser::CheckContext* check = checks[0];
  Compare made;
  made.left = std::move(left);
  made.op_span = SpanOf(At(check->start));
  for (antlr4::tree::ParseTree* child : check->children) {
    auto* word = dynamic_cast<antlr4::tree::TerminalNode*>(child);
    if (!word) {
      made.right = Operand(static_cast<KspParser::OperandContext*>(child));
    } else if (word == check->ID()) {
      made.right = MakeExpr(SpanOf(At(word)), Path{{NameOf(word)}});
    } else {
      made.op_span.end = At(word).end;
      if (View(At(word)) == "not") {
        made.negated = true;
      } else {
        made.op += (made.op.empty() ? "" : " ") + TextOf(At(word));
      }
    }
  }
  Span span = made.left->span;
  span.end = At(check->stop).end;
  return MakeExpr(span, std::move(made));
}

void Maker::Chained(KspParser::OperandContext& left, KspParser::CheckContext* first, KspParser::CheckContext* second) {
  Diagnostic& d = diagnostics_.Report<Diag::ChainedComparison>(SpanOf(At(second->start)));
  d.related.push_back({SpanOf(At(first->start)), "the first comparison"});
  d.help = "compare twice, joined by `and`";
  if (!first->operand() || !second->operand()) return;
  Span middle = SpanOf(first->operand());
  if (middle.end - middle.begin > 80) return;
  // `1000 <= x < 6`: a literal has no comparison, so that the first one is turned round.
  if (left.literal()) {
    std::string_view op = View(At(first->start));
    constexpr auto kTurned = std::to_array<std::pair<std::string_view, std::string_view>>(
        {{"<", ">"}, {"<=", ">="}, {">", "<"}, {">=", "<="}, {"==", "=="}, {"!=", "!="}});
    auto turned = std::find_if(kTurned.begin(), kTurned.end(), [&](const auto& row) { return row.first == op; });
    if (first->operand()->literal() || turned == kTurned.end()) return;
    d.fixes.push_back({SpanOf(&left), std::string(middle.text())});
    d.fixes.push_back({SpanOf(At(first->start)), std::string(turned->second)});
    d.fixes.push_back({middle, fmt::format("{} and {}", SpanOf(&left).text(), middle.text())});
    return;
  }
  d.fixes.push_back({{&file_, middle.end, middle.end}, fmt::format(" and {}", middle.text())});
}

ExprPtr Maker::Operand(KspParser::OperandContext* context) {
  if (auto* reference = context->reference()) return Reference(reference);
  if (auto* literal = context->literal()) return MakeExpr(SpanOf(literal), MakeLiteral(At(literal->start)));
  if (auto* list = context->list()) {
    CheckCommas(list);
    return MakeExpr(SpanOf(list), List{Operands(list->operand())});
  }
  ExprPtr inner = Expression(context->expression());
  inner->parenthesized = true;
  inner->span = SpanOf(context);
  return inner;
}

std::vector<ExprPtr> Maker::Operands(const std::vector<KspParser::OperandContext*>& contexts) {
  std::vector<ExprPtr> made;
  made.reserve(contexts.size());
  for (auto* context : contexts) made.push_back(Operand(context));
  return made;
}

ExprPtr Maker::Reference(KspParser::ReferenceContext* context) {
  Path path = MakePath(context->path());
  auto* arguments = context->arguments();
  antlr4::tree::TerminalNode* number = context->INT();
  auto* text = context->text();
  if (!number && !text) {
    if (!arguments) return MakeExpr(SpanOf(context), std::move(path));
    CheckCommas(arguments);
    return MakeExpr(SpanOf(context), Call{std::move(path), Operands(arguments->operand())});
  }
  if (arguments) {
    Mistake(SpanOf(arguments), "what stands behind `[…]` cannot be called", "a `def` is named without an index");
  }
  const Token& at = number ? At(number) : At(text->start);
  Index made{std::move(path), MakeLiteral(at), SpanOf(at)};
  return MakeExpr(SpanOf(context), std::move(made));
}

Literal Maker::MakeLiteral(const Token& token) const {
  Literal made{KindOfLiteral(token), TextOf(token), TextOf(token)};
  if (made.kind == LiteralKind::String || made.kind == LiteralKind::RawString) {
    made.value = StringValue(file_, token, nullptr);
  }
  return made;
}

}  // namespace ks::syntax
