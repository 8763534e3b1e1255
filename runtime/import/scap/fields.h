// Fields of events from what a .scap recording tells of its machine. What it does not tell is Unknown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/event/event.h"
#include "runtime/import/scap/machine.h"

namespace ks::import::scap {

void SetNumber(schema::Record& record, schema::FieldId field, std::optional<int64_t> number);
// Cut at the field's capture, as the kernel half cuts it; nothing, or an empty path, is Unknown.
void SetText(schema::Record& record, schema::FieldId field, std::optional<std::string_view> text);
void SetEndpoint(schema::Record& record, schema::FieldId field, const std::optional<schema::Endpoint>& endpoint);

// process.* and process.parent.*, those of userspace apart.
void SetProcess(schema::Record& record, const Thread& thread);

// Relative to a descriptor, or to the working directory (kWorkingFolder); without links followed. Nothing if the folder is not known.
inline constexpr int64_t kWorkingFolder = -100;  // AT_FDCWD
std::optional<std::string> Resolve(const Process& process, int64_t folder, std::string_view path);

}  // namespace ks::import::scap
