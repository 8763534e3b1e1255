#include "compiler/prove/relation.h"

#include <algorithm>

namespace ks::prove {
namespace {

using Is = Beyond::Is;
using schema::EventKind;

const ir::Pred& WhenOf(const Asked& asked, EventKind kind) {
  static const ir::Pred never = ir::False();
  return std::ranges::find(*asked.kinds, kind) != asked.kinds->end() ? *asked.when : never;
}

// Takes an answer over: whether the search is at its end.
bool Take(Answer answer, EventKind kind, Is found, Beyond* out) {
  if (answer.kind == Answer::Kind::Undecided) out->why = std::move(answer.why);
  if (answer.kind != Answer::Kind::Found) return false;
  out->is = found;
  out->events = {{kind, 0, std::move(answer.record)}};
  return true;
}

}  // namespace

Beyond FindBoth(const Asked& more, const Asked& less, bool less_is_false, Deadline deadline) {
  Beyond out;
  out.why = "no event that a test can feed was found";
  for (EventKind kind : *more.kinds) {
    const Want wants[] = {{more.when, true, false, false}, {&WhenOf(less, kind), !less_is_false, less_is_false, false}};
    if (Take(Find(kind, wants, Events::Testable, deadline), kind, Is::Proposed, &out)) return out;
  }
  return out;
}

Beyond FindBeyond(const Asked& more, const Asked& less, Deadline deadline) {
  Beyond out = FindBoth(more, less, true, deadline);
  if (out.is == Is::Proposed) return out;
  out.why.clear();
  for (EventKind kind : *more.kinds) {
    const ir::Pred& other = WhenOf(less, kind);
    const Want fires[] = {{more.when, true, false, true}, {&other, false, true, false}};
    const Want certain[] = {{more.when, true, false, false}, {&other, false, true, true}};
    if (Take(Find(kind, fires, Events::Any, deadline), kind, Is::Untestable, &out)) return out;
    if (Take(Find(kind, certain, Events::Any, deadline), kind, Is::Untestable, &out)) return out;
  }
  if (out.why.empty()) out.is = Is::Excluded;
  return out;
}

Relation Relate(const ir::Rule& before, const ir::Rule& after, std::chrono::milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  const auto undecided = [](const std::string& why) {
    return Relation{{Is::Undecided, {}, why}, {Is::Undecided, {}, why}};
  };
  if (!Available()) return undecided("this build has no Z3");
  if (before.sequence.has_value() != after.sequence.has_value() ||
      before.aggregate.has_value() != after.aggregate.has_value()) {
    return undecided("one is a rule over several events, and the other is not one of its sort");
  }
  if (before.max_keys != after.max_keys) return undecided("they keep another number of keys");
  if (before.sequence) return RelateSequences(before, after, deadline);
  if (before.aggregate) return RelateAggregates(before, after, deadline);
  const Asked old_asks{&before.kinds, &before.when}, new_asks{&after.kinds, &after.when};
  return {FindBeyond(old_asks, new_asks, deadline), FindBeyond(new_asks, old_asks, deadline)};
}

}  // namespace ks::prove
