// Imports logs that a test writes.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "runtime/import/import.h"

namespace ks::import {

struct ImportedLog {
  std::string format, node, refusal;  // `refusal`: of Open
  Report report;
  std::vector<event::Event> events;
  std::vector<trace::Lost> lost;

  std::vector<event::Event> Of(schema::EventKind kind) const {
    std::vector<event::Event> some;
    for (const event::Event& one : events) {
      if (one.kind == kind) some.push_back(one);
    }
    return some;
  }
  // The only one of its kind.
  event::Event The(schema::EventKind kind) const {
    const std::vector<event::Event> some = Of(kind);
    EXPECT_EQ(some.size(), 1u) << schema::Row(kind).name;
    return some.empty() ? event::Event() : some[0];
  }
};

inline ImportedLog ImportLog(std::string_view bytes, std::string_view format = "") {
  ImportedLog imported;
  const int fd = ::memfd_create("log", MFD_CLOEXEC);
  EXPECT_EQ(::pwrite(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  Result<std::unique_ptr<Importer>> importer = Open("/proc/self/fd/" + std::to_string(fd), format);
  if (importer) {
    imported.format = (*importer)->format();
    imported.node = (*importer)->host().node;
    imported.report = (*importer)->ForEach([&](const event::Event& event) { imported.events.push_back(event); },
                                           [&](const trace::Lost& lost) { imported.lost.push_back(lost); });
  } else {
    imported.refusal = importer.error().ToString();
  }
  ::close(fd);
  return imported;
}

// As an alert would show it; "?" if it is unknown, "-" if it is absent, with "…" if it is cut.
inline std::string Shown(const event::Event& event, schema::FieldId field) {
  const schema::FieldRow& row = schema::Row(field);
  const schema::FieldValue& value = event.record[field];
  switch (value.status) {
    case schema::Status::Ok: return schema::ToString(value.value, row.type, row.enumeration);
    case schema::Status::Truncated: return schema::ToString(value.value, row.type, row.enumeration) + "…";
    case schema::Status::Absent: return "-";
    case schema::Status::Unknown: return "?";
    default: return "unread";
  }
}

}  // namespace ks::import
