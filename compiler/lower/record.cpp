// The record of a test's event: what the test does not give is what an ordinary event would have.
#include <algorithm>

#include "compiler/lower/lower.h"

namespace ks::lower {
namespace {

using schema::FieldId;
using schema::Guard;
using schema::Slot;
using schema::Status;
using schema::Value;

Value Zero(const schema::FieldRow& row) {
  switch (schema::Row(row.type).slot) {
    case Slot::Text:
      return std::string();
    case Slot::Ip:
      return schema::IpAddress();
    case Slot::Endpoint:
      return schema::Endpoint();
    default:
      return int64_t{0};
  }
}

bool Given(const sema::Feed& feed, FieldId field) {
  return std::any_of(feed.fields.begin(), feed.fields.end(), [&](const sema::Given& g) { return g.field == field; });
}

}  // namespace

schema::Record CompleteRecord(const sema::Feed& feed) {
  schema::Record record;
  for (const schema::FieldRow& row : schema::Fields()) {
    if (!schema::Has(feed.kind, row.id)) continue;
    const schema::ObjectRow& object = schema::Row(row.object);
    bool present = object.guard != Guard::Exists || std::find(feed.present.begin(), feed.present.end(),
                                                              schema::GuardObject(object.id)) != feed.present.end();
    record.Set(row.id, Zero(row), present ? Status::Ok : Status::Absent);
  }
  record.Set(FieldId::event_time, feed.offset_ns);
  // The kind `open` comes of the call open, unless the test says which other one it was.
  if (auto call = schema::EnumeratorValue("syscall", schema::Row(feed.kind).name)) {
    if (schema::Has(feed.kind, FieldId::event_syscall)) record.Set(FieldId::event_syscall, *call);
  }
  for (const sema::Given& given : feed.fields) record.Set(given.field, given.value);

  if (Given(feed, FieldId::file_path) && !Given(feed, FieldId::file_canonical) &&
      schema::Has(feed.kind, FieldId::file_canonical)) {
    record.Set(FieldId::file_canonical, record[FieldId::file_path].value);
  }
  if (!Given(feed, FieldId::process_id)) {
    const auto number = [&](FieldId field) { return std::get<int64_t>(record[field].value); };
    record.Set(FieldId::process_id,
               schema::ProcessId(number(FieldId::process_pid), number(FieldId::process_start_time)));
  }
  // A call that has an error number has failed.
  if (Given(feed, FieldId::event_errno) && !Given(feed, FieldId::event_result)) {
    bool failed = std::get<int64_t>(record[FieldId::event_errno].value) != 0;
    record.Set(FieldId::event_result, int64_t{failed});
  }
  for (const schema::FieldRow& row : schema::Fields()) {
    if (!schema::Has(feed.kind, row.id) || schema::Row(row.object).guard != Guard::Socket) continue;
    FieldId guard = schema::GuardField(row.object);
    auto socket = schema::EnumeratorValue(schema::Row(guard).enumeration, "socket");
    if (socket && record[guard].value != Value(*socket)) record.SetStatus(row.id, Status::Absent);
  }
  return record;
}

}  // namespace ks::lower
