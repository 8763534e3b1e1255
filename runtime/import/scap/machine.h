// The machine of a .scap recording as far as it is told: processes, their threads and descriptors, brought forward event by event.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "bpf/schema/value.h"
#include "runtime/import/scap/event.h"

namespace ks::import::scap {

// What a descriptor refers to: the numbers of the enumeration `descriptor`.
enum class Refers : uint8_t { Closed = 0, File = 1, Pipe = 2, Socket = 3, Tty = 4, Other = 5 };

struct Descriptor {
  Refers refers = Refers::Other;
  std::string path;              // of files: absolute; "" if it is not known
  bool inet = false;
  uint8_t protocol = 0;          // IPPROTO_TCP, IPPROTO_UDP, else 0
  std::optional<schema::Endpoint> local, remote;
};
using Descriptors = std::map<int64_t, Descriptor>;

struct Process {
  int64_t pid = 0;
  uint64_t start_ns = 0;         // since boot; 0: it was there before
  std::shared_ptr<Process> parent;
  int64_t parent_pid = -1;       // if the parent is not known as a process
  std::string name;              // of its first thread
  std::string exe, cwd, cgroup;  // paths; "": not known
  std::string args;              // each ends in a NUL; the program's own name first
  std::optional<int64_t> session, login_uid, tty;
  std::shared_ptr<Descriptors> descriptors = std::make_shared<Descriptors>();
  size_t threads = 0;
  uint64_t changes = 0;          // counts what Thread::record shows of it

  Process() = default;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  // Chains of dead parents are long in long recordings: not by recursion.
  ~Process();
};

struct Thread {
  int64_t tid = 0;
  std::shared_ptr<Process> process;
  std::string name;
  std::optional<int64_t> uid, euid, gid, egid;
  std::optional<int64_t> caps;
  bool in_pid_namespace = false;  // numbers that calls answer are another namespace's
  bool told = false;              // its making
  bool awaited = false;           // made by its maker's answer; its own comes yet
  // The last enter: calls of older recordings have their arguments there.
  std::string enter_bytes;
  Event enter;
};

class Machine {
 public:
  // Blocks of processes, descriptors and the machine itself. False if it is none of these; *damage if it does not add up.
  bool TakeBlock(const Block& block, std::string* damage);

  // Made, with nothing known, if it was not there.
  Thread& At(int64_t tid);
  Thread* Find(int64_t tid);
  // A thread, or a process of its own if `maker` is not one of its threads' makers.
  Thread& Make(int64_t tid, int64_t pid, Thread* maker, bool shares_descriptors, uint64_t time_ns);
  // True if it was the last of its process.
  bool End(int64_t tid);
  void Clear();

  std::string host;
  uint64_t boot_ns = 0;          // since 1970; 0: not told
  uint64_t processes = 0;        // of the recording's list

 private:
  bool TakeProcesses(const Block& block, unsigned version);
  bool TakeDescriptors(const Block& block, bool sized);
  bool TakeMachine(std::string_view body);
  void LinkParents();

  std::unordered_map<int64_t, Thread> threads_;  // by host's number
  std::map<int64_t, int64_t> listed_parents_;    // process → its parent, until all are there
};

// PT_SOCKTUPLE, and PT_SOCKADDR of which *to is the only end. Nothing unless it is of IP.
bool ReadTuple(std::string_view bytes, schema::Endpoint* from, schema::Endpoint* to);
bool ReadAddress(std::string_view bytes, schema::Endpoint* to);
// "cpu=/a" NUL "memory=/b" NUL: the path that names most.
std::string ReadCgroups(std::string_view bytes);

}  // namespace ks::import::scap
