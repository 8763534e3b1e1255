// The signed statement about a bundle, between its struct and its JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/bundle/bundle.h"
#include "compiler/support/result.h"

namespace ks::bundle {

inline constexpr std::string_view kManifestSchema = "kubesentry.bundle/v1";
inline constexpr std::string_view kBpfType = "bpf-elf", kResidualType = "residual-v1", kEgressType = "egress-v1";

std::string WriteManifest(const Manifest& manifest);
// Known fields have the right types and forms; others are ignored. Error::code is manifest or crit.
Result<Manifest> ReadManifest(std::string_view json);

// "2026-11-23T17:12:03Z" → seconds since 1970. UTC, whole seconds, no other form; nothing before 1970.
std::optional<int64_t> ParseTime(std::string_view text);

// "1.20.3" against "1.4": by number, part by part. Nothing if either is not of that form.
std::optional<bool> VersionAtLeast(std::string_view have, std::string_view wanted);

}  // namespace ks::bundle
