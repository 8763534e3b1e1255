// A bundle's programs, from an ELF image through the verifier.
#pragma once

#include <map>
#include <string>

#include "runtime/kernel/fd.h"
#include "runtime/kernel/figures.h"
#include "runtime/kernel/kernel.h"
#include "runtime/kernel/libbpf.h"

namespace ks::kernel {

class LibbpfObject : public LoadedObject {
 public:
  LibbpfObject(ObjectPtr object, const VerifierFigures& figures, double load_ms);
  // Of programs (by hook) that are in the kernel since before; `object` was only read.
  LibbpfObject(ObjectPtr object, std::map<std::string, Fd> programs);
  const std::vector<LoadedHook>& hooks() const override { return hooks_; }
  uint64_t map_bytes() const override { return map_bytes_; }
  double load_ms() const override { return load_ms_; }
  const std::map<std::string, int>& programs() const { return programs_; }  // hook → program
  // Whether its rules ask for events of that kind; of objects that no compiler made, always.
  bool Asks(schema::EventKind kind) const;
  // Whether they ask for parents or ancestors.
  bool AsksLineage() const;
  // Whether its records tell arguments, or that they are unknown.
  bool AsksArguments() const;

 private:
  ObjectPtr object_;
  std::map<std::string, Fd> own_;
  std::map<std::string, int> programs_;
  std::vector<LoadedHook> hooks_;
  uint64_t map_bytes_ = 0;
  double load_ms_ = 0;
};

// What an object is loaded for. Numbers are written into its constants.
struct LoadFor {
  uint32_t generation = 0;
  uint32_t captures = 0;                      // a bit per enum ks_capture
  bool preempting = false;                    // PreemptsPrograms(), and each hook has two dispatchers
  const std::map<std::string, bool>& hooks;   // name → whether this kernel has it; else its program is left out
  const std::map<std::string, int>& maps;     // name → fd, of all that it shares
};

// Loads an object whose programs are for those hooks, each at most once, and whose maps are those, its constants apart.
Result<std::unique_ptr<LoadedObject>> LoadObject(std::string_view elf, const LoadFor& how);

}  // namespace ks::kernel
