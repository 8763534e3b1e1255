// Lines of a foreign log. What they carry stands alone, behind a prefix of syslog's, or in a member of a JSON object.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/import/import.h"
#include "runtime/import/source.h"

namespace ks::import {

inline constexpr size_t kMostLine = 1 << 20;  // bytes; auditd's records have 9,000 at most, Sysmon's events 64 KiB

class Lines {
 public:
  explicit Lines(Source source) : source_(std::move(source)) {}

  // Without its end; valid until the next one. Of a line that is too long, nothing is kept. Nothing at the end, and where
  // the file is damaged: then `damage` says so.
  std::optional<std::string_view> Next();
  uint64_t number() const { return number_; }  // of that line, from 1
  bool too_long() const { return too_long_; }
  std::string damage() const;

 private:
  bool Fill();

  Source source_;
  std::string bytes_;
  size_t at_ = 0;
  uint64_t number_ = 0;
  bool too_long_ = false;
};

// What a line carries: of a JSON object the member that shippers put a message into, else the line. Nothing of an object
// that has none, is no JSON, or is nested too deeply.
std::optional<std::string> MessageOf(std::string_view line);

// Where in a text, and there in the message, something stands first; npos twice if nowhere.
using Place = std::pair<size_t, size_t>;
inline constexpr Place kNowhere = {std::string_view::npos, std::string_view::npos};
// `find`: where in a message; npos if it is not there.
Place FindLine(std::string_view text, size_t (*find)(const std::string& message));

// Damage that is said one by one, up to a number.
void AddDamage(std::string what, Report* report);
// A line that is no record of the format: counted, and the first few are named.
void AddForeign(uint64_t number, std::string_view line, Report* report);

}  // namespace ks::import
