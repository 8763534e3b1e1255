// A system call as the records of one event tell it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/schema/schema.h"
#include "bpf/schema/value.h"
#include "runtime/import/audit/record.h"

namespace ks::import::audit {

struct PathItem {
  std::optional<std::string> name;  // as the call gave it; nothing if it gave a descriptor
  std::string type;                 // NORMAL, PARENT, CREATE, DELETE, UNKNOWN
  std::optional<int64_t> inode, device, mode;
};

// What calls.def says of a call.
struct CallRow {
  std::string_view name;
  schema::EventKind kind;
  uint8_t dir, path, old_dir, old_path, fd, flags, value, pid;  // arguments; kNoArgument
};
inline constexpr uint8_t kNoArgument = 7;

struct Call {
  Id id;
  const CallRow* row = nullptr;     // null: of no kind but `syscall`
  std::optional<int64_t> number;    // of x86-64; nothing if that has no such call
  std::string name;                 // of what has neither: "syscall 7 of arch 80000016"
  bool old_ids = false;             // ids of 16 bits
  std::optional<int64_t> result;    // an error if negative
  std::optional<bool> success;
  std::array<std::optional<uint64_t>, 4> arguments;
  std::optional<int64_t> pid, parent_pid, uid, euid, gid, egid, fsuid, fsgid, login_uid, object_pid, caps, open_flags;
  std::optional<std::string> comm, exe, cwd, tty, address;
  std::optional<std::string> args;  // each ends in a NUL
  bool args_cut = false;
  std::vector<PathItem> paths;

  std::optional<int64_t> Argument(uint8_t number) const;  // 32 bits of it, with a sign
  bool failed() const { return success ? !*success : result.value_or(0) < 0; }
  bool succeeded() const { return success ? *success : result && *result >= 0; }
};

// Nothing if no record of the event is of a system call. Types that were used are taken into `used`.
std::optional<Call> ReadCall(const std::vector<Record>& records, std::vector<bool>* used);

std::optional<schema::Endpoint> EndpointOf(const Call& call);
// The kind whose event a call is; nothing if it has none but `syscall`.
std::optional<schema::EventKind> KindOf(const Call& call);
// event.result, errno, syscall.
void SetOutcome(const Call& call, schema::Record& record);
// Fields of that kind, those of process apart.
void SetFields(const Call& call, schema::EventKind kind, schema::Record& record);
// Whether the open made the file: that is an event of its own.
bool Created(const Call& call);
bool MakesProcess(const Call& call);

}  // namespace ks::import::audit
