#include "tests/agreement/plans.h"

#include <fmt/format.h>

#include <functional>

#include "compiler/codegen/codegen.h"
#include "compiler/ir/passes.h"

namespace ks::agreement {
namespace {

using ir::EventKind;
using ir::FieldId;
using ir::Pred;
using ir::Test;
using schema::Value;

Pred Is(FieldId field, Test test, std::vector<Value> literals) {
  ir::Atom atom;
  atom.operand.field = field;
  atom.test = test;
  atom.literals = std::move(literals);
  const std::string why = ir::WhyNotInKernel(atom);
  KS_CHECK(why.empty(), why);
  return ir::MakeAtom(std::move(atom));
}

std::vector<Value> Texts(size_t count, const std::function<std::string(size_t)>& make) {
  std::vector<Value> texts;
  texts.reserve(count);
  for (size_t i = 0; i < count; i++) texts.push_back(make(i));
  return texts;
}

ir::Program ProgramOf(EventKind kind, std::vector<Pred> predicates) {
  ir::Program program;
  for (Pred& when : predicates) {
    ir::Rule rule;
    rule.id = rule.name = fmt::format("r{}", program.rules.size());
    rule.kinds = {kind};
    rule.when = std::move(when);
    rule.source = fmt::format("large.ksp:{}", program.rules.size() + 1);
    program.rules.push_back(ir::Split(std::move(rule)));
  }
  return program;
}

}  // namespace

std::vector<NamedPlan> RecordingPlans() {
  std::vector<NamedPlan> plans;
  std::vector<EventKind> all;
  for (const schema::EventRow& event : schema::Events()) {
    all.push_back(event.kind);
    plans.push_back({fmt::format("record-{}", event.name), codegen::RecordingPlan({event.kind})});
  }
  plans.push_back({"record-all", codegen::RecordingPlan(all)});
  return plans;
}

std::vector<NamedProgram> LargePrograms() {
  std::vector<NamedProgram> programs;
  const auto add = [&](const char* name, EventKind kind, std::vector<Pred> predicates) {
    programs.push_back({name, ProgramOf(kind, std::move(predicates))});
  };

  std::vector<Pred> rules;
  rules.reserve(size_t{64} * KS_RULE_WORDS);
  for (int64_t i = 0; i < 64 * KS_RULE_WORDS; i++) rules.push_back(Is(FieldId::process_uid, Test::In, {i}));
  add("rules", EventKind::exec_, std::move(rules));

  // One rule of many conditions, of every kind of operand.
  std::vector<Pred> conditions;
  for (int64_t i = 0; i < 300; i++) {
    conditions.push_back(Is(FieldId::process_pid, Test::Range, {2 * i, 1000 + 3 * i}));
    conditions.push_back(Is(FieldId::process_name, Test::In, {fmt::format("name{}", i)}));
    conditions.push_back(Is(FieldId::file_path, Test::Under, {fmt::format("/folder{}/of/some/depth", i)}));
  }
  add("conditions", EventKind::open_, {ir::MakeOr(std::move(conditions))});

  add("texts", EventKind::open_, {Is(FieldId::file_path, Test::In, Texts(ir::kMaxKernelLiterals, [](size_t i) {
                                       return fmt::format("/srv/{:x}", i * 2654435761u % 1000003);
                                     }))});
  std::vector<Value> numbers;
  numbers.reserve(ir::kMaxKernelLiterals);
  for (int64_t i = 0; i < static_cast<int64_t>(ir::kMaxKernelLiterals); i++) numbers.push_back(i * i * 7919);
  add("numbers", EventKind::open_, {Is(FieldId::file_inode, Test::In, std::move(numbers))});

  std::vector<Value> blocks;
  for (size_t i = 0; i < ir::kMaxKernelLiterals; i++) {
    schema::Cidr block;
    block.base.bytes = {0xfd, 0, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i), static_cast<uint8_t>(i * 7)};
    block.bits = static_cast<uint8_t>(32 + i % 97);
    blocks.emplace_back(block);
  }
  Pred addresses = Is(FieldId::event_dst, Test::Present, {});
  addresses.atom->operand.part = ir::Part::Ip;
  addresses.atom->test = Test::In;
  addresses.atom->literals = std::move(blocks);
  add("blocks", EventKind::connect_, {std::move(addresses)});

  add("prefixes", EventKind::open_, {Is(FieldId::file_path, Test::Under, Texts(ir::kMaxKernelPrefixes, [](size_t i) {
                                          return "/" + std::string(i, 'p') + "/x";
                                        }))});

  // Longest literals.
  add("long", EventKind::open_,
      {Is(FieldId::file_path, Test::In, Texts(100, [](size_t i) { return "/" + std::string(412 + i, 'l'); })),
       Is(FieldId::file_path, Test::Under, Texts(30, [](size_t i) { return "/" + std::string(482 + i, 'u'); }))});

  // Many automata, each of a size that policies have.
  std::vector<Pred> automata;
  for (size_t i = 0; i < 100; i++) {
    automata.push_back(
        Is(FieldId::file_path, Test::Like, {fmt::format("/home/*/{}.key", i), fmt::format("/x{}/*/y?", i)}));
    automata.push_back(
        Is(FieldId::process_args, Test::Contains, {fmt::format("--option{}", i), std::string("base64 -d")}));
    automata.push_back(Is(FieldId::process_args, Test::HasElement, {fmt::format("-{}", i)}));
  }
  add("automata", EventKind::open_, std::move(automata));
  return programs;
}

}  // namespace ks::agreement
