#pragma once

#include <optional>

#include "compiler/ide/ide.h"
#include "compiler/ide/symbols.h"

namespace ks::ide {

// The name or operator at this place, in the text as it is now.
std::optional<Occurrence> OccurrenceAt(const Workspace& workspace, const Document& document, uint32_t offset);

}  // namespace ks::ide
