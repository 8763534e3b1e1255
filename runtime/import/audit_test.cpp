#include <fmt/format.h>

#include "runtime/import/audit/record.h"
#include "runtime/import/log_testing.h"

namespace ks::import {
namespace {

using schema::EventKind;
using schema::FieldId;

// A record; events are told apart by their serials.
std::string Record(std::string_view type, int serial, std::string_view body, int seconds = 1'600'000'000) {
  return fmt::format("type={} msg=audit({}.123:{}): {}\n", type, seconds, serial, body);
}

struct CallText {
  int serial = 1, number = 257;
  std::string arguments = "a0=ffffff9c a1=7ffc a2=0 a3=0", result = "success=yes exit=3", arch = "c000003e";
  int pid = 20, parent = 10;
  std::string comm = R"("cat")", exe = R"("/bin/cat")";
  int seconds = 1'600'000'000;
};

std::string Syscall(const CallText& call) {
  return Record("SYSCALL", call.serial,
                fmt::format("arch={} syscall={} {} {} items=1 ppid={} pid={} auid=1000 uid=1001 gid=1002 euid=0 suid=0 fsuid=0 egid=2 sgid=2 fsgid=2 "
                            "tty=pts3 ses=4 comm={} exe={} subj=unconfined key=(null)",
                            call.arch, call.number, call.result, call.arguments, call.parent, call.pid, call.comm, call.exe),
                call.seconds);
}
std::string Cwd(int serial, std::string_view cwd = "\"/home/me\"") { return Record("CWD", serial, fmt::format("cwd={}", cwd)); }
std::string Path(int serial, int item, std::string_view name, std::string_view type) {
  return Record("PATH", serial, fmt::format("item={} name={} inode=77 dev=08:02 mode=0100640 ouid=0 ogid=0 rdev=00:00 nametype={} cap_fp=0", item, name, type));
}

TEST(AuditTest, AnOpenIsToldWithWhoDidItAndWhere) {
  const ImportedLog log = ImportLog(Syscall({}) + Cwd(1) + Path(1, 0, "\"../you/a\"", "NORMAL") +
                                    Record("PROCTITLE", 1, "proctitle=636174002D6E002E2E2F796F752F61"));
  EXPECT_EQ(log.format, "audit");
  EXPECT_EQ(log.report.events, 1u);
  EXPECT_TRUE(log.report.damage.empty());
  const event::Event open = log.The(EventKind::open_);
  EXPECT_EQ(open.time_ns, 1'600'000'000'123'000'000u);
  for (const auto& [field, shown] : std::vector<std::pair<FieldId, std::string>>{
           {FieldId::file_path, "\"/home/you/a\""}, {FieldId::file_canonical, "\"/home/you/a\""}, {FieldId::file_inode, "77"},
           {FieldId::file_device, std::to_string(8 << 20 | 2)}, {FieldId::event_access, "[READ]"}, {FieldId::event_result, "ok"},
           {FieldId::event_errno, "none"}, {FieldId::event_syscall, "openat"}, {FieldId::process_pid, "20"}, {FieldId::process_tid, "?"},
           {FieldId::process_name, "\"cat\""}, {FieldId::process_exe, "\"/bin/cat\""}, {FieldId::process_uid, "1001"},
           {FieldId::process_euid, "0"}, {FieldId::process_gid, "1002"}, {FieldId::process_egid, "2"}, {FieldId::process_loginuid, "1000"},
           {FieldId::process_session, "?"}, {FieldId::process_tty, "\"pts3\""}, {FieldId::process_cwd, "\"/home/me\""},
           {FieldId::process_args, "[\"cat\", \"-n\", \"../you/a\"]"}, {FieldId::process_parent_pid, "10"}, {FieldId::process_parent_name, "?"},
           {FieldId::process_start_time, "?"}, {FieldId::container_id, "?"}, {FieldId::process_stdin, "?"}, {FieldId::process_caps, "?"}}) {
    EXPECT_EQ(Shown(open, field), shown) << schema::Row(field).dotted;
  }
  EXPECT_EQ(Shown(log.The(EventKind::syscall_), FieldId::event_syscall), "openat");
}

TEST(AuditTest, RecordsOfInterleavedEventsAreJoined) {
  const ImportedLog log = ImportLog(Syscall({.serial = 1}) + Syscall({.serial = 2, .pid = 21}) + Path(2, 0, "\"/b\"", "NORMAL") + Path(1, 0, "\"/a\"", "NORMAL") +
                                    Record("EOE", 2, "") + Record("EOE", 1, ""));
  const std::vector<event::Event> opens = log.Of(EventKind::open_);
  ASSERT_EQ(opens.size(), 2u);
  EXPECT_EQ(Shown(opens[0], FieldId::file_path), "\"/a\"");
  EXPECT_EQ(Shown(opens[1], FieldId::file_path), "\"/b\"");
  EXPECT_EQ(Shown(opens[1], FieldId::process_pid), "21");
  EXPECT_EQ(log.report.merged.at("EOE"), 2u);
}

TEST(AuditTest, SerialsOfOtherNodesAreOthers) {
  const std::string one = "node=a " + Syscall({}) + "node=b " + Syscall({.pid = 21}) + "node=b " + Path(1, 0, "\"/b\"", "NORMAL") + "node=a " + Path(1, 0, "\"/a\"", "NORMAL");
  const ImportedLog log = ImportLog(one);
  EXPECT_EQ(log.node, "a");
  EXPECT_EQ(log.report.events, 2u);
  EXPECT_EQ(log.report.nodes, (std::map<std::string, uint64_t>{{"a", 2}, {"b", 2}}));
  ASSERT_EQ(log.Of(EventKind::open_).size(), 2u);
  EXPECT_EQ(Shown(log.Of(EventKind::open_)[0], FieldId::file_path), "\"/a\"");
}

TEST(AuditTest, ArgumentsOfExecAreReadInAllForms) {
  const auto args = [](const std::string& execve) {
    const ImportedLog log = ImportLog(Syscall({.number = 59, .result = "success=yes exit=0", .comm = "\"dd\"", .exe = "\"/bin/dd\""}) + execve + Cwd(1) +
                                      Path(1, 0, "\"/bin/dd\"", "NORMAL") + Record("EOE", 1, ""));
    return Shown(log.The(EventKind::exec_), FieldId::process_args);
  };
  EXPECT_EQ(args(Record("EXECVE", 1, "argc=3 a0=\"dd\" a1=612062 a2=\"\"")), R"(["dd", "a b", ""])");
  EXPECT_EQ(args(Record("EXECVE", 1, "argc=3 a0=\"dd\"") + Record("EXECVE", 1, "a1=\"x\" a2=\"y\"")), R"(["dd", "x", "y"])");
  EXPECT_EQ(args(Record("EXECVE", 1, "argc=2 a0=\"sh\" a1_len=8 a1[0]=6162") + Record("EXECVE", 1, "a1[1]=6364")), R"(["sh", "abcd"])");
  // What is missing is not there, and said.
  EXPECT_EQ(args(Record("EXECVE", 1, "argc=3 a0=\"dd\" a1=\"x\"")), R"(["dd", "x"]…)");
  EXPECT_EQ(args(Record("EXECVE", 1, "argc=3 a0=\"sh\" a1_len=12 a1[0]=\"ab\" a2=\"z\"")), R"(["sh", "ab"]…)");
  EXPECT_EQ(args(""), "?");
}

TEST(AuditTest, AProgramIsItsImage) {
  const auto exec = [](const std::string& exe, const std::string& asked) {
    return ImportLog(Syscall({.number = 59, .result = "success=yes exit=0", .exe = exe}) + Cwd(1) + Path(1, 0, asked, "NORMAL") + Record("EOE", 1, "")).The(EventKind::exec_);
  };
  EXPECT_EQ(Shown(exec("\"/bin/cat\"", "\"/bin/cat\""), FieldId::file_inode), "77");
  // A script's inode is not its interpreter's.
  EXPECT_EQ(Shown(exec("\"/bin/dash\"", "\"/usr/bin/lesspipe\""), FieldId::file_canonical), "\"/bin/dash\"");
  EXPECT_EQ(Shown(exec("\"/bin/dash\"", "\"/usr/bin/lesspipe\""), FieldId::file_inode), "?");
  // "/memfd:x (deleted)"
  EXPECT_EQ(Shown(exec("2F6D656D66643A78202864656C6574656429", "(null)"), FieldId::process_exe), "\"/memfd:x\"");
  const ImportedLog failed = ImportLog(Syscall({.number = 59, .result = "success=no exit=-2"}) + Path(1, 0, "\"/no\"", "UNKNOWN"));
  EXPECT_TRUE(failed.Of(EventKind::exec_).empty());
  EXPECT_EQ(Shown(failed.The(EventKind::syscall_), FieldId::event_errno), "ENOENT");
}

TEST(AuditTest, CallsHaveTheirNumbersOfEachArchitecture) {
  const auto name = [](const std::string& arch, int number, const std::string& enriched = "") {
    const ImportedLog log = ImportLog(Record("SYSCALL", 1, fmt::format("arch={} syscall={} success=yes exit=0 a0=ffffff9c a1=0 a2=0 a3=0 ppid=1 pid=2{}", arch, number, enriched)));
    return log.Of(EventKind::syscall_).empty() ? log.report.unmapped.begin()->first : Shown(log.The(EventKind::syscall_), FieldId::event_syscall);
  };
  EXPECT_EQ(name("c000003e", 87), "unlink");
  EXPECT_EQ(name("c00000b7", 35), "unlinkat");
  EXPECT_EQ(name("c00000b7", 79), "newfstatat");
  EXPECT_EQ(name("c00000b7", 45), "truncate");
  EXPECT_EQ(name("40000003", 10), "unlink");
  EXPECT_EQ(name("40000003", 7), "syscall 7 of arch 40000003");  // waitpid: x86-64 has none
  EXPECT_EQ(name("80000016", 10), "syscall 10 of arch 80000016");
  EXPECT_EQ(name("80000016", 10, "\x1d" "ARCH=s390x SYSCALL=unlink"), "unlink");
  // x32 has numbers of its own.
  EXPECT_EQ(name("c000003e", 1073742344), "syscall 1073742344 of arch c000003e");
}

// i386 has one call for all of sockets.
TEST(AuditTest, SocketcallIsTheCallThatItStandsFor) {
  const ImportedLog log = ImportLog(Syscall({.number = 102, .arguments = "a0=3 a1=bf0 a2=0 a3=0", .result = "success=no exit=-111", .arch = "40000003"}) +
                                    Record("SOCKETCALL", 1, "nargs=3 a0=5 a1=bf1 a2=10") + Record("SOCKADDR", 1, "saddr=020001BBC0A802060000000000000000"));
  const event::Event connect = log.The(EventKind::connect_);
  EXPECT_EQ(Shown(connect, FieldId::event_dst), "192.168.2.6:443");
  EXPECT_EQ(Shown(connect, FieldId::event_errno), "ECONNREFUSED");
  EXPECT_EQ(Shown(connect, FieldId::event_syscall), "connect");
  EXPECT_EQ(Shown(connect, FieldId::event_transport), "?");
  EXPECT_EQ(log.report.merged.at("SOCKETCALL"), 1u);
}

TEST(AuditTest, OnlySocketsOfIpAreConnected) {
  const auto log = [](int number, std::string_view address) {
    return ImportLog(Syscall({.number = number, .arguments = "a0=5 a1=0 a2=10 a3=0"}) + Record("SOCKADDR", 1, fmt::format("saddr={}\x1dSADDR={{ fam=x }}", address)));
  };
  EXPECT_EQ(Shown(log(42, "0A00005000000000FD0000000000000000000000000000010000000000").The(EventKind::connect_), FieldId::event_dst), "[fd00::1]:80");
  EXPECT_EQ(Shown(log(49, "0200270F00000000").The(EventKind::bind_), FieldId::event_src), "0.0.0.0:9999");
  EXPECT_EQ(Shown(log(43, "0200C0010A000001").The(EventKind::accept_), FieldId::event_src), "10.0.0.1:49153");
  EXPECT_EQ(Shown(log(44, "020000350A000001").The(EventKind::sendto_), FieldId::event_dst), "10.0.0.1:53");
  for (const char* other : {"01002F746D702F7300", "0A0000500000", "zz", "02"}) EXPECT_TRUE(log(42, other).Of(EventKind::connect_).empty()) << other;
}

TEST(AuditTest, PathsOfEachCallAreThoseItIsAbout) {
  struct Case {
    int number;
    std::string arguments, paths;
    EventKind kind;
    std::string path, old_path;
  };
  const std::string folder = Path(1, 0, "\"/d/\"", "PARENT");
  for (const Case& one : std::vector<Case>{
           {87, "a0=1", folder + Path(1, 1, "\"/d/x\"", "DELETE"), EventKind::unlink_, "\"/d/x\"", "unread"},
           {263, "a0=ffffff9c a1=1 a2=0", folder + Path(1, 1, "\"x\"", "DELETE"), EventKind::unlink_, "\"/home/me/x\"", "unread"},
           {263, "a0=5 a1=1 a2=0", folder + Path(1, 1, "\"x\"", "DELETE"), EventKind::unlink_, "?", "unread"},
           {263, "a0=ffffffffffffff9c a1=1 a2=200", folder + Path(1, 1, "\"x\"", "DELETE"), EventKind::rmdir_, "\"/home/me/x\"", "unread"},
           {82, "a0=1 a1=2", folder + folder + Path(1, 2, "\"/d/x\"", "DELETE") + Path(1, 3, "\"/d/y\"", "DELETE") + Path(1, 4, "\"/d/y\"", "CREATE"), EventKind::rename_, "\"/d/y\"", "\"/d/x\""},
           {264, "a0=5 a1=2 a2=ffffff9c a3=1", folder + Path(1, 2, "\"x\"", "DELETE") + Path(1, 3, "\"y\"", "CREATE"), EventKind::rename_, "\"/home/me/y\"", "?"},
           {86, "a0=1 a1=2", Path(1, 0, "\"/d/x\"", "NORMAL") + Path(1, 1, "\"/d/\"", "PARENT") + Path(1, 2, "\"/d/y\"", "CREATE"), EventKind::link_, "\"/d/y\"", "\"/d/x\""},
           {88, "a0=1 a1=2", Path(1, 0, "\"/d/\"", "PARENT") + Path(1, 1, "\"../t\"", "UNKNOWN") + Path(1, 2, "\"/d/y\"", "CREATE"), EventKind::symlink_, "\"/d/y\"", "unread"},
           {83, "a0=1 a1=1ed", folder + Path(1, 1, "2F642F6120C3A9", "CREATE"), EventKind::mkdir_, "\"/d/a é\"", "unread"},
           {90, "a0=1 a1=9ed", Path(1, 0, "\"/d/x\"", "NORMAL"), EventKind::chmod_, "\"/d/x\"", "unread"},
           {91, "a0=5 a1=1ed", Path(1, 0, "(null)", "NORMAL"), EventKind::chmod_, "?", "unread"},
           {76, "a0=1 a1=1000", Path(1, 0, "\"/d/x\"", "NORMAL"), EventKind::truncate_, "\"/d/x\"", "unread"},
           {161, "a0=1", Path(1, 0, "\"/d\"", "NORMAL"), EventKind::chroot_, "\"/d\"", "unread"},
           {165, "a0=0 a1=1 a2=0 a3=1000", Path(1, 0, "\"/mnt\"", "NORMAL") + Path(1, 1, "\"/dev/sdb\"", "NORMAL"), EventKind::mount_, "\"/mnt\"", "unread"},
           {304, "a0=5 a1=1 a2=0", Path(1, 0, "(null)", "NORMAL"), EventKind::open_by_handle_, "?", "unread"}}) {
    const ImportedLog log = ImportLog(Syscall({.number = one.number, .arguments = one.arguments, .result = "success=yes exit=0"}) + Cwd(1) + one.paths + Record("EOE", 1, ""));
    EXPECT_EQ(Shown(log.The(one.kind), FieldId::file_path), one.path) << one.number << " " << one.arguments;
    EXPECT_EQ(Shown(log.The(one.kind), FieldId::file_old_path), one.old_path) << one.number;
    for (const event::Event& event : log.events) {
      for (const schema::FieldRow& row : schema::Fields()) {
        const bool told = event.record[row.id].status != schema::Status::Unread;
        EXPECT_TRUE(told || !schema::Has(event.kind, row.id)) << schema::Row(event.kind).name << " " << row.dotted;
      }
    }
  }
}

TEST(AuditTest, ArgumentsOfCallsAreTheirFields) {
  const auto shown = [](int number, const std::string& arguments, EventKind kind, FieldId field, const std::string& more = "", const std::string& result = "success=yes exit=0") {
    return Shown(ImportLog(Syscall({.number = number, .arguments = arguments, .result = result}) + more + Record("EOE", 1, "")).The(kind), field);
  };
  EXPECT_EQ(shown(2, "a0=1 a1=241 a2=1b6", EventKind::open_, FieldId::event_access), "[WRITE, TRUNCATE]");
  EXPECT_EQ(shown(2, "a0=1 a1=441 a2=1b6", EventKind::create_, FieldId::event_access, Path(1, 0, "\"/d/n\"", "CREATE")), "[WRITE, APPEND, CREATED]");
  EXPECT_EQ(shown(2, "a0=1 a1=441 a2=1b6", EventKind::create_, FieldId::event_mode, Path(1, 0, "\"/d/n\"", "CREATE")), "0o640");
  EXPECT_EQ(shown(437, "a0=ffffff9c a1=1 a2=7f a3=18", EventKind::open_, FieldId::event_access), "?");
  EXPECT_EQ(shown(437, "a0=ffffff9c a1=1 a2=7f a3=18", EventKind::open_, FieldId::event_access, Record("OPENAT2", 1, "oflag=02 mode=0 resolve=0x8")), "[READ, WRITE]");
  EXPECT_EQ(shown(90, "a0=1 a1=9ed", EventKind::chmod_, FieldId::event_mode), "0o4755");
  EXPECT_EQ(shown(62, "a0=1f4 a1=9", EventKind::signal_, FieldId::event_signal), "SIGKILL");
  EXPECT_EQ(shown(62, "a0=1f4 a1=9", EventKind::signal_, FieldId::target_pid), "?");  // of which namespace
  EXPECT_EQ(shown(62, "a0=1f4 a1=9", EventKind::signal_, FieldId::target_pid, Record("OBJ_PID", 1, "opid=500 oauid=0 ouid=0 oses=1 ocomm=\"x\"")), "500");
  EXPECT_EQ(shown(62, "a0=ffffffff a1=f", EventKind::signal_, FieldId::target_pid), "-1");
  EXPECT_EQ(shown(101, "a0=10 a1=1f4", EventKind::ptrace_, FieldId::event_request), "ATTACH");
  EXPECT_EQ(shown(310, "a0=1f4", EventKind::ptrace_, FieldId::event_request), "PROCESS_VM_READ");
  EXPECT_EQ(shown(105, "a0=0", EventKind::setuid_, FieldId::target_uid), "0");
  EXPECT_EQ(shown(117, "a0=ffffffff a1=3e8 a2=ffffffff", EventKind::setuid_, FieldId::target_uid), "1000");
  EXPECT_EQ(shown(117, "a0=ffffffff a1=ffffffff a2=ffffffff", EventKind::setuid_, FieldId::target_uid), "-");
  EXPECT_EQ(shown(122, "a0=5", EventKind::setuid_, FieldId::event_errno), "EPERM");  // fsuid is another still
  EXPECT_EQ(shown(92, "a0=1 a1=0 a2=ffffffff", EventKind::chown_, FieldId::target_uid), "0");
  EXPECT_EQ(shown(92, "a0=1 a1=0 a2=ffffffff", EventKind::chown_, FieldId::target_gid), "-");
  EXPECT_EQ(shown(272, "a0=10020000", EventKind::unshare_, FieldId::event_namespaces), "[mount, user]");
  EXPECT_EQ(shown(308, "a0=5 a1=0", EventKind::setns_, FieldId::event_namespaces), "?");
  EXPECT_EQ(shown(157, "a0=26", EventKind::prctl_, FieldId::event_option), "PR_SET_NO_NEW_PRIVS");
  EXPECT_EQ(shown(319, "a0=1 a1=1", EventKind::memfd_create_, FieldId::event_memfd_flags), "[CLOEXEC]");
  EXPECT_EQ(shown(319, "a0=1 a1=1", EventKind::memfd_create_, FieldId::file_path), "?");
  EXPECT_EQ(shown(10, "a0=1 a1=1000 a2=7", EventKind::mprotect_, FieldId::event_protection), "[READ, WRITE, EXEC]");
  EXPECT_EQ(shown(41, "a0=11 a1=80003 a2=300", EventKind::socket_, FieldId::event_family), "packet");
  EXPECT_EQ(shown(41, "a0=11 a1=80003 a2=300", EventKind::socket_, FieldId::event_socket_type), "raw");
  EXPECT_EQ(shown(321, "a0=5", EventKind::bpf_, FieldId::event_bpf_command), "PROG_LOAD");
  EXPECT_EQ(shown(250, "a0=1", EventKind::keyctl_, FieldId::event_key_operation), "JOIN_SESSION_KEYRING");
  EXPECT_EQ(shown(169, "a0=fee1dead a1=28121969 a2=1234567", EventKind::reboot_, FieldId::event_reboot_command), "RESTART");
  EXPECT_EQ(shown(133, "a0=1 a1=2180 a2=501", EventKind::mknod_, FieldId::event_node), "char");
  EXPECT_EQ(shown(133, "a0=1 a1=2180 a2=501", EventKind::mknod_, FieldId::event_node_device), std::to_string(5 << 20 | 1));
  EXPECT_EQ(shown(126, "a0=1 a1=1", EventKind::capset_, FieldId::target_caps, Record("CAPSET", 1, "pid=5 cap_pi=0 cap_pp=1 cap_pe=2000 cap_pa=0")), "[CAP_NET_RAW]");
  EXPECT_EQ(shown(175, "a0=1 a1=1000", EventKind::module_load_, FieldId::file_path, Record("KERN_MODULE", 1, "name=\"nf\"")), "?");
}

TEST(AuditTest, OutcomesThatAreNotSaidAreUnknown) {
  const auto outcome = [](const std::string& result) {
    const event::Event event = ImportLog(Syscall({.result = result})).The(EventKind::syscall_);
    return Shown(event, FieldId::event_result) + " " + Shown(event, FieldId::event_errno);
  };
  EXPECT_EQ(outcome("success=no exit=-13"), "failed EACCES");
  EXPECT_EQ(outcome("success=no exit=-512"), "failed EINTR");
  EXPECT_EQ(outcome("success=no"), "failed ?");
  EXPECT_EQ(outcome("success=yes"), "ok none");
  EXPECT_EQ(outcome("exit=5"), "ok none");
  EXPECT_EQ(outcome(""), "? ?");
  EXPECT_EQ(outcome("success=yes exit=-13"), "? ?");
}

TEST(AuditTest, WhoMadeWhomIsKept) {
  const ImportedLog log = ImportLog(Syscall({.serial = 1, .number = 59, .result = "success=yes exit=0", .pid = 10, .parent = 1, .comm = "\"sshd\"", .exe = "\"/usr/sbin/sshd\""}) +
                                    Syscall({.serial = 2, .number = 56, .arguments = "a0=1200011 a1=0 a2=0 a3=0", .result = "success=yes exit=20", .pid = 10, .parent = 1, .comm = "\"sshd\"", .exe = "\"/usr/sbin/sshd\""}) +
                                    Syscall({.serial = 3, .number = 59, .result = "success=yes exit=0", .comm = "\"bash\"", .exe = "\"/bin/bash\""}) +
                                    // The parent ends; it is still the one that made it.
                                    Syscall({.serial = 4, .number = 231, .arguments = "a0=7 a1=0 a2=0 a3=0", .result = "", .pid = 10, .parent = 1}) +
                                    Syscall({.serial = 5, .parent = 1, .comm = "\"bash\"", .exe = "\"/bin/bash\""}) +
                                    // Another one of the same number.
                                    Syscall({.serial = 6, .pid = 20, .parent = 99, .seconds = 1'600'000'001}));
  EXPECT_EQ(Shown(log.The(EventKind::fork_), FieldId::child_pid), "20");
  EXPECT_EQ(Shown(log.The(EventKind::exit_), FieldId::event_exit_code), "7");
  const std::vector<event::Event> opens = log.Of(EventKind::open_);
  ASSERT_EQ(opens.size(), 2u);
  EXPECT_EQ(Shown(opens[0], FieldId::process_parent_pid), "10");
  EXPECT_EQ(Shown(opens[0], FieldId::process_parent_name), "\"cat\"");  // as it was called last
  EXPECT_EQ(Shown(opens[0], FieldId::process_ancestors), "[\"cat\"]…");
  EXPECT_EQ(Shown(opens[0], FieldId::process_id), "\"" + schema::ProcessId(20, 1'600'000'000'123'000'000) + "\"");
  EXPECT_EQ(Shown(opens[1], FieldId::process_parent_pid), "99");
  EXPECT_EQ(Shown(opens[1], FieldId::process_parent_name), "?");
  EXPECT_EQ(Shown(opens[1], FieldId::process_id), "\"" + schema::ProcessId(20, 1'600'000'001'123'000'000) + "\"");
  // No end of a call is told of one that does not return.
  EXPECT_EQ(log.Of(EventKind::syscall_).size(), 5u);
}

TEST(AuditTest, LongLinesOfEndedAncestorsAreCut) {
  // Each makes the next one, and ends.
  std::string text;
  int pid = 10;
  for (int serial = 1; serial < 600; serial += 2, ++pid) {
    text += Syscall({.serial = serial, .number = 56, .arguments = "a0=1200011 a1=0 a2=0 a3=0", .result = fmt::format("success=yes exit={}", pid + 1), .pid = pid, .parent = pid - 1});
    text += Syscall({.serial = serial + 1, .number = 231, .arguments = "a0=0 a1=0 a2=0 a3=0", .result = "", .pid = pid, .parent = pid - 1});
  }
  const ImportedLog log = ImportLog(text + Syscall({.serial = 601, .pid = pid, .parent = pid - 1}));
  std::string names;
  for (int i = 0; i < 16; ++i) names += i == 0 ? "\"cat\"" : ", \"cat\"";
  EXPECT_EQ(Shown(log.The(EventKind::open_), FieldId::process_ancestors), "[" + names + "]…");
  EXPECT_TRUE(log.report.damage.empty());
}

TEST(AuditTest, OtherRecordsAreCountedByName) {
  const ImportedLog log = ImportLog(Record("USER_LOGIN", 1, "pid=5 uid=0 auid=0 ses=1 msg='op=login acct=\"root\" exe=\"/usr/sbin/sshd\" res=failed'") +
                                    Record("SERVICE_START", 2, "pid=1 uid=0 msg='unit=cron'") + Record("NETFILTER_CFG", 3, "table=filter family=2") + Syscall({.serial = 3, .number = 54}) +
                                    Record("DAEMON_START", 4, "op=start ver=3") + Record("UNKNOWN[1399]", 5, "x=1") + Syscall({.serial = 6, .number = 22}) +
                                    Record("FD_PAIR", 6, "fd0=3 fd1=4") + Syscall({.serial = 7, .number = 9}) + Record("MMAP", 7, "fd=3 flags=0x2"));
  EXPECT_EQ(log.report.events, 7u);
  EXPECT_EQ(log.report.unmapped, (std::map<std::string, uint64_t>{
                                     {"USER_LOGIN", 1}, {"SERVICE_START", 1}, {"NETFILTER_CFG", 1}, {"DAEMON_START", 1}, {"1399", 1}, {"FD_PAIR", 1}, {"MMAP", 1}}));
  EXPECT_EQ(log.report.made, (std::map<std::string, uint64_t>{{"syscall", 3}}));
  EXPECT_EQ(log.report.foreign_lines, 0u);
}

TEST(AuditTest, RecordsAreFoundInWhatCarriesThem) {
  const std::string bare = Syscall({}), record = bare.substr(0, bare.size() - 1);
  std::string escaped = record;
  for (size_t at = 0; (at = escaped.find('"', at)) != std::string::npos; at += 2) escaped.insert(at, "\\");
  for (const std::string& line : {record, "node=n1 " + record, "Nov 29 23:04:59 host audispd: " + record, "<13>1 2026-11-29T23:04:59Z host audit - - - node=n1 " + record,
                                  "Nov 29 23:04:59 host kernel: [ 12.5] audit: type=1300 " + record.substr(record.find("audit(")), R"({"message":")" + escaped + R"("})",
                                  R"({"a":{"b":[1]},"SyslogMessage":")" + escaped + R"("},)", R"({"MESSAGE":")" + escaped + "\\n\"}", record + "\r"}) {
    const ImportedLog log = ImportLog(line + "\n");
    EXPECT_EQ(log.format, "audit") << line;
    EXPECT_EQ(log.report.events, 1u) << line;
    EXPECT_EQ(Shown(log.The(EventKind::open_), FieldId::process_exe), "\"/bin/cat\"") << line;
    EXPECT_TRUE(log.report.unmapped.empty()) << line;
  }
}

TEST(AuditTest, WhatAnybodyCanWriteIsNoRecord) {
  const std::string record = Syscall({});
  for (const std::string head : {"Nov 29 23:04:59 host me: ", "Nov 29 23:04:59 host me: audit: ", "Nov 29 23:04:59 host me[5]: node=n1 ", "host ", "Nov 29 23:04:59 host auditd[1]: x ",
                                 "Nov 29 23:04:59 host kernel: [ 12.5] x: ", "Nov 29 23:04:59 host kernel: [ 12.5", "<13>1 2026-11-29T23:04:59Z host me - - - ",
                                 "<13>1 2026-11-29T23:04:59Z host audit - - - x ", "<13>1 2026-11-29T23:04:59Z host audit - - [a b=", "<13>Nov 29 23:04:59 host me: audit: "}) {
    const ImportedLog log = ImportLog(record + head + Syscall({.serial = 2, .seconds = 1'900'000'000}) + head + "audit: audit_lost=5\n" + head + "audit: backlog limit exceeded\n");
    EXPECT_EQ(log.report.events, 1u) << head;
    EXPECT_TRUE(log.lost.empty()) << head;
    EXPECT_EQ(log.report.foreign_lines, 3u) << head;
  }
  for (const std::string head : {"Nov 29 23:04:59 host auditd[17]: ", "2026-11-29T23:04:59.1+01:00 host audisp-syslog: ", "<13>Nov 29 23:04:59 host sedispatch: node=n1 ", "[   12.5] audit: ",
                                 "[   12.5][    T1] audit: ", "Nov 29 23:04:59 host kernel: ", "<13>1 2026-11-29T23:04:59Z host kernel - - [a b=\"c\"][d] [ 12.5] audit: ", "\t"}) {
    EXPECT_EQ(ImportLog(head + record, "audit").report.events, 1u) << head;
  }
}

TEST(AuditTest, AuomsPutsAnEventIntoOneRecord) {
  const std::string record =
      R"(type=AUOMS_EXECVE audit(1652292621.990:84143): SchemaVersion=\"1\" node=UB arch=x86_64 syscall=execve syscall_r=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 )"
      R"(ppid=1340 pid=17790 auid=4294967295 user=tomcat uid=1001 gid=1001 euid=1001 egid=1001 tty=(none) ses=\"-1\" comm=\"bash\" exe=\"/bin/bash\" cwd=\"/\" )"
      R"(name=\"/bin/bash\" inode=31 dev=08:01 mode=file,755 nametype=NORMAL path_name=[\"/bin/bash\",\"/lib64/ld.so\"] path_nametype=[\"NORMAL\",\"NORMAL\"] )"
      R"(path_mode=[\"0100755\",\"0100755\"] argc=4 cmdline=\"bash -c \"a|b \\\"c\\\" redactors= d\" $'\\x09'\" redactors= containerid=)";
  const ImportedLog log = ImportLog(R"({"SyslogMessage":")" + record + "\"}\n");
  EXPECT_EQ(log.node, "UB");
  const event::Event exec = log.The(EventKind::exec_);
  EXPECT_EQ(Shown(exec, FieldId::process_args), R"(["bash", "-c", "a|b \"c\" redactors= d", "\x09"])");
  EXPECT_EQ(Shown(exec, FieldId::file_inode), "31");
  EXPECT_EQ(Shown(exec, FieldId::process_tty), "-");
  EXPECT_EQ(Shown(exec, FieldId::process_loginuid), "4294967295");
  EXPECT_TRUE(log.report.unmapped.empty());
}

TEST(AuditTest, ShellWordsAreArguments) {
  using audit::ReadShellWords;
  EXPECT_EQ(ReadShellWords(R"(a  'b "c' "d'e" f\ g "" $'h\n\'\x41\q' \)"), std::string("a\0b \"c\0d'e\0f g\0\0h\n'Aq\0\\\0", 24));
  EXPECT_EQ(ReadShellWords(""), "");
  EXPECT_EQ(ReadShellWords("\"open"), std::string("open\0", 5));
}

TEST(AuditTest, LossesAreTold) {
  const ImportedLog log = ImportLog(Syscall({}) + "Nov 29 host kernel: [1.0] audit: audit_backlog=65 > audit_backlog_limit=64\n" +
                                    "Nov 29 host kernel: [1.0] audit: audit_lost=5 audit_rate_limit=0 audit_backlog_limit=64\nNov 29 host kernel: audit: backlog limit exceeded\n" +
                                    "kernel: audit: audit_lost=12 audit_rate_limit=0\nkernel: audit: audit_lost=2 audit_rate_limit=0\nkernel: audit: backlog limit exceeded\n" +
                                    "kernel: audit: backlog limit exceeded\n" + Record("DAEMON_ERR", 9, "op=dispatch-err"));
  std::vector<uint64_t> records;
  for (const trace::Lost& lost : log.lost) records.push_back(lost.records);
  EXPECT_EQ(records, (std::vector<uint64_t>{5, 7, 2, 1, 1}));
  EXPECT_EQ(log.lost.at(0).time_ns, 1'600'000'000'123'000'000u);
  EXPECT_EQ(log.report.foreign_lines, 1u);
}

TEST(AuditTest, WhatIsNoRecordIsNamed) {
  const ImportedLog log = ImportLog("----\n" + Syscall({}) + "\ntime->Tue\n{\"no\": 1}\n{broken\ntype=SYSCALL msg=audit(99999999999999999.1:1): x\ntype=PATH msg=audit(1.1:x): a\n" +
                                    std::string(70, '{') + "\n");
  EXPECT_EQ(log.report.foreign_lines, 7u);
  ASSERT_EQ(log.report.foreign.size(), 5u);
  EXPECT_EQ(log.report.foreign[0], "line 1: ----");
  EXPECT_EQ(log.report.foreign[1], "line 4: time->Tue");
  EXPECT_EQ(log.report.events, 1u);
  EXPECT_TRUE(log.report.damage.empty());
  EXPECT_NE(ImportLog("nothing\n").refusal.find("it begins as no recording that is known"), std::string::npos);
  EXPECT_EQ(ImportLog("nothing\n", "audit").report.damage, std::vector<std::string>{"none of its 1 lines is an audit record"});
  EXPECT_NE(ImportLog(Syscall({}), "scap").refusal.find("it does not begin as a .scap file"), std::string::npos);
}

TEST(AuditTest, CutAndHostileLogsGiveWhatCanBeRead) {
  const std::string whole = Syscall({}) + Cwd(1) + Path(1, 0, "\"/a\"", "NORMAL");
  for (size_t size = 0; size < whole.size(); ++size) {
    const ImportedLog log = ImportLog(whole.substr(0, size), "audit");
    EXPECT_LE(log.report.events, 1u);
  }
  const ImportedLog line = ImportLog(Syscall({}) + std::string(5 << 20, 'x') + "\n" + Syscall({.serial = 2}));
  EXPECT_EQ(line.report.events, 2u);
  EXPECT_EQ(line.report.damage, std::vector<std::string>{"line 2 is longer than 1048576 bytes: skipped"});
  // Open events are bounded; that one was given before its end is said.
  std::string many;
  for (int serial = 0; serial < 6000; ++serial) many += "type=PATH msg=audit(1600000000.000:" + std::to_string(serial) + "): item=0 name=\"/a\"\n";
  const ImportedLog large = ImportLog([] {
    std::string text = Syscall({});
    for (int i = 0; i < 6; ++i) text += Record("PATH", 1, "name=\"/" + std::string(1'000'000, 'x') + "\"");
    return text;
  }());
  EXPECT_EQ(large.report.damage, std::vector<std::string>{"event 1600000000.123:1: more than 4 MiB: its further records are skipped"});
  const ImportedLog open = ImportLog(many);
  EXPECT_EQ(open.report.events, 6000u);
  EXPECT_EQ(open.report.unmapped.at("PATH"), 6000u);
  EXPECT_TRUE(open.report.damage.empty());  // each was given up after 1,000 others
}

}  // namespace
}  // namespace ks::import
