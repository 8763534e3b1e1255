// ksc bench: what each rule and each of its tests costs on recorded events. Work is counted, and the same in every run;
// time is measured beside it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>

#include "compiler/ir/eval.h"
#include "runtime/engine/engine.h"
#include "runtime/replay/source.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/policy.h"
#include "tools/ksc/power_assert.h"
#include "tools/ksc/progress_line.h"
#include "tools/ksc/trace_files.h"

namespace ks::ksc {
namespace {

using ir::Pred;
using ir::Truth;

constexpr size_t kSampled = 1000;  // records that time is measured on, and one of each rule that has none of these
constexpr size_t kSampledOfRule = 100;
constexpr int kRounds = 9;
// By which work is ordered: to ask a test at all costs about as much as to compare so many bytes.
constexpr uint64_t kBytesOfAsking = 16;

struct Work {
  uint64_t asked = 0, bytes = 0, ruled_out = 0;
  double ns = 0;  // for all of `asked`
  uint64_t total() const { return asked * kBytesOfAsking + bytes; }
};

struct RuleWork {
  std::string name;
  const Pred* when = nullptr;
  uint64_t events = 0;      // of its kinds
  uint64_t candidates = 0;  // that the index did not rule out
  uint64_t proven = 0;      // of these, that had to be decided by the condition
  uint64_t matches = 0;
  Work work;
  std::vector<Work> parts;        // of a conjunction: of each operand, asked of everything that was proven
  std::set<std::string> widened;  // why the index leaves something of it
  std::vector<size_t> samples;
};

struct AtomWork {
  const ir::Atom* atom = nullptr;
  std::set<std::string> rules;
  Work work;
  std::vector<size_t> samples;
};

// What a test reads at most. Of a set or a folder a value is hashed once, whatever the number of literals.
uint64_t BytesOf(const ir::Atom& atom, const schema::Record& record) {
  const schema::FieldValue value = ir::ReadOperand(atom.operand, record);
  const auto* text = std::get_if<std::string>(&value.value);
  if (text == nullptr) return 0;
  const bool each = atom.test == ir::Test::Like || atom.test == ir::Test::Contains || atom.test == ir::Test::Matches;
  return text->size() * (each ? std::max<size_t>(atom.literals.size(), 1) : 1);
}

class Bench {
 public:
  explicit Bench(const engine::Engine& engine) : engine_(engine) {
    const ir::Program& program = engine.program();
    rules_.resize(program.rules.size());
    for (size_t i = 0; i < rules_.size(); ++i) {
      const ir::SplitRule& split = program.rules[i];
      rules_[i].name = split.rule.id;
      if (split.machine && program.machines[*split.machine].rule.sequence) {
        const std::string& step = program.machines[*split.machine].rule.sequence->steps[split.step].name;
        rules_[i].name += step.empty() ? fmt::format(" step {}", split.step + 1) : " " + step;
      }
      rules_[i].when = &split.rule.when;
      if (split.rule.when.op == Pred::Op::And) rules_[i].parts.resize(split.rule.when.operands.size());
      for (schema::EventKind kind : split.rule.kinds) of_kind_[static_cast<size_t>(kind)].push_back(i);
    }
  }

  void Take(const event::Event& event) {
    const std::vector<size_t>& rules = of_kind_[static_cast<size_t>(event.kind)];
    if (rules.empty()) return;
    sampled_ = false;
    asked_.clear();
    for (size_t rule : rules) ++rules_[rule].events;
    const ir::IndexMatcher* index = engine_.IndexOf(event.kind);
    if (index == nullptr) {  // too many rules for one: each is proven
      for (size_t rule : rules) Prove(rules_[rule], event, true);
      return;
    }
    const auto candidates = index->Match(event.record, &scratch_);
    const std::vector<ir::Widened>& widened = index->index().widened;
    for (const uint32_t position : candidates) {
      const auto wide = std::ranges::lower_bound(widened, position, {}, &ir::Widened::rule);
      const bool is_wide = wide != widened.end() && wide->rule == position;
      RuleWork& rule = rules_[rules[position]];
      if (is_wide) rule.widened.insert(wide->why);
      Prove(rule, event, is_wide || !scratch_.exact);
    }
  }

  // Times rules and tests on what was sampled, in turns; the least of the rounds counts, which others disturb least.
  void Measure() {
    std::vector<double> of_rules(rules_.size(), 1e18), of_atoms(atoms_.size(), 1e18);
    const auto timed = [&](const std::vector<size_t>& samples, const auto& ask) {
      const auto start = std::chrono::steady_clock::now();
      for (size_t sample : samples) sink_ = sink_ + static_cast<unsigned>(ask(samples_[sample]));
      const auto ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
      return ns / static_cast<double>(samples.size());
    };
    for (int round = 0; round < kRounds; ++round) {
      for (size_t i = 0; i < rules_.size(); ++i) {
        if (rules_[i].samples.empty()) continue;
        of_rules[i] = std::min(of_rules[i], timed(rules_[i].samples, [&](const schema::Record& record) {
                                 return ir::Eval(*rules_[i].when, record);
                               }));
      }
      for (size_t i = 0; i < atoms_.size(); ++i) {
        if (atoms_[i].samples.empty()) continue;
        of_atoms[i] = std::min(of_atoms[i], timed(atoms_[i].samples, [&](const schema::Record& record) {
                                 return ir::EvalAtom(*atoms_[i].atom, record).truth;
                               }));
      }
    }
    for (size_t i = 0; i < rules_.size(); ++i)
      rules_[i].work.ns = rules_[i].samples.empty() ? 0 : of_rules[i] * static_cast<double>(rules_[i].proven);
    for (size_t i = 0; i < atoms_.size(); ++i)
      atoms_[i].work.ns = atoms_[i].samples.empty() ? 0 : of_atoms[i] * static_cast<double>(atoms_[i].work.asked);
  }

  std::vector<const RuleWork*> Rules() const { return Sorted(rules_); }
  std::vector<const AtomWork*> Atoms() const { return Sorted(atoms_); }

 private:
  template <typename Row>
  static std::vector<const Row*> Sorted(const std::vector<Row>& rows) {
    std::vector<const Row*> out;
    for (const Row& row : rows) out.push_back(&row);
    std::ranges::stable_sort(out, [](const Row* a, const Row* b) { return a->work.total() > b->work.total(); });
    return out;
  }

  void Prove(RuleWork& rule, const event::Event& event, bool needed) {
    ++rule.candidates;
    if (!needed) {
      ++rule.matches;
      return;
    }
    ++rule.proven;
    Sample(&rule.samples, event);
    const bool holds = Decide(*rule.when, event.record, rule) != Truth::False;
    rule.matches += holds;
    rule.work.ruled_out += !holds;
    for (size_t i = 0; i < rule.parts.size(); ++i) {
      Work& work = rule.parts[i];
      const Truth truth = Count(rule.when->operands[i], event.record, &work);
      work.ruled_out += truth == Truth::False;
    }
  }

  // As the engine's prover: operands in their order until one decides. A test that another rule has asked costs the
  // rule again, so that a rule's work does not depend on its neighbours; the test itself is counted once.
  Truth Decide(const Pred& pred, const schema::Record& record, RuleWork& rule) {
    return Walk(pred, record, [&](const ir::Atom& atom, Truth truth, uint64_t bytes) {
      ++rule.work.asked;
      rule.work.bytes += bytes;
      AtomWork& shared = Of(atom);
      shared.rules.insert(rule.name);
      if (!asked_.insert(shared.atom).second) return;
      ++shared.work.asked;
      shared.work.bytes += bytes;
      shared.work.ruled_out += truth == Truth::False;
      if (shared.samples.size() < kSampledOfRule && sampled_) shared.samples.push_back(samples_.size() - 1);
    });
  }

  static Truth Count(const Pred& pred, const schema::Record& record, Work* work) {
    return Walk(pred, record, [&](const ir::Atom&, Truth, uint64_t bytes) {
      ++work->asked;
      work->bytes += bytes;
    });
  }

  template <typename OnAtom>
  static Truth Walk(const Pred& pred, const schema::Record& record, const OnAtom& on_atom) {  // ir::kMaxPredDepth
    switch (pred.op) {
      case Pred::Op::True:
        return Truth::True;
      case Pred::Op::False:
        return Truth::False;
      case Pred::Op::Atom: {
        const Truth truth = ir::EvalAtom(*pred.atom, record).truth;
        on_atom(*pred.atom, truth, BytesOf(*pred.atom, record));
        return truth;
      }
      case Pred::Op::Not: {
        const Truth truth = Walk(pred.operands[0], record, on_atom);
        if (truth == Truth::Unknown) return truth;
        return truth == Truth::True ? Truth::False : Truth::True;
      }
      case Pred::Op::And:
      case Pred::Op::Or:
        break;
    }
    const Truth neutral = pred.op == Pred::Op::And ? Truth::True : Truth::False;
    Truth result = neutral;
    for (const Pred& operand : pred.operands) {
      const Truth truth = Walk(operand, record, on_atom);
      if (truth == Truth::Unknown)
        result = truth;
      else if (truth != neutral)
        return truth;
    }
    return result;
  }

  AtomWork& Of(const ir::Atom& atom) {
    const std::string key = Spelled(ir::MakeAtom(atom));
    const auto [at, is_new] = numbers_.try_emplace(key, atoms_.size());
    if (is_new) atoms_.push_back({&atom, {}, {}, {}});
    return atoms_[at->second];
  }

  void Sample(std::vector<size_t>* samples, const event::Event& event) {
    const bool full = !sampled_ && samples_.size() >= kSampled;
    if (samples->size() >= kSampledOfRule || (full && !samples->empty())) return;
    if (!sampled_) samples_.push_back(event.record);
    sampled_ = true;
    samples->push_back(samples_.size() - 1);
  }

  const engine::Engine& engine_;
  std::vector<RuleWork> rules_;  // by number in the program
  std::vector<AtomWork> atoms_;
  std::map<std::string, size_t> numbers_;  // of atoms, by their text
  std::array<std::vector<size_t>, schema::kKindCount> of_kind_;
  ir::IndexMatcher::Scratch scratch_;
  std::set<const ir::Atom*> asked_;  // of this event
  std::vector<schema::Record> samples_;
  bool sampled_ = false;  // this event is the last of them
  volatile unsigned sink_ = 0;
};

std::string Percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? "0 %"
                    : fmt::format("{:.{}f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole),
                                  part * 10 < whole ? 1 : 0);
}

// What would make it cheaper; nothing if nothing is known to.
std::vector<std::string> Advice(const RuleWork& rule) {
  std::vector<std::string> advice;
  for (const std::string& why : rule.widened)
    advice.push_back(fmt::format("the index cannot decide all of it: {}", why));
  if (rule.events > 0 && rule.candidates == rule.events && rule.matches * 2 < rule.events) {
    advice.push_back(
        "no part of it tells its events from others before it is proven: add one that compares a field with literals");
  }
  if (rule.events >= 100 && rule.matches * 10 > rule.events) {
    advice.push_back(
        fmt::format("{} of its events match: each becomes an alert or a state, which costs more than to decide it",
                    Percent(rule.matches, rule.events)));
  }
  // A part that rules out much and reads little stands behind one that is the other way round.
  for (size_t i = 1; rule.proven > 0 && i < rule.parts.size(); ++i) {
    const Work &first = rule.parts[0], &part = rule.parts[i];
    if (part.ruled_out > first.ruled_out && part.total() * 2 < first.total()) {
      advice.push_back(fmt::format("ask `{}` first: it rules out {} of what is proven, `{}` {} and at a higher price",
                                   Spelled(rule.when->operands[i]), Percent(part.ruled_out, rule.proven),
                                   Spelled(rule.when->operands[0]), Percent(first.ruled_out, rule.proven)));
      break;
    }
  }
  return advice;
}

void PrintJson(const RuleWork& rule) {
  std::string advice;
  for (const std::string& one : Advice(rule)) advice += (advice.empty() ? "" : ",") + JsonText(one);
  fmt::print(
      R"({{"rule":{},"events":{},"candidates":{},"proven":{},"matches":{},"asked":{},"bytes":{},"ns":{:.0f},"advice":[{}]}})"
      "\n",
      JsonText(rule.name), rule.events, rule.candidates, rule.proven, rule.matches, rule.work.asked, rule.work.bytes,
      rule.work.ns, advice);
}

void PrintJson(const AtomWork& atom) {
  std::string rules;
  for (const std::string& rule : atom.rules) rules += (rules.empty() ? "" : ",") + JsonText(rule);
  fmt::print(R"({{"test":{},"rules":[{}],"asked":{},"ruled_out":{},"bytes":{},"ns":{:.0f}}})"
             "\n",
             JsonText(Spelled(ir::MakeAtom(*atom.atom))), rules, atom.work.asked, atom.work.ruled_out, atom.work.bytes,
             atom.work.ns);
}

void PrintTables(const Bench& bench, size_t events, size_t top) {
  fmt::print(
      "{}. Work is counted: candidates are what the index leaves, proven what their condition decides, asked its "
      "tests,\n"
      "bytes what these read. ns are measured, for all that was proven.\n\n",
      Count(events, "event"));
  fmt::print("{:>10} {:>10} {:>10} {:>8} {:>10} {:>12} {:>10}  rule\n", "events", "candidates", "proven", "matches",
             "asked", "bytes", "ns");
  size_t shown = 0;
  for (const RuleWork* rule : bench.Rules()) {
    if (++shown > top || rule->candidates == 0) break;
    fmt::print("{:>10} {:>10} {:>10} {:>8} {:>10} {:>12} {:>10.0f}  {}\n", rule->events, rule->candidates, rule->proven,
               rule->matches, rule->work.asked, rule->work.bytes, rule->work.ns, rule->name);
    for (const std::string& advice : Advice(*rule)) fmt::print("{:>77} {}\n", "·", advice);
  }
  fmt::print("\n{:>10} {:>10} {:>12} {:>10}  test\n", "asked", "ruled out", "bytes", "ns");
  shown = 0;
  for (const AtomWork* atom : bench.Atoms()) {
    if (++shown > top) break;
    fmt::print("{:>10} {:>10} {:>12} {:>10.0f}  {}  ({})\n", atom->work.asked, atom->work.ruled_out, atom->work.bytes,
               atom->work.ns, Spelled(ir::MakeAtom(*atom->atom)), Count(atom->rules.size(), "rule"));
  }
}

}  // namespace

int BenchRules(const Words& words) {
  const cli::Command command = {
      "ksc bench",
      "BUNDLE-OR-SOURCES TRACE…",
      2,
      10'000,
      "What each rule and each test of its condition costs on recorded events, the dearest first, and what would make "
      "it cheaper. Counts are "
      "the same in every run; times are not. Rules that share a test pay for it each; the test is counted once.",
      "  ksc bench rules/ traces/nginx-1h.kst\n  ksc bench rules/ day.kst --format json | jq 'select(.rule and .proven "
      "> 1000)'",
      {FormatOption(),
       {"--top", "N", "so many rules and tests; json has all of them", false, {}},
       EnvironmentOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  const bool json = WantsJson(*arguments);
  constexpr unsigned kTop = 10, kMostTop = 1'000'000;
  const std::string top_text = arguments->Get("--top", std::to_string(kTop));
  const std::optional<unsigned> top = cli::ParseCount(top_text, 1, kMostTop);
  if (!top) return cli::Usage(command, fmt::format("--top is a number from 1 to {}, not `{}`", kMostTop, top_text));
  std::vector<std::string> traces, policies;
  for (const std::string& path : arguments->positionals())
    (replay::Source::Is(path) ? traces : policies).push_back(path);
  if (traces.empty()) return cli::Usage(command, "there is no trace or recording among the arguments");
  if (policies.empty()) return cli::Usage(command, "there is no bundle and no policy among the arguments");
  auto policy = LoadPolicy(policies, *arguments, &code);
  if (!policy) return code;
  const engine::Engine engine(std::move(policy->program));
  Bench bench(engine);
  size_t events = 0;
  for (const std::string& path : traces) {
    Result<replay::Source> source = replay::Source::Open(path);
    if (!source) return cli::Fail(source.error(), json);
    ProgressLine progress;
    Status read = source->ForEach(
        [&](const event::Event& event) {
          ++events;
          bench.Take(event);
          progress.Tick([&](double seconds) {
            return fmt::format("{} events, {:.0f} events/s", events, static_cast<double>(events) / seconds);
          });
        },
        [](const trace::Lost&) {});
    if (read) read = source->WhyNotWhole();
    if (!read) fmt::print(stderr, "warning: {}: {}; what comes before it was read\n", path, read.error().cause);
  }
  bench.Measure();
  if (!json) {
    PrintTables(bench, events, *top);
    return cli::kFine;
  }
  for (const RuleWork* rule : bench.Rules()) PrintJson(*rule);
  for (const AtomWork* atom : bench.Atoms()) PrintJson(*atom);
  return cli::kFine;
}

}  // namespace ks::ksc
