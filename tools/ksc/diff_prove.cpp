// What is proved of the rules that both policies have.
#include <fmt/format.h>

#include <map>

#include "tools/ksc/commands.h"
#include "tools/ksc/diff.h"
#include "tools/ksc/diff_witness.h"
#include "tools/ksc/progress_line.h"

namespace ks::ksc {
namespace {

using Is = prove::Beyond::Is;

// One way: what fires in one and not in the other.
struct Side {
  Is is = Is::Undecided;  // Proposed: the witness was run
  std::optional<Witness> witness;
  std::string why;  // Undecided; of Untestable the event
};

Side Look(const RulePair& pair, const prove::Beyond& beyond, bool lost) {
  Side side{beyond.is, {}, beyond.why};
  if (beyond.is == Is::Untestable && !beyond.events.empty()) side.why = Describe(beyond.events.front());
  if (beyond.is != Is::Proposed) return side;
  side.witness = MakeWitness(*pair.before, *pair.after, beyond.events, lost);
  if (!side.witness) {
    side.is = Is::Undecided;
    side.why =
        "no events are known that tell the rules apart when both run on them, and that there are none is not proved";
  }
  return side;
}

std::string_view VerdictOf(const Side& lost, const Side& gained) {
  if (lost.is == Is::Undecided || gained.is == Is::Undecided) return "undecided";
  if (lost.is == Is::Proposed && gained.is == Is::Proposed) return "incomparable";
  if (lost.is == Is::Proposed) return "narrower";
  if (gained.is == Is::Proposed) return "wider";
  return lost.is == Is::Untestable || gained.is == Is::Untestable ? "equal_in_tests" : "equal";
}

std::string Indented(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    out += "    " + text.substr(at, end - at);
    at = end;
  }
  return out;
}

void PrintHuman(const RulePair& pair, std::string_view verdict, const Side& lost, const Side& gained) {
  std::string words(verdict);
  if (verdict == "equal_in_tests") words = "equal on every event that a test can feed";
  if (verdict == "undecided") words = "not decided";
  fmt::print("{}: {}\n", pair.after->id, words);
  for (const Side* side : {&lost, &gained}) {
    const char* what = side == &lost ? "fires before and not after" : "fires after and not before";
    if (side->is == Is::Proposed) fmt::print("  {}:\n{}", what, Indented(side->witness->test));
    if (side->is == Is::Undecided) fmt::print("  whether something {}: {}\n", what, side->why);
    if (side->is == Is::Untestable) {
      fmt::print("  {}: {}: {}\n", side == &lost ? "more certain before than after" : "more certain after than before",
                 "fires, or is certain, on an event that no test can feed", side->why);
    }
  }
}

std::string SideJson(const Side& side) {
  if (side.is == Is::Proposed)
    return fmt::format(R"({{"shown":true,"test":{},"alerts_before":{},"alerts_after":{}}})",
                       JsonString(side.witness->test), side.witness->before, side.witness->after);
  if (side.is == Is::Excluded) return R"({"shown":false,"excluded":true})";
  return fmt::format(R"({{"shown":false,"excluded":false,"{}":{}}})", side.is == Is::Untestable ? "untestable" : "why",
                     JsonString(side.why));
}

}  // namespace

bool DiffProve(const std::vector<RulePair>& pairs, std::chrono::milliseconds timeout, const DiffOptions& options) {
  std::map<std::string, size_t> counts;
  bool lost_any = false;
  size_t done = 0;
  std::vector<std::string> order = {"equal", "equal_in_tests", "narrower", "wider", "incomparable", "undecided"};
  {
    ProgressLine progress;
    for (const RulePair& pair : pairs) {
      ++done;
      if (pair.before == nullptr || pair.after == nullptr) continue;
      progress.Show([&](double) { return fmt::format("{} of {}: {}", done, pairs.size(), pair.after->id); });
      Side lost{Is::Excluded, {}, ""}, gained = lost;
      const bool same = AsksTheSame(*pair.before, *pair.after);
      if (!same) {
        const prove::Relation relation = prove::Relate(*pair.before, *pair.after, timeout);
        lost = Look(pair, relation.lost, true);
        gained = Look(pair, relation.gained, false);
      }
      const std::string_view verdict = VerdictOf(lost, gained);
      ++counts[std::string(verdict)];
      lost_any |= lost.is == Is::Proposed;
      if (options.json) {
        fmt::print(R"({{"type":"proof","rule":{},"verdict":"{}","same_words":{},"lost":{},"gained":{}}})"
                   "\n",
                   JsonString(pair.after->id), verdict, same, SideJson(lost), SideJson(gained));
      } else if (!same) {
        PrintHuman(pair, verdict, lost, gained);
      }
    }
  }
  std::string all;
  for (const std::string& verdict : order) {
    if (options.json) {
      all += fmt::format(R"(,"{}":{})", verdict, counts[verdict]);
    } else if (counts[verdict] > 0) {
      std::string words = verdict == "equal_in_tests" ? "equal in tests"
                          : verdict == "undecided"    ? "not decided"
                                                      : verdict;
      all += fmt::format("{}{} {}", all.empty() ? "" : ", ", counts[verdict], words);
    }
  }
  if (options.json) {
    fmt::print("{{\"type\":\"proofs\"{}}}\n", all);
  } else {
    fmt::print("{}\n", all.empty() ? "no rule is in both" : "rules in both: " + all);
  }
  return lost_any;
}

}  // namespace ks::ksc
