// The trampoline tier: resident programs at the entry and end of the kernel's own functions (bpf/hooks/capture.bpf.c), each optional.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "runtime/kernel/kernel.h"
#include "runtime/kernel/libbpf.h"
#include "runtime/kernel/pins.h"

namespace ks::kernel {

class Captures {
 public:
  // Finds out which of them this kernel grants, by really loading and attaching each; none stays attached. `maps` are shared (name →
  // fd). Fails only if the options demand trampolines and one is not to be had, but for chown's, which Linux before 6.1 does not grant.
  // `pins` outlives this; what is attached stays so beyond the agent if they are to be used.
  Status Probe(KernelOptions::Tiers tiers, const std::map<std::string, int>& maps, const Pins& pins);

  // A bit per enum ks_capture that is to be had.
  uint32_t available() const;
  // Functions at whose end events are told, and whether this one's is to be had, with what is captured at its entry.
  static std::vector<std::string> ExitHooks();
  bool HasExit(const std::string& hook) const;
  // Attaches those that kinds for which `asked` holds need. What fails now leaves its events to the tracepoint tier.
  void Attach(const std::function<bool(schema::EventKind)>& asked);
  // Detaches those that nobody needs by the last Attach.
  void DetachUnneeded();
  void DetachAll();

  void AddHooks(std::vector<HookStatus>& hooks) const;
  std::vector<KindTier> Tiers() const;
  const std::string& why() const { return why_; }

 private:
  struct Capture {
    std::string function;
    std::string name;                // of its program
    bpf_program* program = nullptr;  // null: not to be had
    Attachment attached;
    bool needed = false;
  };
  Result<ObjectPtr> Load(const std::set<std::string>& programs) const;
  Status Grant(const std::set<std::string>& programs);
  void GrantOneByOne();
  Status AttachAnew(Capture& capture) const;
  // All that is at the function.
  bool Has(std::string_view function) const;
  void Refuse(const std::string& function, const std::string& cause);
  Status Keep(Capture& capture, const bpf_program* program, LinkPtr link) const;
  void Detach(Capture& capture) const;

  const Pins* pins_ = nullptr;
  std::map<std::string, int> maps_;
  ObjectPtr object_;  // of the programs
  std::vector<Capture> captures_;  // by enum ks_capture; then the dispatchers at ends
  std::string why_;
};

}  // namespace ks::kernel
