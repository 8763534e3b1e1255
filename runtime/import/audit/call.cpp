#include "runtime/import/audit/call.h"

#include <fmt/format.h>
#include <sys/syscall.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace ks::import::audit {
namespace {

using schema::EventKind;

// AUDIT_ARCH_… of include/uapi/linux/audit.h.
constexpr uint64_t kX86 = 0xc000003e, kI386 = 0x40000003, kArm64 = 0xc00000b7;
constexpr uint64_t kX32 = 0x40000000;  // a number's bit of x86-64
constexpr int64_t kSocketCall = 102;   // of i386
constexpr int64_t kLastOldCall = 182;  // of i386: those that set ids have 16 bits for them
constexpr size_t kMostShown = 32;
constexpr size_t kMostTitle = 128;     // the kernel cuts a PROCTITLE so
constexpr int kMostPieces = 1024;          // of an argument
constexpr size_t kMostArgumentBytes = 64 * 1024;

constexpr CallRow kRows[] = {
#define KS_CALL(name, kind, dir, path, old_dir, old_path, fd, flags, value, pid) {#name, EventKind::kind##_, dir, path, old_dir, old_path, fd, flags, value, pid},
#include "bpf/fields/calls.def"
};
struct Numbered {
  std::string_view name;
  int64_t number;
};
constexpr Numbered k64[] = {
#define KS_CALL64(name, number) {#name, number},
#include "bpf/fields/calls.def"
};
constexpr Numbered k32[] = {
#define KS_CALL32(name, number) {#name, number},
#include "bpf/fields/calls.def"
};
constexpr Numbered kGeneric[] = {
#define KS_SYSCALL(name, number) {#name, number},
#include "syscalls_generic.def"
#undef KS_SYSCALL
};

template <size_t N>
const CallRow* RowOf(const Numbered (&numbers)[N], std::optional<int64_t> number) {
  const auto* const found = std::ranges::find_if(numbers, [&](const Numbered& one) { return number == one.number; });
  if (found == std::end(numbers)) return nullptr;
  const auto* const row = std::ranges::find_if(kRows, [&](const CallRow& one) { return one.name == found->name; });
  return row == std::end(kRows) ? nullptr : row;
}

// SYS_CONNECT and the like of include/uapi/linux/net.h → the call.
std::optional<int64_t> OfSocketCall(uint64_t call) {
  switch (call) {
    case 1: return SYS_socket;
    case 2: return SYS_bind;
    case 3: return SYS_connect;
    case 4: return SYS_listen;
    case 5: return SYS_accept;
    case 11: return SYS_sendto;
    case 16: return SYS_sendmsg;
    case 18: return SYS_accept4;
    case 20: return SYS_sendmmsg;
    default: return std::nullopt;
  }
}

std::optional<int64_t> NumberFromName(std::string_view name) {
  // A glibc name, and the kernel's.
  if (name == "fstatat") name = "newfstatat";
  return schema::EnumeratorValue("syscall", name);
}

void ReadNumber(const Fields& fields, Call* call) {
  const std::string_view arch = fields.Raw("arch").value_or(""), text = fields.Raw("syscall").value_or("");
  const std::optional<uint64_t> code = fields.Hex("arch");
  const std::optional<int64_t> number = fields.Number("syscall");
  // auditd may add the name, auoms writes it alone: with it no table is asked.
  const std::string_view named = fields.Raw("SYSCALL").value_or(number ? std::string_view() : text);
  if (code == kI386 || arch == "i386") {
    call->row = RowOf(k32, number);
    call->number = number ? schema::SyscallFromI386(*number) : std::nullopt;
    call->old_ids = number && *number <= kLastOldCall;
    if (number == kSocketCall && call->arguments[0]) {
      call->number = OfSocketCall(*call->arguments[0]);
      call->row = RowOf(k64, call->number);
    }
  } else if (code == kX86 && number && (static_cast<uint64_t>(*number) & kX32) == 0) {
    call->number = schema::EnumeratorName("syscall", *number) ? number : std::nullopt;
    call->row = RowOf(k64, call->number);
  } else if (code == kArm64 && number) {
    const auto* const found = std::ranges::find_if(kGeneric, [&](const Numbered& one) { return one.number == *number; });
    if (found != std::end(kGeneric)) call->number = NumberFromName(found->name);
    call->row = RowOf(k64, call->number);
  }
  if (!call->number && !call->row && !named.empty()) {
    call->number = NumberFromName(named);
    call->row = RowOf(k64, call->number);
  }
  call->name = fmt::format("syscall {} of arch {}", text.substr(0, kMostShown), arch.substr(0, kMostShown));
}

// aN, or in pieces aN[0], aN[1]; as far as they are there.
void ReadExecve(const std::vector<const Fields*>& records, Call* call) {
  std::unordered_map<std::string_view, std::string_view> all;
  for (const Fields* one : records) all.insert(one->pairs().begin(), one->pairs().end());
  const auto raw = [&](const std::string& key) -> std::optional<std::string_view> {
    const auto found = all.find(key);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  };
  const auto find = [&](const std::string& key) -> std::optional<std::string> {
    const auto found = raw(key);
    return found ? std::optional(DecodeText(*found).value_or("")) : std::nullopt;
  };
  const std::optional<int64_t> count = ReadDecimal(raw("argc").value_or(""));
  std::string args;
  int64_t read = 0;
  for (bool whole = true; whole && (!count || read < *count) && args.size() < kMostArgumentBytes; ++read) {
    const std::string key = fmt::format("a{}", read);
    std::optional<std::string> one = find(key);
    for (int piece = 0; piece < kMostPieces; ++piece) {
      const std::optional<std::string> more = find(fmt::format("{}[{}]", key, piece));
      if (!more) break;
      one = one.value_or("") + *more;
    }
    if (!one) break;
    // Of one in pieces some may be missing. Its length is that of the text, or of the hexadecimal one.
    const std::optional<int64_t> length = ReadDecimal(raw(key + "_len").value_or(""));
    const auto size = static_cast<int64_t>(one->size());
    whole = !length || *length == size || *length == 2 * size;
    args += *one + '\0';
    if (!whole) break;
  }
  call->args_cut = !count || read < *count;
  call->args = std::move(args);
}

void ReadTitle(const Fields& fields, bool is_auoms, Call* call) {
  if (call->args) return;
  std::optional<std::string> title;
  if (is_auoms) {
    if (const auto raw = fields.Raw("proctitle"); raw && !raw->empty()) title = ReadShellWords(*raw);
  } else {
    title = fields.Text("proctitle");
  }
  if (!title || title->empty()) return;
  call->args_cut = title->size() + 1 >= kMostTitle;
  if (!title->ends_with('\0')) *title += '\0';
  call->args = std::move(title);
}

std::optional<int64_t> ReadDevice(std::optional<std::string_view> text) {
  if (!text) return std::nullopt;
  const size_t colon = text->find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto major = ReadHex(text->substr(0, colon)), minor = ReadHex(text->substr(colon + 1));
  if (!major || !minor || *major > 0xfff || *minor > 0xfffff) return std::nullopt;
  return static_cast<int64_t>(*major << 20 | *minor);
}

PathItem ReadPath(const Fields& fields) {
  PathItem item;
  item.name = fields.Text("name");
  item.type = fields.Raw("nametype").value_or("");
  item.inode = fields.Number("inode");
  item.device = ReadDevice(fields.Raw("dev"));
  item.mode = fields.Octal("mode");
  return item;
}

void ReadCaller(const Fields& fields, Call* call) {
  for (uint8_t i = 0; i < call->arguments.size(); ++i) call->arguments[i] = fields.Hex(fmt::format("a{}", i));
  ReadNumber(fields, call);
  if (const auto success = fields.Raw("success"); success == "yes" || success == "no") call->success = success == "yes";
  call->result = fields.Number("exit");
  call->pid = fields.Number("pid");
  call->parent_pid = fields.Number("ppid");
  call->uid = fields.Id("uid"), call->euid = fields.Id("euid"), call->fsuid = fields.Id("fsuid");
  call->gid = fields.Id("gid"), call->egid = fields.Id("egid"), call->fsgid = fields.Id("fsgid");
  call->login_uid = fields.Id("auid");
  call->comm = fields.Text("comm");
  call->exe = fields.Text("exe");
  // A program that is gone, or in memory only, is named so.
  constexpr std::string_view kDeleted = " (deleted)";
  if (call->exe && call->exe->ends_with(kDeleted)) call->exe->resize(call->exe->size() - kDeleted.size());
  if (const auto tty = fields.Raw("tty")) call->tty = std::string(*tty);
}

// auoms puts what the records of an event say into one.
void ReadAuoms(const Fields& fields, Call* call) {
  ReadCaller(fields, call);
  call->cwd = fields.Text("cwd");
  const std::vector<std::string> names = fields.List("path_name"), types = fields.List("path_nametype"), modes = fields.List("path_mode");
  for (size_t i = 0; i < names.size(); ++i) {
    PathItem item;
    if (!names[i].empty()) item.name = names[i];
    if (i < types.size()) item.type = types[i];
    if (i < modes.size()) item.mode = ReadOctal(modes[i]);
    if (i == 0) {
      item.inode = fields.Number("inode");
      item.device = ReadDevice(fields.Raw("dev"));
    }
    call->paths.push_back(std::move(item));
  }
  if (const auto raw = fields.Raw("cmdline"); raw && raw->size() > 1 && raw->front() == '"' && raw->back() == '"') {
    call->args = ReadShellWords(raw->substr(1, raw->size() - 2));
    // Its number says whether it is whole.
    const auto count = fields.Number("argc");
    call->args_cut = !count || *count != std::ranges::count(*call->args, '\0');
  }
  ReadTitle(fields, true, call);
}

}  // namespace

std::optional<int64_t> Call::Argument(uint8_t index) const {
  if (index >= arguments.size() || !arguments[index]) return std::nullopt;
  return static_cast<int32_t>(*arguments[index]);
}

std::optional<Call> ReadCall(const std::vector<Record>& records, std::vector<bool>* used) {
  used->assign(records.size(), true);
  Call call;
  call.id = records[0].id;
  bool is_call = false;
  std::vector<const Fields*> execve;
  std::vector<std::pair<int64_t, PathItem>> paths;  // by item
  const Fields* title = nullptr;
  std::vector<Fields> fields;
  fields.reserve(records.size());
  for (const Record& record : records) fields.emplace_back(record.body);
  // i386's one call for all of sockets has its own in another record.
  for (size_t i = 0; i < records.size(); ++i) {
    const Record& record = records[i];
    const Fields& own = fields[i];
    if (record.type == "SYSCALL" && !is_call) {
      is_call = true;
      ReadCaller(own, &call);
    } else if (record.type.starts_with("AUOMS_") && own.Raw("syscall") && !is_call) {
      is_call = true;
      ReadAuoms(own, &call);
    } else if (record.type == "EXECVE") {
      execve.push_back(&own);
    } else if (record.type == "CWD") {
      call.cwd = own.Text("cwd");
    } else if (record.type == "PATH") {
      paths.emplace_back(own.Number("item").value_or(0), ReadPath(own));
    } else if (record.type == "SOCKADDR") {
      call.address = own.Bytes("saddr");
    } else if (record.type == "PROCTITLE") {
      title = &own;
    } else if (record.type == "OBJ_PID" && !call.object_pid) {
      call.object_pid = own.Number("opid");
    } else if (record.type == "CAPSET") {
      const auto caps = own.Hex("cap_pe");
      if (caps) call.caps = static_cast<int64_t>(*caps);
    } else if (record.type == "OPENAT2") {
      call.open_flags = own.Octal("oflag");
    } else if (record.type != "EOE") {
      (*used)[i] = false;
    }
  }
  if (!is_call) return std::nullopt;
  std::ranges::sort(paths, {}, &std::pair<int64_t, PathItem>::first);
  for (auto& [item, path] : paths) call.paths.push_back(std::move(path));
  if (!execve.empty()) ReadExecve(execve, &call);
  if (title) ReadTitle(*title, false, &call);
  for (size_t i = 0; i < records.size(); ++i) {
    if (records[i].type != "SOCKETCALL" || !fields[i].Raw("a0")) continue;
    (*used)[i] = true;
    for (uint8_t at = 0; at < call.arguments.size(); ++at) call.arguments[at] = fields[i].Hex(fmt::format("a{}", at));
  }
  return call;
}

}  // namespace ks::import::audit
