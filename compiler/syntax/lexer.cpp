// Bytes to tokens, by the lexer that ANTLR makes of Ksp.g4.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "compiler/support/result.h"
#include "compiler/syntax/antlr.h"
#include "compiler/syntax/text.h"

namespace ks::syntax {
namespace {

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
  // SPACE of Ksp.g4, which no other token starts with: two in five of the lexer's matches would be of it.
  void SkipSpace() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

// ANTLR's lexer without its locks: they are most of the cost of a transition that is known. A thread remembers those it has
// taken; states live as long as the program.
class Simulator : public antlr4::atn::LexerATNSimulator {
 public:
  Simulator(KspLexer* lexer, antlr4::atn::LexerATNSimulator& shared)
      : LexerATNSimulator(lexer, shared.atn, shared._decisionToDFA, shared.getSharedContextCache()) {}

 protected:
  antlr4::dfa::DFAState* getExistingTargetState(antlr4::dfa::DFAState* from, size_t byte) override {
    constexpr size_t kAscii = 0x80;
    if (byte >= kAscii) return LexerATNSimulator::getExistingTargetState(from, byte);
    thread_local std::vector<std::array<antlr4::dfa::DFAState*, kAscii>> targets;  // by the state's number
    const auto number = static_cast<size_t>(from->stateNumber);
    if (number >= targets.size()) targets.resize(number + 1);
    antlr4::dfa::DFAState*& target = targets[number][byte];
    if (target == nullptr) target = LexerATNSimulator::getExistingTargetState(from, byte);
    return target;
  }
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

bool Alone(std::string_view text, uint32_t begin) {
  size_t start = text.substr(0, begin).find_last_of('\n') + 1;  // npos + 1: the first line
  if (start == 0) start = ByteOrderMark(text);
  return text.substr(start, begin - start).find_first_not_of(" \t") == std::string_view::npos;
}

}  // namespace

bool Lex(const SourceFile& file, std::vector<Token>& out, std::vector<Comment>* comments) {
  std::string_view text = file.text();
  ByteStream bytes(text);
  bytes.seek(ByteOrderMark(text));
  KspLexer lexer(&bytes);
  Simulator simulator(&lexer, *lexer.getInterpreter<antlr4::atn::LexerATNSimulator>());
  while (true) {
    bytes.SkipSpace();
    Token made{.kind = TokenKind::End, .type = static_cast<uint16_t>(antlr4::Token::EOF)};
    made.begin = made.end = static_cast<uint32_t>(bytes.index());
    if (bytes.index() == bytes.size()) {
      out.push_back(made);
      return true;
    }
    const size_t type = simulator.match(&bytes, 0);  // BAD takes what nothing else does: there is always one
    made.type = static_cast<uint16_t>(type);
    made.end = static_cast<uint32_t>(bytes.index());
    if (type == KspLexer::COMMENT || type == KspLexer::DOC) {
      size_t last = text.find_last_not_of(" \t\r", made.end - 1);
      made.end = static_cast<uint32_t>(last + 1);
      comments->push_back({{&file, made.begin, made.end}, Alone(text, made.begin)});
    }
    if (type == KspLexer::COMMENT) continue;
    made.kind = KindOf(type, text[made.begin]);
    made.name = type == KspLexer::ID;
    if (out.size() == kMaxTokens) return false;
    out.push_back(made);
  }
}

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

}  // namespace ks::syntax
