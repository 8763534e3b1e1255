// An event of Sysmon's as it stands in a log: <Event><System>…</System><EventData><Data Name="…">…</Data>…</EventData></Event>.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace ks::import::sysmon {

struct Event {
  int64_t id = 0;                           // 1: a process was made
  std::string time, computer, provider;     // of System
  std::map<std::string, std::string> data;  // by name; "-", by which Sysmon says that it does not know, is not there

  // Nothing if it is not there.
  std::optional<std::string> Text(const std::string& name) const;
  std::optional<int64_t> Number(const std::string& name) const;
};

// The part of a line that is an event; nothing if none begins there, "" if one begins and does not end.
std::optional<std::string_view> FindXml(std::string_view line);
// Nothing if it is no event, is too deep or too large, or has a document type, whose entities could grow; *why says so.
std::optional<Event> Parse(std::string_view xml, std::string* why);

}  // namespace ks::import::sysmon
