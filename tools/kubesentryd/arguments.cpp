#include "tools/kubesentryd/arguments.h"

#include <string>
#include <utility>

namespace ks::agent {

using schema::FieldId;
using schema::Status;

void ReadUnknownArguments(kernel::ArgumentReader* reader, int64_t boot_to_utc_ns, event::Event* event) {
  if (reader == nullptr || event->record[FieldId::process_args].status != Status::Unknown) return;
  auto read = reader->Read(event->time_ns - static_cast<uint64_t>(boot_to_utc_ns), event->cpu);
  if (!read) return;
  std::string& bytes = read->bytes;
  // A process that wrote over its arguments may have left the last one without an end. Where there is no room for it, it is a part.
  if (!read->cut && !bytes.empty() && bytes.back() != '\0') {
    if (bytes.size() < schema::Row(FieldId::process_args).capture) {
      bytes += '\0';
    } else {
      read->cut = true;
    }
  }
  event->record.Set(FieldId::process_args, std::move(bytes), read->cut ? Status::Truncated : Status::Ok);
}

}  // namespace ks::agent
