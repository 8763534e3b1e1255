// Words of the text form that printer and parser share.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "compiler/ir/ir.h"
#include "compiler/ir/text_lexer.h"

namespace ks::ir {

struct TestWord {
  Test test;
  std::string_view word;
};
inline constexpr auto kTestWords = std::to_array<TestWord>({
    {Test::Present, "present"},
    {Test::In, "in"},
    {Test::Range, "range"},
    {Test::Under, "under"},
    {Test::Like, "like"},
    {Test::Contains, "contains"},
    {Test::HasElement, "has-element"},
    {Test::HasBits, "has-bits"},
    {Test::EqualField, "equal"},
    {Test::LessField, "less"},
    {Test::Matches, "matches"},
    {Test::HasOther, "has-other"},
});

inline constexpr auto kRoleWords = std::to_array<std::string_view>({"match", "without", "until"});
inline constexpr auto kFunctionWords = std::to_array<std::string_view>({"count", "distinct", "sum", "first"});

// What stands before an address that is written byte by byte.
inline constexpr std::string_view kRawIp = "ip:";
inline constexpr std::string_view kRawCidr = "cidr:";
inline constexpr std::string_view kRawEndpoint = "endpoint:";

// Before an operand that is not the plain field of this event.
inline constexpr std::string_view kStepPrefix = "step:";
inline constexpr std::string_view kLowerPrefix = "lower:";

// Of the enumeration's name and back; nothing if the two do not agree.
std::optional<std::string_view> WordOfInt(int64_t value, const Operand& operand);

// What printer writes for an operand and a literal, read again.
std::optional<Operand> FindOperand(std::string_view word);
std::optional<Value> ParseLiteral(const Token& token, const Operand& operand);

}  // namespace ks::ir
