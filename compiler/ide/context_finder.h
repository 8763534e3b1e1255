// How ContextAt finds out: what is open before the cursor (context.cpp), then what may stand there
// (context_decide.cpp).
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ide/context.h"
#include "compiler/syntax/tokens.h"

namespace ks::ide {

template <typename... Words>
inline bool OneOf(std::string_view word, Words... words) {
  return ((word == words) || ...);
}

inline bool IsOperator(std::string_view t) {
  return OneOf(t, "==", "!=", "<", "<=", ">", ">=", "in", "like", "under", "contains", "has", "matches", "descends",
               "is");
}

using At = Context::At;
using syntax::Token;
using syntax::TokenKind;

class Finder {
 public:
  Finder(const SourceFile& file, uint32_t offset) : file_(file), offset_(offset), tokens_(syntax::Tokenize(file)) {
    if (!tokens_.empty() && tokens_.back().kind == TokenKind::End) tokens_.pop_back();
  }

  Context Find();

 private:
  struct Frame {
    enum class Type : uint8_t { Rule, Sequence, Tune, Test, Case, Imports, Record, Group, List, Other };
    Type type{};
    size_t open = 0;
    size_t clause = 0;  // the first token of the clause or step that is being written; 0: none
    std::string record;
  };

  std::string_view Text(size_t i) const {
    return i < tokens_.size() ? tokens_[i].Text(file_.text()) : std::string_view();
  }
  bool IsWordLike(size_t i) const;
  bool SameLine(size_t i) const;
  bool InComment(size_t n) const;
  // The cursor stands inside of tokens_[n]. True: go on.
  bool InToken(size_t n);
  void Walk(size_t p);
  void Step(size_t i);
  bool Starts(size_t i, Frame::Type type) const;
  Frame Opened(size_t i) const;
  static void AddKind(std::string_view name, std::vector<schema::EventKind>* kinds);
  void ReadDeclaration();

  void Set(At at) { out_.at = at; }
  void Words(std::vector<std::string_view> words);
  void Decide(size_t p);
  std::string Joined(size_t from, size_t to) const;
  void DecideTop(size_t p, std::string_view prev);
  bool Contains(size_t from, size_t to, std::string_view text) const;
  // In parentheses or a list.
  void DecideNested(size_t p, std::string_view prev);
  void DecideExpression(size_t p, std::string_view prev);
  // The path that ends before tokens_[end].
  std::string PathBefore(size_t end) const;
  void DecideKinds(size_t p, std::string_view prev, size_t first);
  bool DecideBy(size_t p, std::string_view prev, size_t clause);
  void DecideClause(size_t p, std::string_view prev, const Frame& top);
  void DecideStep(size_t p, std::string_view prev, const Frame& top);
  void DecideTest(size_t p, std::string_view prev, const Frame& top);
  void DecideCase(size_t p, std::string_view prev, const Frame& top);
  void DecideRecord(size_t p, std::string_view prev, const Frame& top);

  const SourceFile& file_;
  uint32_t offset_;
  std::vector<Token> tokens_;
  Context out_;
  std::vector<Frame> frames_;
  size_t start_ = 0;
  std::string_view word_;
  bool in_template_ = false;
  std::vector<std::string> template_path_;
};

}  // namespace ks::ide
