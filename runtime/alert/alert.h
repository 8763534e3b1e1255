// Match → one canonical JSON line (agent.md, "Alerts"). Field names and formats come from the table; match-only fields appear only
// where the rule discloses them.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/event/event.h"

namespace ks::alert {

// What is the same for every alert of one bundle on one node.
struct Origin {
  std::string node, boot;
  std::string bundle_digest;  // "sha256:…", empty in replay of sources
  uint64_t bundle_version = 0;
  std::string egress_digest;
};

// One line without the line break. `lost_before`: records known lost before this one since the last alert.
std::string Format(const event::Match& match, const Origin& origin, uint64_t sequence, uint64_t lost_before);

// For a terminal: time, severity, rule, message, on one line.
std::string FormatHuman(const event::Match& match, bool color);

}  // namespace ks::alert
