// What the fuzzers of importers do: nothing of a recording may break them, and nothing may take memory that the file does not pay for.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "compiler/support/result.h"
#include "runtime/import/import.h"

namespace ks::import {

// All that becomes of the bytes is checked: fields have statuses and sizes that a trace takes.
inline void ImportBytes(const uint8_t* data, size_t size, std::string_view format) {
  static const int fd = ::memfd_create("recording", MFD_CLOEXEC);
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) return;
  auto importer = Open("/proc/self/fd/" + std::to_string(fd), format);
  if (!importer) return;
  const auto on_event = [](const event::Event& event) {
    for (const schema::FieldRow& row : schema::Fields()) {
      const schema::FieldValue& value = event.record[row.id];
      const bool there = value.status == schema::Status::Ok || value.status == schema::Status::Truncated;
      KS_CHECK(value.status != schema::Status::Raw && value.status != schema::Status::Foreign, row.dotted.data());
      KS_CHECK(!schema::Has(event.kind, row.id) || value.status != schema::Status::Unread || row.decided == schema::Decided::User, row.dotted.data());
      const auto* const text = std::get_if<std::string>(&value.value);
      if (there && row.decided == schema::Decided::Kernel && text) {
        KS_CHECK(text->size() <= row.capture, row.dotted.data());
        KS_CHECK(row.type != schema::TypeId::StringList || text->empty() || text->back() == '\0', row.dotted.data());
        KS_CHECK(row.type != schema::TypeId::Path || !text->empty(), row.dotted.data());
      }
    }
  };
  (void)(*importer)->ForEach(on_event, [](const trace::Lost&) {});
}

}  // namespace ks::import
