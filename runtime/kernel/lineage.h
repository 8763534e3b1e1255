// Who made whom: resident programs that keep it beyond a parent's end (bpf/hooks/lineage.bpf.c).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/kernel/kernel.h"
#include "runtime/kernel/libbpf.h"

namespace ks::kernel {

class Lineage {
 public:
  // Loads the programs, attaches them, and goes through the processes that live already, unless that has been done. From then on
  // it is kept, whatever bundle is active: what was not kept for a while could not be told later. `maps` are shared (name → fd).
  Status Begin(const std::map<std::string, int>& maps);
  void End() { links_.clear(); }

  void AddHooks(std::vector<HookStatus>& hooks) const;

 private:
  Status ReadLiving(const bpf_program* program) const;

  ObjectPtr object_;
  std::map<const bpf_program*, LinkPtr> links_;
};

}  // namespace ks::kernel
