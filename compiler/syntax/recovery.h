// What the parser does where the text does not fit: one report, and on with what can be understood.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "compiler/syntax/antlr.h"
#include "compiler/syntax/mistakes.h"

namespace ks::syntax {

// Reports a mistake once and goes on at the next clause, step, item of a test or declaration: the rules of the grammar
// that `ItemOf` knows catch it, all others let it pass.
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
      case KspParser::RuleChange:
        return Item::Change;
      case KspParser::RuleStep:
        return Item::Step;
      case KspParser::RuleTestItem:
        return Item::TestItem;
      case KspParser::RuleTestStep:
        return Item::TestStep;
      default:
        return std::nullopt;
    }
  }

  // What these hold a list of.
  static std::optional<Item> ItemIn(size_t rule) {
    switch (rule) {
      case KspParser::RuleRuleDecl:
        return Item::Clause;
      case KspParser::RuleTuneDecl:
        return Item::Change;
      case KspParser::RuleSequence:
        return Item::Step;
      case KspParser::RuleTestDecl:
        return Item::TestItem;
      case KspParser::RuleTestCase:
      case KspParser::RuleRepeat:
        return Item::TestStep;
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
        case KspParser::RuleWhen:
          return Place::When;
        case KspParser::RuleStep:
          return Place::Step;
        case KspParser::RuleSequence:
          return Place::Sequence;
        case KspParser::RuleLimit:
          return Place::Limit;
        case KspParser::RuleRuleDecl:
          return Place::Rule;
        case KspParser::RuleTuneDecl:
          return Place::Tune;
        case KspParser::RuleTestStep:
          return Place::TestStep;
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

}  // namespace ks::syntax
