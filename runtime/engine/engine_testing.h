// Rules for tests.
#pragma once

#include <string>
#include <vector>

#include "compiler/ir/passes.h"

namespace ks::engine {

inline ir::SplitRule Make(const std::string& name, std::vector<schema::EventKind> kinds, ir::Pred when,
                          std::vector<ir::TemplatePart> alert = {}) {
  ir::Rule rule;
  rule.package = "t";
  rule.name = name;
  rule.id = "t." + name;
  rule.title = "Title of " + name;
  rule.severity = ir::RuleSeverity::high;
  rule.kinds = std::move(kinds);
  rule.when = std::move(when);
  rule.alert = std::move(alert);
  return ir::Split(std::move(rule));
}

inline ir::TemplatePart Hole(schema::FieldId field, ir::Part part = ir::Part::Whole) {
  return {"", ir::Operand{field, part}};
}

}  // namespace ks::engine
