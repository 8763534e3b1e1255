// The only file that includes ANTLR: bytes to tokens by the lexer that it makes of Ksp.g4, tokens to a parse tree by
// the parser, recovery from mistakes, and the parse tree to ours. No exception leaves this file.
#include "compiler/syntax/parser.h"

#include <antlr4-runtime.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "compiler/support/result.h"
#include "compiler/syntax/mistakes.h"
#include "compiler/syntax/text.h"
#include "compiler/syntax/tokens.h"
#include "compiler/syntax/wording.h"
#include "grammar/KspLexer.h"
#include "grammar/KspParser.h"

namespace ks::syntax {
namespace {

using grammar::KspLexer;
using grammar::KspParser;
using ParserContext = antlr4::ParserRuleContext;

// ---- Bytes to tokens
// -------------------------------------------------------------------------------------------------

// The text as bytes: positions are offsets. Bytes beyond ASCII, which only strings and comments may hold, look alike to
// the lexer: it caches its decisions for ASCII only, and would decide anew for each such byte.
class ByteStream : public antlr4::CharStream {
 public:
  explicit ByteStream(std::string_view text) : text_(text) {}
  void consume() override { ++at_; }
  size_t LA(ssize_t i) override {
    size_t at = at_ + static_cast<size_t>(i > 0 ? i - 1 : i);
    if (at >= text_.size()) return EOF;
    auto byte = static_cast<unsigned char>(text_[at]);
    return byte < 0x80 ? byte : 1;
  }
  ssize_t mark() override { return 0; }
  void release(ssize_t) override {}
  size_t index() override { return at_; }
  void seek(size_t index) override { at_ = index; }
  size_t size() override { return text_.size(); }
  std::string getSourceName() const override { return {}; }
  std::string getText(const antlr4::misc::Interval& interval) override {
    return std::string(text_.substr(static_cast<size_t>(interval.a), static_cast<size_t>(interval.b - interval.a + 1)));
  }
  std::string toString() const override { return std::string(text_); }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

TokenKind KindOf(size_t type, char first) {
  switch (type) {
    case KspLexer::ID:
    case KspLexer::ATTACK:
      return TokenKind::Word;
    case KspLexer::STRING:
      return TokenKind::String;
    case KspLexer::RAW_STRING:
      return TokenKind::RawString;
    case KspLexer::INT:
      return TokenKind::Int;
    case KspLexer::HEX:
      return TokenKind::Hex;
    case KspLexer::OCTAL:
      return TokenKind::Octal;
    case KspLexer::DURATION:
    case KspLexer::SIZE:
    case KspLexer::IP:
    case KspLexer::CIDR:
    case KspLexer::ENDPOINT:
    case KspLexer::DATE:
      return TokenKind::Literal;
    case KspLexer::DOC:
      return TokenKind::Doc;
    case KspLexer::OPEN_STRING:
      return TokenKind::OpenString;
    case KspLexer::OPEN_RAW_STRING:
      return TokenKind::OpenRawString;
    case KspLexer::BAD_NUMBER:
      return TokenKind::BadNumber;
    case KspLexer::FOREIGN:
      return TokenKind::Foreign;
    case KspLexer::BAD:
      return TokenKind::Bad;
    default:
      return first >= 'a' && first <= 'z' ? TokenKind::Word : TokenKind::Punctuation;
  }
}

// False: there are more than kMaxTokens.
bool Lex(const SourceFile& file, std::vector<Token>& out) {
  std::string_view text = file.text();
  ByteStream bytes(text);
  bytes.seek(ByteOrderMark(text));
  KspLexer lexer(&bytes);
  lexer.removeErrorListeners();
  while (true) {
    std::unique_ptr<antlr4::Token> token = lexer.nextToken();
    Token made{.kind = TokenKind::End, .type = static_cast<uint16_t>(token->getType())};
    made.begin = made.end = static_cast<uint32_t>(text.size());
    if (token->getType() == antlr4::Token::EOF) {
      out.push_back(made);
      return true;
    }
    if (token->getType() == KspLexer::COMMENT) continue;
    made.begin = static_cast<uint32_t>(token->getStartIndex());
    made.end = static_cast<uint32_t>(token->getStopIndex() + 1);
    made.kind = KindOf(token->getType(), text[made.begin]);
    made.name = token->getType() == KspLexer::ID;
    if (out.size() == kMaxTokens) return false;
    out.push_back(made);
  }
}

// What the grammar calls a token that stands for another text.
size_t TypeOf(const Token& token) {
  if (token.kind == TokenKind::End) return antlr4::Token::EOF;
  if (token.instead.empty()) return token.type;
  if (token.instead == "\"\"") return KspParser::STRING;
  if (token.instead == "0") return KspParser::INT;
  static const std::vector<std::pair<std::string, size_t>> types = [] {
    std::vector<std::pair<std::string, size_t>> made;
    const antlr4::dfa::Vocabulary& vocabulary = KspParser(nullptr).getVocabulary();
    for (size_t type = 1; type <= vocabulary.getMaxTokenType(); ++type) {
      made.emplace_back(vocabulary.getLiteralName(type), type);
    }
    return made;
  }();
  std::string literal = "'" + std::string(token.instead) + "'";
  auto found = std::find_if(types.begin(), types.end(), [&](const auto& entry) { return entry.first == literal; });
  KS_CHECK(found != types.end(), "no token for " + literal);
  return found->second;
}

// ---- Recovery
// --------------------------------------------------------------------------------------------------------

// Reports a mistake once and goes on at the next clause, step, item of a test or declaration: the rules of the grammar
// that are listed in `Resume` catch it, all others let it pass.
class Recovery : public antlr4::ANTLRErrorStrategy {
 public:
  Recovery(const SourceFile& file, const std::vector<Token>& tokens, Diagnostics& diagnostics)
      : tokens_(tokens), mistakes_(file, tokens, diagnostics) {}

  void reset(antlr4::Parser*) override {}
  bool inErrorRecoveryMode(antlr4::Parser*) override { return false; }
  void reportMatch(antlr4::Parser*) override {}
  antlr4::Token* recoverInline(antlr4::Parser* parser) override { throw antlr4::InputMismatchException(parser); }

  void reportError(antlr4::Parser* parser, const antlr4::RecognitionException&) override {
    if (!std::exchange(panicking_, true)) Report(parser);
  }

  void recover(antlr4::Parser* parser, std::exception_ptr error) override {
    std::optional<Item> item = ItemOf(parser->getContext()->getRuleIndex());
    if (!item) std::rethrow_exception(error);
    size_t start = parser->getContext()->getStart()->getTokenIndex();
    Skip(parser, *item, start, tokens_[start].depth);
    panicking_ = false;
  }

  // Called where the parser may go several ways. Remembers the first of these since the last token, as all that could
  // follow is known there; at the head of a list, leaves out what cannot be an item of it.
  void sync(antlr4::Parser* parser) override {
    size_t index = parser->getTokenStream()->index();
    ParserContext* context = parser->getContext();
    if (choice_index_ != index) {
      choice_index_ = index;
      choice_state_ = parser->getState();
      choice_context_ = context;
    }
    std::optional<Item> item = ItemIn(context->getRuleIndex());
    if (!item) return;
    const antlr4::atn::ATN& atn = parser->getATN();
    antlr4::atn::ATNState* state = atn.states[parser->getState()];
    size_t kind = state->getStateType();
    if (kind != antlr4::atn::ATNState::STAR_LOOP_ENTRY && kind != antlr4::atn::ATNState::STAR_LOOP_BACK) return;
    auto body = static_cast<uint16_t>(tokens_[context->getStart()->getTokenIndex()].depth + 1);
    size_t before = kNone;
    while (before != index && !atn.nextTokens(state).contains(parser->getTokenStream()->LA(1))) {
      Report(parser);
      Skip(parser, *item, index, body);
      before = std::exchange(index, parser->getTokenStream()->index());
    }
  }

  // Between declarations.
  void SkipToDeclaration(antlr4::Parser* parser) {
    Report(parser);
    SkipQuietly(parser);
  }
  void SkipQuietly(antlr4::Parser* parser) { Skip(parser, Item::Declaration, parser->getTokenStream()->index(), 0); }

  // Before the parse tree goes.
  void Forget() { choice_index_ = kNone; }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  // The rules of the grammar that catch a mistake.
  static std::optional<Item> ItemOf(size_t rule) {
    switch (rule) {
      case KspParser::RuleItem:
        return Item::Declaration;
      case KspParser::RuleClause:
        return Item::Clause;
      case KspParser::RuleTestItem:
        return Item::TestItem;
      case KspParser::RuleStep:
        return Item::Step;
      default:
        return std::nullopt;
    }
  }

  // What these hold a list of.
  static std::optional<Item> ItemIn(size_t rule) {
    switch (rule) {
      case KspParser::RuleRuleDecl:
        return Item::Clause;
      case KspParser::RuleTestDecl:
        return Item::TestItem;
      case KspParser::RuleTestCase:
        return Item::Step;
      default:
        return std::nullopt;
    }
  }

  void Skip(antlr4::Parser* parser, Item item, size_t start, uint16_t depth) {
    parser->getTokenStream()->seek(mistakes_.NextItem(item, parser->getTokenStream()->index(), start, depth));
  }

  static ParserContext* Parent(ParserContext* context) { return static_cast<ParserContext*>(context->parent); }

  static Place PlaceOf(ParserContext* context) {
    for (; context; context = Parent(context)) {
      switch (context->getRuleIndex()) {
        case KspParser::RuleRuleDecl:
          return Place::Rule;
        case KspParser::RuleStep:
          return Place::Step;
        case KspParser::RuleTestCase:
          return Place::Case;
        case KspParser::RuleTestDecl:
          return Place::Test;
        default:
          break;
      }
    }
    return Place::File;
  }

  static std::vector<std::string_view> ExpectedWords(antlr4::Parser* parser, size_t state, ParserContext* context) {
    static const auto names = [] {
      std::vector<std::string> made = {""};
      const antlr4::dfa::Vocabulary& vocabulary = KspParser(nullptr).getVocabulary();
      for (size_t type = 1; type <= vocabulary.getMaxTokenType(); ++type) {
        std::string literal = vocabulary.getLiteralName(type);
        made.push_back(literal.empty() ? vocabulary.getSymbolicName(type) : literal.substr(1, literal.size() - 2));
      }
      return made;
    }();
    std::vector<std::string_view> words;
    for (ssize_t type : parser->getATN().getExpectedTokens(state, context).toList()) {
      words.emplace_back(type > 0 ? std::string_view(names[static_cast<size_t>(type)]) : std::string_view("EOF"));
    }
    return words;
  }

  void Report(antlr4::Parser* parser) {
    Misfit misfit;
    misfit.index = parser->getTokenStream()->index();
    if (mistakes_.IsReported(misfit.index)) return;
    misfit.between_declarations = parser->getContext() == nullptr;
    misfit.place = PlaceOf(parser->getContext());
    bool chose = choice_index_ == misfit.index;
    ParserContext* context = chose ? choice_context_ : parser->getContext();
    if (misfit.between_declarations && mistakes_.AtMargin(misfit.index)) context = nullptr;
    if (context) misfit.expected = ExpectedWords(parser, chose ? choice_state_ : parser->getState(), context);
    for (; context; context = Parent(context)) {
      if (context->getRuleIndex() == KspParser::RuleExpression) misfit.in_expression = true;
      if (context->getRuleIndex() == KspParser::RuleStep) misfit.step = context->getStart()->getTokenIndex();
    }
    if (!mistakes_.Report(std::move(misfit))) throw antlr4::ParseCancellationException();
  }

  const std::vector<Token>& tokens_;
  Mistakes mistakes_;
  bool panicking_ = false;
  size_t choice_index_ = kNone;
  size_t choice_state_ = 0;
  ParserContext* choice_context_ = nullptr;
};

// ---- Parse tree to syntax tree
// ---------------------------------------------------------------------------------------

// Only of parts without mistakes: whoever calls has asked Complete().
class Builder {
 public:
  Builder(const SourceFile& file, const std::vector<Token>& tokens, const std::vector<DocLine>& docs,
          Diagnostics& diagnostics)
      : file_(file), tokens_(tokens), docs_(docs), diagnostics_(diagnostics) {}

  void Add(KspParser::ItemContext* item, Module* module) {
    if (!Complete(item)) return;
    if (auto* package = item->packageDecl()) {
      Package(package, module);
    } else if (auto* import = item->importDecl()) {
      AddImport(import, module);
    } else if (auto* let = item->letDecl()) {
      module->lets.push_back(MakeLet(let));
    } else if (auto* def = item->defDecl()) {
      module->defs.push_back(MakeDef(def));
    } else if (auto* rule = item->ruleDecl()) {
      module->rules.push_back(MakeRule(rule));
    } else if (auto* test = item->testDecl()) {
      module->tests.push_back(MakeTest(test));
    }
  }

 private:
  static bool Complete(const ParserContext* context) { return context->exception == nullptr; }

  const Token& At(const antlr4::Token* token) const { return tokens_[token->getTokenIndex()]; }
  const Token& At(antlr4::tree::TerminalNode* node) const { return At(node->getSymbol()); }
  Span SpanOf(const Token& token) const { return {&file_, token.begin, token.end}; }
  Span SpanOf(const ParserContext* context) const { return {&file_, At(context->start).begin, At(context->stop).end}; }
  std::string_view View(const Token& token) const { return token.Text(file_.text()); }
  std::string TextOf(const Token& token) const { return std::string(View(token)); }
  Name NameOf(const Token& token) const { return {TextOf(token), SpanOf(token)}; }
  Name NameOf(antlr4::tree::TerminalNode* node) const { return NameOf(At(node)); }
  Text MakeText(KspParser::TextContext* text) const {
    const Token& token = At(text->start);
    return {StringValue(file_, token, nullptr), SpanOf(token)};
  }
  Name Unquoted(KspParser::TextContext* text) const {
    Text made = MakeText(text);
    return {std::move(made.value), made.span};
  }
  std::string Doc(const ParserContext* context) const { return DocAbove(file_, docs_, At(context->start).begin); }
  void Mistake(Span span, std::string_view what, std::string_view help) {
    diagnostics_.Report<Diag::SyntaxError>(span, what).help = help;
  }

  Path MakePath(KspParser::PathContext* path) const {
    Path made;
    made.parts.push_back(NameOf(path->ID()));
    for (auto* name : path->name()) made.parts.push_back(NameOf(At(name->start)));
    return made;
  }

  // `a, , b` parses, so that it can be reported in words.
  void CheckCommas(const ParserContext* context) {
    for (size_t i = 1; i + 1 < context->children.size(); ++i) {
      auto* left = dynamic_cast<antlr4::tree::TerminalNode*>(context->children[i - 1]);
      auto* right = dynamic_cast<antlr4::tree::TerminalNode*>(context->children[i]);
      if (!left || !right || View(At(left)) != "," || View(At(right)) != ",") continue;
      Mistake(SpanOf(At(right)), "there is nothing between these commas", "");
      return;
    }
  }

  // ---- Expressions ----

  ExprPtr MakeExpr(Span span, decltype(Expr::node) node) const {
    auto made = std::make_unique<Expr>();
    made->span = span;
    made->node = std::move(node);
    return made;
  }

  ExprPtr Expression(KspParser::ExpressionContext* context) {
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
    auto differs = std::find_if(words.begin(), words.end(), [&](auto* w) { return is_and(w) != is_and(words[0]); });
    if (differs == words.end()) {
      return MakeExpr(SpanOf(context), Logic{is_and(words[0]) ? LogicOp::And : LogicOp::Or, std::move(operands)});
    }
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
    return MakeExpr(SpanOf(context), Logic{LogicOp::Or, std::move(any)});
  }

  ExprPtr Unary(KspParser::UnaryContext* context) {
    if (auto* comparison = context->comparison()) return Comparison(comparison);
    KspParser::UnaryContext* operand = context->unary();
    KS_CHECK(operand, "a `not` without an operand is no complete parse tree");
    return MakeExpr(SpanOf(context), Not{Unary(operand)});
  }

  ExprPtr Comparison(KspParser::ComparisonContext* context) {
    ExprPtr left = Operand(context->operand());
    std::vector<KspParser::CheckContext*> checks = context->check();
    if (checks.size() > 1) Chained(checks[0], checks[1]);
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

  void Chained(KspParser::CheckContext* first, KspParser::CheckContext* second) {
    Diagnostic& d = diagnostics_.Report<Diag::ChainedComparison>(SpanOf(At(second->start)));
    d.related.push_back({SpanOf(At(first->start)), "the first comparison"});
    d.help = "compare twice, joined by `and`";
    if (!first->operand() || !second->operand()) return;
    Span middle = SpanOf(first->operand());
    if (middle.end - middle.begin > 80) return;
    d.fixes.push_back({{&file_, middle.end, middle.end}, fmt::format(" and {}", middle.text())});
  }

  ExprPtr Operand(KspParser::OperandContext* context) {
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

  std::vector<ExprPtr> Operands(const std::vector<KspParser::OperandContext*>& contexts) {
    std::vector<ExprPtr> made;
    made.reserve(contexts.size());
    for (auto* context : contexts) made.push_back(Operand(context));
    return made;
  }

  ExprPtr Reference(KspParser::ReferenceContext* context) {
    Path path = MakePath(context->path());
    auto* arguments = context->arguments();
    if (!arguments) return MakeExpr(SpanOf(context), std::move(path));
    if (path.parts.size() == 1) {
      std::string_view later = LaterFeature(path.parts[0].text, Place::Expression);
      if (!later.empty()) diagnostics_.Report<Diag::LaterVersion>(path.parts[0].span, later);
    }
    CheckCommas(arguments);
    return MakeExpr(SpanOf(context), Call{std::move(path), Operands(arguments->operand())});
  }

  Literal MakeLiteral(const Token& token) const {
    Literal made{KindOfLiteral(token), TextOf(token), TextOf(token)};
    if (made.kind == LiteralKind::String || made.kind == LiteralKind::RawString) {
      made.value = StringValue(file_, token, nullptr);
    }
    return made;
  }

  static LiteralKind KindOfLiteral(const Token& token) {
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

  // ---- Declarations ----

  void Package(KspParser::PackageDeclContext* context, Module* module) {
    if (module->package) {
      Mistake(SpanOf(context), "a file has one `package`", "");
      return;
    }
    if (!module->imports.empty() || HasDeclarations(*module)) {
      Mistake(SpanOf(context), "`package` comes first, right below `ksp 1`", "");
    }
    module->package = MakePath(context->path());
    module->package_span = SpanOf(context);
  }

  static bool HasDeclarations(const Module& module) {
    return !module.lets.empty() || !module.defs.empty() || !module.rules.empty() || !module.tests.empty();
  }

  void AddImport(KspParser::ImportDeclContext* context, Module* module) {
    if (HasDeclarations(*module)) Mistake(SpanOf(context), "imports come before all other declarations", "");
    Import made;
    made.span = SpanOf(context);
    made.package.parts.push_back(NameOf(context->ID()));
    for (antlr4::tree::ParseTree* child : context->children) {
      if (auto* name = dynamic_cast<KspParser::NameContext*>(child)) {
        if (!made.names.empty()) {
          Mistake(SpanOf(name), "the names in braces come last in an import", "");
          return;
        }
        made.package.parts.push_back(NameOf(At(name->start)));
      } else if (auto* names = dynamic_cast<KspParser::ImportNamesContext*>(child)) {
        CheckCommas(names);
        for (auto* id : names->ID()) made.names.push_back(NameOf(id));
      }
    }
    module->imports.push_back(std::move(made));
  }

  Let MakeLet(KspParser::LetDeclContext* context) {
    Let made;
    made.name = NameOf(context->ID());
    made.span = SpanOf(context);
    made.doc = Doc(context);
    if (auto* type = context->type()) {
      made.type = Type{NameOf(type->ID(0)), nullptr};
      if (type->ID().size() > 1) made.type->element = std::make_unique<Type>(Type{NameOf(type->ID(1)), nullptr});
    }
    if (auto* from = context->text()) {
      made.from = MakeLiteral(At(from->start));
      made.from_span = SpanOf(from);
      return made;
    }
    made.value = Expression(context->expression());
    bool condition = std::holds_alternative<Logic>(made.value->node) || std::holds_alternative<Not>(made.value->node) ||
                     std::holds_alternative<Compare>(made.value->node);
    if (condition) {
      Mistake(made.value->span, "a `let` is a value, not a condition", "conditions get names with `def`");
    }
    return made;
  }

  Def MakeDef(KspParser::DefDeclContext* context) {
    Def made;
    made.name = NameOf(context->ID());
    made.span = SpanOf(context);
    made.doc = Doc(context);
    if (auto* parameters = context->parameters()) {
      for (auto* parameter : parameters->parameter()) {
        made.parameters.push_back({NameOf(parameter->ID(0)), NameOf(parameter->ID(1))});
      }
    }
    made.body = Expression(context->expression());
    return made;
  }

  Rule MakeRule(KspParser::RuleDeclContext* context) {
    Rule made;
    made.name = NameOf(context->ID());
    made.span = SpanOf(context);
    made.doc = Doc(context);
    if (auto* title = context->text()) made.title = MakeText(title);
    for (auto* clause : context->clause()) {
      if (Complete(clause)) AddClause(clause, &made);
    }
    return made;
  }

  void AddClause(KspParser::ClauseContext* clause, Rule* rule) {
    if (auto* severity = clause->severity()) {
      rule->severities.push_back(NameOf(severity->ID()));
    } else if (auto* attack = clause->attack()) {
      for (auto* id : attack->ATTACK()) rule->attack.push_back(NameOf(id));
    } else if (auto* on = clause->on()) {
      On made;
      made.span = SpanOf(on);
      for (auto* kind : on->ID()) made.kinds.push_back(NameOf(kind));
      if (on->expression()) made.where = Expression(on->expression());
      rule->ons.push_back(std::move(made));
    } else if (auto* except = clause->except()) {
      rule->exceptions.push_back(MakeException(except));
    } else if (auto* disclose = clause->disclose()) {
      Disclose made;
      made.span = SpanOf(disclose);
      made.reason = MakeText(disclose->text()).value;
      for (auto* path : disclose->path()) {
        made.fields.push_back(MakePath(path));
        made.field_spans.push_back(SpanOf(path));
      }
      rule->disclosures.push_back(std::move(made));
    } else if (auto* alert = clause->alert()) {
      rule->alerts.push_back(MakeText(alert->text()));
    }
  }

  Exception MakeException(KspParser::ExceptContext* context) {
    Exception made;
    Text why = MakeText(context->text());
    made.why = std::move(why.value);
    made.why_span = why.span;
    made.condition = Expression(context->expression());
    made.span = SpanOf(context);
    for (auto* meta : context->exceptMeta()) {
      std::string_view word = View(At(meta->start));
      std::optional<Name>& slot = word == "owner" ? made.owner : word == "ticket" ? made.ticket : made.expires;
      if (slot) Mistake(SpanOf(meta), fmt::format("this exception has its `{}` twice", word), "");
      slot = meta->text() ? Unquoted(meta->text()) : NameOf(meta->DATE());
    }
    return made;
  }

  // ---- Tests ----

  Test MakeTest(KspParser::TestDeclContext* context) {
    Test made;
    made.rule = MakePath(context->path());
    made.rule_span = SpanOf(context->path());
    made.span = SpanOf(context);
    for (auto* item : context->testItem()) {
      if (!Complete(item)) continue;
      if (auto* let = item->testLet()) {
        made.lets.push_back({NameOf(let->ID(0)), NameOf(let->ID(1)), std::nullopt, Record(let->record()), SpanOf(let)});
      } else {
        made.cases.push_back(MakeCase(item->testCase()));
      }
    }
    return made;
  }

  TestCase MakeCase(KspParser::TestCaseContext* context) {
    TestCase made;
    made.name = MakeText(context->text());
    made.span = SpanOf(context);
    for (auto* step : context->step()) {
      if (!Complete(step)) continue;
      if (auto* feed = step->feed()) {
        made.steps.push_back(TestStep{
            Feed{feed->DURATION() ? TextOf(At(feed->DURATION())) : "", NameOf(feed->ID()), Record(feed->record())}});
      } else {
        made.steps.push_back(TestStep{MakeExpect(step->expect())});
      }
    }
    return made;
  }

  Expect MakeExpect(KspParser::ExpectContext* context) {
    Expect made;
    made.span = SpanOf(context);
    if (context->text()) made.text = MakeText(context->text());
    if (auto* number = context->INT()) {
      std::string_view digits = View(At(number));
      uint64_t count = 0;
      if (std::from_chars(digits.data(), digits.data() + digits.size(), count).ec == std::errc()) {
        made.count = count;
      } else if (digits[0] == '-') {
        Mistake(SpanOf(At(number)), "a number of alerts is not negative", "`expect quiet` expects none");
      }
    }
    made.quiet = !made.text && View(At(context->stop)) == "quiet";
    return made;
  }

  RecordInit Record(KspParser::RecordContext* context) {
    CheckCommas(context);
    RecordInit made;
    made.span = SpanOf(context);
    for (auto* field : context->field()) {
      auto value = std::make_unique<Value>();
      value->span = SpanOf(field->value());
      if (auto* record = field->value()->record()) {
        value->node = Record(record);
      } else {
        value->node = Operand(field->value()->operand());
      }
      made.fields.push_back({NameOf(At(field->name()->start)), std::move(value)});
    }
    return made;
  }

  const SourceFile& file_;
  const std::vector<Token>& tokens_;
  const std::vector<DocLine>& docs_;
  Diagnostics& diagnostics_;
};

// ---- The file
// --------------------------------------------------------------------------------------------------------

// `ksp 1`. Returns the index of the token after it.
size_t Version(const SourceFile& file, const std::vector<Token>& tokens, Module* module, Diagnostics& diagnostics) {
  const Token& first = tokens[0];
  std::string_view text = first.Text(file.text());
  bool word = text == "ksp";
  Span span{&file, first.begin, first.end};
  if (!word || tokens[1].kind != TokenKind::Int) {
    bool almost = text.starts_with("ksp");
    Diagnostic& d = diagnostics.Report<Diag::MissingVersion>(span);
    d.help = "the number is the version of the language";
    if (almost) {
      d.fixes.push_back({span, "ksp 1"});
    } else {
      uint32_t start = static_cast<uint32_t>(ByteOrderMark(file.text()));
      d.fixes.push_back({{&file, start, start}, "ksp 1\n"});
    }
    return almost ? 1 : 0;
  }
  module->version_span = {&file, first.begin, tokens[1].end};
  std::string_view number = tokens[1].Text(file.text());
  if (number != "1" && tokens[1].instead.empty()) {
    Diagnostic& d = diagnostics.Report<Diag::UnknownVersion>({&file, tokens[1].begin, tokens[1].end}, number);
    d.help = "this compiler knows version 1";
  }
  return 2;
}

void ParseTokens(const SourceFile& file, std::vector<Token>& tokens, const std::vector<DocLine>& docs, Module* module,
                 Diagnostics& diagnostics) {
  std::vector<std::unique_ptr<antlr4::Token>> list;
  list.reserve(tokens.size());
  for (const Token& token : tokens) list.push_back(std::make_unique<antlr4::CommonToken>(TypeOf(token)));
  antlr4::ListTokenSource source(std::move(list));
  antlr4::CommonTokenStream stream(&source);
  stream.fill();
  KspParser parser(&stream);
  parser.removeErrorListeners();
  auto recovery = std::make_shared<Recovery>(file, tokens, diagnostics);
  parser.setErrorHandler(recovery);

  Builder builder(file, tokens, docs, diagnostics);
  size_t from = Version(file, tokens, module, diagnostics);
  stream.seek(from);
  if (from < 2 && tokens[from].kind != TokenKind::End && !IsDeclarationWord(tokens[from].Text(file.text()))) {
    recovery->SkipQuietly(&parser);
  }
  while (stream.LA(1) != antlr4::Token::EOF) {
    const Token& token = tokens[stream.index()];
    if (token.kind != TokenKind::Word || !IsDeclarationWord(token.Text(file.text()))) {
      recovery->SkipToDeclaration(&parser);
      continue;
    }
    recovery->Forget();
    parser.getTreeTracker().reset();  // of the declaration before
    builder.Add(parser.item(), module);
  }
}

// The first kMaxTokens of a file may already say what is wrong with it: brackets that only open.
void TooManyTokens(const SourceFile& file, std::vector<Token>& tokens, Diagnostics& diagnostics) {
  Span last{&file, tokens.back().begin, tokens.back().end};
  Diagnostics of_part;
  CheckTokens(file, tokens, of_part);
  const std::vector<Diagnostic>& all = of_part.all();
  auto deep = std::find_if(all.begin(), all.end(), [](const auto& d) { return d.id == Diag::NestingTooDeep; });
  if (deep != all.end()) {
    diagnostics.Report<Diag::NestingTooDeep>(deep->span, kMaxNesting).help = deep->help;
  } else {
    diagnostics.Report<Diag::TooManyTokens>(last, kMaxTokens).help =
        "long lists of values belong into files of their own: `let name from \"file\"`";
  }
}

}  // namespace

std::vector<Token> Tokenize(const SourceFile& file) {
  std::vector<Token> tokens;
  if (file.text().size() <= kMaxSourceBytes) Lex(file, tokens);
  return tokens;
}

Module Parse(const SourceFile& file, Diagnostics& diagnostics) {
  Module module;
  module.file = &file;
  if (!CheckText(file, diagnostics)) return module;
  std::vector<Token> tokens;
  try {
    if (!Lex(file, tokens)) {
      TooManyTokens(file, tokens, diagnostics);
      return module;
    }
    std::vector<DocLine> docs = TakeDocs(tokens);
    if (!CheckTokens(file, tokens, diagnostics)) return module;
    ParseTokens(file, tokens, docs, &module, diagnostics);
  } catch (const antlr4::ParseCancellationException&) {
    KS_CHECK(diagnostics.errors() > 0, "parsing was given up without a word");
  }
  return module;
}

}  // namespace ks::syntax
