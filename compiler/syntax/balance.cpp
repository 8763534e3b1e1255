// Brackets of a file, made to balance.
#include "compiler/syntax/parser.h"
#include "compiler/syntax/tokens.h"

namespace ks::syntax {
namespace {

// Makes brackets balance: reports those that are never closed at their opening, those that close nothing, and nesting
// beyond kMaxNesting (brackets, and `not` after `not`).
class Balance {
 public:
  Balance(const SourceFile& file, const std::vector<Token>& in, size_t limit, Diagnostics& diagnostics)
      : file_(file), source_(file.text()), in_(in), limit_(limit), diagnostics_(diagnostics) {}

  // False: nested too deep, or too many mistakes.
  bool Run(std::vector<Token>* out) {
    out_ = out;
    for (at_ = 0; at_ < in_.size(); ++at_) {
      const Token& token = in_[at_];
      if (diagnostics_.errors() >= limit_) return TooMany(token);
      if (token.kind == TokenKind::Word) AtWord(token);
      bool declares = stack_.empty() && Previous() != "." && IsDeclarationWord(token.Text(source_));
      if (declares) in_test_ = token.Text(source_) == "test";
      if (token.kind == TokenKind::End) CloseDownTo(0, token);
      std::string_view text = token.kind == TokenKind::Punctuation ? token.Text(source_) : std::string_view();
      if (text == "(" || text == "[" || text == "{") {
        if (++nesting_ > kMaxNesting) return TooDeep(token);
        Put(token);
        stack_.push_back({text[0], token, nots_});
        nots_ = 0;
      } else if (text == ")" || text == "]" || text == "}") {
        AtCloser(token, text[0]);
      } else {
        if (token.kind == TokenKind::Word && token.Text(source_) == "not") {
          ++nots_;
          if (++nesting_ > kMaxNesting) return TooDeep(token);
        } else {
          EndNots();
        }
        Put(token);
      }
    }
    return true;
  }

 private:
  struct Open {
    char bracket;
    Token token;
    int nots;  // that stand before it
  };

  bool TooMany(const Token& token) {
    diagnostics_.Report<Diag::TooManyErrors>({&file_, token.begin, token.end});
    return false;
  }

  bool TooDeep(const Token& token) {
    diagnostics_.Report<Diag::NestingTooDeep>({&file_, token.begin, token.end}, kMaxNesting).help =
        "give parts of it names with `def`";
    return false;
  }

  void EndNots() {
    nesting_ -= nots_;
    nots_ = 0;
  }

  void Put(Token token) {
    token.depth = static_cast<uint16_t>(stack_.size());
    out_->push_back(token);
  }

  void Pop() {
    EndNots();
    nesting_ -= 1 + stack_.back().nots;
    stack_.pop_back();
  }

  // A word that can only start a declaration or a clause: what is open within the one before was never closed.
  void AtWord(const Token& token) {
    if (stack_.empty() || !FirstOnLine() || Previous() == "." || Next() == ":") return;
    std::string_view word = token.Text(source_);
    if (IsDeclarationWord(word) && at_ + 1 < in_.size() && in_[at_ + 1].kind == TokenKind::Word) {
      bool let_of_test = word == "let" && in_test_;
      CloseDownTo(let_of_test ? 1 : 0, token);
    } else if (IsClauseWord(word) || word == "case" || word == "expect") {
      size_t keep = stack_.size();
      while (keep > 0 && stack_[keep - 1].bracket != '{') --keep;
      if (keep > 0) CloseDownTo(keep, token);
    }
  }

  void AtCloser(const Token& token, char closer) {
    char opener = closer == ')' ? '(' : closer == ']' ? '[' : '{';
    size_t match = stack_.size();
    while (match > 0 && stack_[match - 1].bracket != opener) {
      if (stack_[match - 1].bracket == '{') match = 1;  // a brace holds more than what ( and [ are about
      --match;
    }
    if (match == 0) {
      Span span{&file_, token.begin, token.end};
      diagnostics_.Report<Diag::Unopened>(span, closer, opener);
      return;
    }
    CloseDownTo(match, token);
    Pop();
    Put(token);
  }

  void CloseDownTo(size_t size, const Token& noticed) {
    while (stack_.size() > size) {
      const Open& open = stack_.back();
      Diagnostic& d = diagnostics_.Report<Diag::Unclosed>({&file_, open.token.begin, open.token.end},
                                                          fmt::format("`{}`", open.bracket));
      if (noticed.kind != TokenKind::End)
        d.related.push_back({{&file_, noticed.begin, noticed.end}, "still open here"});
      Token closer{.kind = TokenKind::Punctuation};
      closer.instead = open.bracket == '(' ? ")" : open.bracket == '[' ? "]" : "}";
      closer.begin = closer.end = out_->back().end;
      Pop();
      Put(closer);
    }
  }

  bool FirstOnLine() const {
    uint32_t from = at_ == 0 ? 0 : in_[at_ - 1].end;
    return at_ == 0 || source_.substr(from, in_[at_].begin - from).find('\n') != std::string_view::npos;
  }
  std::string_view Previous() const { return at_ == 0 ? std::string_view() : in_[at_ - 1].Text(source_); }
  std::string_view Next() const { return at_ + 1 < in_.size() ? in_[at_ + 1].Text(source_) : std::string_view(); }

  const SourceFile& file_;
  std::string_view source_;
  const std::vector<Token>& in_;
  size_t limit_;
  Diagnostics& diagnostics_;
  std::vector<Token>* out_ = nullptr;
  std::vector<Open> stack_;
  size_t at_ = 0;
  int nesting_ = 0;
  int nots_ = 0;
  bool in_test_ = false;  // the declaration at hand
};

}  // namespace

bool BalanceBrackets(const SourceFile& file, const std::vector<Token>& in, size_t limit, std::vector<Token>* out,
                     Diagnostics& diagnostics) {
  return Balance(file, in, limit, diagnostics).Run(out);
}

}  // namespace ks::syntax
