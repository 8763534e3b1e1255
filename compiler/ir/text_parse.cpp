#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "compiler/ir/eval.h"
#include "compiler/ir/passes.h"
#include "compiler/ir/text.h"
#include "compiler/ir/text_names.h"

namespace ks::ir {
namespace {

enum class TokenKind : uint8_t { Open, Close, Text, Word, End };

struct Token {
  TokenKind kind = TokenKind::End;
  size_t begin = 0;
  std::string_view word;  // of a Word
  std::string text;       // of a Text, escapes resolved
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Reads tokens; keeps the first thing that is wrong and gives End from then on.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) { Advance(); }

  const Token& peek() const { return token_; }
  Token Take() {
    Token token = std::move(token_);
    Advance();
    return token;
  }

  void Fail(size_t at, std::string cause) {
    if (!cause_.empty()) return;
    cause_ = std::move(cause);
    failed_at_ = at;
    pos_ = text_.size();
    token_ = Token{};
    token_.begin = at;
  }
  bool failed() const { return !cause_.empty(); }

  Error MakeError() const {
    std::string_view before = text_.substr(0, failed_at_);
    size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    return Error{"read a program",
                 fmt::format("line {}, column {}", std::count(before.begin(), before.end(), '\n') + 1,
                             failed_at_ - line_start + 1),
                 cause_, "", "program-text"};
  }

 private:
  void Advance() {
    if (failed()) return;
    while (pos_ < text_.size() && (text_[pos_] == ' ' || text_[pos_] == '\n')) ++pos_;
    token_ = Token{};
    token_.begin = pos_;
    if (pos_ == text_.size()) return;
    char c = text_[pos_];
    if (c == '(' || c == ')') {
      token_.kind = c == '(' ? TokenKind::Open : TokenKind::Close;
      ++pos_;
    } else if (c == '"') {
      ReadText();
    } else {
      ReadWord();
    }
  }

  void ReadWord() {
    size_t end = pos_;
    while (end < text_.size() && text_[end] > ' ' && text_[end] < 0x7f && text_[end] != '(' && text_[end] != ')' &&
           text_[end] != '"') {
      ++end;
    }
    if (end == pos_) return Fail(pos_, "unexpected character");
    token_.kind = TokenKind::Word;
    token_.word = text_.substr(pos_, end - pos_);
    pos_ = end;
  }

  void ReadText() {
    token_.kind = TokenKind::Text;
    for (++pos_; pos_ < text_.size(); ++pos_) {
      char c = text_[pos_];
      if (c == '"') {
        ++pos_;
        return;
      }
      if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) return Fail(pos_, "control character in a text");
      if (c != '\\') {
        token_.text += c;
      } else if (!ReadEscape()) {
        return Fail(pos_, "bad escape in a text");
      }
    }
    Fail(token_.begin, "this text has no end");
  }

  // At the backslash; leaves pos_ on the last character of the escape.
  bool ReadEscape() {
    char c = pos_ + 1 < text_.size() ? text_[pos_ + 1] : '\0';
    switch (c) {
      case '"':
      case '\\':
        token_.text += c;
        break;
      case 'n':
        token_.text += '\n';
        break;
      case 't':
        token_.text += '\t';
        break;
      case 'r':
        token_.text += '\r';
        break;
      case 'x': {
        if (pos_ + 3 >= text_.size()) return false;
        int high = HexDigit(text_[pos_ + 2]), low = HexDigit(text_[pos_ + 3]);
        if (high < 0 || low < 0) return false;
        token_.text += static_cast<char>(high * 16 + low);
        pos_ += 2;
        break;
      }
      default:
        return false;
    }
    ++pos_;
    return true;
  }

  std::string_view text_;
  size_t pos_ = 0;
  Token token_;
  std::string cause_;
  size_t failed_at_ = 0;
};

bool ParseInt(std::string_view word, int base, int64_t* out) {
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *out, base);
  return error == std::errc() && end == word.data() + word.size();
}

bool ParseHex(std::string_view word, schema::IpAddress* out) {
  if (word.size() != 2 * out->bytes.size()) return false;
  for (size_t i = 0; i < out->bytes.size(); ++i) {
    int high = HexDigit(word[2 * i]), low = HexDigit(word[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out->bytes[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

// HEX, a separator, a number up to `max`.
bool ParseHexAndNumber(std::string_view word, char separator, int64_t max, schema::IpAddress* ip, int64_t* number) {
  size_t at = word.rfind(separator);
  return at != std::string_view::npos && ParseHex(word.substr(0, at), ip) &&
         ParseInt(word.substr(at + 1), 10, number) && *number >= 0 && *number <= max;
}

std::optional<Value> ParseAddress(std::string_view word) {
  schema::IpAddress ip;
  schema::Cidr cidr;
  bool host_bits = false;
  int64_t bits = 0;
  if (word.starts_with(kRawIp)) {
    if (ParseHex(word.substr(kRawIp.size()), &ip)) return ip;
  } else if (word.starts_with(kRawCidr)) {
    if (ParseHexAndNumber(word.substr(kRawCidr.size()), '/', 128, &ip, &bits)) {
      return schema::Cidr{ip, static_cast<uint8_t>(bits)};
    }
  } else if (schema::ParseIp(word, &ip)) {
    return ip;
  } else if (schema::ParseCidr(word, &cidr, &host_bits)) {
    return cidr;
  }
  return std::nullopt;
}

std::optional<Value> ParseEndpointWord(std::string_view word) {
  schema::Endpoint endpoint;
  int64_t port = 0;
  if (word.starts_with(kRawEndpoint)) {
    if (ParseHexAndNumber(word.substr(kRawEndpoint.size()), ':', 65535, &endpoint.ip, &port)) {
      endpoint.port = static_cast<uint16_t>(port);
      return endpoint;
    }
  } else if (schema::ParseEndpoint(word, &endpoint)) {
    return endpoint;
  }
  return std::nullopt;
}

std::optional<Value> ParseNumber(std::string_view word, const Operand& operand) {
  if (operand.part == Part::Whole) {
    std::string_view enumeration = schema::Row(operand.field).enumeration;
    if (auto value = schema::EnumeratorValue(enumeration, word); value && !enumeration.empty()) return *value;
  }
  int64_t value = 0;
  if (word.starts_with("0o") ? ParseInt(word.substr(2), 8, &value) && value >= 0 : ParseInt(word, 10, &value))
    return value;
  return std::nullopt;
}

std::optional<Value> ParseLiteral(const Token& token, const Operand& operand) {
  schema::Slot slot = schema::Row(TypeOf(operand)).slot;
  if (slot == schema::Slot::Text) {
    if (token.kind != TokenKind::Text) return std::nullopt;
    return token.text;
  }
  if (token.kind != TokenKind::Word) return std::nullopt;
  if (slot == schema::Slot::Ip) return ParseAddress(token.word);
  return slot == schema::Slot::Endpoint ? ParseEndpointWord(token.word) : ParseNumber(token.word, operand);
}

std::optional<Operand> FindOperand(std::string_view word) {
  if (auto field = schema::FindField(word)) return Operand{*field};
  for (auto [suffix, part] : {std::pair<std::string_view, Part>{".ip", Part::Ip}, {".port", Part::Port}}) {
    if (!word.ends_with(suffix)) continue;
    auto field = schema::FindField(word.substr(0, word.size() - suffix.size()));
    if (field && schema::Row(*field).type == schema::TypeId::Endpoint) return Operand{*field, part};
  }
  return std::nullopt;
}

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
    if (atom.test == Test::EqualField || atom.test == Test::LessField) atom.other = ParseOperand();
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
    auto word = std::find(kSeverityWords.begin(), kSeverityWords.end(), Word());
    if (word == kSeverityWords.end()) {
      lexer_.Fail(begin, "there is no such severity");
      return {};
    }
    EndClause();
    return static_cast<RuleSeverity>(word - kSeverityWords.begin());
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
