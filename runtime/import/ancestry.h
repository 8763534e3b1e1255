// Who made whom, by what a log says with each of its events: processes are seen when they do something, their parents by number.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "bpf/schema/value.h"

namespace ks::import {

struct Process {
  int64_t pid = 0;
  uint64_t made_ns = 0;  // since 1970; 0: it is the first that the log names by this number
  bool guessed = false;  // nothing but its number is known: it may be anybody's
  std::shared_ptr<Process> parent;
  std::string name, exe;  // as last told; "": not known

  Process() = default;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  // Chains of dead parents are long in long logs: not by recursion.
  ~Process();
  // No two of a log have the same.
  std::string Id() const { return schema::ProcessId(pid, static_cast<int64_t>(made_ns)); }
};

class Processes {
 public:
  // By any name that is the log's own: a number, or a number and its node.
  std::shared_ptr<Process> Find(const std::string& key) const;
  // Named at that time, in place of one that had the key before; `begins`: it was made then. It has no parent.
  std::shared_ptr<Process> Make(const std::string& key, int64_t pid, uint64_t time_ns, bool begins);
  void End(const std::string& key) { alive_.erase(key); }
  // Says once that there were more than are kept: what they were is forgotten.
  bool TakeExceeded();

 private:
  std::unordered_map<std::string, std::shared_ptr<Process>> alive_;
  std::unordered_set<int64_t> numbers_;  // that were named
  bool exceeded_ = false, said_ = false;
};

// What it is called and executes now: as much as fields hold. Nothing leaves what was told before.
void Rename(Process& process, const std::optional<std::string>& name, const std::optional<std::string>& exe);

// Whether one of its ancestors, as far as they are kept, is `other`; a process is not one of its own.
bool Descends(const Process& process, const Process* other);

// process.parent.*, ancestors and ancestor_ids; what is not known of one of them ends the lists, which are cut then.
// Of a process that is not known (null), nothing is.
void SetLineage(schema::Record& record, const Process* process);

// The fields of a process that no log has: descriptors, control group, capabilities, start.
void SetUntold(schema::Record& record);
// What the kind has and nothing told.
void SetRest(schema::Record& record, schema::EventKind kind);

}  // namespace ks::import
