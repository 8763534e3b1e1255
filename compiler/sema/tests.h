// Test cases: records whose fields are named and typed by the table.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/sema/expand.h"

namespace ks::sema {

class TestChecker {
 public:
  TestChecker(Names& names, Evaluator& evaluator) : names_(names), evaluator_(evaluator) {}
  std::vector<TestCase> Check(const syntax::Test& test, const Scope& scope);

 private:
  using Steps = std::vector<std::variant<Feed, Expect, ReplayTrace>>;
  void CheckEnvironment(const syntax::Test& test, const std::string& rule, const Scope& scope);
  void CheckLets(const syntax::Test& test, const Scope& scope);
  TestCase CheckCase(const syntax::TestCase& test_case, const std::string& rule, const Scope& scope);
  // Appends to *out; *now goes on.
  void CheckSteps(const std::vector<syntax::TestStep>& steps, const Scope& scope, int64_t* now, Steps* out);
  void CheckRepeat(const syntax::Repeat& repeat, const Scope& scope, int64_t* now, Steps* out);
  void CheckReplay(const syntax::ReplayTrace& replay, int64_t now, const Scope& scope, Steps* out);
  void CheckExpect(const syntax::Expect& expect, int64_t now, const Scope& scope, Steps* out);
  void GoOn(const std::string& after, Span span, const Scope& scope, int64_t* now);
  bool CountSteps(size_t more, Span span, const Scope& scope);
  void EnterLet(const syntax::TestLet& let, ObjectId object, const syntax::Name& name, const Scope& scope, Feed* out);
  void CheckFeed(const syntax::Feed& feed, int64_t offset_ns, const Scope& scope, Steps* out);
  void CheckRecord(const syntax::RecordInit& record, const std::string& prefix, const Scope& scope, Feed* out);
  void CheckField(const syntax::FieldInit& init, const std::string& dotted, const Scope& scope, Feed* out);
  void EnterRecord(ObjectId object, const syntax::RecordInit& record, const syntax::Name& name, const Scope& scope,
                   Feed* out);
  void Give(FieldId field, Value value, const syntax::Name& name, const Scope& scope, Feed* out);
  std::optional<Value> FieldValue(FieldId field, const syntax::Expr& expr, const Scope& scope);
  void ReportUnknown(const std::string& prefix, const syntax::Name& name, EventKind kind, const Scope& scope);

  Names& names_;
  Evaluator& evaluator_;
  std::map<std::string_view, const syntax::TestLet*> lets_;
  std::set<const syntax::TestLet*> used_lets_;
  std::set<std::pair<std::string, std::string>> case_names_;  // rule, case
  std::set<const syntax::TestLet*> reported_;                 // their mistakes were said
  std::string rule_;                                          // id of the one under test
  bool expected_ = true;                                      // the last event is followed by an expectation
  size_t events_ = 0;
};

// A name behind which `with` cannot stand.
void ReportBase(const std::string& name, Span span, const std::map<std::string_view, const syntax::TestLet*>& lets,
                const Scope& scope);

}  // namespace ks::sema
