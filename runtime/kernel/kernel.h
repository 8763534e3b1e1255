// The seam to the kernel: what the agent asks of it. No other folder includes libbpf.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/schema/schema.h"
#include "compiler/support/result.h"
#include "runtime/kernel/arguments.h"

namespace ks::kernel {

struct NamedInode {
  uint64_t device = 0, inode = 0;  // device as the kernel's dev_t: major << 20 | minor
  std::string path;
};

// Records that can be an alert by themselves, and those that only wait for other events.
enum class RingId : uint8_t { Alerts, Context };
inline constexpr size_t kRings = 2;

// seen = filtered + limited + submitted + dropped.
struct KindCounters {
  schema::EventKind kind{};
  uint64_t seen = 0, filtered = 0, limited = 0, submitted = 0, dropped = 0;
  std::array<uint64_t, kRings> submitted_to{}, dropped_from{};  // by ring
};

struct RingStatus {
  uint64_t bytes = 0;
  uint64_t received = 0;  // records that Consume handed out
};

// Of one CPU's records of one stream (KS_SEQUENCE_BITS): the number that the next one gets.
struct StreamEnd {
  uint16_t cpu = 0;
  uint32_t stream = 0;
  uint64_t next = 0;
};

struct HookStatus {
  std::string hook;
  bool attached = false;
  uint64_t missed = 0;     // runs that the kernel skipped because a program was already running on that CPU, for good
  uint64_t recovered = 0;  // events that a second program saw because the kernel skipped the first
};

// Tracepoint: system calls as they return. Trampoline: besides, the kernel's own copies, at the entry of its functions.
enum class Tier { Tracepoint, Trampoline };
struct KindTier {
  schema::EventKind kind{};
  Tier tier{};
};

struct LoadedHook {
  std::string hook;
  uint32_t instructions = 0;           // of the program, as the kernel holds it
  uint32_t verified_instructions = 0;  // that the verifier walked, of at most a million
  uint32_t states = 0;                 // that it kept
  uint32_t verify_us = 0;              // that it took
  uint32_t jited_bytes = 0;
};

class LimitHolds;

// Programs of one bundle, verified by the kernel, in neither bank yet.
class LoadedObject {
 public:
  virtual ~LoadedObject() = default;
  virtual const std::vector<LoadedHook>& hooks() const = 0;
  virtual uint64_t map_bytes() const { return 0; }  // of the maps that are its own
  virtual double load_ms() const { return 0; }      // that all of its programs took together
};

inline constexpr size_t kRecordsPerConsume = 1 << 16;

// How far the agent has come with records: all that follows from them has been written.
struct Progress {
  uint64_t received = 0, malformed = 0, stray = 0, alerts = 0;
  uint64_t gaps = 0;                      // stretches of numbers that did not come
  std::array<uint64_t, kRings> lost{};    // records in them, by ring
  uint64_t lost_before = 0;               // that the next alert announces
  int64_t boot_to_utc_ns = 0;             // by which times were told
  std::vector<StreamEnd> streams;         // which number is expected next
};

// A bundle as an agent before this one pinned it, with its programs. Whoever owns the pins could have written anything: to be
// verified before it is used.
struct KeptBundle {
  uint32_t generation = 0;
  int64_t since = 0;      // when it was verified, seconds since 1970
  std::string bytes;      // the signed file
  enum class Bank : uint8_t { None, Active, Idle } bank = Bank::None;  // which one holds its programs
  bool outdated = false;  // they were loaded for other trampolines than there are now
  bool rolled_back = false;  // see Kernel::SetRolledBack
};

class Kernel {
 public:
  virtual ~Kernel() = default;

  // Loads the programs of an object through the verifier, beside what runs. `generation` is written into every record
  // they make. The verifier's words, cut to what matters, are the Error's cause.
  virtual Result<std::unique_ptr<LoadedObject>> Load(std::string_view elf, uint32_t generation) = 0;
  // Puts the object's programs into the idle bank, attaches hooks that were not yet needed, and flips the epoch: one
  // store. All that can fail is done before the store. Then waits until no CPU runs the old programs.
  virtual Status Activate(LoadedObject& object) = 0;
  // Replaces the inodes that file.canonical knows.
  virtual Status SetInodes(const std::vector<NamedInode>& inodes) = 0;

  // Calls back for each record in the rings, waits at most `timeout_ms` for the first. Returns how many: fewer than
  // kRecordsPerConsume mean that all that was there has been read. What is in the ring of alerts goes first: a record of
  // context may come after alerts that are much younger, if there are many.
  virtual Result<size_t> Consume(int timeout_ms, const std::function<void(std::string_view)>& on_record) = 0;
  // What was handed out (during Consume: before the current record) need not be handed out again: its room in the rings is
  // given back. Pinned, `progress` is what the next agent goes on from; all of that changes by one store.
  virtual void Commit(const Progress& progress) = 0;
  // From now on nothing is seen. What is in the ring stays there to be read. Activate attaches again.
  virtual void Detach() = 0;
  virtual std::vector<KindCounters> Counters() const = 0;
  virtual std::vector<HookStatus> Hooks() const = 0;
  virtual std::array<RingStatus, kRings> Rings() const = 0;
  virtual std::vector<StreamEnd> Streams() const = 0;
  // Of the kinds of event that trampolines make a difference to; and why some have none, "" if all have.
  virtual std::vector<KindTier> Tiers() const = 0;
  virtual std::string WhyNoTrampolines() const = 0;

  // What is held back of limited rules (limits.h); null if this kernel holds nothing back.
  virtual LimitHolds* limit_holds() { return nullptr; }
  // Reads arguments that were not in memory; null if this kernel reads none.
  virtual ArgumentReader* arguments() { return nullptr; }
  // No program runs any more that ran at the call.
  virtual void WaitForPrograms() {}

  // The rest is for kernel halves that are pinned (KernelOptions::pin); without, nothing is kept and nothing was.
  virtual bool pinned() const = 0;
  // Pins the programs of a loaded object with the bundle that they are from, so that the next agent can decide their records.
  // May run beside Consume, as Load.
  virtual Status Keep(const LoadedObject& object, uint32_t generation, int64_t since, std::string_view bundle) = 0;
  // No record of that generation can be in the rings any more, and no bank holds its programs.
  virtual void Forget(uint32_t generation) = 0;
  // Whether somebody went back from it to the bundle before: then the next agent does not swap to it by itself. An Error if that cannot
  // be kept, so that it may.
  virtual Status SetRolledBack(uint32_t generation, bool rolled_back) = 0;
  // What an agent before this one kept, by generation; only the first call has it. And how far it came.
  virtual std::vector<KeptBundle> TakeKept() = 0;
  virtual const Progress& Resumed() const = 0;
  // The highest generation that an agent before this one gave, also if the bundle is not there any more or cannot be read: its
  // records may wait in the rings.
  virtual uint32_t LastGeneration() const = 0;
  // The programs of such a bundle, whose object `elf` is.
  virtual Result<std::unique_ptr<LoadedObject>> Adopt(uint32_t generation, std::string_view elf) = 0;
  // Of the active one: what it needs and what somebody has detached meanwhile is attached again. Hooks at which events would not have
  // been seen are told as a notice.
  virtual Status Reattach(LoadedObject& object) = 0;
  // What an agent before this one left and this one cannot use, as sentences; each is told once.
  virtual std::vector<std::string> Notices() = 0;
};

struct KernelOptions {
  // Auto: trampolines where the kernel grants them, event by event. Trampoline: an Error where it grants one of them not.
  enum class Tiers { Auto, Tracepoint, Trampoline } tiers = Tiers::Auto;
  uint32_t ring_bytes = 16 * 1024 * 1024;  // of each ring
  ArgumentBounds arguments;
  // A folder on a bpffs, of this user and writable for nobody else, where programs, rings and counters outlive the agent; made if
  // it is not there. What an agent of the same layout left there is gone on with; what another one left is removed once
  // this one's programs run. "": all ends with the process.
  std::string pin;
};

// Loads the resident dispatchers and the shared maps. Needs CAP_BPF and CAP_PERFMON.
Result<std::unique_ptr<Kernel>> OpenLibbpfKernel(const KernelOptions& options = {});

// Detaches and removes all that agents pinned in the folder, and nothing else. An Error if an agent uses it.
struct RemovedPins {
  std::vector<std::string> removed;  // as sentences, with what of it was not read
  std::vector<std::string> left;     // what could not be removed
};
Result<RemovedPins> RemovePins(const std::string& folder);

}  // namespace ks::kernel
