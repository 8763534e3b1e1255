#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/ir/eval.h"
#include "compiler/ir/passes.h"
#include "compiler/ir/text.h"
#include "compiler/ir/text_lexer.h"
#include "compiler/ir/text_names.h"

namespace ks::ir {
namespace {

// Constants alone, Not directly above atoms: what a plan is made of.
bool IsNormal(const Pred& pred, bool root) {
  switch (pred.op) {
    case Pred::Op::True:
    case Pred::Op::False:
      return root;
    case Pred::Op::Atom:
      return true;
    case Pred::Op::Not:
      return pred.operands.front().op == Pred::Op::Atom;
    case Pred::Op::And:
    case Pred::Op::Or:
      break;
  }
  return std::all_of(pred.operands.begin(), pred.operands.end(),
                     [](const Pred& operand) { return IsNormal(operand, false); });
}

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  Result<Program> Parse() {
    Program program;
    std::set<std::string> ids;
    Open();
    Expect("program");
    Expect("1");
    while (lexer_.peek().kind == TokenKind::Open) {
      size_t begin = lexer_.peek().begin;
      program.rules.push_back(ParseRule());
      if (!ids.insert(program.rules.back().rule.id).second) lexer_.Fail(begin, "two rules have this id");
    }
    Close();
    if (lexer_.peek().kind != TokenKind::End) lexer_.Fail(lexer_.peek().begin, "nothing may follow the program");
    if (lexer_.failed()) return lexer_.MakeError();
    return program;
  }

 private:
  // ---- Pieces. After a failure all of them give something empty, and lists end. ----

  void Open() {
    if (lexer_.peek().kind != TokenKind::Open) return lexer_.Fail(lexer_.peek().begin, "`(` is expected here");
    lexer_.Take();
    if (++depth_ > kMaxProgramNesting) {
      lexer_.Fail(lexer_.peek().begin, fmt::format("parentheses nest deeper than {}", kMaxProgramNesting));
    }
  }
  void Close() {
    if (lexer_.peek().kind != TokenKind::Close) return lexer_.Fail(lexer_.peek().begin, "`)` is expected here");
    lexer_.Take();
    --depth_;
  }
  std::string_view Word() {
    if (lexer_.peek().kind == TokenKind::Word) return lexer_.Take().word;
    lexer_.Fail(lexer_.peek().begin, "a word is expected here");
    return {};
  }
  std::string Text() {
    if (lexer_.peek().kind == TokenKind::Text) return lexer_.Take().text;
    lexer_.Fail(lexer_.peek().begin, "a text in quotes is expected here");
    return {};
  }
  void Expect(std::string_view word) {
    size_t begin = lexer_.peek().begin;
    if (Word() != word) lexer_.Fail(begin, fmt::format("`{}` is expected here", word));
  }
  bool More() const { return !lexer_.failed() && lexer_.peek().kind != TokenKind::Close; }

  Operand ParseOperand() {
    size_t begin = lexer_.peek().begin;
    if (auto operand = FindOperand(Word())) {
      for (EventKind kind : kinds_) {
        if (schema::Has(kind, operand->field)) continue;
        lexer_.Fail(begin, fmt::format("events of kind {} have no such field", schema::Row(kind).name));
      }
      return *operand;
    }
    lexer_.Fail(begin, "there is no such field");
    return {};
  }

  // ---- Predicates ----

  Pred ParsePred() {
    if (++nodes_ > kMaxProgramNodes) lexer_.Fail(lexer_.peek().begin, "there are too many predicates");
    size_t begin = lexer_.peek().begin;
    if (lexer_.peek().kind == TokenKind::Word) {
      std::string_view word = Word();
      if (word == "true") return True();
      if (word != "false") lexer_.Fail(begin, "`true`, `false` or `(` is expected here");
      return False();
    }
    Open();
    Pred pred;
    std::string_view head = Word();
    if (head == "and" || head == "or" || head == "not") {
      pred.op = head == "and" ? Pred::Op::And : head == "or" ? Pred::Op::Or : Pred::Op::Not;
      while (More()) pred.operands.push_back(ParsePred());
      bool right = pred.op == Pred::Op::Not ? pred.operands.size() == 1 : pred.operands.size() >= 2;
      if (!right) lexer_.Fail(begin, "wrong number of operands");
    } else {
      pred = ir::MakeAtom(ParseAtom(head, begin));
    }
    Close();
    return pred;
  }

  Atom ParseAtom(std::string_view head, size_t begin) {
    Atom atom;
    auto row =
        std::find_if(kTestWords.begin(), kTestWords.end(), [&](const TestWord& test) { return test.word == head; });
    if (row == kTestWords.end()) {
      lexer_.Fail(begin, "there is no such test");
      return atom;
    }
    atom.test = row->test;
    if (lexer_.peek().kind == TokenKind::Open) {
      Open();
      Expect("label");
      size_t at = lexer_.peek().begin;
      atom.label = Text();
      if (atom.label.empty()) lexer_.Fail(at, "a label is not empty");
      Close();
    }
    atom.operand = ParseOperand();
    if (!AsksOfSet(atom.test) && atom.test != Test::Present && atom.test != Test::Range) atom.other = ParseOperand();
    std::set<Value> seen;
    while (More()) {
      Token token = lexer_.Take();
      std::optional<Value> literal = ParseLiteral(token, atom.operand);
      if (!literal) {
        lexer_.Fail(token.begin, "this is no literal of the field's type");
        break;
      }
      if (!seen.insert(*literal).second && atom.test != Test::Range)
        lexer_.Fail(token.begin, "this literal is there twice");
      if (++literals_ > kMaxProgramLiterals) lexer_.Fail(token.begin, "there are too many literals");
      atom.literals.push_back(std::move(*literal));
    }
    if (lexer_.failed()) return atom;
    if (std::string why = WhyIllFormed(atom); !why.empty()) lexer_.Fail(begin, std::move(why));
    return atom;
  }

  // ---- Rules: clauses in the order in which they are printed ----

  bool Clause(std::string_view head) {
    if (lexer_.failed() || clause_ != head) return false;
    Expect(head);
    return true;
  }
  // The next clause's head, without taking it; "" at the end of the rule.
  void NextClause() {
    clause_ = {};
    if (!More()) return;
    Open();
    if (lexer_.peek().kind == TokenKind::Word) {
      clause_ = lexer_.peek().word;
    } else {
      lexer_.Fail(lexer_.peek().begin, "a clause is expected here");
    }
  }
  void EndClause() {
    Close();
    NextClause();
  }
  void Need(bool found, std::string_view head) {
    if (!found) lexer_.Fail(lexer_.peek().begin, fmt::format("clause `{}` is expected here", head));
  }
  std::string TextClause(std::string_view head, bool needed) {
    std::string text;
    bool found = Clause(head);
    if (needed) Need(found, head);
    if (!found) return text;
    size_t begin = lexer_.peek().begin;
    text = Text();
    if (!needed && text.empty()) lexer_.Fail(begin, "an empty clause is left out");
    EndClause();
    return text;
  }
  Pred PredClause(std::string_view head) {
    Pred pred;
    bool found = Clause(head);
    Need(found, head);
    if (!found) return pred;
    pred = ParsePred();
    EndClause();
    return pred;
  }

  SplitRule ParseRule() {
    SplitRule split;
    Rule& rule = split.rule;
    kinds_.clear();
    Open();
    Expect("rule");
    rule.id = Text();
    NextClause();
    rule.package = TextClause("package", true);
    rule.name = TextClause("name", true);
    rule.title = TextClause("title", false);
    rule.severity = ParseSeverity();
    if (Clause("attack")) {
      do rule.attack.push_back(Text());
      while (More());
      EndClause();
    }
    rule.kinds = kinds_ = ParseKinds();
    rule.when = PredClause("when");
    while (Clause("except")) {
      ExceptionInfo info;
      for (std::string* text : {&info.why, &info.owner, &info.expires, &info.ticket}) *text = Text();
      rule.exceptions.push_back(std::move(info));
      EndClause();
    }
    if (Clause("alert")) {
      do rule.alert.push_back(ParsePart());
      while (More());
      EndClause();
    }
    while (Clause("disclose")) rule.disclosures.push_back(ParseDisclosure());
    rule.source = TextClause("source", false);
    size_t begin = lexer_.peek().begin;
    split.kernel = PredClause("kernel");
    CheckKernel(split.kernel, begin);
    split.residual = PredClause("residual");
    while (Clause("reason")) {
      split.reasons.push_back(Text());
      EndClause();
    }
    if (!clause_.empty()) lexer_.Fail(lexer_.peek().begin, "this clause is not expected here");
    Close();
    return split;
  }

  RuleSeverity ParseSeverity() {
    bool found = Clause("severity");
    Need(found, "severity");
    if (!found) return {};
    size_t begin = lexer_.peek().begin;
    std::string_view word = Word();
    for (size_t i = 0; i < kSeverityCount; ++i) {
      auto severity = static_cast<RuleSeverity>(i);
      if (word != Name(severity)) continue;
      EndClause();
      return severity;
    }
    lexer_.Fail(begin, "there is no such severity");
    return {};
  }

  std::vector<EventKind> ParseKinds() {
    std::vector<EventKind> kinds;
    bool found = Clause("on");
    Need(found, "on");
    if (!found) return kinds;
    do {
      size_t begin = lexer_.peek().begin;
      std::optional<EventKind> kind = schema::FindEvent(Word());
      if (!kind || std::find(kinds.begin(), kinds.end(), *kind) != kinds.end()) {
        lexer_.Fail(begin, kind ? "this kind of event is there twice" : "there is no such kind of event");
        break;
      }
      kinds.push_back(*kind);
    } while (More());
    EndClause();
    return kinds;
  }

  TemplatePart ParsePart() {
    TemplatePart part;
    if (lexer_.peek().kind == TokenKind::Text) {
      part.text = Text();
    } else {
      part.operand = ParseOperand();
    }
    return part;
  }

  Disclosure ParseDisclosure() {
    size_t begin = lexer_.peek().begin;
    Operand operand = ParseOperand();
    if (operand.part != Part::Whole) lexer_.Fail(begin, "a whole field is expected here");
    Disclosure disclosure{operand.field, Text()};
    EndClause();
    return disclosure;
  }

  void CheckKernel(const Pred& kernel, size_t begin) {
    if (lexer_.failed()) return;
    if (!IsNormal(kernel, true)) lexer_.Fail(begin, "the kernel half is not in normal form");
    for (FieldId field : FieldsOf(kernel)) {
      if (schema::Row(field).decided == schema::Decided::Kernel) continue;
      lexer_.Fail(begin, fmt::format("{} is not known in the kernel", schema::Row(field).dotted));
    }
  }

  Lexer lexer_;
  size_t depth_ = 0;
  size_t nodes_ = 0;
  size_t literals_ = 0;
  std::string_view clause_;
  std::vector<EventKind> kinds_;  // of the rule that is being read
};

}  // namespace

Result<Program> ParseProgram(std::string_view text) {
  if (text.size() > kMaxProgramBytes) {
    return Error{"read a program", fmt::format("{} bytes", text.size()),
                 fmt::format("at most {} are read", kMaxProgramBytes), "", "program-text"};
  }
  return Parser(text).Parse();
}

}  // namespace ks::ir
