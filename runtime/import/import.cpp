#include "runtime/import/import.h"

#include "runtime/import/scap/scap.h"
#include "runtime/import/source.h"

namespace ks::import {

Result<std::unique_ptr<Importer>> Open(const std::string& path, std::string_view format) {
  Result<Source> source = Source::Open(path);
  if (!source) return source.error();
  if (!scap::IsSection(source->Peek(scap::kBegin))) {
    const std::string damage = source->Damage();
    return Error{"import", path, !damage.empty() ? damage : format.empty() ? "it begins as no recording that is known" : "it does not begin as a .scap file",
                 "formats: scap (of Falco and sysdig, plain or gzip)", "import-format"};
  }
  return scap::Open(std::move(*source));
}

}  // namespace ks::import
