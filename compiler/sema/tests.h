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
  TestCase CheckCase(const syntax::TestCase& test_case, const std::string& rule, const Scope& scope);
  void CheckFeed(const syntax::Feed& feed, int64_t offset_ns, const Scope& scope, TestCase* out);
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
  size_t events_ = 0;
};

}  // namespace ks::sema
