#include "runtime/import/scap/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/event/event.h"
#include "runtime/import/ancestry.h"
#include "runtime/import/scap/wire.h"

namespace ks::import::scap {
namespace {

// Block types of the list of processes, by version from 1 on, and of a thread's descriptors.
constexpr std::array<std::pair<uint32_t, unsigned>, 12> kProcessLists = {{{0x202, 1},
                                                                          {0x8000ABCD, 1},
                                                                          {0x207, 2},
                                                                          {0x8013ABCD, 2},
                                                                          {0x209, 3},
                                                                          {0x8014ABCD, 3},
                                                                          {0x210, 4},
                                                                          {0x211, 5},
                                                                          {0x212, 6},
                                                                          {0x213, 7},
                                                                          {0x214, 8},
                                                                          {0x215, 9}}};
constexpr uint32_t kDescriptors1 = 0x203, kDescriptors2 = 0x218;
constexpr unsigned kSized = 9;  // from this version on, entries say how long they are, with that number
constexpr uint32_t kInPidNamespace = 1u << 29;  // PPM_CL_CHILD_IN_PIDNS
constexpr size_t kMostThreads = 1 << 18;
constexpr size_t kMostText = 4096;      // of a path or the arguments
constexpr int kMostGenerations = 1000;  // of a list

std::string Cut(std::string_view text) { return std::string(text.substr(0, kMostText)); }
std::string AbsolutePath(std::string_view path) { return path.starts_with('/') ? event::NormalizePath(Cut(path)) : ""; }

// 4 or 16 bytes.
bool ReadIp(Wire* wire, bool is_v4, schema::IpAddress* out) {
  std::string_view ip;
  if (!wire->Take(is_v4 ? 4 : 16, &ip)) return false;
  out->bytes.fill(0);
  if (is_v4) out->bytes[10] = out->bytes[11] = 0xff;
  std::copy(ip.begin(), ip.end(), out->bytes.begin() + (is_v4 ? 12 : 0));
  return true;
}

bool ReadEnd(Wire* wire, bool is_v4, schema::Endpoint* out) { return ReadIp(wire, is_v4, &out->ip) && wire->Number(&out->port); }

// The list's record of one descriptor. Where entries have sizes, it may end in more than is read here.
bool ReadDescriptor(Wire* wire, int64_t* number, Descriptor* out) {
  uint64_t inode = 0, source = 0, target = 0;
  uint8_t type = 0, protocol = 0;
  uint32_t flags = 0;
  std::string_view text;
  if (!wire->Number(number) || !wire->Number(&inode) || !wire->Number(&type)) return false;
  const auto ends = [&](bool is_v4) {
    schema::Endpoint from, to;
    // Both addresses, then both ports.
    if (!ReadIp(wire, is_v4, &from.ip) || !ReadIp(wire, is_v4, &to.ip) || !wire->Number(&from.port) || !wire->Number(&to.port) ||
        !wire->Number(&protocol)) {
      return false;
    }
    out->local = from;
    out->remote = to;
    return true;
  };
  const auto server = [&](bool is_v4) {
    schema::Endpoint own;
    if (!ReadEnd(wire, is_v4, &own) || !wire->Number(&protocol)) return false;
    out->local = own;
    return true;
  };
  bool read = true;
  switch (type) {
    case 3:
    case 4: read = ends(type == 3); break;
    case 5:
    case 6: read = server(type == 5); break;
    case 8: read = wire->Number(&source) && wire->Number(&target) && wire->Text(&text); break;
    case 16: read = wire->Number(&flags) && wire->Text(&text); break;  // newer ones add the device, where entries have sizes
    default: read = wire->Text(&text);
  }
  out->protocol = protocol == 1 ? 6 : protocol == 2 ? 17 : 0;  // SCAP_L4_TCP, SCAP_L4_UDP
  out->inet = type >= 3 && type <= 6;
  switch (type) {
    case 1:
    case 2:
    case 16:
      *out = OfPath(text.starts_with('/') ? Cut(text) : "");
      break;
    case 3:
    case 4:
    case 5:
    case 6:
    case 8:
    case 15: out->refers = Refers::Socket; break;
    case 7: out->refers = Refers::Pipe; break;
    default: out->refers = Refers::Other;
  }
  return read;
}

struct Listed {
  int64_t tid = 0, pid = 0, parent = 0, session = 0, vtid = 0, vpid = 0;
  std::string_view comm, exe, exepath, args, cwd, cgroups;
  uint32_t flags = 0, uid = 0, gid = 0, tty = 0, login_uid = 0;
  bool has_session = false, has_tail = false, has_tty = false, has_caps = false, has_virtual = false;
  uint64_t caps = 0;
};

// The recordings hold environments: they are skipped unread.
bool ReadListed(Wire* wire, unsigned version, Listed* out) {
  uint64_t skipped = 0;
  uint32_t memory = 0;
  int64_t number = 0;
  std::string_view none;
  if (!wire->Number(&out->tid) || !wire->Number(&out->pid) || !wire->Number(&out->parent)) return false;
  if (version >= 6 && !(out->has_session = wire->Number(&out->session))) return false;
  if (version >= 8 && !wire->Number(&number)) return false;
  if (!wire->Text(&out->comm) || !wire->Text(&out->exe) || (version >= 7 && !wire->Text(&out->exepath)) || !wire->Text(&out->args) ||
      !wire->Text(&out->cwd) || !wire->Number(&skipped) || !wire->Number(&out->flags) || !wire->Number(&out->uid) || !wire->Number(&out->gid)) {
    return false;
  }
  if (version >= 2 && !(wire->Number(&memory) && wire->Number(&memory) && wire->Number(&memory) && wire->Number(&skipped) && wire->Number(&skipped))) return false;
  if (version >= 3 && !wire->Text(&none)) return false;
  if (version >= 4 && !(out->has_virtual = wire->Number(&out->vtid) && wire->Number(&out->vpid) && wire->Text(&out->cgroups))) return false;
  if (version >= 5 && !wire->Text(&none)) return false;
  if (version < 9) return true;
  // Newer ones have longer tails; what an older one lacks is at its end.
  if (wire->left() > 29) out->has_tty = wire->Number(&skipped) && wire->Number(&out->tty);
  out->has_tail = wire->Number(&out->login_uid);
  uint8_t writable = 0;
  if (wire->Number(&writable) && wire->Number(&skipped) && wire->Number(&skipped)) out->has_caps = wire->Number(&out->caps);
  return true;
}

void Fill(const Listed& listed, Thread* thread) {
  Process& process = *thread->process;
  thread->name = Cut(listed.comm);
  thread->euid = listed.uid;
  thread->egid = listed.gid;
  thread->in_pid_namespace = (listed.flags & kInPidNamespace) != 0 || (listed.has_virtual && listed.vtid != listed.tid);
  if (listed.has_caps) thread->caps = static_cast<int64_t>(listed.caps);
  if (listed.tid != listed.pid && !process.name.empty()) return;
  process.name = thread->name;
  // `exe` is what it calls itself.
  process.exe = AbsolutePath(listed.exepath);
  process.cwd = AbsolutePath(listed.cwd);
  process.cgroup = ReadCgroups(listed.cgroups);
  process.args = Cut(listed.exe) + '\0' + Cut(listed.args);
  if (!process.args->ends_with('\0')) *process.args += '\0';
  if (listed.has_session) process.session = listed.session;
  if (listed.has_tail) process.login_uid = listed.login_uid;
  if (listed.has_tty) process.tty = listed.tty;
}

}  // namespace

Process::~Process() {
  --budget_->processes;
  for (std::shared_ptr<Process> next = std::move(parent); next && next.use_count() == 1;) {
    std::shared_ptr<Process> above = std::move(next->parent);
    next = std::move(above);
  }
}

bool ReadTuple(std::string_view bytes, schema::Endpoint* from, schema::Endpoint* to) {
  Wire wire(bytes);
  uint8_t family = 0;
  if (!wire.Number(&family) || (family != 2 && family != 10)) return false;
  return ReadEnd(&wire, family == 2, from) && ReadEnd(&wire, family == 2, to);
}

bool ReadAddress(std::string_view bytes, schema::Endpoint* to) {
  Wire wire(bytes);
  uint8_t family = 0;
  return wire.Number(&family) && (family == 2 || family == 10) && ReadEnd(&wire, family == 2, to);
}

std::string ReadCgroups(std::string_view bytes) {
  std::string_view longest;
  while (!bytes.empty()) {
    const std::string_view one = bytes.substr(0, bytes.find('\0'));
    bytes.remove_prefix(std::min(bytes.size(), one.size() + 1));
    const size_t path = one.find("=/");
    if (path == std::string_view::npos) continue;
    if (one.size() - path - 1 > longest.size()) longest = one.substr(path + 1);
  }
  return std::string(longest);
}

void Machine::Clear() {
  threads_.clear();
  processes_.clear();
  boot_ns = 0;
}

bool Machine::TakeExceeded() {
  if (said_ || !(exceeded_ || budget_->exceeded)) return false;
  said_ = true;
  return true;
}

Thread* Machine::Find(int64_t tid) {
  const auto found = threads_.find(tid);
  return found == threads_.end() ? nullptr : &found->second;
}

std::shared_ptr<Process> Machine::Alive(int64_t pid) const {
  const auto found = processes_.find(pid);
  return found == processes_.end() ? nullptr : found->second.lock();
}

Thread& Machine::At(int64_t tid) {
  if (Thread* thread = Find(tid)) return *thread;
  // A thread that is not the first one becomes it by exec.
  const std::shared_ptr<Process> process = Alive(tid);
  const bool known = process && !process->threads.empty();
  Thread& made = Make(tid, tid, nullptr, false, 0);
  if (!known) made.process->guessed = true;
  return made;
}

Thread& Machine::Make(int64_t tid, int64_t pid, Thread* maker, bool shares_descriptors, uint64_t time_ns) {
  if (threads_.size() >= kMostThreads || budget_->processes >= kMostThreads) {
    Clear();
    exceeded_ = true;
    maker = nullptr;
  }
  if (maker && maker->tid == tid) maker = nullptr;
  End(tid);  // a number that is used again, and whose end was not told
  Thread made;
  made.tid = tid;
  made.state = ++states_;
  const bool is_new_process = tid == pid && time_ns > 0;
  if (maker && tid != pid && maker->process->pid == pid) {
    made.process = maker->process;
  } else if (std::shared_ptr<Process> alive = Alive(pid); alive && !alive->threads.empty() && !is_new_process) {
    made.process = std::move(alive);
  } else {
    made.process = std::make_shared<Process>(budget_);
    made.process->pid = pid;
    made.process->made_ns = time_ns;
    if (boot_ns > 0 && time_ns > boot_ns) made.process->start_ns = time_ns - boot_ns;
    processes_[pid] = made.process;
  }
  if (maker) {
    made.name = maker->name;
    made.uid = maker->uid, made.euid = maker->euid, made.gid = maker->gid, made.egid = maker->egid;
    made.caps = maker->caps;
    made.in_pid_namespace = maker->in_pid_namespace;
    const Process& from = *maker->process;
    if (Process& process = *made.process; process.threads.empty()) {
      process.parent = maker->process;
      CutLine(process.parent.get());
      process.name = from.name, process.exe = from.exe, process.args = from.args, process.cwd = from.cwd, process.cgroup = from.cgroup;
      process.session = from.session, process.login_uid = from.login_uid, process.tty = from.tty;
      process.descriptors = shares_descriptors ? from.descriptors : Descriptors::CopyOf(from.descriptors);
    }
  }
  made.process->threads.insert(tid);
  return threads_.insert_or_assign(tid, std::move(made)).first->second;
}

bool Machine::End(int64_t tid) {
  const auto found = threads_.find(tid);
  if (found == threads_.end()) return false;
  Process& process = *found->second.process;
  process.threads.erase(tid);
  const bool last = process.threads.empty();
  if (const auto known = processes_.find(process.pid); last && known != processes_.end() && known->second.lock().get() == &process) processes_.erase(known);
  // Its descendants tell no more of it than its name, program and number.
  if (last) {
    process.args.reset();
    process.cwd = process.cgroup = std::string();
    process.descriptors = Descriptors(budget_);
  }
  threads_.erase(found);
  return last;
}

void Machine::EndOthers(const Thread& thread) {
  const std::shared_ptr<Process> process = thread.process;
  const int64_t stays = thread.tid;
  for (const int64_t tid : std::vector<int64_t>(process->threads.begin(), process->threads.end())) {
    if (tid != stays) End(tid);
  }
}

bool Machine::TakeMachine(std::string_view body) {
  Wire wire(body);
  uint32_t cpus = 0;
  uint64_t memory = 0, most_pid = 0;
  std::string_view name;
  if (!wire.Number(&cpus) || !wire.Number(&memory) || !wire.Number(&most_pid) || !wire.Take(128, &name)) return false;
  host = name.substr(0, name.find('\0'));
  // Older ones end here.
  if (!wire.Number(&boot_ns)) boot_ns = 0;
  return true;
}

bool Machine::TakeProcesses(const Block& block, unsigned version) {
  Wire wire(block.body);
  bool whole = true;
  std::vector<std::pair<int64_t, int64_t>> parents;
  while (wire.left() > 3) {
    Listed listed;
    if (version >= kSized) {
      uint32_t size = 0;
      std::string_view entry;
      // The block is padded.
      if (!wire.Number(&size) || size == 0) break;
      if (size < 4 || !wire.Take(size - 4, &entry)) return false;
      Wire inner(entry);
      if (!ReadListed(&inner, version, &listed)) {
        whole = false;
        continue;
      }
    } else if (!ReadListed(&wire, version, &listed)) {
      return false;
    }
    if (listed.tid < 0 || listed.tid > kMostThreadNumber || listed.pid < 0 || listed.pid > kMostThreadNumber) {
      whole = false;
      continue;
    }
    Thread& thread = Make(listed.tid, listed.pid, nullptr, false, 0);
    Fill(listed, &thread);
    thread.told = true;
    thread.process->guessed = false;
    parents.emplace_back(listed.pid, listed.parent);
    ++processes;
  }
  LinkParents(parents);
  return whole;
}

// A child may stand before its parent. What would be its own ancestor has none.
void Machine::LinkParents(const std::vector<std::pair<int64_t, int64_t>>& listed) {
  for (const auto& [pid, parent] : listed) {
    const std::shared_ptr<Process> child = Alive(pid), above = Alive(parent);
    if (!child || child->parent) continue;
    child->parent_pid = parent;
    int generations = 0;
    const Process* one = above.get();
    while (one && one != child.get() && generations < kMostGenerations) one = one->parent.get(), ++generations;
    if (above && !one) child->parent = above;
  }
}

bool Machine::TakeDescriptors(const Block& block, bool sized) {
  Wire wire(block.body);
  int64_t tid = 0;
  if (!wire.Number(&tid)) return false;
  if (tid < 0 || tid > kMostThreadNumber) return false;
  Thread& thread = At(tid);
  while (wire.left() > 3) {
    int64_t number = 0;
    Descriptor descriptor;
    if (sized) {
      uint32_t size = 0;
      std::string_view entry;
      if (!wire.Number(&size) || size == 0) break;
      if (size < 4 || !wire.Take(size - 4, &entry)) return false;
      Wire inner(entry);
      if (!ReadDescriptor(&inner, &number, &descriptor)) return false;
    } else if (wire.left() < 17 || !ReadDescriptor(&wire, &number, &descriptor)) {
      if (wire.left() >= 17) return false;
      break;
    }
    thread.process->descriptors.write().Set(number, std::move(descriptor));
  }
  thread.process->descriptors.write().BeWhole();
  return true;
}

bool Machine::TakeBlock(const Block& block, std::string* damage) {
  bool whole = true;
  ChangedForAll();
  const auto* const list = std::find_if(kProcessLists.begin(), kProcessLists.end(), [&](const auto& one) { return one.first == block.type; });
  if (block.type == kMachine || block.type == kOldMachine) {
    whole = TakeMachine(block.body);
  } else if (list != kProcessLists.end()) {
    whole = TakeProcesses(block, list->second);
  } else if (block.type == kDescriptors1 || block.type == kDescriptors2) {
    whole = TakeDescriptors(block, block.type == kDescriptors2);
  } else {
    return false;
  }
  if (!whole) *damage = fmt::format("at byte {}: block {:#x} does not add up", block.offset, block.type);
  return true;
}

}  // namespace ks::import::scap
