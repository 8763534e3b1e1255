#include <fmt/format.h>

#include "runtime/import/log_testing.h"

namespace ks::import {
namespace {

using schema::EventKind;
using schema::FieldId;

constexpr std::string_view kShell = "{12345678-0000-0000-0000-000000000001}", kInit = "{12345678-0000-0000-0000-000000000000}";

std::string Data(std::string_view name, std::string_view value) { return fmt::format(R"(<Data Name="{}">{}</Data>)", name, value); }

std::string Event(int id, const std::string& data, std::string_view time = "2021-10-14 13:30:58.123") {
  return fmt::format(R"(<Event><System><Provider Name="Linux-Sysmon" Guid="{{ff032593-a8d3-4f13-b0d6-01fc615a0f97}}"/><EventID>{}</EventID><Version>5</Version>)"
                     R"(<TimeCreated SystemTime="2021-10-14T13:30:59.5Z"/><EventRecordID>1</EventRecordID><Computer>node-1</Computer><Security UserId="0"/></System>)"
                     R"(<EventData>{}{}</EventData></Event>)",
                     id, Data("UtcTime", time), data);
}

std::string Create(std::string_view guid, int pid, std::string_view image, std::string_view line, std::string_view parent, int parent_pid, std::string_view parent_image) {
  return Event(1, Data("ProcessGuid", guid) + Data("ProcessId", std::to_string(pid)) + Data("Image", image) + Data("CommandLine", line) + Data("CurrentDirectory", "/root/") +
                      Data("User", "root") + Data("Hashes", "SHA256=00") + Data("ParentProcessGuid", parent) + Data("ParentProcessId", std::to_string(parent_pid)) +
                      Data("ParentImage", parent_image));
}

std::string Of(std::string_view guid, int pid, std::string_view image) {
  return Data("ProcessGuid", guid) + Data("ProcessId", std::to_string(pid)) + Data("Image", image);
}

TEST(SysmonTest, AProcessAndItsParentAreTold) {
  const ImportedLog log = ImportLog(Create(kShell, 20, "/usr/bin/bash", "bash", kInit, 1, "/sbin/init") + "\n");
  EXPECT_EQ(log.format, "sysmon");
  EXPECT_EQ(log.node, "node-1");
  const event::Event exec = log.The(EventKind::exec_);
  EXPECT_EQ(exec.time_ns, 1'634'218'258'123'000'000u);
  for (const auto& [field, shown] : std::vector<std::pair<FieldId, std::string>>{
           {FieldId::process_pid, "20"}, {FieldId::process_exe, "\"/usr/bin/bash\""}, {FieldId::file_canonical, "\"/usr/bin/bash\""}, {FieldId::process_args, "[\"bash\"]"},
           {FieldId::process_cwd, "\"/root\""}, {FieldId::process_parent_pid, "1"}, {FieldId::process_parent_exe, "\"/sbin/init\""}, {FieldId::process_parent_name, "?"},
           {FieldId::process_name, "?"}, {FieldId::process_uid, "?"}, {FieldId::process_tid, "?"}, {FieldId::file_inode, "?"}, {FieldId::process_tty, "?"},
           {FieldId::container_id, "?"}}) {
    EXPECT_EQ(Shown(exec, field), shown) << schema::Row(field).dotted;
  }
  for (const schema::FieldRow& row : schema::Fields()) {
    EXPECT_TRUE(exec.record[row.id].status != schema::Status::Unread || !schema::Has(exec.kind, row.id)) << row.dotted;
  }
}

// Where one argument ends, a line that is joined by spaces does not say.
TEST(SysmonTest, ArgumentsThatAreJoinedAreUnknown) {
  EXPECT_EQ(Shown(ImportLog(Create(kShell, 20, "/bin/sh", "sh -c id", kInit, 1, "/sbin/init")).The(EventKind::exec_), FieldId::process_args), "?");
}

TEST(SysmonTest, AncestryIsByGuid) {
  const std::string child = "{12345678-0000-0000-0000-000000000002}", other = "{12345678-0000-0000-0000-000000000003}";
  const ImportedLog log = ImportLog(Create(kShell, 20, "/bin/bash", "bash", kInit, 1, "/sbin/init") + "\n" + Create(child, 21, "/bin/ls", "ls", kShell, 20, "/bin/bash") + "\n" +
                                    Event(5, Of(kShell, 20, "/bin/bash")) + "\n" + Event(11, Of(child, 21, "/bin/ls") + Data("TargetFilename", "/tmp/a &amp; b")) + "\n" +
                                    // The number is used again.
                                    Event(23, Of(other, 20, "/bin/rm") + Data("TargetFilename", "/tmp/c"), "2021-10-14 13:31:00") + "\n");
  EXPECT_EQ(log.report.events, 5u);
  EXPECT_EQ(Shown(log.The(EventKind::exit_), FieldId::event_exit_code), "?");
  const event::Event create = log.The(EventKind::create_);
  EXPECT_EQ(Shown(create, FieldId::file_path), "\"/tmp/a & b\"");
  EXPECT_EQ(Shown(create, FieldId::process_parent_pid), "20");
  EXPECT_EQ(Shown(create, FieldId::process_parent_exe), "\"/bin/bash\"");
  EXPECT_EQ(Shown(create, FieldId::process_ancestor_ids), fmt::format("[\"{}\", \"{}\"]…", schema::ProcessId(20, 1'634'218'258'123'000'000), schema::ProcessId(1, 0)));
  EXPECT_EQ(Shown(create, FieldId::event_result), "ok");
  const event::Event unlink = log.The(EventKind::unlink_);
  EXPECT_EQ(Shown(unlink, FieldId::process_parent_pid), "?");
  EXPECT_NE(Shown(unlink, FieldId::process_id), Shown(log.Of(EventKind::exec_)[0], FieldId::process_id));
  EXPECT_EQ(Shown(unlink, FieldId::event_syscall), "?");
}

TEST(SysmonTest, ConnectionsHaveTheirEnds) {
  const std::string ends = Data("Protocol", "tcp") + Data("SourceIp", "10.0.0.5") + Data("SourcePort", "40000") + Data("DestinationIp", "fd00::1") + Data("DestinationPort", "443");
  const event::Event connect = ImportLog(Event(3, Of(kShell, 20, "/bin/nc") + Data("Initiated", "true") + ends)).The(EventKind::connect_);
  EXPECT_EQ(Shown(connect, FieldId::event_src), "10.0.0.5:40000");
  EXPECT_EQ(Shown(connect, FieldId::event_dst), "[fd00::1]:443");
  EXPECT_EQ(Shown(connect, FieldId::event_transport), "tcp");
  const event::Event accept = ImportLog(Event(3, Of(kShell, 20, "/bin/nc") + Data("Initiated", "false") + Data("SourceIp", "x") + Data("DestinationPort", "70000"))).The(EventKind::accept_);
  EXPECT_EQ(Shown(accept, FieldId::event_src), "?");
  EXPECT_EQ(Shown(accept, FieldId::event_dst), "?");
  EXPECT_EQ(Shown(accept, FieldId::event_transport), "?");
}

TEST(SysmonTest, OtherEventsAreMappedOrCounted) {
  EXPECT_EQ(Shown(ImportLog(Event(9, Of(kShell, 20, "/bin/dd") + Data("Device", "/dev/sda"))).The(EventKind::open_), FieldId::file_path), "\"/dev/sda\"");
  const std::string access = Data("SourceProcessGUID", kShell) + Data("SourceProcessId", "20") + Data("SourceImage", "/bin/gdb") + Data("TargetProcessId", "30");
  const event::Event ptrace = ImportLog(Event(10, access)).The(EventKind::ptrace_);
  EXPECT_EQ(Shown(ptrace, FieldId::target_pid), "30");
  EXPECT_EQ(Shown(ptrace, FieldId::process_exe), "\"/bin/gdb\"");
  EXPECT_EQ(Shown(ptrace, FieldId::event_request), "?");
  const ImportedLog log = ImportLog(Event(16, "") + "\n" + Event(4, "") + "\n" + Event(255, "") + "\n" + Event(77, "") + "\n");
  EXPECT_EQ(log.report.unmapped, (std::map<std::string, uint64_t>{{"16 SysmonConfigurationChange", 1}, {"4 SysmonServiceStateChange", 1}, {"255 Error", 1}, {"event 77", 1}}));
  // "-" is what Sysmon does not know.
  EXPECT_EQ(Shown(ImportLog(Event(11, Of("-", 20, "-") + Data("TargetFilename", "-"))).The(EventKind::create_), FieldId::file_path), "?");
  EXPECT_EQ(Shown(ImportLog(Event(11, Of("-", 20, "-"))).The(EventKind::create_), FieldId::process_id), "?");
  EXPECT_EQ(Shown(ImportLog(Event(5, Of(kShell, 20, "/bin/x"), "-")).The(EventKind::exit_), FieldId::event_time), "2021-10-14T13:30:59.500000000Z");
}

TEST(SysmonTest, EventsAreFoundInWhatCarriesThem) {
  const std::string event = Event(5, Of(kShell, 20, "/bin/x"));
  std::string escaped = event;
  for (size_t at = 0; (at = escaped.find('"', at)) != std::string::npos; at += 2) escaped.insert(at, "\\");
  for (const std::string& line : {event, "Oct 14 13:30:58 node-1 sysmon: " + event, "<14>1 2021-10-14T13:30:58Z node-1 sysmon 12 - - " + event, R"({"Message":")" + escaped + R"("})",
                                  R"({"host":{"name":"x"},"message":"sysmon: )" + escaped + "\"}\r"}) {
    const ImportedLog log = ImportLog("Oct 14 host cron: nothing\n" + line + "\n");
    EXPECT_EQ(log.format, "sysmon") << line;
    EXPECT_EQ(log.Of(EventKind::exit_).size(), 1u) << line;
    EXPECT_EQ(log.report.foreign_lines, 1u);
  }
}

TEST(SysmonTest, WhatAProcessIsCalledDoesNotMakeItAnotherFormat) {
  const std::string audit = "type=SYSCALL msg=audit(1600000000.1:1): arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=2";
  EXPECT_EQ(ImportLog(Create(kShell, 20, "/bin/sh", "echo " + audit, kInit, 1, "/sbin/init")).format, "sysmon");
  EXPECT_EQ(ImportLog(audit + " comm=\"<Event><Provider Name=Linux-Sysmon\"\n").format, "audit");
}

TEST(SysmonTest, DamagedAndHostileEventsAreSaid) {
  const std::string good = Event(5, Of(kShell, 20, "/bin/x"));
  const auto damage = [&](const std::string& line) {
    const ImportedLog log = ImportLog(good + "\n" + line + "\n" + good + "\n");
    EXPECT_EQ(log.Of(EventKind::exit_).size(), 2u);
    return log.report.damage.empty() ? "" : log.report.damage[0];
  };
  EXPECT_EQ(damage(good.substr(0, good.size() - 20)), "line 2: the event is cut");
  EXPECT_EQ(damage(Event(5, "<Data Name=\"a\">")).substr(0, 8), "line 2: ");
  std::string deep;
  for (int i = 0; i < 50; ++i) deep += "<a>";
  EXPECT_EQ(damage(Event(5, deep)), "line 2: it is nested too deeply");
  EXPECT_EQ(damage(Event(5, Data("a", std::string(200'000, 'x')))), "line 2: a value is too long");
  std::string many;
  for (int i = 0; i < 300; ++i) many += Data("n" + std::to_string(i), "1");
  EXPECT_EQ(damage(Event(5, many)), "line 2: it has too many values");
  // Entities of a document type, which could grow, are none; those that XML has itself are.
  EXPECT_EQ(damage(Event(5, Data("a", "&lol;"))), "line 2: undefined entity");
  EXPECT_EQ(damage(R"(<Event><Provider Name="Linux-Sysmon"/></Event>)"), "line 2: it has no EventID");
  for (size_t size = 0; size < good.size(); ++size) EXPECT_LE(ImportLog(good.substr(0, size), "sysmon").Of(EventKind::exit_).size(), 1u);
}

}  // namespace
}  // namespace ks::import
