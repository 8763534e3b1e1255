// Fields that userspace computes from what the kernel reported (KS_DERIVE in the table).
#pragma once

#include <string_view>

#include "runtime/enrich/metadata.h"
#include "runtime/event/event.h"

namespace ks::enrich {

// What the path of a control group says. Views into the path; empty if it says nothing.
struct CgroupFacts {
  std::string_view container_id;  // 64 hex digits
  std::string_view pod_uid;       // as the path spells it: with '_' for '-' under systemd
};

// By the last component that names a container, and the last one up to there that names a pod. With or without a '/' in
// front, as the path itself or its last components. If it is `cut`, what comes before the first '/' is a part of a
// component and is not looked at.
CgroupFacts ReadCgroup(std::string_view cgroup, bool cut = false);

// Sets process.id, and from process.cgroup container.id, pod.uid and what the metadata knows of them. Processes of the
// host: Absent. A cgroup that was not read leaves them Unread; one that could not be read makes them Unknown, as does
// one that was cut before it named them. What no metadata tells is Unknown. False if there is a container that the
// metadata does not know.
bool Derive(event::Event& event, const Metadata* metadata);

}  // namespace ks::enrich
