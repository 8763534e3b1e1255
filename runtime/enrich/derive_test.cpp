#include <gtest/gtest.h>

#include "runtime/enrich/enrich.h"

namespace ks::enrich {
namespace {

using schema::FieldId;
using FieldStatus = schema::Status;

const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kOther = "ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abffff";
const std::string kUid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

Metadata Facts() {
  auto facts = Metadata::Parse(
      R"({"id":")" + kId + R"(","name":"web","image":{"name":"nginx:1.27","digest":"sha256:1"},)" +
      R"("pod":{"uid":")" + kUid + R"(","name":"web-7","namespace":"shop","labels":{"tier":"front","app":"web"}}})" +
      "\n" + R"({"id":")" + kOther + R"("})" + "\n");
  EXPECT_TRUE(facts) << facts.error().ToString();
  return *facts;
}

struct Derived {
  event::Event event;
  bool known;
  const schema::FieldValue& operator[](FieldId field) const { return event.record[field]; }
};

Derived With(const std::string& cgroup, const Metadata* metadata) {
  Derived out;
  out.event.record.Set(FieldId::process_cgroup, cgroup);
  out.known = Derive(out.event, metadata);
  return out;
}

schema::FieldValue Is(const std::string& text) { return {FieldStatus::Ok, text}; }

constexpr FieldId kOfContainer[] = {FieldId::container_name, FieldId::container_image_name,
                                    FieldId::container_image_digest};
constexpr FieldId kOfPod[] = {FieldId::pod_name, FieldId::pod_namespace, FieldId::pod_labels};

TEST(Derive, AProcessIsItsIdAndItsStart) {
  event::Event event;
  event.record.Set(FieldId::process_pid, int64_t{41458});
  Derive(event, nullptr);
  EXPECT_EQ(event.record[FieldId::process_id].status, FieldStatus::Unread);
  event.record.Set(FieldId::process_start_time, int64_t{100'000'000'000});
  Derive(event, nullptr);
  EXPECT_EQ(event.record[FieldId::process_id], Is("00a1f2:000000174876e800"));
  event.record.Set(FieldId::process_start_time, {}, FieldStatus::Unknown);
  Derive(event, nullptr);
  EXPECT_EQ(event.record[FieldId::process_id].status, FieldStatus::Unknown);
}

TEST(Derive, TellsWhatTheMetadataKnows) {
  const Metadata facts = Facts();
  const Derived one = With("/kubepods/pod" + kUid + "/" + kId, &facts);
  EXPECT_TRUE(one.known);
  EXPECT_EQ(one[FieldId::container_name], Is("web"));
  EXPECT_EQ(one[FieldId::container_image_name], Is("nginx:1.27"));
  EXPECT_EQ(one[FieldId::container_image_digest], Is("sha256:1"));
  EXPECT_EQ(one[FieldId::pod_name], Is("web-7"));
  EXPECT_EQ(one[FieldId::pod_namespace], Is("shop"));
  EXPECT_EQ(one[FieldId::pod_labels], Is(std::string("app=web\0tier=front\0", 19)));
}

TEST(Derive, WhatNobodyTellsIsUnknown) {
  const Metadata facts = Facts();
  // No metadata, a container that it lacks, one of which it knows no more than that it is there.
  const std::string unknown = "/docker/" + std::string(64, 'a');
  for (const Derived& one :
       {With("/docker/" + kId, nullptr), With(unknown, &facts), With("/docker/" + kOther, &facts)}) {
    EXPECT_EQ(one[FieldId::container_id].status, FieldStatus::Ok);
    for (FieldId field : kOfContainer) EXPECT_EQ(one[field].status, FieldStatus::Unknown);
    for (FieldId field : kOfPod) EXPECT_EQ(one[field].status, FieldStatus::Absent);
  }
  EXPECT_FALSE(With(unknown, &facts).known);
  EXPECT_TRUE(With(unknown, nullptr).known);  // there is nothing to look it up in
}

TEST(Derive, TheHostHasNoContainer) {
  const Metadata facts = Facts();
  const Derived one = With("/system.slice/sshd.service", &facts);
  EXPECT_TRUE(one.known);
  for (FieldId field : kOfContainer) EXPECT_EQ(one[field].status, FieldStatus::Absent);
  for (FieldId field : kOfPod) EXPECT_EQ(one[field].status, FieldStatus::Absent);
}

TEST(Derive, ThePodIsTheControlGroups) {
  const Metadata facts = Facts();
  // The control group names none: the metadata may.
  EXPECT_EQ(With("/docker/" + kId, &facts)[FieldId::pod_uid], Is(kUid));
  EXPECT_EQ(With("/docker/" + kId, &facts)[FieldId::pod_name], Is("web-7"));
  // It names another one than the metadata, which is of another time.
  const std::string other = "6ba7b810-9dad-11d1-80b4-00c04fd43000";
  const Derived one = With("/kubepods/pod" + other + "/" + kId, &facts);
  EXPECT_EQ(one[FieldId::pod_uid], Is(other));
  for (FieldId field : kOfPod) EXPECT_EQ(one[field].status, FieldStatus::Unknown);
  // Of the pod's own group, where no container is named.
  EXPECT_EQ(With("/kubepods/pod" + kUid, &facts)[FieldId::pod_name], Is("web-7"));
}

TEST(Derive, WhatIsTooLongIsCut) {
  const auto facts = Metadata::Parse(R"({"id":")" + kId + R"(","name":")" + std::string(300, 'n') + R"("})" + "\n");
  ASSERT_TRUE(facts);
  const Derived one = With("/docker/" + kId, &*facts);
  EXPECT_EQ(one[FieldId::container_name], (schema::FieldValue{FieldStatus::Truncated, std::string(256, 'n')}));
}

}  // namespace
}  // namespace ks::enrich
