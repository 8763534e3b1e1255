// Logs of Sysmon for Linux.
#pragma once

#include <memory>
#include <string_view>

#include "runtime/import/import.h"
#include "runtime/import/lines.h"
#include "runtime/import/source.h"

namespace ks::import::sysmon {

// Where in the begin of a log the first one stands.
Place FindEvent(std::string_view begin);
std::unique_ptr<Importer> Open(Source source);

}  // namespace ks::import::sysmon
