#include "bpf/schema/schema.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "bpf/schema/value.h"

namespace ks::schema {
namespace {

TEST(Schema, DottedNamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (const FieldRow& row : Fields()) {
    EXPECT_TRUE(names.insert(row.dotted).second) << row.dotted;
    EXPECT_EQ(FindField(row.dotted), row.id);
    EXPECT_FALSE(row.about.empty());
  }
  EXPECT_EQ(FindField("process.parent.name"), FieldId::process_parent_name);
  EXPECT_EQ(FindField("dst"), FieldId::event_dst);
  EXPECT_FALSE(FindField("process.nam"));
}

TEST(Schema, EveryFieldBelongsToAKind) {
  for (const FieldRow& row : Fields()) {
    bool some = false;
    for (const EventRow& kind : Events()) some |= Has(kind.kind, row.id);
    EXPECT_TRUE(some) << row.dotted;
  }
  EXPECT_TRUE(Has(EventKind::open_, FieldId::file_path));
  EXPECT_FALSE(Has(EventKind::fork_, FieldId::file_path));
}

TEST(Schema, UserFieldsSayWhereTheyComeFrom) {
  for (const FieldRow& row : Fields()) {
    if (row.id == FieldId::event_time) continue;  // from the record's head
    EXPECT_EQ(row.decided == Decided::User, !DerivedFrom(row.id).empty()) << row.dotted;
  }
  const auto from = DerivedFrom(FieldId::process_id);
  EXPECT_EQ(std::vector<FieldId>(from.begin(), from.end()),
            (std::vector<FieldId>{FieldId::process_pid, FieldId::process_start_time}));
}

TEST(Schema, EnumerationsOfFieldsExist) {
  for (const FieldRow& row : Fields()) {
    if (row.type == TypeId::Enum || row.type == TypeId::Flags) {
      EXPECT_FALSE(Enumerators(row.enumeration).empty());
    }
  }
  EXPECT_EQ(EnumeratorValue("access", "WRITE"), 2);
  EXPECT_EQ(EnumeratorName("syscall", 257), "openat");
  EXPECT_EQ(EnumeratorValue("cap", "CAP_CHECKPOINT_RESTORE"), int64_t{1} << 40);
  EXPECT_EQ(SyscallFromI386(5), EnumeratorValue("syscall", "open"));
  EXPECT_FALSE(SyscallFromI386(7));  // waitpid: x86-64 has none
}

TEST(Schema, Guards) {
  EXPECT_EQ(PresenceField(ObjectId::container_), FieldId::container_id);
  EXPECT_EQ(GuardField(ObjectId::process_stdin_), FieldId::process_stdin);
  EXPECT_EQ(GuardField(ObjectId::process_stderr_), FieldId::process_stderr);
  // An object inside of one that may be absent has no guard of its own.
  EXPECT_EQ(GuardObject(ObjectId::container_image_), ObjectId::container_);
  EXPECT_EQ(GuardObject(ObjectId::pod_), ObjectId::pod_);
  EXPECT_EQ(GuardObject(ObjectId::process_stdin_), ObjectId::process_stdin_);
  EXPECT_EQ(Hash().size(), 16u);
}

TEST(Value, AddressesParseAndPrint) {
  IpAddress ip;
  ASSERT_TRUE(ParseIp("10.1.2.3", &ip));
  EXPECT_TRUE(ip.IsV4());
  EXPECT_EQ(ToString(ip), "10.1.2.3");
  ASSERT_TRUE(ParseIp("fd00::1", &ip));
  EXPECT_EQ(ToString(ip), "fd00::1");
  EXPECT_FALSE(ParseIp("10.1.2", &ip));
  EXPECT_FALSE(ParseIp("10.1.2.256", &ip));
  EXPECT_FALSE(ParseIp("", &ip));
  EXPECT_FALSE(ParseIp(std::string_view("1.2.3.4\0", 8), &ip));
}

TEST(Value, Cidr) {
  Cidr cidr;
  bool host_bits = false;
  ASSERT_TRUE(ParseCidr("10.0.0.0/8", &cidr, &host_bits));
  EXPECT_FALSE(host_bits);
  EXPECT_EQ(cidr.bits, 104);
  EXPECT_EQ(ToString(cidr), "10.0.0.0/8");
  IpAddress ip;
  ASSERT_TRUE(ParseIp("10.255.0.1", &ip));
  EXPECT_TRUE(cidr.Contains(ip));
  ASSERT_TRUE(ParseIp("11.0.0.1", &ip));
  EXPECT_FALSE(cidr.Contains(ip));
  ASSERT_TRUE(ParseCidr("10.1.0.0/12", &cidr, &host_bits));
  EXPECT_TRUE(host_bits);
  EXPECT_EQ(ToString(cidr), "10.0.0.0/12");
  ASSERT_TRUE(ParseCidr("fd00::/8", &cidr, &host_bits));
  EXPECT_EQ(ToString(cidr), "fd00::/8");
  EXPECT_FALSE(ParseCidr("10.0.0.0/33", &cidr, &host_bits));
  EXPECT_FALSE(ParseCidr("10.0.0.0/", &cidr, &host_bits));
}

TEST(Value, Endpoint) {
  Endpoint endpoint;
  ASSERT_TRUE(ParseEndpoint("203.0.113.9:4444", &endpoint));
  EXPECT_EQ(ToString(endpoint), "203.0.113.9:4444");
  ASSERT_TRUE(ParseEndpoint("[fd00::1]:80", &endpoint));
  EXPECT_EQ(ToString(endpoint), "[fd00::1]:80");
  EXPECT_FALSE(ParseEndpoint("fd00::1:80", &endpoint));
  EXPECT_FALSE(ParseEndpoint("1.2.3.4:65536", &endpoint));
  EXPECT_FALSE(ParseEndpoint("[]:1", &endpoint));
  EXPECT_FALSE(ParseEndpoint("[:1", &endpoint));
}

TEST(Value, Text) {
  EXPECT_EQ(ToString(Value(int64_t{3}), TypeId::Flags, "access"), "[READ, WRITE]");
  EXPECT_EQ(ToString(Value(int64_t{04755}), TypeId::Mode, ""), "0o4755");
  EXPECT_EQ(ToString(Value(int64_t{90'000'000'000}), TypeId::Duration, ""), "90s");
  EXPECT_EQ(ToString(Value(std::string("a\0b\0", 4)), TypeId::StringList, ""), "[\"a\", \"b\"]");
  EXPECT_EQ(ToString(Value(std::string("a\"\n")), TypeId::String, ""), "\"a\\\"\\x0a\"");
  EXPECT_EQ(ToString(Value(int64_t{0}), TypeId::Time, ""), "1970-01-01T00:00:00.000000000Z");
}

TEST(Value, ProcessIds) {
  EXPECT_EQ(ProcessId(0xa1f2, 100'000'000'000), "00a1f2:000000174876e800");
  EXPECT_EQ(ProcessId(1, 0), "000001:0000000000000000");
  // As wide whatever the numbers are.
  EXPECT_EQ(ProcessId(-1, -1), "ffffff:ffffffffffffffff");
}

}  // namespace
}  // namespace ks::schema
