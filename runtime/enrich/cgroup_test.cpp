#include <gtest/gtest.h>

#include <random>

#include "runtime/enrich/enrich.h"

namespace ks::enrich {
namespace {

using schema::FieldId;
using FieldStatus = schema::Status;

const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kOther = "ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abffff";
const std::string kUid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
const std::string kSlice = "kubepods-besteffort-pod6ba7b810_9dad_11d1_80b4_00c04fd430c8.slice";
const std::string kStatic = "2b0c3ea9f1e84f6d95d1a4e0c07b3a11";

event::Event With(const std::string& cgroup, FieldStatus status = FieldStatus::Ok) {
  event::Event event;
  event.record.Set(FieldId::process_cgroup, cgroup, status);
  Derive(event, nullptr);
  return event;
}

struct Form {
  std::string cgroup, container, pod;
};

TEST(Cgroup, EveryFormOfAContainer) {
  const Form forms[] = {
      {"/kubepods.slice/kubepods-besteffort.slice/" + kSlice + "/cri-containerd-" + kId + ".scope", kId, kUid},
      {"/kubepods.slice/kubepods-pod6ba7b810_9dad_11d1_80b4_00c04fd430c8.slice/crio-" + kId + ".scope", kId, kUid},
      {"/kubepods/besteffort/pod" + kUid + "/" + kId, kId, kUid},
      {"/kubepods/pod" + kStatic + "/" + kId, kId, kStatic},
      {"/kubepods/burstable/pod" + kUid + "/crio-" + kId, kId, kUid},
      {"/system.slice/containerd.service/" + kSlice + ":cri-containerd:" + kId, kId, kUid},
      {"/system.slice/docker-" + kId + ".scope", kId, ""},
      {"/docker/" + kId, kId, ""},
      {"/docker/" + kOther + "/docker/" + kId, kId, ""},
      {"/docker/" + kOther + "/kubelet/kubepods/pod" + kUid + "/" + kId, kId, kUid},
      {"/kubepods/pod" + kUid + "/" + kOther + "/docker/" + kId, kId, kUid},
      {"/machine.slice/libpod-" + kId + ".scope", kId, ""},
      {"/machine.slice/libpod-" + kId + ".scope/container", kId, ""},
      {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId + ".scope", kId, ""},
      {"/system.slice/nerdctl-" + kId + ".scope", kId, ""},
      {"/system.slice/docker-" + kId + ".scope/init.scope", kId, ""},
      {"/system.slice/docker-" + kId + ".scope/system.slice/nginx.service", kId, ""},
      {"/kubepods.slice/kubepods-besteffort.slice/" + kSlice, "", kUid},
  };
  for (const Form& form : forms) {
    const CgroupFacts facts = ReadCgroup(form.cgroup);
    EXPECT_EQ(facts.container_id, form.container) << form.cgroup;
    const event::Event event = With(form.cgroup);
    const auto expect = [&](FieldId field, const std::string& text) {
      const schema::FieldValue want =
          text.empty() ? schema::FieldValue{FieldStatus::Absent, {}} : schema::FieldValue{FieldStatus::Ok, text};
      EXPECT_EQ(event.record[field], want) << form.cgroup;
    };
    expect(FieldId::container_id, form.container);
    expect(FieldId::pod_uid, form.pod);
    const CgroupFacts relative = ReadCgroup(std::string_view(form.cgroup).substr(1));
    EXPECT_EQ(relative.container_id, facts.container_id) << form.cgroup;
    EXPECT_EQ(relative.pod_uid, facts.pod_uid) << form.cgroup;
  }
}

TEST(Cgroup, NotContainers) {
  const std::string paths[] = {
      "/",
      "",
      "/init.scope",
      "/user.slice",
      "/user.slice/user-1000.slice/session-3.scope",
      "/system.slice/sshd.service",
      "/system.slice/docker.service",
      "/docker",
      "/docker/buildkit",
      "/machine.slice/libpod-conmon-" + kId + ".scope",
      "/machine.slice/crio-conmon-" + kId + ".scope",
      "/system.slice/" + kId,
      "/" + kId,
      "/docker/" + kId + "0",
      "/docker/" + kId.substr(1),
      "/docker/" + kId.substr(1) + "G",
      "/system.slice/docker-" + kId + ".service",
      "/system.slice/xdocker-" + kId + ".scope",
      "/kubepods/podnot-a-uid/" + kId,
      "/kubepods.slice/kubepods-besteffort.slice",
  };
  for (const std::string& path : paths) {
    const event::Event event = With(path);
    EXPECT_EQ(event.record[FieldId::container_id].status, FieldStatus::Absent) << path;
    EXPECT_EQ(event.record[FieldId::pod_uid].status, FieldStatus::Absent) << path;
  }
}

TEST(Cgroup, StateFollowsWhatWasRead) {
  const std::string full = "/kubepods/pod" + kUid + "/" + kId;
  EXPECT_EQ(With("", FieldStatus::Unread).record[FieldId::container_id].status, FieldStatus::Unread);
  EXPECT_EQ(With("", FieldStatus::Unknown).record[FieldId::container_id].status, FieldStatus::Unknown);
  EXPECT_EQ(With("", FieldStatus::Unknown).record[FieldId::pod_uid].status, FieldStatus::Unknown);
  EXPECT_EQ(With("", FieldStatus::Absent).record[FieldId::container_id].status, FieldStatus::Absent);

  // Cut before the pod: the container is known, the pod may have been in what is missing.
  const event::Event cut = With("/docker/" + kId, FieldStatus::Truncated);
  EXPECT_EQ(cut.record[FieldId::container_id], (schema::FieldValue{FieldStatus::Ok, kId}));
  EXPECT_EQ(cut.record[FieldId::pod_uid].status, FieldStatus::Unknown);
  EXPECT_EQ(With("/session-3.scope", FieldStatus::Truncated).record[FieldId::container_id].status,
            FieldStatus::Unknown);
  // The last components of a path, each whole.
  EXPECT_EQ(With("docker/" + kId).record[FieldId::container_id], (schema::FieldValue{FieldStatus::Ok, kId}));
  EXPECT_EQ(With("pod" + kUid + "/" + kId).record[FieldId::pod_uid], (schema::FieldValue{FieldStatus::Ok, kUid}));
  EXPECT_EQ(With("docker-" + kId + ".scope").record[FieldId::container_id], (schema::FieldValue{FieldStatus::Ok, kId}));
  // The first component may have lost its beginning: "x-conmon-" is not seen any more.
  const event::Event part = With("libpod-" + kId + ".scope/container", FieldStatus::Truncated);
  EXPECT_EQ(part.record[FieldId::container_id].status, FieldStatus::Unknown);
  EXPECT_EQ(With(full, FieldStatus::Truncated).record[FieldId::pod_uid], (schema::FieldValue{FieldStatus::Ok, kUid}));
}

// Whatever path, ids are ids, and host paths below a container change nothing.
TEST(Cgroup, AnyPath) {
  std::mt19937 random(7);
  const std::string parts[] = {"docker",
                               kId,
                               "docker-" + kId + ".scope",
                               "init.scope",
                               "a.service",
                               "pod" + kUid,
                               kSlice,
                               "libpod-conmon-" + kId,
                               "",
                               "x:cri-containerd:" + kOther,
                               "kubepods.slice",
                               ":",
                               "-pod.slice",
                               ".scope"};
  for (int i = 0; i < 20000; ++i) {
    std::string path;
    for (size_t n = random() % 6; n > 0; --n) path += "/" + parts[random() % std::size(parts)];
    const CgroupFacts facts = ReadCgroup(path);
    EXPECT_TRUE(facts.container_id.empty() || facts.container_id == kId || facts.container_id == kOther) << path;
    EXPECT_TRUE(facts.pod_uid.empty() || facts.pod_uid.size() == 36) << path;
    const std::string below = path + "/system.slice/a.service";
    const CgroupFacts same = ReadCgroup(below);
    EXPECT_EQ(same.container_id, facts.container_id) << path;
    EXPECT_EQ(same.pod_uid, facts.pod_uid) << path;
  }
}

}  // namespace
}  // namespace ks::enrich
