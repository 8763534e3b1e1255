// The egress manifest (data.md): what alerts of a program can carry off the node, and what they reveal.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/bundle/bundle.h"
#include "compiler/bundle/strict_json.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/passes.h"

namespace ks::bundle {
namespace {

using nlohmann::ordered_json;
using schema::DataClass;
using schema::FieldId;

std::string_view TestName(ir::Test test) {
  switch (test) {
    case ir::Test::Present:
      return "presence";
    case ir::Test::In:
    case ir::Test::HasElement:
      return "membership in";
    case ir::Test::Range:
      return "position in";
    case ir::Test::Under:
      return "place below one of";
    case ir::Test::Matches:
      return "fit to one of";
    case ir::Test::Like:
      return "form like one of";
    case ir::Test::Contains:
      return "occurrence of one of";
    case ir::Test::HasBits:
      return "bits of";
    case ir::Test::EqualField:
    case ir::Test::LessField:
    case ir::Test::HasOther:
      return "comparison with";
  }
  return "";
}

// What a match tells of a value that itself does not leave: "membership in credential_files (3 literals)".
std::string Reveals(const ir::Atom& atom) {
  if (atom.test == ir::Test::Present) return std::string(TestName(atom.test));
  if (atom.other) return fmt::format("{} {}", TestName(atom.test), schema::Row(atom.other->field).dotted);
  return fmt::format("{} {} ({} literal{})", TestName(atom.test),
                     atom.label.empty() ? "the rule's own list" : atom.label, atom.literals.size(),
                     atom.literals.size() == 1 ? "" : "s");
}

void VisitAtoms(const ir::Pred& pred, std::map<FieldId, std::set<std::string>>* reveals) {
  if (pred.atom && schema::Row(pred.atom->operand.field).data_class == DataClass::MatchOnly) {
    (*reveals)[pred.atom->operand.field].insert(Reveals(*pred.atom));
  }
  for (const ir::Pred& operand : pred.operands) VisitAtoms(operand, reveals);
}

// What state tells of values: that several events had the same, or how many values there were.
void VisitMachine(const ir::Rule& rule, std::map<FieldId, std::set<std::string>>* reveals) {
  auto add = [&](const std::vector<ir::Operand>& operands, std::string_view what) {
    for (const ir::Operand& operand : operands) {
      if (schema::Row(operand.field).data_class != DataClass::MatchOnly) continue;
      (*reveals)[operand.field].insert(fmt::format("{} in {}", what, rule.id));
    }
  };
  VisitAtoms(rule.when, reveals);
  if (rule.sequence) {
    add(rule.sequence->by, "equality across events");
    for (const ir::Step& step : rule.sequence->steps) {
      VisitAtoms(step.cross, reveals);
      for (const ir::Join& join : step.joins) add({join.own, join.other}, "equality across events");
    }
  }
  if (rule.aggregate) {
    add(rule.aggregate->by, "equality across events");
    add(rule.aggregate->of, "a measure");
  }
  if (rule.limit) add(rule.limit->by, "equality across events");
}

}  // namespace

std::string EgressJson(const ir::Program& program, const PackOptions& options) {
  // By field number: the order of the table, the same on every machine.
  std::map<FieldId, std::set<std::string>> leaving;
  std::map<FieldId, std::set<std::string>> reveals;
  const auto plan = ir::MakePlan(program);
  KS_CHECK(bool(plan), "the compiler packs only what has a plan");
  for (const ir::KindPlan& kind : plan->kinds) {
    for (const ir::RulePlan& rule : kind.rules) {
      const std::string& id = program.rules[rule.rule].rule.id;
      const std::set<FieldId> copied(rule.copies.begin(), rule.copies.end());
      for (const schema::FieldRow& row : schema::Fields()) {
        if (row.data_class != DataClass::Metadata || !schema::Has(kind.kind, row.id)) continue;
        const auto from = schema::DerivedFrom(row.id);
        const bool derived = !from.empty() && std::all_of(from.begin(), from.end(),
                                                          [&](FieldId field) { return copied.contains(field); });
        // The time is in every alert, and comes with the record's head.
        const bool always = row.decided == schema::Decided::User && from.empty();
        if (copied.contains(row.id) || derived || always) leaving[row.id].insert(id);
      }
    }
  }
  ordered_json out;
  out["schema"] = "kubesentry.egress/v1";
  out["bundle"] = options.name;
  out["version"] = options.version;
  out["fields"] = ordered_json::array();
  for (const auto& [field, rules] : leaving) {
    const schema::FieldRow& row = schema::Row(field);
    ordered_json item;
    item["name"] = row.dotted;
    item["class"] = "metadata";
    item["max_bytes"] = row.capture != 0 ? row.capture : schema::Row(row.type).slot == schema::Slot::Int ? 8 : 18;
    item["rules"] = rules;
    out["fields"].push_back(std::move(item));
  }
  out["disclosed"] = ordered_json::array();
  for (const ir::SplitRule& split : program.rules) {
    VisitAtoms(split.rule.when, &reveals);
    if (split.step > 0) continue;  // said once for the whole sequence
    for (const ir::Disclosure& disclosure : split.rule.disclosures) {
      ordered_json item;
      item["name"] = schema::Row(disclosure.field).dotted;
      item["rule"] = split.rule.id;
      item["reason"] = disclosure.reason;
      out["disclosed"].push_back(std::move(item));
    }
  }
  for (const ir::Machine& machine : program.machines) VisitMachine(machine.rule, &reveals);
  out["match_only"] = ordered_json::array();
  for (const auto& [field, what] : reveals) {
    for (const std::string& text : what) {
      ordered_json item;
      item["name"] = schema::Row(field).dotted;
      item["reveals"] = text;
      out["match_only"].push_back(std::move(item));
    }
  }
  out["never"] = {"payload", "memory", "environment", "file_contents"};
  return ToText(out) + "\n";
}

}  // namespace ks::bundle
