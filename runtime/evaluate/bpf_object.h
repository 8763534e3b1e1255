// Generated objects on this machine's kernel: to evaluate recorded events, and for tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bpf/schema/value.h"
#include "compiler/support/result.h"

struct bpf_object;

namespace ks::evaluate {

// Whether this kernel lets us load programs; else why not. Likewise those that stand at the end of a function.
std::string WhyNoBpf();
std::string WhyNoTrampolines();

struct Verified {
  std::string program;
  uint32_t instructions = 0;  // that the verifier walked
};

// An object for Target::Evaluate or Target::Hooks, loaded; unloaded when it goes.
class LoadedObject {
 public:
  // The Error's cause is the verifier's last words.
  static Result<LoadedObject> Load(std::string_view elf);

  std::vector<Verified> programs() const;
  // Programs that were not loaded, as this kernel refuses trampolines: which, and why.
  const std::vector<std::string>& left_out() const { return left_out_; }

  // The scratches of an Evaluate object, one an event of a batch (codegen::kEvaluateBatch), shared with its programs.
  Status MapScratch();
  ks_scratch& scratch(size_t event) const { return scratch_.get()[event]; }
  // Decides the first `events` of them.
  Status Run(schema::EventKind kind, uint32_t events) const;

 private:
  struct Close {
    void operator()(bpf_object* object) const;
  };
  struct Unmap {
    void operator()(ks_scratch* scratch) const;
  };
  std::unique_ptr<bpf_object, Close> object_;
  std::unique_ptr<ks_scratch, Unmap> scratch_;
  std::vector<std::string> left_out_;
};

}  // namespace ks::evaluate
