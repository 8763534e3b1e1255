// A hook's resident programs (bpf/hooks/dispatcher.bpf.c), and that they hang on its tracepoint.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "runtime/kernel/libbpf.h"
#include "runtime/kernel/pins.h"

namespace ks::kernel {

// Whether a hook's program is one of the two that kernels need that preempt programs; elsewhere there is one.
bool IsOneOfTwo(const bpf_program* program);
// enum ks_hook of bpf/hooks/maps.h.
uint32_t HookNumber(std::string_view hook);

class Dispatcher {
 public:
  // Of an object that outlives this. A program that is not to be loaded is none.
  void Add(const bpf_program* program);
  explicit operator bool() const { return first_.program != nullptr; }

  // What an agent before this one left attached. `maps`: ids of those that the programs must use.
  Status GoOn(const std::string& hook, const std::set<uint32_t>& maps, const Pins& pins);
  // Those that are not yet; all or none. `lanes`: the map ks_lanes, in which a program that is attached anew counts from 0.
  Status Attach(const std::string& hook, const Pins& pins, int lanes);
  void Detach(const std::string& hook, const Pins& pins);
  bool attached() const { return first_.attached.link != nullptr; }
  // Of its events, those that neither program saw, and those that only the second did.
  struct Lost {
    uint64_t missed = 0, recovered = 0;
  };
  Lost lost(const std::string& hook, int lanes) const;

 private:
  struct Lane {
    const bpf_program* program = nullptr;
    Attachment attached;
  };
  static Status Attach(const std::string& hook, const std::string& pin, Lane& lane, const Pins& pins);
  static void Detach(const std::string& pin, Lane& lane, const Pins& pins);

  // In the order in which an event passes them.
  Lane first_, second_;
};

}  // namespace ks::kernel
