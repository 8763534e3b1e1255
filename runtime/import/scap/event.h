// An event of a .scap recording, with its parameters by name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/import/scap/blocks.h"

namespace ks::import::scap {

// Parameters that are asked for.
#define KS_SCAP_PARAMETERS(P)                                                                                          \
  P(ID) P(nativeID) P(addr) P(args) P(backlog) P(cap_effective) P(cgroups) P(cmd) P(comm) P(cwd) P(dev) P(dir)         \
  P(dirfd) P(domain) P(egid) P(euid) P(exe) P(exe_ino) P(fd) P(fd1) P(fd2) P(filename) P(flags) P(gid) P(ino) P(json)  \
  P(linkdirfd) P(linkpath) P(loginuid) P(mode) P(name) P(newdir) P(newdirfd) P(newfd) P(newpath) P(nstype) P(olddir)   \
  P(olddirfd) P(oldfd) P(oldpath) P(option) P(path) P(pathname) P(pid) P(prot) P(proto) P(ptid) P(request) P(res)      \
  P(rgid) P(ruid) P(sig) P(status) P(target) P(tid) P(trusted_exepath) P(tty) P(tuple) P(type) P(uid)

enum class Parameter : uint8_t {
#define KS_SCAP_PARAMETER(name) name,
  KS_SCAP_PARAMETERS(KS_SCAP_PARAMETER)
#undef KS_SCAP_PARAMETER
      Count
};

inline constexpr int64_t kMostThreadNumber = int64_t{1} << 22;  // PID_MAX_LIMIT of the kernel

struct Event {
  uint16_t cpu = 0;
  uint16_t type = 0;
  uint64_t time_ns = 0;  // since 1970
  int64_t tid = 0;
  std::vector<std::string_view> parameters;  // into the block

  bool is_enter() const { return type % 2 == 0; }
  // Nothing if the event has none of that name, or is older than it.
  std::optional<std::string_view> Find(Parameter parameter) const;
};

bool IsEventBlock(uint32_t type);
// False if its sizes do not add up; *why says so. The memory of *event is used again.
bool DecodeEvent(const Block& block, Event* event, std::string* why);

// What an event is counted as: its type, or, of calls without events of their own, kSourceCall + the call's code.
using SourceNumber = uint32_t;
inline constexpr SourceNumber kSourceCall = 1 << 16;
SourceNumber SourceOf(const Event& event);
// "open"; of a number that is beyond the table "event 500", "syscall 600".
std::string SourceName(SourceNumber number);
// The x86-64 number of the call whose exit it is; nothing if it is no call's, or of none that x86-64 has.
std::optional<int64_t> SyscallOf(const Event& event);

}  // namespace ks::import::scap
