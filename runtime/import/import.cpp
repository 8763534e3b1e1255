#include "runtime/import/import.h"

#include "runtime/import/audit/audit.h"
#include "runtime/import/scap/scap.h"
#include "runtime/import/source.h"
#include "runtime/import/sysmon/sysmon.h"

namespace ks::import {
namespace {

constexpr size_t kBegin = 256 * 1024;  // a log of all of a machine may come to its first record late

}  // namespace

Result<std::unique_ptr<Importer>> Open(const std::string& path, std::string_view format) {
  Result<Source> source = Source::Open(path);
  if (!source) return source.error();
  const bool any = format.empty();
  if ((any || format == "scap") && scap::IsSection(source->Peek(scap::kBegin))) return scap::Open(std::move(*source));
  if (format == "audit") return audit::Open(std::move(*source));
  if (format == "sysmon") return sysmon::Open(std::move(*source));
  if (any) {
    const std::string begin = source->Peek(kBegin);
    // An event of Sysmon's may hold a command line that looks like a record, and the other way round: what comes first it is.
    const Place record = audit::FindRecord(begin), event = sysmon::FindEvent(begin);
    if (event < record) return sysmon::Open(std::move(*source));
    if (record != kNowhere) return audit::Open(std::move(*source));
  }
  const std::string damage = source->Damage();
  return Error{"import", path, !damage.empty() ? damage : any ? "it begins as no recording that is known" : "it does not begin as a .scap file",
               "formats: scap (of Falco and sysdig), audit (logs of auditd), sysmon (Sysmon for Linux); plain or gzip", "import-format"};
}

}  // namespace ks::import
