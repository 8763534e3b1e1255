// What the kernel's verifier says about programs that it takes: asked for before the load, read after it.
#pragma once

#include <map>
#include <string>

#include "runtime/kernel/kernel.h"
#include "runtime/kernel/libbpf.h"

namespace ks::kernel {

class VerifierFigures {
 public:
  // To be told before the object is loaded, and to live until it is.
  explicit VerifierFigures(bpf_object* object);

  LoadedHook Of(const bpf_program* program) const;
  // Of a program that is in the kernel, what the kernel says by itself.
  static LoadedHook Of(const std::string& hook, int program);
  // What the verifier said of it: of a program that it refused why, but not how it got there.
  std::string WordsOn(const std::string& program) const;
  // What the object's own maps hold.
  static uint64_t MapBytes(const bpf_object* object);

 private:
  std::map<std::string, std::string> logs_;  // by program; the kernel writes into them
};

// Of a verifier's statistics: "processed 52 insns (limit 1000000) max_states_per_insn 0 total_states 5 …".
struct VerifierStatistics {
  uint32_t instructions = 0, states = 0, microseconds = 0;
};
VerifierStatistics ParseStatistics(std::string_view log);

}  // namespace ks::kernel
