#include "compiler/codegen/calls.h"

#include <algorithm>

namespace ks::codegen {
namespace {

using schema::EventKind;

constexpr size_t kNumbers = 512;  // KS_CALL_NUMBERS of sys_exit.bpf.c
constexpr size_t kSocketCall = 102;

// Kinds that a call of kind `row` in calls.def may turn out to be (sys_exit.bpf.c: kind_of, ks_also).
std::vector<EventKind> KindsOf(EventKind row) {
  switch (row) {
    case EventKind::open_:
      return {row, EventKind::create_, EventKind::open_by_handle_};
    case EventKind::unlink_:
      return {row, EventKind::rmdir_};
    case EventKind::sendto_:
      return {row, EventKind::connect_};
    default:
      return {row};
  }
}

struct Call {
  const char* name;
  EventKind kind;
};
constexpr Call kCalls[] = {
#define KS_CALL(name, kind, dir, path, old_dir, old_path, fd, flags, value, pid) {#name, EventKind::kind##_},
#include "bpf/fields/calls.def"
};
struct Number {
  const char* name;
  size_t number;
};
constexpr Number kNumbersOfCalls[] = {
#define KS_CALL64(name, number) {#name, number},
#include "bpf/fields/calls.def"
#define KS_CALL32(name, number) {#name, number},
#include "bpf/fields/calls.def"
};

}  // namespace

std::string WantedCalls(const std::vector<EventKind>& kinds) {
  std::string wanted(kNumbers, '\0');
  const auto is_asked_for = [&](EventKind row) {
    const std::vector<EventKind> may_be = KindsOf(row);
    return std::ranges::any_of(may_be, [&](EventKind kind) { return std::ranges::count(kinds, kind) != 0; });
  };
  for (const Number& number : kNumbersOfCalls) {
    const std::string_view name = number.name;
    const auto call = std::ranges::find_if(kCalls, [&](const Call& one) { return name == one.name; });
    if (call != std::end(kCalls) && is_asked_for(call->kind)) wanted[number.number] = 1;
  }
  // The i386 call that stands for all socket calls.
  for (const char* name : {"socket", "bind", "connect", "listen", "accept", "sendto"}) {
    const auto call = std::ranges::find_if(kCalls, [&](const Call& one) { return std::string_view(name) == one.name; });
    if (call != std::end(kCalls) && is_asked_for(call->kind)) wanted[kSocketCall] = 1;
  }
  return wanted;
}

}  // namespace ks::codegen
