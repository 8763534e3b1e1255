// How the head of a part is written, for part.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/replay/part.h"
#include "runtime/state/saved.h"

namespace ks::replay {

inline constexpr size_t kMaxNames = 100'000;  // in one list

std::string EncodeHead(const PartHead& head);
// Nothing if the bytes are no head; *other_schema if they are one of another build.
std::optional<PartHead> DecodeHead(std::string_view bytes, bool* other_schema);

void PutTexts(const std::vector<std::string>& texts, state::SavedWriter* out);
// Texts that reach a terminal as they are: policies' words and files' names. Those that would deceive fail the reader.
std::string GetSafe(state::SavedReader* in);

}  // namespace ks::replay
