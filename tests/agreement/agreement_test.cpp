// Random predicates × random records: the generated BPF must decide each as ir::Eval does.
//   agreement_test [--predicates N] [--records N] [--break HOW] [--rows]      KS_TEST_SEED=N chooses the seed
// --rows: by the index of many rules. What it passes, and the record carries, must prove what the whole record does.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "compiler/codegen/codegen.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/index.h"
#include "compiler/ir/passes.h"
#include "compiler/ir/random_ir.h"
#include "compiler/ir/text.h"
#include "runtime/evaluate/bpf_object.h"
#include "runtime/evaluate/scratch.h"
#include "tests/agreement/plans.h"

namespace ks::agreement {
namespace {

using namespace evaluate;

struct Options {
  size_t predicates = 10000;
  size_t records = 5;
  codegen::Break broken = codegen::Break::None;
  bool rows = false;
};

struct Totals {
  size_t predicates = 0, in_kernel = 0, pairs = 0, atoms = 0, objects = 0, runs = 0, differences = 0, instructions = 0;
  size_t verdicts[2] = {};        // rule is dropped, rule passes
  size_t disproved = 0;           // rules that passed, and that the record refutes
  std::map<uint8_t, size_t> can;  // how often each outcome of an atom was seen
  uint32_t largest = 0;           // program, in instructions that the verifier walked
};

// Rules per object: few enough for the verifier's limits, many enough that loading does not dominate.
constexpr size_t kRulesPerKind = 25;
constexpr size_t kRulesPerIndex = 80;
constexpr size_t kMostShown = 5;
constexpr size_t kFewRules = 10;
constexpr size_t kLargeRecords = 200;

ir::SplitRule RandomRule(ir::RandomIr& random, ir::EventKind kind) {
  ir::Rule rule;
  rule.kinds = {kind};
  rule.when = random.RandomPred(kind, static_cast<int>(random.Below(3)));
  rule.id = rule.name = fmt::format("r{}", random.Below(1000000));
  rule.source = fmt::format("random.ksp:{}", 1 + random.Below(1000));
  return ir::Split(std::move(rule));
}

uint8_t Expected(ir::Truth truth) {
  if (truth == ir::Truth::Unknown) return KS_CAN_BE_TRUE | KS_CAN_BE_FALSE;
  return truth == ir::Truth::True ? KS_CAN_BE_TRUE : KS_CAN_BE_FALSE;
}

class Test {
 public:
  explicit Test(const Options& options) : options_(options), random_(ir::TestSeed(), /*hostile=*/true) {}

  // False if the world failed.
  bool Run() {
    // Sets so large that they are divided among functions.
    for (const NamedProgram& large : LargePrograms()) {
      if (large.program.rules.size() < kFewRules && !RunObject(large.program, kLargeRecords)) return false;
    }
    while (totals_.predicates < options_.predicates) {
      ir::Program program;
      for (size_t kind = 0; kind < schema::kKindCount; kind++) {
        for (size_t i = 0; i < (options_.rows ? kRulesPerIndex : kRulesPerKind); i++)
          program.rules.push_back(RandomRule(random_, static_cast<ir::EventKind>(kind)));
      }
      if (!RunObject(program, options_.records)) return false;
    }
    return true;
  }

  const Totals& totals() const { return totals_; }

 private:
  // `records` for each rule of the program: all other rules of its kind decide them, too.
  bool RunObject(const ir::Program& program, size_t records) {
    Result<ir::Plan> plan = ir::MakePlan(program, options_.rows ? ir::Strategy::Rows : ir::Strategy::Straight);
    if (!plan) return Fail(plan.error());
    Result<codegen::BpfObject> object =
        codegen::Emit(*plan, {.target = codegen::Target::Evaluate, .broken = options_.broken});
    if (!object) return Fail(object.error());
    Result<LoadedObject> loaded = LoadedObject::Load(object->elf);
    if (!loaded) return Fail(loaded.error());
    if (Status mapped = loaded->MapScratch(); !mapped) return Fail(mapped.error());
    for (const Verified& one : loaded->programs()) {
      totals_.largest = std::max(totals_.largest, one.instructions);
      totals_.instructions += one.instructions;
    }
    totals_.objects++;
    totals_.predicates += program.rules.size();
    for (const ir::KindPlan& kind : plan->kinds) {
      totals_.in_kernel += kind.rules.size();
      std::vector<schema::Record> batch;
      for (size_t i = 0; i < kind.rules.size() * records; i++) {
        batch.push_back(random_.RandomRecord(kind.kind, program.rules[kind.rules[i / records].rule].kernel));
        const bool last = i + 1 == kind.rules.size() * records;
        if (batch.size() < codegen::kEvaluateBatch && !last) continue;
        if (!RunBatch(*loaded, program, kind, batch)) return false;
        batch.clear();
      }
    }
    return true;
  }

  bool RunBatch(const LoadedObject& loaded, const ir::Program& program, const ir::KindPlan& kind,
                const std::vector<schema::Record>& records) {
    for (size_t i = 0; i < records.size(); i++) Fill(loaded.scratch(i), records[i], random_.Below(1u << 30));
    totals_.runs++;
    if (Status run = loaded.Run(kind.kind, static_cast<uint32_t>(records.size())); !run) return Fail(run.error());
    for (size_t i = 0; i < records.size(); i++) Compare(loaded.scratch(i), program, kind, records[i]);
    return true;
  }

  // What the record from the ring would tell of the event, were only this rule to pass.
  static schema::Record Carried(const ks_scratch& scratch, const ir::KindPlan& kind, const ir::RulePlan& rule,
                                const schema::Record& record) {
    schema::Record carried;
    const auto copy = [&](ir::FieldId field) { carried.Set(field, record[field].value, record[field].status); };
    for (ir::FieldId field : rule.copies) copy(field);
    bool undecided = false;
    for (ir::FieldId field : rule.tested) {
      const schema::Status status = record[field].status;
      undecided = undecided || status == schema::Status::Raw || status == schema::Status::Foreign;
      for (const ir::Dimension& dimension : kind.index->dimensions) {
        if (!dimension.scanner || dimension.operand.field != field) continue;
        undecided = undecided || status == schema::Status::Truncated ||
                    scratch.rows.hit_count[*dimension.scanner] == KS_ROWS_UNDECIDED;
      }
    }
    if (undecided) std::ranges::for_each(rule.tested, copy);
    return carried;
  }

  void CompareRows(const ks_scratch& scratch, const ir::Program& program, const ir::KindPlan& kind,
                   const schema::Record& record) {
    const std::vector<uint32_t> passed = codegen::PassedRules(kind, scratch);
    for (uint32_t i = 0; i < kind.rules.size(); i++) {
      const ir::Pred& kernel = program.rules[kind.rules[i].rule].kernel;
      const bool expected = ir::Eval(kernel, record) != ir::Truth::False;
      bool found = std::binary_search(passed.begin(), passed.end(), i);
      if (found && ir::Eval(kernel, Carried(scratch, kind, kind.rules[i], record)) == ir::Truth::False) {
        found = false;
        totals_.disproved++;
      }
      totals_.pairs++;
      totals_.verdicts[expected ? 1 : 0]++;
      if (found != expected) Differ(kind, "a rule's verdict", kernel, expected, found);
    }
  }

  void Compare(const ks_scratch& scratch, const ir::Program& program, const ir::KindPlan& kind,
               const schema::Record& record) {
    if (kind.index) return CompareRows(scratch, program, kind, record);
    for (size_t i = 0; i < kind.rules.size(); i++) {
      const ir::Pred& kernel = program.rules[kind.rules[i].rule].kernel;
      const bool expected = ir::Eval(kernel, record) != ir::Truth::False;
      const bool found = (scratch.alive[i / 64] >> i % 64 & 1) != 0;
      totals_.pairs++;
      totals_.verdicts[expected ? 1 : 0]++;
      if (found != expected) Differ(kind, "a rule's verdict", kernel, expected, found);
    }
    for (size_t i = 0; i < kind.atoms.size(); i++) {
      if (scratch.can[i] == kNotEvaluated) continue;
      const ir::AtomResult expected = ir::EvalAtom(kind.atoms[i], record);
      totals_.atoms++;
      totals_.can[scratch.can[i]]++;
      if (scratch.can[i] != Expected(expected.truth))
        Differ(kind, "an atom", ir::MakeAtom(kind.atoms[i]), Expected(expected.truth), scratch.can[i]);
      if (expected.truth == ir::Truth::True && scratch.which[i] != expected.index) {
        Differ(kind, "which literal", ir::MakeAtom(kind.atoms[i]), expected.index, scratch.which[i]);
      }
    }
  }

  void Differ(const ir::KindPlan& kind, const char* what, const ir::Pred& pred, uint32_t expected, uint32_t found) {
    if (++totals_.differences > kMostShown) return;
    fmt::print("difference in {} on {}: expected {}, found {}\n  {}\n", what, schema::Row(kind.kind).name, +expected,
               found, ir::Print(pred));
  }

  bool Fail(const Error& error) {
    fmt::print("{}\n", error.ToString());
    return false;
  }

  const Options options_;
  ir::RandomIr random_;
  Totals totals_;
};

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i++) {
    const codegen::Break* broken = std::end(codegen::kBreaks);
    if (strcmp(argv[i], "--break") == 0 && i + 1 < argc) {
      const std::string_view name = argv[++i];
      broken =
          std::find_if(std::begin(codegen::kBreaks), broken, [&](codegen::Break one) { return Name(one) == name; });
    }
    if (broken != std::end(codegen::kBreaks)) {
      options.broken = *broken;
    } else if (strcmp(argv[i], "--rows") == 0) {
      options.rows = true;
    } else if (strcmp(argv[i], "--predicates") == 0 && i + 1 < argc) {
      options.predicates = strtoul(argv[++i], nullptr, 10);
    } else if (strcmp(argv[i], "--records") == 0 && i + 1 < argc) {
      options.records = strtoul(argv[++i], nullptr, 10);
    } else {
      fmt::print("usage: agreement_test [--predicates N] [--records N] [--break HOW] [--rows]\n");
      exit(2);
    }
  }
  return options;
}

int Main(int argc, char** argv) {
  const Options options = ParseOptions(argc, argv);
  if (const std::string why = WhyNoBpf(); !why.empty()) {
    fmt::print("SKIPPED: {}\n", why);
    return 0;
  }
  Test test(options);
  if (!test.Run()) return 1;
  const Totals& totals = test.totals();
  fmt::print(
      "{} objects in {} runs of up to {} events, {} verdicts by the kernel half, {} false and {} passed; {} atoms: {} "
      "true, {} false, {} unknown\n",
      totals.objects, totals.runs, codegen::kEvaluateBatch, totals.in_kernel, totals.verdicts[0], totals.verdicts[1],
      totals.atoms, totals.can.contains(1) ? totals.can.at(1) : 0, totals.can.contains(2) ? totals.can.at(2) : 0,
      totals.can.contains(3) ? totals.can.at(3) : 0);
  fmt::print("the verifier walked {} instructions, {} in the largest program\n", totals.instructions, totals.largest);
  if (options.rows)
    fmt::print("{} times a rule that passed was refuted by what the record carries\n", totals.disproved);
  fmt::print("{} predicates, {} pairs, {} differences\n", totals.predicates, totals.pairs, totals.differences);
  if (options.broken != codegen::Break::None) {
    const bool found_out = totals.differences > 0;
    fmt::print("{}the seeded miscompilation of `{}` {}\n", found_out ? "" : "FAILED: ", Name(options.broken),
               found_out ? "was found out" : "went unnoticed");
    return found_out ? 0 : 1;
  }
  return totals.differences == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ks::agreement

int main(int argc, char** argv) { return ks::agreement::Main(argc, argv); }
