#include "compiler/lint/attack.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace ks::lint {
namespace {

struct Technique {
  int number;
  std::string_view subs;
};
constexpr auto kTechniques = std::to_array<Technique>({
#define KS_TECHNIQUE(number, name, subs) {number, subs},
#include "compiler/lint/attack.def"
});
constexpr auto kTactics = std::to_array<int>({
#define KS_TACTIC(number) number,
#include "compiler/lint/attack.def"
});
struct Revoked {
  std::string_view id, replacement;
};
constexpr auto kRevoked = std::to_array<Revoked>({
#define KS_REVOKED(id, replacement) {id, replacement},
#include "compiler/lint/attack.def"
});
constexpr std::string_view kVersion =
#define KS_ATTACK_VERSION(text) text
#include "compiler/lint/attack.def"
    ;

int Number(std::string_view digits) {
  int number = -1;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

// "1-3 5"
bool HasSub(std::string_view ranges, int sub) {
  while (!ranges.empty()) {
    size_t space = std::min(ranges.find(' '), ranges.size());
    std::string_view range = ranges.substr(0, space);
    size_t dash = range.find('-');
    int first = Number(range.substr(0, dash));
    int last = dash == std::string_view::npos ? first : Number(range.substr(dash + 1));
    if (first <= sub && sub <= last) return true;
    ranges.remove_prefix(std::min(space + 1, ranges.size()));
  }
  return false;
}

}  // namespace

std::string_view AttackVersion() { return kVersion; }

bool IsAttackId(std::string_view id) {
  if (id.starts_with("TA")) return std::find(kTactics.begin(), kTactics.end(), Number(id.substr(2))) != kTactics.end();
  if (id.size() < 5) return false;
  int number = Number(id.substr(1, 4));
  auto it =
      std::find_if(kTechniques.begin(), kTechniques.end(), [&](const Technique& t) { return t.number == number; });
  if (it == kTechniques.end()) return false;
  return id.size() == 5 || HasSub(it->subs, Number(id.substr(6)));
}

std::optional<std::string_view> AttackReplacement(std::string_view id) {
  for (const Revoked& row : kRevoked) {
    if (row.id == id) return row.replacement;
  }
  return std::nullopt;
}

}  // namespace ks::lint
