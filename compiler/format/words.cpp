#include "compiler/format/words.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace ks::format {
namespace {

using syntax::Token;
using syntax::TokenKind;

// An empty line right above.
bool BelowBlank(std::string_view source, uint32_t begin) {
  size_t breaks = 0;
  for (size_t at = begin; at > 0 && breaks < 2; --at) {
    char c = source[at - 1];
    if (c == '\n') ++breaks;
    if (c != '\n' && c != '\r' && c != ' ' && c != '\t') return false;
  }
  return breaks == 2;
}

bool Closes(std::string_view text) { return text == ")" || text == "]" || text == "}"; }

}  // namespace

std::vector<Word> WordsOf(const syntax::Module& module) {
  std::string_view source = module.file->text();
  std::vector<Token> tokens = syntax::Tokenize(*module.file);
  std::erase_if(tokens, [](const Token& token) { return token.kind == TokenKind::Doc; });
  std::vector<Word> words;
  words.reserve(tokens.size());
  std::vector<Remark> remarks;
  auto comment = module.comments.begin();
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    for (; comment != module.comments.end() && comment->span.begin < token.begin; ++comment) {
      std::string_view text = comment->span.text();
      text = text.substr(0, text.find_last_not_of(" \t\r") + 1);
      remarks.push_back({text, comment->alone, BelowBlank(source, comment->span.begin)});
    }
    std::string_view text = token.Text(source);
    bool sign = token.kind == TokenKind::Punctuation;
    if (sign && text == "," && i + 1 < tokens.size() && Closes(tokens[i + 1].Text(source))) continue;
    Word word{token.kind, text, BelowBlank(source, token.begin), {}};
    if (!sign || (text != "," && text != "{")) word.remarks = std::exchange(remarks, {});
    words.push_back(std::move(word));
  }
  return words;
}

}  // namespace ks::format
