// Recordings of other tools as events of ours. What a recording says is taken over, what it does not say is unknown, and what has no
// counterpart here is counted by name: nothing is left out in silence. docs/import.md has the tables.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/event/event.h"
#include "runtime/trace/trace.h"

namespace ks::import {

struct Report {
  uint64_t events = 0;                       // of the recording
  std::map<std::string, uint64_t> made;      // by kind: one may become several
  std::map<std::string, uint64_t> merged;    // enters of calls, by name: their exits tell all
  std::map<std::string, uint64_t> unmapped;  // by the recording's name
  std::map<std::string, uint64_t> blocks;    // of .scap, by type: "0x216"
  uint64_t processes = 0;                    // that were there before
  std::map<std::string, uint64_t> nodes;     // of a log: records of each; "" if they do not say
  uint64_t foreign_lines = 0;                // of a log: that are no records of its format
  std::vector<std::string> foreign;          // the first few of them, with their numbers
  std::vector<std::string> damage;           // what could not be read, and where
};

class Importer {
 public:
  virtual ~Importer() = default;
  // One of kFormats.
  virtual std::string format() const = 0;
  // Facts that the recording has of its host.
  virtual const trace::HostFacts& host() const = 0;
  // All of it, in its order; the event is valid during the call. Damage ends it, and stands in the report.
  virtual Report ForEach(const std::function<void(const event::Event&)>& on_event) = 0;
  // Likewise; and losses that the recording tells of, where it does.
  Report ForEach(const std::function<void(const event::Event&)>& on_event, std::function<void(const trace::Lost&)> on_lost) {
    on_lost_ = std::move(on_lost);
    return ForEach(on_event);
  }

 protected:
  void TellLost(const trace::Lost& lost) const {
    if (on_lost_) on_lost_(lost);
  }

 private:
  std::function<void(const trace::Lost&)> on_lost_;
};

// Formats that can be asked for; "" is guessed by what the file begins with.
inline constexpr std::string_view kFormats[] = {"scap", "audit", "sysmon"};

// An Error if the file cannot be opened, or is no recording of the format, or of any.
Result<std::unique_ptr<Importer>> Open(const std::string& path, std::string_view format = "");

}  // namespace ks::import
