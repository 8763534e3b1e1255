#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
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
    Expect("2");
    while (lexer_.peek().kind == TokenKind::Open) {
      size_t begin = lexer_.peek().begin;
      ParseRule(&program);
      if (!lexer_.failed() && !ids.insert(program.rules.back().rule.id).second) {
        lexer_.Fail(begin, "two rules have this id");
      }
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
      if (std::string why = WhyIllFormed(*operand); !why.empty()) lexer_.Fail(begin, std::move(why));
      if (operand->step > steps_.size()) {
        lexer_.Fail(begin, "there is no such step before this");
        return {};
      }
      for (EventKind kind : operand->step == kThisEvent ? kinds_ : steps_[operand->step - 1]) {
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
      if (atom.test == Test::Matches && ++patterns_ > kMaxProgramPatterns) {
        lexer_.Fail(token.begin, "there are too many regular expressions");
        break;
      }
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

  void ParseRule(Program* program) {
    Rule rule;
    kinds_.clear();
    steps_.clear();
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
    // A sequence has no kinds of its own. What names steps comes behind them.
    bool sequence = clause_ == "sequence";
    if (sequence) ParseState(&rule);
    if (!sequence) rule.kinds = kinds_ = ParseKinds();
    rule.when = PredClause("when");
    if (!sequence) ParseState(&rule);
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
    if (lexer_.failed()) return;
    std::vector<SplitRule> probes = ProbesOf(rule);
    Machine machine;
    for (SplitRule& probe : probes) {
      kinds_ = probe.rule.kinds;
      steps_.clear();
      if (sequence) {
        bool found = Clause("probe");
        Need(found, "probe");
        NextClause();
      }
      ParseHalves(&probe);
      if (sequence) {
        if (!clause_.empty()) lexer_.Fail(lexer_.peek().begin, "this clause is not expected here");
        EndClause();
      }
      if (lexer_.failed()) return;
      if (rule.IsStateful()) probe.machine = static_cast<uint32_t>(program->machines.size());
      machine.probes.push_back(static_cast<uint32_t>(program->rules.size()));
      program->rules.push_back(std::move(probe));
    }
    if (!clause_.empty()) lexer_.Fail(lexer_.peek().begin, "this clause is not expected here");
    Close();
    if (!rule.IsStateful()) return;
    machine.rule = std::move(rule);
    program->machines.push_back(std::move(machine));
  }

  void ParseHalves(SplitRule* probe) {
    size_t begin = lexer_.peek().begin;
    probe->kernel = PredClause("kernel");
    CheckKernel(probe->kernel, begin);
    probe->residual = PredClause("residual");
    while (Clause("reason")) {
      probe->reasons.push_back(Text());
      EndClause();
    }
  }

  // ---- State ----

  uint64_t Number(uint64_t least, uint64_t most) {
    size_t begin = lexer_.peek().begin;
    std::string_view word = Word();
    uint64_t number = 0;
    auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    bool read = error == std::errc() && end == word.data() + word.size() && (word[0] != '0' || word.size() == 1);
    if (read && number >= least && number <= most) return number;
    lexer_.Fail(begin, fmt::format("a number from {} to {} is expected here", least, most));
    return least;
  }
  // (head N)
  uint64_t NumberList(std::string_view head, uint64_t least, uint64_t most) {
    Open();
    Expect(head);
    uint64_t number = Number(least, most);
    Close();
    return number;
  }
  int64_t Window(std::string_view head) { return static_cast<int64_t>(NumberList(head, 1, kMaxWindowNs)); }
  // (head operand…)
  std::vector<Operand> Operands(std::string_view head, size_t least, size_t most) {
    std::vector<Operand> operands;
    size_t begin = lexer_.peek().begin;
    Open();
    Expect(head);
    while (More()) operands.push_back(ParseOperand());
    if (operands.size() < least || operands.size() > most) {
      lexer_.Fail(begin, fmt::format("{} to {} fields are expected here", least, most));
    }
    Close();
    return operands;
  }

  void ParseState(Rule* rule) {
    if (Clause("sequence")) {
      rule->sequence = ParseSequence();
      EndClause();
    } else if (Clause("aggregate")) {
      rule->aggregate = ParseAggregate();
      EndClause();
    }
    if (Clause("limit")) {
      Limit limit;
      limit.count = Number(1, kMaxStateCount);
      limit.per_ns = Window("per");
      limit.by = Operands("by", 0, kMaxKeyFields);
      rule->limit = std::move(limit);
      EndClause();
    }
    if (!rule->IsStateful()) return;
    bool found = Clause("max-keys");
    Need(found, "max-keys");
    rule->max_keys = Number(1, kMaxMaxKeys);
    EndClause();
  }

  template <size_t n>
  size_t OneOf(const std::array<std::string_view, n>& words) {
    size_t begin = lexer_.peek().begin;
    auto word = std::find(words.begin(), words.end(), Word());
    if (word != words.end()) return static_cast<size_t>(word - words.begin());
    lexer_.Fail(begin, fmt::format("one of `{}` is expected here", fmt::join(words, "`, `")));
    return 0;
  }

  Aggregate ParseAggregate() {
    using Function = Aggregate::Function;
    Aggregate aggregate;
    aggregate.function = static_cast<Function>(OneOf(kFunctionWords));
    bool counts = aggregate.function == Function::Count, sums = aggregate.function == Function::Sum;
    size_t begin = lexer_.peek().begin;
    aggregate.of = Operands("of", counts ? 0 : 1, counts ? 0 : sums ? 1 : kMaxKeyFields);
    if (sums && !lexer_.failed() && schema::Row(TypeOf(aggregate.of[0])).slot != schema::Slot::Int) {
      lexer_.Fail(begin, "only numbers are summed up");
    }
    aggregate.at_least = NumberList("at-least", 1, sums ? uint64_t{INT64_MAX} : kMaxStateCount);
    aggregate.by = Operands("by", 0, kMaxKeyFields);
    aggregate.within_ns = Window("within");
    return aggregate;
  }

  Sequence ParseSequence() {
    Sequence sequence;
    sequence.unordered = OneOf(std::to_array<std::string_view>({"ordered", "unordered"})) == 1;
    // Before the steps, whose kinds the key's fields are checked with.
    size_t begin = lexer_.peek().begin;
    sequence.by = Operands("by", 0, kMaxKeyFields);
    sequence.within_ns = Window("within");
    do sequence.steps.push_back(ParseStep(sequence));
    while (More() && sequence.steps.size() < kMaxSteps);
    kinds_.clear();
    for (const Step& step : sequence.steps) {
      for (const Operand& operand : sequence.by) {
        for (EventKind kind : step.kinds) {
          if (schema::Has(kind, operand.field)) continue;
          lexer_.Fail(begin, fmt::format("events of kind {} have no {}", schema::Row(kind).name,
                                         schema::Row(operand.field).dotted));
        }
      }
    }
    return sequence;
  }

  Step ParseStep(const Sequence& sequence) {
    Step step;
    size_t begin = lexer_.peek().begin;
    Open();
    Expect("step");
    step.role = static_cast<Step::Role>(OneOf(kRoleWords));
    if (sequence.steps.empty() && step.role != Step::Role::Match) lexer_.Fail(begin, "the first step matches");
    if (sequence.unordered && step.role == Step::Role::Without) {
      lexer_.Fail(begin, "what has no order has no `without` between its steps");
    }
    step.name = Text();
    NextClause();
    step.kinds = kinds_ = ParseKinds();
    std::vector<std::vector<EventKind>> earlier;
    std::swap(earlier, steps_);  // `when` is of the event alone
    step.when = PredClause("when");
    std::swap(earlier, steps_);
    while (Clause("join")) {
      size_t at = lexer_.peek().begin;
      Join join{ParseOperand(), ParseOperand()};
      if (!lexer_.failed() &&
          (join.own.step != kThisEvent || join.other.step == kThisEvent || TypeOf(join.own) != TypeOf(join.other) ||
           TypeOf(join.own) == schema::TypeId::StringList)) {
        lexer_.Fail(at, "a join is of a field of this event and one of an earlier step, of one type");
      }
      step.joins.push_back(join);
      if (step.joins.size() > kMaxKeyFields) lexer_.Fail(at, "there are too many joins");
      EndClause();
    }
    if (Clause("cross")) {
      step.cross = ParsePred();
      EndClause();
    }
    if (Clause("repeat")) {
      if (step.role != Step::Role::Match) lexer_.Fail(begin, "only a step that matches is repeated");
      step.repeat = static_cast<uint32_t>(Number(2, kMaxStateCount));
      EndClause();
    }
    if (!clause_.empty()) lexer_.Fail(lexer_.peek().begin, "this clause is not expected here");
    Close();
    if (step.role == Step::Role::Match) steps_.push_back(step.kinds);
    return step;
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
    } else if (lexer_.peek().kind == TokenKind::Open) {
      Open();
      Expect("or");
      part.operand = ParseOperand();
      part.fallback = Text();
      Close();
    } else if (lexer_.peek().word == "measure") {
      Word();
      part.measure = true;
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
    CheckKernelAtoms(kernel, begin);
  }
  void CheckKernelAtoms(const Pred& pred, size_t begin) {
    if (pred.atom) {
      if (std::string why = WhyNeverInKernel(*pred.atom); !why.empty()) lexer_.Fail(begin, std::move(why));
    }
    for (const Pred& operand : pred.operands) CheckKernelAtoms(operand, begin);
  }

  Lexer lexer_;
  size_t depth_ = 0;
  size_t nodes_ = 0;
  size_t literals_ = 0;
  size_t patterns_ = 0;
  std::string_view clause_;
  std::vector<EventKind> kinds_;               // of the rule or step that is being read
  std::vector<std::vector<EventKind>> steps_;  // of the sequence's steps that match, those that may be named
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
