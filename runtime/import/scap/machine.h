// The machine of a .scap recording as far as it is told: processes, their threads and descriptors, brought forward event by event.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bpf/schema/value.h"
#include "runtime/import/scap/descriptors.h"
#include "runtime/import/scap/event.h"

namespace ks::import::scap {

struct Process {
  int64_t pid = 0;
  bool guessed = false;              // nothing said which process the thread is of
  std::optional<uint64_t> start_ns;  // since boot, if it was made in the recording, and that knows when the machine was booted
  uint64_t made_ns = 0;              // since 1970; 0: it was there before
  std::shared_ptr<Process> parent;
  int64_t parent_pid = -1;           // if the parent is not known as a process
  std::string name;                  // of its first thread
  std::string exe, cwd, cgroup;      // paths; "": not known
  std::optional<std::string> args;   // each ends in a NUL; the program's own name first
  std::optional<int64_t> session, login_uid, tty;
  Descriptors descriptors;
  std::set<int64_t> threads;
  uint64_t state = 0;  // see State

  explicit Process(const std::shared_ptr<Budget>& budget) : descriptors(budget), budget_(budget) { ++budget->processes; }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  // Chains of dead parents are long in long recordings: not by recursion.
  ~Process();
  // No two of a recording have the same.
  std::string Id() const { return schema::ProcessId(pid, static_cast<int64_t>(start_ns.value_or(made_ns))); }

 private:
  std::shared_ptr<Budget> budget_;
};

struct Thread {
  int64_t tid = 0;
  std::shared_ptr<Process> process;
  std::string name;
  std::optional<int64_t> uid, euid, gid, egid;
  std::optional<int64_t> caps;
  bool in_pid_namespace = false;  // numbers that calls answer are another namespace's
  bool told = false;              // its making
  bool awaited = false;           // made by its maker's answer; its own comes yet
  uint64_t state = 0;             // see State
  // The last enter: calls of older recordings have their arguments there.
  std::string enter_bytes;
  Event enter;
};

// While it is the same, so is all that events say of the thread that does them, of its process and its ancestors.
struct State {
  uint64_t thread = 0, process = 0, all = 0;
  bool operator==(const State&) const = default;
};

class Machine {
 public:
  // Blocks of processes, descriptors and the machine itself. False if it is none of these; *damage if it does not add up.
  bool TakeBlock(const Block& block, std::string* damage);

  // With nothing known, if it was not there.
  Thread& At(int64_t tid);
  Thread* Find(int64_t tid);
  // Made by `maker` (null: not known) at that time (0: it was there before).
  Thread& Make(int64_t tid, int64_t pid, Thread* maker, bool shares_descriptors, uint64_t time_ns);
  // True if it was the last of its process.
  bool End(int64_t tid);
  // Exec ends all other threads, and makes this one the first.
  void EndOthers(const Thread& thread);
  void Clear();

  State StateOf(const Thread& thread) const { return {thread.state, thread.process->state, all_ + budget_->streams}; }
  // Something that events say of the process or its threads is another now; of all, what they say of its descendants, too.
  void Changed(Process& process) { process.state = ++states_; }
  void ChangedForAll() { ++all_; }
  // Says once that there was more than is kept.
  bool TakeExceeded();
  // Processes that are kept, ended ones of which something is still told included.
  uint64_t kept() const { return budget_->processes; }

  std::string host;
  uint64_t boot_ns = 0;          // since 1970; 0: not told
  uint64_t processes = 0;        // of the recording's list

 private:
  bool TakeProcesses(const Block& block, unsigned version);
  bool TakeDescriptors(const Block& block, bool sized);
  bool TakeMachine(std::string_view body);
  void LinkParents(const std::vector<std::pair<int64_t, int64_t>>& listed);
  std::shared_ptr<Process> Alive(int64_t pid) const;

  std::shared_ptr<Budget> budget_ = std::make_shared<Budget>();
  std::unordered_map<int64_t, Thread> threads_;                    // by host's number
  std::unordered_map<int64_t, std::weak_ptr<Process>> processes_;  // also those whose first thread has ended
  bool exceeded_ = false, said_ = false;
  uint64_t states_ = 0, all_ = 0;
};

// PT_SOCKTUPLE, and PT_SOCKADDR of which *to is the only end. Nothing unless it is of IP.
bool ReadTuple(std::string_view bytes, schema::Endpoint* from, schema::Endpoint* to);
bool ReadAddress(std::string_view bytes, schema::Endpoint* to);
// "cpu=/a" NUL "memory=/b" NUL: the path that names most.
std::string ReadCgroups(std::string_view bytes);

}  // namespace ks::import::scap
