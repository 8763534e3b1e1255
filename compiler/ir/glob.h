// Patterns of Like. Bytes, not characters:
//   *        any run of bytes, also none, also with '/'
//   ?        one byte
//   [a-z.]   one byte of the class: bytes and ranges; `]` directly after `[` or `[!` and `-` first or last are
//   themselves
//   [!a-z]   one byte that is not of the class
//   \x       the byte x itself, in and outside of classes
//   other    itself; so are a `[` that no `]` closes and a `\` at the very end
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ks::ir {

using ByteSet = std::bitset<256>;

struct GlobToken {
  bool star = false;
  ByteSet bytes;  // unless star: the bytes that match
};

std::vector<GlobToken> ParseGlob(std::string_view pattern);

// The pattern that this text alone matches.
std::string EscapedGlob(std::string_view text);

// What every text that matches begins with: the bytes before the first token that more than one byte, or none, would match.
std::string GlobPrefix(const std::vector<GlobToken>& tokens);

// In at most |tokens| × |text| steps.
bool GlobMatches(const std::vector<GlobToken>& tokens, std::string_view text);

}  // namespace ks::ir
