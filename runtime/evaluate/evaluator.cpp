#include "runtime/evaluate/evaluator.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/eval.h"
#include "compiler/ir/index.h"
#include "compiler/ir/text.h"
#include "runtime/event/in_place.h"
#include "runtime/evaluate/scratch.h"

namespace ks::evaluate {
namespace {

// As the accessors would leave it: texts end at their capture, and what nobody read is unknown.
schema::Record AsSeen(const schema::Record& record) {
  schema::Record seen = record;
  for (const schema::FieldRow& row : schema::Fields()) {
    const schema::FieldValue& field = record[row.id];
    if (field.status == schema::Status::Unread) seen.SetStatus(row.id, schema::Status::Unknown);
    if (!event::HasValue(field)) continue;
    const auto* text = std::get_if<std::string>(&field.value);
    if (row.decided == schema::Decided::User || text == nullptr || text->size() <= row.capture) continue;
    seen.Set(row.id, text->substr(0, row.capture), schema::Status::Truncated);
  }
  return seen;
}

uint8_t CanOf(ir::Truth truth) {
  if (truth == ir::Truth::Unknown) return KS_CAN_BE_TRUE | KS_CAN_BE_FALSE;
  return truth == ir::Truth::True ? KS_CAN_BE_TRUE : KS_CAN_BE_FALSE;
}

std::string Say(const std::vector<event::Match>& matches) {
  std::string out;
  for (const event::Match& match : matches) {
    out += fmt::format("{}{} (probe {}) [{}]", out.empty() ? "" : "; ", match.rule->id, match.probe, fmt::join(match.matched, ", "));
    for (const schema::FieldId field : match.uncertain) out += fmt::format(" ?{}", schema::Row(field).dotted);
    if (!match.message.empty()) out += " " + match.message;
  }
  return out.empty() ? "no match" : out;
}

bool AreSame(const std::vector<event::Match>& a, const std::vector<event::Match>& b) {
  return std::ranges::equal(a, b, [](const event::Match& one, const event::Match& other) {
    return one.probe == other.probe && one.matched == other.matched && one.uncertain == other.uncertain &&
           std::ranges::equal(one.shown, other.shown) && one.message == other.message;
  });
}

// Its fields with their values: whoever replays a trace may read it.
std::string Show(const event::Event& event) {
  std::string out = fmt::format("{} at {} ns, cpu {}, sequence {}\n", schema::Row(event.kind).name, event.time_ns, event.cpu, event.sequence);
  for (const schema::FieldRow& row : schema::Fields()) {
    const schema::FieldValue& field = event.record[row.id];
    if (!schema::Has(event.kind, row.id) || field.status == schema::Status::Unread) continue;
    out += fmt::format("  {} = ", row.dotted);
    if (field.status == schema::Status::Ok || field.status == schema::Status::Truncated) {
      if (const auto* number = std::get_if<int64_t>(&field.value)) {
        out += fmt::format("{}", *number);
      } else if (const auto* text = std::get_if<std::string>(&field.value)) {
        out += '"' + event::Printable(*text) + '"';
      } else {
        ir::Atom atom;  // of an address: as a policy writes it
        atom.operand.field = row.id;
        atom.test = ir::Test::In;
        atom.literals = {field.value};
        out += ir::Print(ir::MakeAtom(atom));
      }
    }
    if (field.status == schema::Status::Truncated) out += " (cut)";
    if (field.status == schema::Status::Absent) out += "absent";
    if (field.status == schema::Status::Unknown) out += "unknown";
    out += '\n';
  }
  return out;
}

}  // namespace

Result<Evaluator> Evaluator::Create(const engine::Engine& engine, codegen::Break broken) {
  const auto failed = [](std::string cause) {
    return Error{"run the kernel half", "of the policy", std::move(cause),
                 "run this as root on a kernel that loads BPF programs, or with --engine fast", "no-kernel-engine"};
  };
  if (std::string why = WhyNoBpf(); !why.empty()) return failed(std::move(why));
  if (!engine.plan_status()) return engine.plan_status().error();
  Result<codegen::BpfObject> object = codegen::Emit(engine.plan(), {.target = codegen::Target::Evaluate, .broken = broken});
  if (!object) return object.error();
  Result<LoadedObject> loaded = LoadedObject::Load(object->elf);
  if (!loaded) return failed(loaded.error().cause);
  if (Status mapped = loaded->MapScratch(); !mapped) return mapped.error();
  return Evaluator(engine, std::move(*loaded));
}

Result<bool> Evaluator::RunKernel(const event::Event& event) {
  kind_ = nullptr;
  for (const ir::KindPlan& kind : engine_->plan().kinds) {
    if (kind.kind == event.kind) kind_ = &kind;
  }
  if (kind_ == nullptr) return false;
  seen_ = AsSeen(event.record);
  ks_scratch& scratch = object_.scratch(0);
  Fill(scratch, seen_, event.time_ns);
  if (Status run = object_.Run(event.kind, 1); !run) return run.error();
  passed_ = event;
  passed_.by_clause = kind_->index != nullptr;
  passed_.passed.clear();
  passed_.atoms.clear();
  for (const schema::FieldRow& row : schema::Fields()) {  // what is unknown is sent
    const bool unread = event.record[row.id].status == schema::Status::Unread;
    if (unread && schema::Has(event.kind, row.id)) passed_.record.SetStatus(row.id, schema::Status::Unknown);
  }
  if (kind_->index) {
    for (size_t word = 0; word < kind_->index->words; ++word) {
      const bool alive = (scratch.rows.alive[word / 64] >> word % 64 & 1) != 0;
      passed_.passed.push_back(alive ? scratch.rows.words[word] : 0);
    }
  } else {
    passed_.passed.assign(scratch.alive, scratch.alive + (kind_->rules.size() + 63) / 64);
  }
  return true;
}

std::string Evaluator::WhyWrong() const {
  const ks_scratch& scratch = object_.scratch(0);
  const std::vector<uint32_t> passed = codegen::PassedRules(*kind_, scratch);
  for (uint32_t i = 0; i < kind_->rules.size(); ++i) {
    const ir::SplitRule& split = engine_->program().rules[kind_->rules[i].rule];
    const bool found = std::ranges::binary_search(passed, i);
    const bool expected = ir::Eval(split.kernel, seen_) != ir::Truth::False;
    // An index may pass what the whole record refutes.
    if (found == expected || (kind_->index && found)) continue;
    return fmt::format("the kernel half {} {}, ir::Eval {} it: {}", found ? "passes" : "drops", split.rule.id,
                       expected ? "passes" : "drops", ir::Print(split.kernel));
  }
  for (size_t i = 0; i < kind_->atoms.size(); ++i) {
    if (scratch.can[i] == kNotEvaluated) continue;
    const ir::AtomResult expected = ir::EvalAtom(kind_->atoms[i], seen_);
    const bool same = scratch.can[i] == CanOf(expected.truth) &&
                      (expected.truth != ir::Truth::True || scratch.which[i] == expected.index);
    if (!same) return "the kernel half decides another thing than ir::Eval of " + ir::Print(ir::MakeAtom(kind_->atoms[i]));
  }
  return "";
}

Result<std::vector<event::Match>> Evaluator::Decide(const event::Event& event) {
  Result<bool> asked = RunKernel(event);
  if (!asked) return asked.error();
  if (!*asked) return std::vector<event::Match>();
  std::vector<event::Match> matches = engine_->DecidePassed(passed_);
  for (event::Match& match : matches) match.event = &event;
  return matches;
}

Result<std::vector<event::Match>> Evaluator::DecideByAll(const event::Event& event) {
  Result<std::vector<event::Match>> kernel = Decide(event);
  if (!kernel) return kernel;
  std::vector<event::Match> fast = engine_->DecideAll(event);
  const std::vector<event::Match> reference = engine_->DecideAllByReference(event);
  const std::string wrong = kind_ != nullptr ? WhyWrong() : "";
  if (wrong.empty() && AreSame(reference, fast) && AreSame(reference, *kernel)) return fast;
  Error error{"decide an event by all engines", std::string(schema::Row(event.kind).name),
              wrong.empty() ? "they do not say the same" : wrong, "this is a bug of Kubesentry: please report it with the event",
              "engines-disagree"};
  error.detail = Show(event) + "reference: " + Say(reference) + "\nfast:      " + Say(fast) + "\nkernel:    " + Say(*kernel) + "\n";
  return error;
}

}  // namespace ks::evaluate
