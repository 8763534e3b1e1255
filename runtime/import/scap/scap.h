// Recordings of Falco and sysdig.
#pragma once

#include <memory>

#include "runtime/import/import.h"
#include "runtime/import/source.h"

namespace ks::import::scap {

// Whether a file that begins so may be one: its first kBegin bytes, compression undone.
inline constexpr size_t kBegin = 14;
bool IsSection(std::string_view begin);
// An Error if it does not begin as one.
Result<std::unique_ptr<Importer>> Open(Source source);

}  // namespace ks::import::scap
