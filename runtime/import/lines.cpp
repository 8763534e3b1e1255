#include "runtime/import/lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/event/event.h"

namespace ks::import {
namespace {

constexpr size_t kAtOnce = 256 * 1024;
constexpr size_t kMostDepth = 32;
constexpr size_t kMostDamage = 100, kMostNamed = 5, kMostShown = 80;

// syslog as Azure has it, journald, and what most others use; of containers' logs the last but one.
constexpr const char* kMembers[] = {"SyslogMessage", "MESSAGE", "message", "Message", "msg", "log", "_raw"};

// Before the parser recurses.
bool IsShallow(std::string_view json) {
  size_t depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < json.size(); ++i) {
    if (quoted) {
      if (json[i] == '\\') {
        ++i;
      } else if (json[i] == '"') {
        quoted = false;
      }
    } else if (json[i] == '"') {
      quoted = true;
    } else if (json[i] == '{' || json[i] == '[') {
      if (++depth > kMostDepth) return false;
    } else if ((json[i] == '}' || json[i] == ']') && depth > 0) {
      --depth;
    }
  }
  return true;
}

}  // namespace

bool Lines::Fill() {
  bytes_.erase(0, at_);
  at_ = 0;
  const size_t before = bytes_.size();
  source_.Read(kAtOnce, &bytes_);
  return bytes_.size() > before;
}

std::optional<std::string_view> Lines::Next() {
  too_long_ = false;
  size_t searched = at_;
  size_t end = std::string::npos;
  bool any = false;
  while ((end = bytes_.find('\n', searched)) == std::string::npos) {
    any |= at_ < bytes_.size();
    if (bytes_.size() - at_ > kMostLine) {
      too_long_ = true;
      at_ = bytes_.size();
    }
    searched = bytes_.size() - at_;  // where the new bytes come to stand
    if (!Fill()) break;
  }
  if (end == std::string::npos) {
    if (!any) return std::nullopt;
    end = bytes_.size();
  }
  ++number_;
  std::string_view line = std::string_view(bytes_).substr(at_, end - at_);
  at_ = std::min(end + 1, bytes_.size());
  too_long_ |= line.size() > kMostLine;
  if (too_long_) return std::string_view();
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string Lines::damage() const {
  const std::string damage = source_.Damage();
  return damage.empty() ? "" : fmt::format("after line {}: {}", number_, damage);
}

std::optional<std::string> MessageOf(std::string_view line) {
  const size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos || line[begin] != '{') return std::string(line);
  line.remove_prefix(begin);
  // An element of an array that is written a line each.
  while (line.ends_with(' ') || line.ends_with(',')) line.remove_suffix(1);
  if (!IsShallow(line)) return std::nullopt;
  const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  for (const char* name : kMembers) {
    const auto found = object.find(name);
    if (found == object.end()) continue;
    if (found->is_string()) return found->get<std::string>();
    // journald's, of bytes that are no text.
    if (!found->is_array()) continue;
    std::string bytes;
    for (const nlohmann::json& one : *found) bytes += one.is_number_integer() ? static_cast<char>(one.get<int64_t>()) : '?';
    return bytes;
  }
  return std::nullopt;
}

Place FindLine(std::string_view text, size_t (*find)(const std::string& message)) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::optional<std::string> message = MessageOf(text.substr(at, end - at));
    const size_t found = message ? find(*message) : std::string::npos;
    if (found != std::string::npos) return {at, found};
    at = end + 1;
  }
  return kNowhere;
}

void AddDamage(std::string what, Report* report) {
  if (report->damage.size() == kMostDamage) report->damage.emplace_back("more of the kind");
  if (report->damage.size() < kMostDamage) report->damage.push_back(std::move(what));
}

void AddForeign(uint64_t number, std::string_view line, Report* report) {
  if (report->foreign_lines++ < kMostNamed) {
    report->foreign.push_back(fmt::format("line {}: {}{}", number, event::Printable(line.substr(0, kMostShown)), line.size() > kMostShown ? "…" : ""));
  }
}

}  // namespace ks::import
