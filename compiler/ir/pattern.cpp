#include "compiler/ir/pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <memory>
#include <unordered_map>

#include "bpf/schema/regex.h"

namespace ks::ir {
namespace {

// Compiled patterns of this thread: no lock is taken where events are decided. Bundles come and go; when so many
// patterns have been seen, what is asked for next is compiled again.
constexpr size_t kMaxKept = 4096;

const RE2& Compiled(const std::string& pattern) {
  static thread_local std::unordered_map<std::string, std::unique_ptr<RE2>> kept;
  auto found = kept.find(pattern);
  if (found == kept.end()) {
    if (kept.size() >= kMaxKept) kept.clear();
    found = kept.emplace(pattern, std::make_unique<RE2>(pattern, schema::RegexOptions())).first;
  }
  return *found->second;
}

}  // namespace

std::string WhyBadPattern(const std::string& pattern) {
  if (pattern.size() > kMaxPatternBytes) {
    return fmt::format("it has {} bytes, and {} are the most", pattern.size(), kMaxPatternBytes);
  }
  RE2 compiled(pattern, schema::RegexOptions());
  return compiled.ok() ? "" : compiled.error();
}

std::optional<size_t> FindMatch(const std::vector<schema::Value>& patterns, std::string_view text) {
  for (size_t i = 0; i < patterns.size(); ++i) {
    const RE2& compiled = Compiled(std::get<std::string>(patterns[i]));
    if (compiled.ok() && RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled)) return i;
  }
  return std::nullopt;
}

}  // namespace ks::ir
