// What a call of a .scap recording did: to the machine, and as an event of its kind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bpf/schema/schema.h"
#include "runtime/event/event.h"
#include "runtime/import/scap/machine.h"

namespace ks::import::scap {

// An exit, with what its enter told: parameters by name, from the exit if it has them.
class Call {
 public:
  // `enter` is of the same call, or null.
  Call(const Event& exit, const Event* enter, int64_t number) : exit_(exit), enter_(enter), number_(number), result_(FindResult()) {}

  int64_t number() const { return number_; }  // of x86-64
  const Event& exit() const { return exit_; }
  std::optional<std::string_view> Bytes(Parameter parameter) const;
  std::optional<int64_t> Number(Parameter parameter) const;    // 4 bytes: unsigned
  std::optional<int64_t> Signed(Parameter parameter) const;    // 4 bytes: signed
  std::optional<std::string_view> Text(Parameter parameter) const;  // without its NUL; nothing if the recorder had a null pointer
  // What the call answered: an error if negative. Nothing if the event does not say.
  std::optional<int64_t> result() const { return result_; }
  bool failed() const { return result().value_or(0) < 0; }

 private:
  std::optional<int64_t> FindResult() const;

  const Event& exit_;
  const Event* enter_;
  int64_t number_;
  std::optional<int64_t> result_;
};

// Brings the machine forward. The thread of the call may be another object afterwards.
void Apply(const Call& call, Machine& machine);

// The kind whose event a call is; nothing if it has none but `syscall`.
std::optional<schema::EventKind> KindOf(const Call& call, const Thread& thread);
// Fields of that kind, those of process apart.
void SetFields(const Call& call, schema::EventKind kind, const Thread& thread, schema::Record& record);
// event.result, errno, syscall.
void SetOutcome(const Call& call, schema::Record& record);
// Whether the open made the file: it is an event of its own then.
bool Created(const Call& call);

}  // namespace ks::import::scap
