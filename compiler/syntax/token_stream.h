// The tokens of a file as ANTLR's parser reads them: in one piece, where its own streams make and fetch each by itself.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "compiler/syntax/antlr.h"

namespace ks::syntax {

class TokenStream : public antlr4::TokenStream {
 public:
  // The last one is the end of the file. Texts stay with `tokens`: whoever wants one goes by the index.
  explicit TokenStream(const std::vector<Token>& tokens) {
    tokens_.reserve(tokens.size());
    for (const Token& token : tokens) tokens_.emplace_back(TypeOf(token)).setTokenIndex(tokens_.size() - 1);
  }

  antlr4::Token* LT(ssize_t k) override {
    if (k < 0) return at_ < static_cast<size_t>(-k) ? nullptr : &tokens_[at_ - static_cast<size_t>(-k)];
    return k == 0 ? nullptr : &tokens_[std::min(at_ + static_cast<size_t>(k) - 1, tokens_.size() - 1)];
  }
  size_t LA(ssize_t k) override { return LT(k)->getType(); }
  antlr4::Token* get(size_t index) const override { return &tokens_.at(index); }
  void consume() override { seek(at_ + 1); }
  void seek(size_t index) override { at_ = std::min(index, tokens_.size() - 1); }
  size_t index() override { return at_; }
  size_t size() override { return tokens_.size(); }
  ssize_t mark() override { return 0; }
  void release(ssize_t) override {}

  antlr4::TokenSource* getTokenSource() const override { return nullptr; }  // Recovery makes no tokens
  std::string getSourceName() const override { return {}; }
  std::string getText() override { return {}; }
  std::string getText(const antlr4::misc::Interval&) override { return {}; }
  std::string getText(antlr4::RuleContext*) override { return {}; }
  std::string getText(antlr4::Token*, antlr4::Token*) override { return {}; }

 private:
  mutable std::vector<antlr4::CommonToken> tokens_;  // ANTLR asks for tokens that may be written from a const stream
  size_t at_ = 0;
};

}  // namespace ks::syntax
