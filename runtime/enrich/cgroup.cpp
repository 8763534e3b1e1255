// What the path of a control group says of its container and pod.
#include <algorithm>
#include <array>

#include "runtime/enrich/enrich.h"

namespace ks::enrich {
namespace {

using schema::FieldId;
using FieldStatus = schema::Status;

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool IsContainerId(std::string_view text) { return text.size() == 64 && std::ranges::all_of(text, IsHex); }

// A UUID, or the 32 hex digits that a static pod has; dashes are underscores in names of systemd.
bool IsPodUid(std::string_view text) {
  if (text.size() == 32) return std::ranges::all_of(text, IsHex);
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' && text[i] != '_' : !IsHex(text[i])) return false;
  }
  return true;
}

// "pod<uid>", "kubepods-pod<uid>.slice", "kubepods-besteffort-pod<uid>.slice", also before ":cri-containerd:".
std::string_view PodUid(std::string_view component) {
  component = component.substr(0, component.find(':'));
  if (component.ends_with(".slice")) {
    component.remove_suffix(6);
    const size_t pod = component.rfind("-pod");
    if (pod == std::string_view::npos) return {};
    component.remove_prefix(pod + 1);
  }
  if (!component.starts_with("pod")) return {};
  component.remove_prefix(3);
  return IsPodUid(component) ? component : std::string_view();
}

// `parent`: the component above, "" if there is none.
std::string_view ContainerId(std::string_view component, std::string_view parent) {
  if (IsContainerId(component)) return parent == "docker" || !PodUid(parent).empty() ? component : std::string_view();
  if (const size_t colon = component.rfind(":cri-containerd:"); colon != std::string_view::npos) {
    component.remove_prefix(colon + 16);
    return IsContainerId(component) ? component : std::string_view();
  }
  // What a runtime calls its helpers ("crio-conmon-<id>.scope", "libpod-conmon-<id>.scope") is not 64 digits behind the
  // prefix.
  static constexpr std::array<std::string_view, 5> kRuntimes = {"cri-containerd-", "crio-", "docker-", "libpod-",
                                                                "nerdctl-"};
  if (component.ends_with(".scope")) component.remove_suffix(6);
  for (std::string_view runtime : kRuntimes) {
    if (component.starts_with(runtime) && IsContainerId(component.substr(runtime.size()))) {
      return component.substr(runtime.size());
    }
  }
  return {};
}

}  // namespace

CgroupFacts ReadCgroup(std::string_view cgroup, bool cut) {
  CgroupFacts facts;
  std::string_view pod, parent;
  if (cut) cgroup.remove_prefix(std::min(cgroup.find('/'), cgroup.size()));
  while (!cgroup.empty()) {
    const size_t end = std::min(cgroup.find('/'), cgroup.size());
    const std::string_view component = cgroup.substr(0, end);
    cgroup.remove_prefix(std::min(end + 1, cgroup.size()));
    if (component.empty()) continue;
    if (const std::string_view uid = PodUid(component); !uid.empty()) {
      pod = uid;
      if (facts.container_id.empty()) facts.pod_uid = pod;
    }
    if (const std::string_view id = ContainerId(component, parent); !id.empty()) {
      facts.container_id = id;
      facts.pod_uid = pod;
    }
    parent = component;
  }
  return facts;
}

}  // namespace ks::enrich
