// Who made whom, by what a log says with each of its events: processes are seen when they do something, their parents by number.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "bpf/schema/value.h"

namespace ks::import {

// A little more than are told: whoever takes orphans may be further up.
inline constexpr size_t kKeptAncestors = 64;

// Of the ancestors that ended and that nobody else descends from, those are given up that no list of fields has. `parent`: of
// one that was just made.
template <typename AProcess>
void CutLine(AProcess* parent) {
  // One that is alive, or has other descendants, has two owners at least: its line is counted anew.
  size_t sole = 0;
  for (size_t generations = 0; parent && generations < 2 * kKeptAncestors; parent = parent->parent.get(), ++generations) {
    if (sole == kKeptAncestors) {
      parent->parent = nullptr;
      return;
    }
    sole = parent->parent && parent->parent.use_count() == 1 ? sole + 1 : 0;
  }
}

struct Process {
  int64_t pid = 0;
  uint64_t made_ns = 0;  // since 1970; 0: it is the first that the log names by this number
  bool guessed = false;  // nothing but its number is known: it may be anybody's
  std::shared_ptr<Process> parent;
  std::string name, exe;  // as last told; "": not known

  // `count`: of those that are kept, alive and ended.
  explicit Process(std::shared_ptr<size_t> count = std::make_shared<size_t>(0)) : count_(std::move(count)) { ++*count_; }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  // Chains of dead parents are long in long logs: not by recursion.
  ~Process();
  // No two of a log have the same.
  std::string Id() const { return schema::ProcessId(pid, static_cast<int64_t>(made_ns)); }

 private:
  std::shared_ptr<size_t> count_;
};

class Processes {
 public:
  // By any name that is the log's own: a number, or a number and its node.
  std::shared_ptr<Process> Find(const std::string& key) const;
  // Named at that time, in place of one that had the key before; `begins`: it was made then. It has no parent.
  std::shared_ptr<Process> Make(const std::string& key, int64_t pid, uint64_t time_ns, bool begins);
  void End(const std::string& key) { alive_.erase(key); }
  // Says once that there were more than are kept, alive or as ancestors of those: what they were is forgotten.
  bool TakeExceeded();

 private:
  std::shared_ptr<size_t> kept_ = std::make_shared<size_t>(0);
  std::unordered_map<std::string, std::shared_ptr<Process>> alive_;
  std::unordered_set<int64_t> numbers_;  // that were named
  bool exceeded_ = false, said_ = false;
};

// What it is called and executes now: as much as fields hold. Nothing leaves what was told before.
void Rename(Process& process, const std::optional<std::string>& name, const std::optional<std::string>& exe);

// And cuts its line.
void SetParent(Process& process, std::shared_ptr<Process> parent);

// Whether one of its ancestors, as far as they are kept, is `other`; a process is not one of its own. True as well where
// there are too many to say: no ring is made of them.
bool Descends(const Process& process, const Process* other);

// process.parent.*, ancestors and ancestor_ids; what is not known of one of them ends the lists, which are cut then.
// Of a process that is not known (null), nothing is.
void SetLineage(schema::Record& record, const Process* process);

// The fields of a process that no log has: descriptors, control group, capabilities, start.
void SetUntold(schema::Record& record);
// What the kind has and nothing told.
void SetRest(schema::Record& record, schema::EventKind kind);

}  // namespace ks::import
