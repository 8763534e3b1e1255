#include <algorithm>

#include "runtime/enrich/enrich.h"

namespace ks::enrich {
namespace {

using schema::FieldId;
using FieldStatus = schema::Status;

bool IsThere(const schema::FieldValue& field) {
  return field.status == FieldStatus::Ok || field.status == FieldStatus::Truncated;
}

// The worst of two states that something was computed from.
FieldStatus Missing(FieldStatus a, FieldStatus b) {
  for (FieldStatus status : {FieldStatus::Unread, FieldStatus::Absent}) {
    if (a == status || b == status) return status;
  }
  return FieldStatus::Unknown;
}

void DeriveProcess(schema::Record& record) {
  const schema::FieldValue& pid = record[FieldId::process_pid];
  const schema::FieldValue& start = record[FieldId::process_start_time];
  if (pid.status == FieldStatus::Ok && start.status == FieldStatus::Ok) {
    record.Set(FieldId::process_id, schema::ProcessId(std::get<int64_t>(pid.value), std::get<int64_t>(start.value)));
  } else {
    record.SetStatus(FieldId::process_id, Missing(pid.status, start.status));
  }
}

void SetFound(schema::Record& record, FieldId field, std::string_view found, FieldStatus otherwise) {
  if (found.empty()) {
    record.Set(field, {}, otherwise);
  } else {
    record.Set(field, std::string(found));
  }
}

void DeriveIds(schema::Record& record) {
  const schema::FieldValue& cgroup = record[FieldId::process_cgroup];
  if (!IsThere(cgroup)) {
    const FieldStatus same = cgroup.status == FieldStatus::Absent ? FieldStatus::Absent : FieldStatus::Unknown;
    record.Set(FieldId::container_id, {}, same);
    record.Set(FieldId::pod_uid, {}, same);
    return;
  }
  const auto* path = std::get_if<std::string>(&cgroup.value);
  KS_CHECK(path != nullptr, "process.cgroup holds no text");
  // What is there of a cut path is its tail: what it names is named by the whole; what it lacks may be in the rest.
  const bool cut = cgroup.status == FieldStatus::Truncated;
  const FieldStatus otherwise = cut ? FieldStatus::Unknown : FieldStatus::Absent;
  const CgroupFacts facts = ReadCgroup(*path, cut);
  std::string uid(facts.pod_uid);
  std::ranges::replace(uid, '_', '-');
  SetFound(record, FieldId::container_id, facts.container_id, otherwise);
  SetFound(record, FieldId::pod_uid, uid, otherwise);
}

// A text of the metadata; what is longer than the field is cut.
void SetTold(schema::Record& record, FieldId field, const std::string& text) {
  const size_t most = schema::Row(field).capture;
  if (text.empty()) {
    record.Set(field, {}, FieldStatus::Unknown);
  } else {
    record.Set(field, text.substr(0, most), text.size() > most ? FieldStatus::Truncated : FieldStatus::Ok);
  }
}

void SetContainer(schema::Record& record, const ContainerFacts& facts) {
  SetTold(record, FieldId::container_name, facts.name);
  SetTold(record, FieldId::container_image_name, facts.image_name);
  SetTold(record, FieldId::container_image_digest, facts.image_digest);
}

void SetPod(schema::Record& record, const PodFacts& facts) {
  SetTold(record, FieldId::pod_name, facts.name);
  SetTold(record, FieldId::pod_namespace, facts.name_space);
  SetTold(record, FieldId::pod_labels, facts.labels.value_or(std::string()));
  // No label is something to know.
  if (facts.labels && facts.labels->empty()) record.Set(FieldId::pod_labels, std::string());
}

// What only metadata tells is absent with its object, and unknown until it is told.
void FollowObject(schema::Record& record, FieldId object, std::initializer_list<FieldId> fields) {
  const bool absent = record[object].status == FieldStatus::Absent;
  for (FieldId field : fields) record.Set(field, {}, absent ? FieldStatus::Absent : FieldStatus::Unknown);
}

}  // namespace

bool Derive(event::Event& event, const Metadata* metadata) {
  schema::Record& record = event.record;
  DeriveProcess(record);
  if (record[FieldId::process_cgroup].status == FieldStatus::Unread) return true;
  DeriveIds(record);
  const auto text = [&](FieldId field) {
    const schema::FieldValue& value = record[field];
    return value.status == FieldStatus::Ok ? std::get<std::string>(value.value) : std::string();
  };
  const std::string id = text(FieldId::container_id);
  const ContainerFacts* container = metadata && !id.empty() ? metadata->FindContainer(id) : nullptr;
  std::string uid = text(FieldId::pod_uid);
  // Runtimes whose control groups do not name the pod: the metadata may.
  if (uid.empty() && container && container->pod && !container->pod->uid.empty()) {
    uid = container->pod->uid;
    SetTold(record, FieldId::pod_uid, uid);
  }
  FollowObject(record, FieldId::container_id,
               {FieldId::container_name, FieldId::container_image_name, FieldId::container_image_digest});
  FollowObject(record, FieldId::pod_uid, {FieldId::pod_name, FieldId::pod_namespace, FieldId::pod_labels});
  if (container) SetContainer(record, *container);
  // Where the two name different pods, the control group is right and the metadata is of another one.
  if (const PodFacts* pod = metadata && !uid.empty() ? metadata->FindPod(uid) : nullptr) SetPod(record, *pod);
  return id.empty() || metadata == nullptr || container != nullptr;
}

}  // namespace ks::enrich
