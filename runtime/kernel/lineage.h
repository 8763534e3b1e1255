// Who made whom: resident programs that keep it beyond a parent's end (bpf/hooks/lineage.bpf.c).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/kernel/kernel.h"
#include "runtime/kernel/libbpf.h"
#include "runtime/kernel/pins.h"

namespace ks::kernel {

class Lineage {
 public:
  // Takes what an agent before this one left attached, and goes on with it. `maps` are shared (name → fd). `pins` outlives this; what is
  // attached stays so beyond the agent if they are to be used.
  Status Open(const std::map<std::string, int>& maps, const Pins& pins);
  // Loads the programs, attaches them, and goes through the processes that live already, unless that has been done. From then on
  // it is kept, whatever bundle is active: what was not kept for a while could not be told later. If it fails, nothing is attached
  // that was not before.
  Status Begin();
  void End();

  void AddHooks(std::vector<HookStatus>& hooks) const;

 private:
  Status Load();
  Status AttachAll(std::vector<std::string>* fresh);
  Status Attach(const std::string& hook);
  void Detach(const std::string& hook);
  Status ReadLiving() const;

  const Pins* pins_ = nullptr;
  std::map<std::string, int> maps_;
  ObjectPtr object_;
  std::map<std::string, Attachment> attached_;  // by tracepoint
  bool begun_ = false;
};

}  // namespace ks::kernel
