#include "runtime/import/scap/scap.h"

#include <fmt/format.h>
#include <sys/syscall.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

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
using Status = schema::Status;

constexpr uint16_t kOldProcessExit = 16, kProcessExit = 186;
constexpr size_t kMostDamage = 100;  // said one by one
constexpr size_t kMostEnter = 8192;   // of a parameter that an exit may ask for
constexpr size_t kPrepared = 1024;

// An event as it is before it is of a kind: what it says of the thread. Kept until that is another.
struct Prepared {
  State state;
  event::Event event;
  std::vector<FieldId> own;  // fields that are not of the thread
};

// Their bytes have moved, one behind the other.
void RestoreParameters(std::string_view bytes, Event* event) {
  for (std::string_view& parameter : event->parameters) {
    const size_t size = parameter.size();
    parameter = bytes.substr(0, size);
    bytes.remove_prefix(size);
  }
}

class ScapImporter : public Importer {
 public:
  explicit ScapImporter(Source source) : reader_(std::move(source)) {}
  void Begin();
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
  // An event of that thread, to be filled and told before the next one is begun.
  event::Event& BeginEvent(const Event& event, const Thread& thread);
  void Tell(EventKind kind, event::Event& told);

  BlockReader reader_;
  Machine machine_;
  trace::HostFacts host_;
  Report report_;
  std::map<uint32_t, uint64_t> blocks_;  // by type
  std::array<uint64_t, schema::kKindCount> made_{};
  std::unordered_map<SourceNumber, uint64_t> merged_, unmapped_;
  std::array<std::unique_ptr<Prepared>, kPrepared> prepared_;  // by the thread's number, of which several share one
  // Of the event that is read, and of the enter that it belongs to: their memory is used again and again.
  Event event_, enter_;
  std::string enter_bytes_;
  std::optional<std::pair<Block, std::string>> first_;  // an event that came before the machine's facts
  const std::function<void(const event::Event&)>* on_event_ = nullptr;
  uint64_t sequence_ = 0;
};

// Up to the facts of the host.
void ScapImporter::Begin() {
  while (const std::optional<Block> block = reader_.Next()) {
    if (IsEventBlock(block->type)) {
      first_.emplace(*block, std::string(block->body));
      break;
    }
    Take(*block);
    if (block->type == kMachine || block->type == kOldMachine) break;
  }
  host_.node = machine_.host;
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
  for (const auto& [type, count] : blocks_) report_.blocks[fmt::format("{:#x}", type)] = count;
  for (const schema::EventRow& row : schema::Events()) {
    if (const uint64_t count = made_[static_cast<size_t>(row.kind)]; count > 0) report_.made[std::string(row.name)] = count;
  }
  for (const auto& [number, count] : merged_) report_.merged[SourceName(number)] += count;
  for (const auto& [number, count] : unmapped_) report_.unmapped[SourceName(number)] += count;
  if (report_.events == 0 && blocks_.count(kMachine) + blocks_.count(kOldMachine) == 0) Damage("it holds neither a machine nor events: is it a pcapng?");
  on_event_ = nullptr;
  return std::move(report_);
}

void ScapImporter::Take(const Block& block) {
  ++blocks_[block.type];
  std::string damage;
  if (block.type == kSection) {
    machine_.Clear();  // of another recording behind this one nothing holds
  } else if (IsEventBlock(block.type)) {
    ++report_.events;
    if (DecodeEvent(block, &event_, &damage)) {
      TakeEvent(event_);
    } else {
      damage = fmt::format("at byte {}: {}", block.offset, damage);
    }
  } else {
    machine_.TakeBlock(block, &damage);
  }
  if (!damage.empty()) Damage(std::move(damage));
  if (machine_.TakeExceeded()) Damage(fmt::format("at byte {}: more threads, processes or descriptors than are kept: what they were before is forgotten", block.offset));
}

void ScapImporter::TakeEvent(const Event& event) {
  // Notes of the recorder's own are of no thread.
  if (event.tid < 0 || event.tid > kMostThreadNumber) {
    ++unmapped_[SourceOf(event)];
    return;
  }
  if (event.type == kOldProcessExit || event.type == kProcessExit) return TakeProcessExit(event);
  if (const std::optional<int64_t> number = SyscallOf(event)) return TakeCall(event, *number);
  if (event.is_enter()) return TakeEnter(event);
  ++unmapped_[SourceOf(event)];
}

void ScapImporter::TakeEnter(const Event& event) {
  Event exit;
  exit.type = static_cast<uint16_t>(event.type + 1);
  const bool is_call = event.type == 0 || SyscallOf(exit).has_value();
  ++(is_call ? merged_ : unmapped_)[SourceOf(event)];
  if (!is_call) return;
  Thread& thread = machine_.At(event.tid);
  thread.enter = event;
  for (std::string_view& parameter : thread.enter.parameters) {
    if (parameter.size() > kMostEnter) parameter = {};
  }
  thread.enter_bytes.clear();
  for (const std::string_view parameter : thread.enter.parameters) thread.enter_bytes += parameter;
  RestoreParameters(thread.enter_bytes, &thread.enter);
}

event::Event& ScapImporter::BeginEvent(const Event& event, const Thread& thread) {
  std::unique_ptr<Prepared>& slot = prepared_[static_cast<size_t>(thread.tid) % kPrepared];
  if (!slot) slot = std::make_unique<Prepared>();
  event::Event& begun = slot->event;
  schema::Record& record = begun.record;
  if (const State state = machine_.StateOf(thread); slot->state != state) {
    slot->state = state;
    for (const schema::FieldRow& row : schema::Fields()) record.SetStatus(row.id, Status::Unread);
    SetProcess(record, thread);
    enrich::Derive(begun, nullptr);
    // Without the time of the boot there is no start; a process is told from another all the same.
    const Process& process = *thread.process;
    if (record[FieldId::process_id].status != Status::Ok && !process.guessed) record.Set(FieldId::process_id, process.Id());
    slot->own.clear();
    for (const schema::FieldRow& row : schema::Fields()) {
      if (record[row.id].status == Status::Unread) slot->own.push_back(row.id);
    }
  }
  for (const FieldId field : slot->own) record.SetStatus(field, Status::Unread);
  begun.cpu = event.cpu;
  event::SetTime(begun, event.time_ns);
  return begun;
}

void ScapImporter::Tell(EventKind kind, event::Event& told) {
  told.kind = kind;
  told.sequence = sequence_++;
  ++made_[static_cast<size_t>(kind)];
  (*on_event_)(told);
}

void ScapImporter::TakeCall(const Event& event, int64_t number) {
  // Its arguments may be in the enter; the call may remove that thread's state.
  bool has_enter = false;
  if (Thread* thread = machine_.Find(event.tid); thread && thread->enter.type + 1 == event.type && !thread->enter.parameters.empty()) {
    enter_.type = 0;
    enter_.parameters.clear();
    enter_bytes_.swap(thread->enter_bytes);
    std::swap(enter_, thread->enter);
    has_enter = true;
    RestoreParameters(enter_bytes_, &enter_);
  }
  const Call call(event, has_enter ? &enter_ : nullptr, number);
  Apply(call, machine_);
  const bool makes = number == SYS_clone || number == SYS_clone3 || number == SYS_fork || number == SYS_vfork;
  if (makes) TellChild(call);
  const Thread& thread = machine_.At(event.tid);
  if (const std::optional<EventKind> kind = KindOf(call, thread)) {
    const auto tell = [&](EventKind one) {
      event::Event& told = BeginEvent(event, thread);
      SetFields(call, one, thread, told.record);
      Tell(one, told);
    };
    tell(*kind);
    const bool opens = *kind == EventKind::open_;
    if (opens && Created(call)) tell(EventKind::create_);
    if (opens && number == SYS_open_by_handle_at) tell(EventKind::open_by_handle_);
  }
  event::Event& told = BeginEvent(event, thread);
  SetOutcome(call, told.record);
  Tell(EventKind::syscall_, told);
}

// Once, whether the child's or its maker's answer comes first.
void ScapImporter::TellChild(const Call& call) {
  const int64_t result = call.result().value_or(-1);
  if (result < 0) return;
  if (const Thread* self = machine_.Find(call.exit().tid); result > 0 && self && self->in_pid_namespace) return;
  Thread* child = machine_.Find(result == 0 ? call.exit().tid : result);
  if (!child || child->told) return;
  const Process* maker = child->tid == child->process->pid ? child->process->parent.get() : child->process.get();
  Thread* teller = result == 0 ? (maker ? machine_.Find(maker->pid) : nullptr) : machine_.Find(call.exit().tid);
  // Who made it is not among the threads that are known.
  if (!teller) return;
  child->told = true;
  event::Event& told = BeginEvent(call.exit(), *teller);
  told.record.Set(FieldId::child_pid, child->tid);
  Tell(EventKind::fork_, told);
}

void ScapImporter::TakeProcessExit(const Event& event) {
  Thread& thread = machine_.At(event.tid);
  event::Event& told = BeginEvent(event, thread);
  const bool guessed = thread.process->guessed;
  const bool last = machine_.End(event.tid);
  // Told with the last thread; of one whose process is not known it is not known whether that ends.
  if (!last || guessed) {
    ++(guessed ? unmapped_ : merged_)[event.type];
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
  uint32_t type = 0, length = 0, magic = 0;
  uint16_t major = 0;
  Wire wire(begin);
  // A pcapng begins so, too: it then lacks all that a recording has (ForEach).
  return wire.Number(&type) && wire.Number(&length) && wire.Number(&magic) && wire.Number(&major) && type == kSection && magic == kSectionMagic && major == 1;
}

Result<std::unique_ptr<Importer>> Open(Source source) {
  auto importer = std::make_unique<ScapImporter>(std::move(source));
  importer->Begin();
  return std::unique_ptr<Importer>(std::move(importer));
}

}  // namespace ks::import::scap
