// Recorded events through the generated programs themselves, on this machine's kernel: what the kernel half says of them.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "runtime/engine/engine.h"
#include "runtime/evaluate/bpf_object.h"

namespace ks::evaluate {

class Evaluator {
 public:
  // Generates the kernel half of the engine's program and loads it. The engine must outlive it. The Error says what this kernel
  // or user refuses. `broken`: for tests.
  static Result<Evaluator> Create(const engine::Engine& engine, codegen::Break broken = codegen::Break::None);

  // Rules that the kernel half passes go on in userspace (DecidePassed), with the whole event. The kernel sees of a text as much
  // as its capture holds, and of a longer one that it was cut, as live.
  Result<std::vector<event::Match>> Decide(const event::Event& event);
  // The same, and by the reference and by the fast engine. An Error "engines-disagree" if not all three say the same, or if the kernel
  // half passes other rules than ir::Eval: its detail has the event and what each said.
  Result<std::vector<event::Match>> DecideByAll(const event::Event& event);

 private:
  Evaluator(const engine::Engine& engine, LoadedObject object) : engine_(&engine), object_(std::move(object)) {}
  // Fills in what the kernel half lets through of the event. False if no rule asks for its kind.
  Result<bool> RunKernel(const event::Event& event);
  // Why what the kernel half said last of the event is not what its predicates mean; "" if it is.
  std::string WhyWrong() const;

  const engine::Engine* engine_;
  LoadedObject object_;
  event::Event passed_;     // the event, as it would come from the ring
  schema::Record seen_;     // as the kernel was given it
  const ir::KindPlan* kind_ = nullptr;
};

}  // namespace ks::evaluate
