// Logs of the Linux audit system.
#pragma once

#include <memory>
#include <string_view>

#include "runtime/import/import.h"
#include "runtime/import/lines.h"
#include "runtime/import/source.h"

namespace ks::import::audit {

// Where in the begin of a log the first one stands.
Place FindRecord(std::string_view begin);
std::unique_ptr<Importer> Open(Source source);

}  // namespace ks::import::audit
