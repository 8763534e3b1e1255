// The parse tree to ours, declaration by declaration. Only of parts without mistakes: whoever calls has asked
// Complete().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/support/diagnostics.h"
#include "compiler/syntax/antlr.h"

namespace ks::syntax {

class Maker {
 public:
  Maker(const SourceFile& file, const std::vector<Token>& tokens, const std::vector<DocLine>& docs,
        Diagnostics& diagnostics)
      : file_(file), tokens_(tokens), docs_(docs), diagnostics_(diagnostics), has_doubled_commas_(HasDoubledCommas()) {}

  void Add(KspParser::ItemContext* item, Module* module);

 private:
  static bool Complete(const ParserContext* context) { return context->exception == nullptr; }

  // ---- Tokens ----
  const Token& At(const antlr4::Token* token) const { return tokens_[token->getTokenIndex()]; }
  const Token& At(antlr4::tree::TerminalNode* node) const { return At(node->getSymbol()); }
  Span SpanOf(const Token& token) const { return {&file_, token.begin, token.end}; }
  Span SpanOf(antlr4::tree::TerminalNode* node) const { return SpanOf(At(node)); }
  Span SpanOf(const ParserContext* context) const { return {&file_, At(context->start).begin, At(context->stop).end}; }
  std::string_view View(const Token& token) const { return token.Text(file_.text()); }
  std::string TextOf(const Token& token) const { return std::string(View(token)); }
  Name NameOf(const Token& token) const { return {TextOf(token), SpanOf(token)}; }
  Name NameOf(antlr4::tree::TerminalNode* node) const { return NameOf(At(node)); }
  std::vector<Name> NamesOf(const std::vector<antlr4::tree::TerminalNode*>& nodes) const;
  Text MakeText(KspParser::TextContext* text) const;
  Name Unquoted(KspParser::TextContext* text) const;
  std::string Doc(const ParserContext* context) const { return DocAbove(file_, docs_, At(context->start).begin); }
  Diagnostic& Mistake(Span span, std::string_view what, std::string_view help);
  // `a, , b` parses, so that it can be reported in words.
  void CheckCommas(const ParserContext* context);
  bool HasDoubledCommas() const;

  // ---- maker_expressions.cpp ----
  Path MakePath(KspParser::PathContext* path) const;
  void MakePaths(const std::vector<KspParser::PathContext*>& contexts, std::vector<Path>* paths,
                 std::vector<Span>* spans) const;
  ExprPtr MakeExpr(Span span, decltype(Expr::node) node) const;
  ExprPtr Expression(KspParser::ExpressionContext* context);
  ExprPtr Mixed(Span span, std::vector<ExprPtr> operands, const std::vector<const Token*>& words);
  ExprPtr Unary(KspParser::UnaryContext* context);
  ExprPtr Comparison(KspParser::ComparisonContext* context);
  void Chained(KspParser::OperandContext& left, KspParser::CheckContext* first, KspParser::CheckContext* second);
  ExprPtr Operand(KspParser::OperandContext* context);
  std::vector<ExprPtr> Operands(const std::vector<KspParser::OperandContext*>& contexts);
  ExprPtr Reference(KspParser::ReferenceContext* context);
  Literal MakeLiteral(const Token& token) const;
  Quantity MakeQuantity(antlr4::tree::TerminalNode* node) const { return {MakeLiteral(At(node)), SpanOf(node)}; }

  // ---- maker.cpp ----
  void Package(KspParser::PackageDeclContext* context, Module* module);
  void AddImport(KspParser::ImportDeclContext* context, Module* module);
  Let MakeLet(KspParser::LetDeclContext* context);
  Def MakeDef(KspParser::DefDeclContext* context);
  Allow MakeAllow(KspParser::AllowContext* context) const;

  // ---- maker_rules.cpp ----
  Rule MakeRule(KspParser::RuleDeclContext* context);
  void AddClause(KspParser::ClauseContext* clause, Rule* rule);
  Exception MakeException(KspParser::ExceptContext* context);
  void AddMeta(KspParser::MetaContext* meta, Exception* exception);
  Disclose MakeDisclose(KspParser::DiscloseContext* context) const;
  When MakeWhen(KspParser::WhenContext* context);
  Sequence MakeSequence(KspParser::SequenceContext* context);
  Step MakeStep(KspParser::StepContext* context);
  Key MakeKey(KspParser::ByContext* context) const;
  Limit MakeLimit(KspParser::LimitContext* context) const;
  Tune MakeTune(KspParser::TuneDeclContext* context);

  // ---- maker_tests.cpp ----
  Test MakeTest(KspParser::TestDeclContext* context);
  TestLet MakeTestLet(KspParser::TestLetContext* context);
  TestCase MakeCase(KspParser::TestCaseContext* context);
  void AddTestStep(KspParser::TestStepContext* context, std::vector<TestStep>* steps);
  Expect MakeExpect(KspParser::ExpectContext* context);
  RecordInit Record(KspParser::RecordContext* context);

  const SourceFile& file_;
  const std::vector<Token>& tokens_;
  const std::vector<DocLine>& docs_;
  Diagnostics& diagnostics_;
  const bool has_doubled_commas_;  // anywhere: in most files there are none, and no list has to be looked through
};

}  // namespace ks::syntax
