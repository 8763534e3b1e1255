#include "compiler/ir/glob.h"

#include <optional>

namespace ks::ir {
namespace {

// Reads the class whose '[' is at *pos and moves past its ']'; nothing if it is not closed.
std::optional<ByteSet> ParseClass(std::string_view pattern, size_t* pos) {
  size_t at = *pos + 1;
  bool negated = at < pattern.size() && pattern[at] == '!';
  if (negated) ++at;
  ByteSet set;
  auto read = [&]() -> std::optional<uint8_t> {
    if (at < pattern.size() && pattern[at] == '\\') ++at;
    if (at >= pattern.size()) return std::nullopt;
    return static_cast<uint8_t>(pattern[at++]);
  };
  for (bool first = true;; first = false) {
    if (at >= pattern.size()) return std::nullopt;
    if (pattern[at] == ']' && !first) break;
    std::optional<uint8_t> low = read();
    if (!low) return std::nullopt;
    uint8_t high = *low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      ++at;
      std::optional<uint8_t> end = read();
      if (!end) return std::nullopt;
      high = *end;
    }
    for (unsigned byte = *low; byte <= high; ++byte) set.set(byte);
  }
  *pos = at + 1;
  return negated ? ~set : set;
}

}  // namespace

std::vector<GlobToken> ParseGlob(std::string_view pattern) {
  std::vector<GlobToken> tokens;
  size_t unclosed = pattern.size();  // from here on no class closes: asking again and again would be quadratic
  for (size_t pos = 0; pos < pattern.size();) {
    GlobToken token;
    char c = pattern[pos];
    if (c == '*') {
      ++pos;
      if (!tokens.empty() && tokens.back().star) continue;
      token.star = true;
    } else if (c == '?') {
      ++pos;
      token.bytes.set();
    } else if (c == '[' && pos < unclosed) {
      if (std::optional<ByteSet> set = ParseClass(pattern, &pos)) {
        token.bytes = *set;
      } else {
        unclosed = pos;
        continue;
      }
    } else {
      if (c == '\\' && pos + 1 < pattern.size()) c = pattern[++pos];
      ++pos;
      token.bytes.set(static_cast<uint8_t>(c));
    }
    tokens.push_back(token);
  }
  return tokens;
}

std::string GlobPrefix(const std::vector<GlobToken>& tokens) {
  std::string prefix;
  for (const GlobToken& token : tokens) {
    if (token.star || token.bytes.count() != 1) break;
    prefix += static_cast<char>(token.bytes._Find_first());
  }
  return prefix;
}

bool GlobMatches(const std::vector<GlobToken>& tokens, std::string_view text) {
  size_t at = 0, token = 0;
  // Where to go on when what follows the last star does not fit: only the last one needs to be tried again.
  size_t star = tokens.size(), star_at = 0;
  while (at < text.size()) {
    if (token < tokens.size() && tokens[token].star) {
      star = token++;
      star_at = at;
    } else if (token < tokens.size() && tokens[token].bytes.test(static_cast<uint8_t>(text[at]))) {
      ++token;
      ++at;
    } else if (star < tokens.size()) {
      token = star + 1;
      at = ++star_at;
    } else {
      return false;
    }
  }
  while (token < tokens.size() && tokens[token].star) ++token;
  return token == tokens.size();
}

std::string EscapedGlob(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace ks::ir
