// Rules: clauses, exceptions, what an alert may say, and the lints about what a rule cannot see.
#pragma once

#include "compiler/sema/expand.h"
#include "compiler/sema/guards.h"

namespace ks::sema {

// What the clauses of a rule that was checked, and of a tune of it, may speak of.
class RuleScope {
 public:
  RuleScope(const Rule& rule, const Scope& module_scope);
  RuleScope(const RuleScope&) = delete;
  RuleScope& operator=(const RuleScope&) = delete;

  Scope scope;           // of a sequence: its steps, and no event at hand
  Facts given;           // what is known to be there when the rule alerts
  bool guessed = false;  // a condition could not be understood, so nothing is said to be missing

 private:
  Steps steps_;
};

// What a whole clause needs beside its own text: an event that has this field for every kind, with what to point at.
struct KindsAt {
  const std::vector<EventKind>* kinds;
  Span span;  // of the step; empty: the rule's `on`
};

class RuleChecker {
 public:
  RuleChecker(Names& names, Expander& expander, const Options& options)
      : names_(names), expander_(expander), options_(options) {}
  Rule Check(const syntax::Rule& rule, const Scope& scope);

  // Clauses that a tune may have, too.
  Exception CheckException(const syntax::Exception& exception, const RuleScope& rule);
  std::optional<Limit> CheckLimit(const syntax::Limit& limit, const RuleScope& rule);
  std::optional<uint64_t> CheckMaxKeys(const syntax::Quantity& keys, const Rule& rule, const Scope& scope);
  std::optional<RuleSeverity> CheckSeverity(const syntax::Name& severity, const Scope& scope);

 private:
  void CheckClauses(const syntax::Rule& rule, const Scope& scope);
  void CheckAttack(const syntax::Rule& rule, const Scope& scope);
  void CheckStatus(const syntax::Rule& rule, const Scope& scope);
  std::vector<EventKind> CheckKinds(const std::vector<syntax::Name>& names, const Scope& scope);
  void CheckOn(const syntax::On& on, const Scope& scope, Rule* out, bool* failed);
  void CheckSequence(const syntax::Sequence& sequence, const Scope& scope, Rule* out, bool* failed);
  void CheckSteps(const syntax::Sequence& sequence, const Scope& scope, Sequence* out);
  void CheckRoles(const syntax::Sequence& sequence, const Scope& scope);
  void CheckStepConditions(const Scope& scope, Sequence* out, bool* failed);
  void ImplyUntilExit(Sequence* out);
  void CheckAggregate(const syntax::When& when, const Scope& scope, const Facts& given, Rule* out);
  void CheckThreshold(const syntax::When& when, const Scope& scope, Aggregate* out);
  std::optional<FieldRef> CheckSummand(const syntax::When& when, const Scope& scope, const Facts& given);
  Key CheckKey(const std::vector<syntax::Path>& paths, const Scope& scope, const std::vector<KindsAt>& all);
  int64_t CheckWindow(const std::optional<syntax::Quantity>& within, Span clause, std::string_view what,
                      const Scope& scope);
  std::optional<uint64_t> CheckNumber(const syntax::Quantity& number, uint64_t least, uint64_t most,
                                      std::string_view what, const Scope& scope);
  void CheckDisclosures(const syntax::Rule& rule, const RuleScope& scope, Rule* out);
  void CheckAlert(const syntax::Rule& rule, const syntax::Text& text, const RuleScope& scope, Rule* out);
  void ReportUntested(const syntax::Rule& rule, const Scope& scope, const Rule& checked);

  Names& names_;
  Expander& expander_;
  const Options& options_;
};

// The fields by which a record is told from others: of a process its pid and start time. Empty if there are none.
std::vector<FieldId> IdentityOf(ObjectId object);

// The steps of a checked sequence, by name and number.
Steps StepsOf(const Sequence& sequence);

// What is known of the events of steps when this one, or the whole sequence, is decided.
void ShareFacts(const Key& key, size_t steps, Facts* facts);

// Text and `{fields}` of an alert; `{{` and `}}` stand for braces. Reports.
struct TemplatePiece {
  std::string text;
  std::optional<syntax::Path> path;
  std::optional<std::string> fallback;  // {container.id ?? "the host"}
};
std::vector<TemplatePiece> ParseTemplate(const syntax::Text& text, const Scope& scope);

}  // namespace ks::sema
