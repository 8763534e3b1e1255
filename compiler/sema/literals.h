// Text of literals → values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "compiler/sema/scope.h"

namespace ks::sema {

// The type of a literal as it is written: 0o755 is a mode, "x" a string.
TypeId NaturalType(syntax::LiteralKind kind);

struct ParsedText {
  std::optional<Value> value;
  // If there is none: malformed, or well formed and outside of what the type holds.
  std::string out_of_range;
  std::string mended;  // of a cidr with host bits: the block that it lies in
};
// Text of a value of this type, without quotes, as in a literal or a line of a data file.
ParsedText ParseText(std::string_view text, const Type& type);

// "a cidr, as in 10.0.0.0/8": for messages.
std::string Describe(const Type& type);

// At most about 40 characters of what the user wrote, on one line.
std::string Shorten(std::string_view text);

// "is relative", "ends in /"; "" for a path as the kernel gives it. *mended: the same path in that form, if there is
// one.
std::string_view WhyNotNormal(std::string_view path, std::string* mended);

// "has a [ that is never closed"; "" for a pattern that is well formed. *least: bytes of the shortest text that fits.
std::string_view WhyMalformedGlob(std::string_view glob, size_t* least);

// Files that a policy names stand beside it, or below.
bool IsBelow(std::string_view name);
std::string Beside(const SourceFile& source, const std::string& name);

struct RegexFinding {
  std::string why, help;          // "has a `[` that is never closed"; "" if it is well formed
  size_t begin = 0, length = 0;   // where in the pattern; no length: all of it
  bool always = false;            // it is found in every text
  std::string_view plain_operator;  // ==, contains or like, if the pattern says no more than that with
  std::string plain;                // this text
};
RegexFinding ReadRegex(const std::string& pattern);

}  // namespace ks::sema
