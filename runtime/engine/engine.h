// Event × program → matches.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "compiler/ir/index_match.h"
#include "compiler/ir/ir.h"
#include "compiler/support/result.h"
#include "runtime/engine/prover.h"
#include "runtime/event/event.h"

namespace ks::engine {

// A program ready to decide. Immutable; references it hands out live as long as it does.
//
// Both ways to decide give the same match for the same event, in the order of the program's rules:
//   matched    the policy's words for the tests that are true: tests of match-only fields, and tests whose literals
//   have a
//              name, in the order in which `when` names them, without repeats
//   uncertain  the fields of `when` that are Truncated, Unknown, or not there though they should be, ascending
class Engine {
 public:
  explicit Engine(ir::Program program);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  // For an event from the ring: only rules whose bit in event.passed, or that of one of whose clauses, is set. The
  // kernel decided what it could read; what it could not (residuals, paths and numbers that Decode had to normalise) is
  // decided here.
  std::vector<event::Match> DecidePassed(const event::Event& event) const;
  // For an event from a trace or a test: the whole predicate of every rule of the kind. An index of the kind's rules,
  // made with its first event, finds those that may match, and what it cannot decide is proven. An event that no rule
  // matches takes no memory.
  std::vector<event::Match> DecideAll(const event::Event& event) const;
  // The same by the reference alone, rule by rule.
  std::vector<event::Match> DecideAllByReference(const event::Event& event) const;
  // How many matches DecideAll would give, which are dearer to make than to find. Takes no memory.
  size_t CountMatches(const event::Event& event) const;
  // What DecideAll asks; null if the kind has more rules than an index takes, or none.
  const ir::IndexMatcher* IndexOf(schema::EventKind kind) const;

  const ir::Program& program() const { return program_; }
  // Of a probe: of its rule.
  const event::RuleInfo& info(uint32_t probe) const { return rules_[probe]; }
  const ir::Plan& plan() const { return plan_; }
  // Why there is no plan, if there is none: then no kernel can run this program, and DecidePassed must not be called.
  const Status& plan_status() const { return plan_status_; }

 private:
  // A test that says a word when it is true.
  struct Speaker {
    const ir::Atom* atom;
    uint32_t number;                        // among the atoms of the kind's prover
    std::optional<uint16_t> reported_as;    // among those that the kernel reports
    const std::vector<std::string>* words;  // by literal; the last one if it is not known which
  };
  // A rule for one kind of events.
  struct Prepared {
    uint32_t rule = 0;
    std::vector<schema::FieldId> asked;  // by `when`, ascending
    std::vector<bool> silent;            // by asked: the kernel sends it only if something is wrong with it
    std::vector<schema::FieldId> shown;
    std::vector<Speaker> speakers;
  };
  struct Kind {
    const ir::KindPlan* plan = nullptr;  // if it has one
    std::vector<Prepared> rules;
    std::vector<uint32_t> by_bit;  // of the kernel's verdict → rules
    Prover prover;                 // by position in `rules` twice: the kernel half, the residual
    std::map<std::pair<uint32_t, std::string>, std::vector<std::string>> words;  // by atom and label
  };
  struct Indexes;

  struct PlanOf;
  const Kind& Of(schema::EventKind kind) const { return kinds_[static_cast<size_t>(kind)]; }
  // A bit per rule of the kind. Valid until this thread decides again.
  static std::span<const uint64_t> PassedRules(const event::Event& event, const Kind& kind);
  static std::optional<uint32_t> ReportedLiteral(const event::Event& event, const Kind& kind, const ir::Atom& atom);
  // Positions in Kind::rules, ascending. Valid until this thread decides again.
  std::span<const uint32_t> MatchingRules(const event::Event& event) const;
  Prepared Prepare(uint32_t rule, schema::EventKind kind, const PlanOf& plan_of, const ir::RulePlan* rule_plan);
  // Adds one. `memo` is of this event, and of the kind's prover or one that has its atoms.
  void MakeMatch(const event::Event& event, const Kind& kind, const Prepared& prepared, bool from_ring,
                 Prover::Memo* memo, std::vector<event::Match>* matches) const;

  ir::Program program_;
  ir::Plan plan_;
  Status plan_status_ = Ok();
  std::vector<event::RuleInfo> rules_;
  std::array<Kind, schema::kKindCount> kinds_;
  std::unique_ptr<Indexes> indexes_;
};

}  // namespace ks::engine
