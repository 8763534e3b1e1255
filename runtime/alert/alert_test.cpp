#include "runtime/alert/alert.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "runtime/event/event_testing.h"

namespace ks::alert {
namespace {

using event::Event;
using event::Match;
using schema::EventKind;
using schema::FieldId;
using FieldStatus = schema::Status;
using Json = nlohmann::ordered_json;

schema::Endpoint At(const char* text) {
  schema::Endpoint endpoint;
  EXPECT_TRUE(schema::ParseEndpoint(text, &endpoint));
  return endpoint;
}

std::vector<FieldId> EveryMetadataField() {
  std::vector<FieldId> fields;
  for (const schema::FieldRow& row : schema::Fields()) {
    if (row.data_class == schema::DataClass::Metadata) fields.push_back(row.id);
  }
  return fields;
}

class Alert : public testing::Test {
 protected:
  Alert() {
    event_.kind = EventKind::open_;
    event_.cpu = 3;
    event_.sequence = 99;
    event::SetTime(event_, 1'795'453'923'123'456'789);
    Set(FieldId::event_result, int64_t{0});
    Set(FieldId::event_syscall, *schema::EnumeratorValue("syscall", "openat"));
    Set(FieldId::process_pid, int64_t{4711});
    Set(FieldId::process_tid, int64_t{4711});
    Set(FieldId::process_name, std::string("cat"));
    Set(FieldId::process_parent_pid, int64_t{4700});
    Set(FieldId::process_parent_name, std::string("sh"));
    Set(FieldId::container_id, std::string(64, 'a'));
    Set(FieldId::file_path, std::string("/etc/shadow"));
    match_.event = &event_;
    match_.rule = &rule_;
    match_.message = "cat read a credential file";
    match_.matched = {"credential_files#2"};
    match_.shown = shown_;
  }
  void Set(FieldId field, schema::Value value, FieldStatus status = FieldStatus::Ok) {
    event_.record.Set(field, std::move(value), status);
  }
  std::string Line() const { return Format(match_, origin_, 812, 5); }
  Json Parsed() const { return Json::parse(Line()); }

  event::RuleInfo rule_{
      "acme.runtime.shadow_read", "acme.runtime", "shadow_read", "Credential file read", "high", {"T1003.008"}, {}};
  Event event_;
  Match match_;
  std::vector<FieldId> shown_ = EveryMetadataField();
  Origin origin_{"n1", "5d4c", "sha256:ab", 42, "sha256:cd"};
};

TEST_F(Alert, IsOneLineInTheDesignsShape) {
  const std::string line = Line();
  EXPECT_EQ(line.find('\n'), std::string::npos);
  Json alert = Json::parse(line);
  const std::string id = alert["id"], dedup = alert["dedup"];
  EXPECT_EQ(id.size(), 26u);
  EXPECT_TRUE(dedup.starts_with("fnv1a64:"));
  const std::string expected =
      R"({"v":1,"id":")" + id + R"(","dedup":")" + dedup +
      R"(","time":"2026-11-23T17:12:03.123456789Z","node":"n1","boot":"5d4c","seq":812,"package":"acme.runtime",)"
      R"("rule":"shadow_read","title":"Credential file read","bundle":"sha256:ab","version":42,"severity":"high",)"
      R"("event":{"kind":"open","result":"ok","syscall":"openat"},)"
      R"("process":{"pid":4711,"tid":4711,"name":"cat","parent":{"pid":4700,"name":"sh"}},)"
      R"("container":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},)"
      R"("message":"cat read a credential file","match":["credential_files#2"],"uncertain":[],"lost_before":5,)"
      R"("attack":["T1003.008"],"egress":"sha256:cd"})";
  EXPECT_EQ(line, expected);
}

TEST_F(Alert, LeavesOutWhatIsNotKnown) {
  origin_ = {};
  Set(FieldId::container_id, {}, FieldStatus::Absent);
  Set(FieldId::process_name, {}, FieldStatus::Unknown);
  match_.uncertain = {FieldId::process_name, FieldId::process_exe};
  const Json alert = Parsed();
  for (const char* key : {"node", "boot", "bundle", "version", "egress", "container", "cut"})
    EXPECT_FALSE(alert.contains(key)) << key;
  EXPECT_FALSE(alert["process"].contains("name"));
  EXPECT_EQ(alert["uncertain"], Json({"process.name", "process.exe"}));
}

TEST_F(Alert, EveryTypeInItsForm) {
  event_.kind = EventKind::connect_;
  Set(FieldId::event_errno, int64_t{12345});
  Set(FieldId::event_access, int64_t{1 | 8 | 1024});
  Set(FieldId::event_mode, int64_t{04755});
  Set(FieldId::event_src, At("10.0.0.1:4444"));
  Set(FieldId::event_dst, At("[fd00::1]:443"));
  Set(FieldId::process_stdin, int64_t{3});
  Set(FieldId::process_stdin_peer, At("203.0.113.9:4444"));
  Set(FieldId::process_start_time, int64_t{123'456'789'012'345'678});
  Set(FieldId::child_pid, int64_t{-1});
  const std::string line = Line();
  const Json alert = Json::parse(line);
  EXPECT_EQ(alert["event"]["errno"], 12345);
  EXPECT_EQ(alert["event"]["access"], Json({"READ", "CREATED", "0x400"}));
  EXPECT_EQ(alert["event"]["mode"], "0o4755");
  EXPECT_EQ(alert["src"], (Json{{"ip", "10.0.0.1"}, {"port", 4444}}));
  EXPECT_EQ(alert["dst"], (Json{{"ip", "fd00::1"}, {"port", 443}}));
  EXPECT_EQ(alert["process"]["stdin"], (Json{{"is", "socket"}, {"peer", {{"ip", "203.0.113.9"}, {"port", 4444}}}}));
  EXPECT_EQ(alert["process"]["start_time"], 123'456'789'012'345'678);
  EXPECT_EQ(alert["child"]["pid"], -1);
  EXPECT_LT(line.find("\"process\":"), line.find("\"src\":"));
}

TEST_F(Alert, ShowsOnlyWhatIsShown) {
  EXPECT_EQ(Line().find("/etc/shadow"), std::string::npos);
  shown_ = {FieldId::process_args, FieldId::file_path};
  match_.shown = shown_;
  rule_.disclosed = shown_;
  Set(FieldId::process_args, std::string("cat\0/etc/shadow\0", 16));
  Set(FieldId::file_path, std::string("shadow"), FieldStatus::Truncated);
  const Json alert = Parsed();
  EXPECT_EQ(alert["file"], (Json{{"path", "shadow"}}));
  EXPECT_EQ(alert["process"], (Json{{"args", {"cat", "/etc/shadow"}}}));
  EXPECT_EQ(alert["cut"], Json({"file.path"}));
  EXPECT_FALSE(alert.contains("container"));
}

TEST_F(Alert, IdsSortByTimeAndAreTheSameInEveryReplay) {
  const std::string id = Parsed()["id"];
  EXPECT_EQ(Parsed()["id"], id);
  const uint64_t time = event_.time_ns;
  for (uint64_t later : {uint64_t{1}, uint64_t{1000}, uint64_t{1'000'000}, uint64_t{900'000'000'000}}) {
    event::SetTime(event_, time + later);
    EXPECT_GT(Parsed()["id"], id) << later;
  }
  event::SetTime(event_, time);
  std::set<std::string> ids = {id};
  const auto differs = [&] { EXPECT_TRUE(ids.insert(Parsed()["id"]).second); };
  event_.sequence++, differs();
  event_.cpu++, differs();
  event_.kind = EventKind::exec_, differs();
  rule_.id += "2", differs();
  origin_.node = "n2", differs();
  origin_.boot = "x", differs();
  for (const std::string& one : ids)
    EXPECT_EQ(one.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), std::string::npos);
  // 2026-11-23T17:12:03.123Z as a ULID begins.
  EXPECT_EQ(id.substr(0, 10), "01M84P9BSK");
}

TEST_F(Alert, DedupIsOfOneProcessAndOneRule) {
  Set(FieldId::process_start_time, int64_t{5});
  const std::string dedup = Parsed()["dedup"];
  event::SetTime(event_, event_.time_ns + 1);
  event_.sequence++;
  Set(FieldId::process_tid, int64_t{4712});
  Set(FieldId::process_name, std::string("dog"));
  EXPECT_EQ(Parsed()["dedup"], dedup);
  std::set<std::string> all = {dedup};
  const auto differs = [&] { EXPECT_TRUE(all.insert(Parsed()["dedup"]).second); };
  Set(FieldId::process_start_time, int64_t{6}), differs();
  Set(FieldId::process_pid, int64_t{1}), differs();
  Set(FieldId::container_id, {}, FieldStatus::Absent), differs();
  rule_.id = "other", differs();
  origin_.node = "n2", differs();
}

// Whatever a process calls itself: one line, valid JSON, every shown field under the name that the user types.
TEST_F(Alert, AnyEventIsValidJson) {
  event::RandomEvents random(12);
  for (int i = 0; i < 500; ++i) {
    event_ = random.Next(/*derived=*/true);
    shown_.clear();
    for (const schema::FieldRow& row : schema::Fields()) shown_.push_back(row.id);
    match_.shown = shown_;
    rule_.disclosed = shown_;
    match_.message = event::Printable(random.Text(200));
    const std::string line = Line();
    for (char c : line) ASSERT_TRUE(static_cast<uint8_t>(c) >= 0x20 && c != 0x7f);
    const Json alert = Json::parse(line, nullptr, false);
    ASSERT_TRUE(alert.is_object()) << line;
    for (const schema::FieldRow& row : schema::Fields()) {
      const FieldStatus status = event_.record[row.id].status;
      if (row.id == FieldId::event_time) continue;
      std::string pointer = "/" + std::string(row.dotted);
      std::ranges::replace(pointer, '.', '/');
      if (row.dotted.find('.') == std::string_view::npos && row.type != schema::TypeId::Endpoint)
        pointer.insert(0, "/event");
      if (schema::FindObject(row.dotted)) pointer += "/is";
      const bool there = status == FieldStatus::Ok || status == FieldStatus::Truncated;
      EXPECT_EQ(alert.contains(Json::json_pointer(pointer)), there) << pointer;
    }
  }
}

TEST_F(Alert, ForATerminal) {
  EXPECT_EQ(FormatHuman(match_, false),
            "2026-11-23 17:12:03.123  HIGH      shadow_read: cat read a credential file  [credential_files#2]");
  match_.matched.clear();
  match_.uncertain = {FieldId::process_exe, FieldId::file_path};
  EXPECT_EQ(FormatHuman(match_, false),
            "2026-11-23 17:12:03.123  HIGH      shadow_read: cat read a credential file  (uncertain: process.exe, "
            "file.path)");
  for (const char* severity : {"info", "low", "medium", "high", "critical"}) {
    rule_.severity = severity;
    EXPECT_NE(FormatHuman(match_, true).find("\x1b["), std::string::npos);
    EXPECT_EQ(FormatHuman(match_, false).find('\x1b'), std::string::npos);
  }
}

}  // namespace
}  // namespace ks::alert
