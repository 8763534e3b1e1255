#include "runtime/import/scap/scap.h"

#include <fmt/format.h>
#include <sys/syscall.h>

#include <utility>

#include "runtime/enrich/enrich.h"
#include "runtime/import/scap/blocks.h"
#include "runtime/import/scap/calls.h"
#include "runtime/import/scap/event.h"
#include "runtime/import/scap/fields.h"
#include "runtime/import/scap/machine.h"
#include "runtime/import/scap/wire.h"

namespace ks::import::scap {
namespace {

using schema::EventKind;
using schema::FieldId;

constexpr uint16_t kOldProcessExit = 16, kProcessExit = 186;
constexpr size_t kMostDamage = 100;  // said one by one

class ScapImporter : public Importer {
 public:
  explicit ScapImporter(Source source) : reader_(std::move(source)) {}
  Status Begin();
  std::string format() const override { return "scap"; }
  const trace::HostFacts& host() const override { return host_; }
  Report ForEach(const std::function<void(const event::Event&)>& on_event) override;

 private:
  void Take(const Block& block);
  void TakeEvent(const Event& event);
  void TakeEnter(const Event& event);
  void TakeCall(const Event& event, int64_t number);
  void TakeProcessExit(const Event& event);
  void TellChild(const Call& call);
  void Damage(std::string what);
  void Tell(EventKind kind, event::Event& told);
  static event::Event Base(const Event& event, const Thread& thread);

  BlockReader reader_;
  Machine machine_;
  trace::HostFacts host_;
  Report report_;
  std::optional<std::pair<Block, std::string>> first_;  // an event that came before the machine's facts
  const std::function<void(const event::Event&)>* on_event_ = nullptr;
  uint64_t sequence_ = 0;
};

// Up to the facts of the host.
Status ScapImporter::Begin() {
  while (const std::optional<Block> block = reader_.Next()) {
    if (IsEventBlock(block->type)) {
      first_.emplace(*block, std::string(block->body));
      break;
    }
    Take(*block);
    if (block->type == kMachine || block->type == kOldMachine) break;
  }
  host_.node = machine_.host;
  host_.arch = "x86_64";
  return Ok();
}

void ScapImporter::Damage(std::string what) {
  if (report_.damage.size() == kMostDamage) report_.damage.emplace_back("more of the kind");
  if (report_.damage.size() < kMostDamage) report_.damage.push_back(std::move(what));
}

Report ScapImporter::ForEach(const std::function<void(const event::Event&)>& on_event) {
  on_event_ = &on_event;
  if (first_) {
    Block block = first_->first;
    block.body = first_->second;
    Take(block);
    first_.reset();
  }
  while (const std::optional<Block> block = reader_.Next()) Take(*block);
  if (!reader_.damage().empty()) Damage(reader_.damage());
  report_.processes = machine_.processes;
  on_event_ = nullptr;
  return std::move(report_);
}

void ScapImporter::Take(const Block& block) {
  ++report_.blocks[fmt::format("{:#x}", block.type)];
  std::string damage;
  if (block.type == kSection) {
    machine_.Clear();  // of another recording behind this one nothing holds
  } else if (IsEventBlock(block.type)) {
    ++report_.events;
    if (const std::optional<Event> event = DecodeEvent(block, &damage)) {
      TakeEvent(*event);
    } else {
      damage = fmt::format("at byte {}: {}", block.offset, damage);
    }
  } else {
    machine_.TakeBlock(block, &damage);
  }
  if (!damage.empty()) Damage(std::move(damage));
}

void ScapImporter::TakeEvent(const Event& event) {
  if (event.type == kOldProcessExit || event.type == kProcessExit) return TakeProcessExit(event);
  if (const std::optional<int64_t> number = SyscallOf(event)) return TakeCall(event, *number);
  if (event.is_enter()) return TakeEnter(event);
  ++report_.unmapped[EventName(event.type)];
}

void ScapImporter::TakeEnter(const Event& event) {
  Event exit = event;
  exit.type = static_cast<uint16_t>(event.type + 1);
  const bool is_call = event.type == 0 || SyscallOf(exit).has_value();
  ++(is_call ? report_.merged : report_.unmapped)[EventName(event.type)];
  if (!is_call) return;
  Thread& thread = machine_.At(event.tid);
  size_t size = 0;
  for (const std::string_view parameter : event.parameters) size += parameter.size();
  thread.enter_bytes.clear();
  thread.enter_bytes.reserve(size);
  thread.enter = event;
  for (std::string_view& parameter : thread.enter.parameters) {
    const size_t at = thread.enter_bytes.size();
    thread.enter_bytes += parameter;
    parameter = std::string_view(thread.enter_bytes).substr(at);
  }
}

event::Event ScapImporter::Base(const Event& event, const Thread& thread) {
  event::Event told;
  told.cpu = event.cpu;
  event::SetTime(told, event.time_ns);
  SetProcess(told.record, thread);
  return told;
}

void ScapImporter::Tell(EventKind kind, event::Event& told) {
  told.kind = kind;
  told.sequence = sequence_++;
  enrich::Derive(told, nullptr);
  ++report_.made[std::string(schema::Row(kind).name)];
  (*on_event_)(told);
}

void ScapImporter::TakeCall(const Event& event, int64_t number) {
  // Its arguments may be in the enter; the call may remove that thread's state.
  Event enter;
  std::string enter_bytes;
  bool has_enter = false;
  if (Thread* thread = machine_.Find(event.tid); thread && thread->enter.type + 1 == event.type && !thread->enter.parameters.empty()) {
    enter_bytes.swap(thread->enter_bytes);
    std::swap(enter, thread->enter);
    has_enter = true;
    size_t at = 0;
    for (std::string_view& parameter : enter.parameters) {
      const size_t size = parameter.size();
      parameter = std::string_view(enter_bytes).substr(at, size);
      at += size;
    }
  }
  const Call call(event, has_enter ? &enter : nullptr, number);
  Apply(call, machine_);
  const bool makes = number == SYS_clone || number == SYS_clone3 || number == SYS_fork || number == SYS_vfork;
  if (makes) TellChild(call);
  const Thread& thread = machine_.At(event.tid);
  const event::Event base = Base(event, thread);
  if (const std::optional<EventKind> kind = KindOf(call, thread)) {
    const auto tell = [&](EventKind one) {
      event::Event told = base;
      SetFields(call, one, thread, told.record);
      Tell(one, told);
    };
    tell(*kind);
    const bool opens = *kind == EventKind::open_;
    if (opens && Created(call)) tell(EventKind::create_);
    if (opens && number == SYS_open_by_handle_at) tell(EventKind::open_by_handle_);
  }
  event::Event told = base;
  SetOutcome(call, told.record);
  Tell(EventKind::syscall_, told);
}

// Once, whether the child's or its maker's answer comes first.
void ScapImporter::TellChild(const Call& call) {
  const int64_t result = call.result().value_or(-1);
  if (result < 0) return;
  Thread* child = machine_.Find(result == 0 ? call.exit().tid : result);
  if (!child || child->told) return;
  const Process* maker = child->tid == child->process->pid ? child->process->parent.get() : child->process.get();
  Thread* teller = result == 0 ? (maker ? machine_.Find(maker->pid) : nullptr) : machine_.Find(call.exit().tid);
  // Who made it is not among the threads that are known.
  if (!teller) return;
  child->told = true;
  event::Event told = Base(call.exit(), *teller);
  told.record.Set(FieldId::child_pid, child->tid);
  Tell(EventKind::fork_, told);
}

void ScapImporter::TakeProcessExit(const Event& event) {
  Thread& thread = machine_.At(event.tid);
  event::Event told = Base(event, thread);
  if (!machine_.End(event.tid)) {
    ++report_.merged[EventName(event.type)];  // told with the last thread
    return;
  }
  const Call call(event, nullptr, 0);
  const std::optional<int64_t> status = call.Number(Parameter::status);
  SetNumber(told.record, FieldId::event_exit_code, status ? std::optional(*status >> 8 & 0xff) : std::nullopt);
  SetNumber(told.record, FieldId::event_exit_signal, status ? std::optional(*status & 0x7f) : std::nullopt);
  Tell(EventKind::exit_, told);
}

}  // namespace

bool IsSection(std::string_view begin) {
  uint32_t type = 0;
  return Wire(begin).Number(&type) && type == kSection;
}

Result<std::unique_ptr<Importer>> Open(Source source) {
  auto importer = std::make_unique<ScapImporter>(std::move(source));
  if (Status begun = importer->Begin(); !begun) return begun.error();
  return std::unique_ptr<Importer>(std::move(importer));
}

}  // namespace ks::import::scap
