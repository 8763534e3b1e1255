#include "runtime/import/audit/record.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>

namespace ks::import::audit {
namespace {

constexpr size_t kMostPairs = 4096;  // of a record: an EXECVE has some hundred
constexpr size_t kMostNode = 255;     // bytes of a host's name
constexpr char kEnriched = 0x1d;     // what auditd adds stands behind it
// Tags in syslog of what passes records on: anybody else can write what looks like one.
constexpr std::string_view kKernel = "kernel", kAudit = "audit";
constexpr std::string_view kCarriers[] = {kAudit, "auditd", "audispd", "audisp-syslog", "sedispatch", "auoms"};

// Types that a number stands for where nobody named them: include/uapi/linux/audit.h.
constexpr std::pair<int, std::string_view> kTypes[] = {
    {1300, "SYSCALL"}, {1302, "PATH"},    {1303, "IPC"},          {1304, "SOCKETCALL"},  {1305, "CONFIG_CHANGE"}, {1306, "SOCKADDR"},
    {1307, "CWD"},     {1309, "EXECVE"},  {1317, "FD_PAIR"},      {1318, "OBJ_PID"},     {1319, "TTY"},           {1320, "EOE"},
    {1321, "BPRM_FCAPS"}, {1322, "CAPSET"}, {1323, "MMAP"},       {1325, "NETFILTER_CFG"}, {1326, "SECCOMP"},     {1327, "PROCTITLE"},
    {1330, "KERN_MODULE"}, {1331, "FANOTIFY"}, {1334, "BPF"},     {1337, "OPENAT2"},     {1701, "ANOM_ABEND"},
};

template <typename T>
std::optional<T> ParseNumber(std::string_view text, int base = 10) {
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(number) : std::nullopt;
}

bool TakeNumber(std::string_view* rest, char end, uint64_t* out, size_t* digits = nullptr) {
  const size_t at = rest->find(end);
  if (at == std::string_view::npos) return false;
  const std::optional<uint64_t> number = ParseNumber<uint64_t>(rest->substr(0, at));
  if (!number) return false;
  *out = *number;
  if (digits) *digits = at;
  rest->remove_prefix(at + 1);
  return true;
}

// seconds.milliseconds:serial)
bool TakeId(std::string_view* rest, Id* id) {
  uint64_t seconds = 0, part = 0;
  size_t digits = 0;
  if (!TakeNumber(rest, '.', &seconds) || !TakeNumber(rest, ':', &part, &digits) || !TakeNumber(rest, ')', &id->serial)) return false;
  // Times are numbers of 64 bits with a sign.
  if (seconds >= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / 1'000'000'000 || digits > 9) return false;
  for (; digits < 9; ++digits) part *= 10;
  id->time_ns = seconds * 1'000'000'000 + part;
  return true;
}

bool IsNameChar(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

std::string TypeName(std::string_view type) {
  constexpr std::string_view kUnknown = "UNKNOWN[";
  if (type.starts_with(kUnknown) && type.ends_with(']')) type = type.substr(kUnknown.size(), type.size() - kUnknown.size() - 1);
  const std::optional<int> number = ParseNumber<int>(type);
  const auto* const found = std::ranges::find_if(kTypes, [&](const auto& one) { return number == one.first; });
  return std::string(found == std::end(kTypes) ? type : found->second);
}

// The record that begins at `type=`.
bool TakeHead(std::string_view rest, Record* record) {
  constexpr std::string_view kType = "type=", kMessage = "msg=", kId = "audit(";
  constexpr size_t kMostType = 64;
  rest.remove_prefix(kType.size());
  const size_t space = rest.find(' ');
  if (space == std::string_view::npos || space == 0 || space > kMostType) return false;
  const std::string_view type = rest.substr(0, space);
  if (!std::ranges::all_of(type, [](char c) { return IsNameChar(c) || c == '[' || c == ']'; })) return false;
  rest.remove_prefix(space + 1);
  if (rest.starts_with(kMessage)) rest.remove_prefix(kMessage.size());
  if (!rest.starts_with(kId)) return false;
  rest.remove_prefix(kId.size());
  if (!TakeId(&rest, &record->id) || !rest.starts_with(':')) return false;
  record->type = TypeName(type);
  record->body = rest.substr(1);
  return true;
}

void SkipSpaces(std::string_view* rest) { rest->remove_prefix(std::min(rest->find_first_not_of(" \t"), rest->size())); }
std::string_view TakeWord(std::string_view* rest) {
  SkipSpaces(rest);
  const std::string_view word = rest->substr(0, rest->find(' '));
  rest->remove_prefix(word.size());
  return word;
}

// What the kernel puts before a record: `[   12.5] audit:`, either of which may be missing.
bool IsOfKernel(std::string_view rest) {
  const auto is_time = [](char c) { return IsNameChar(c) || c == ' ' || c == '.' || c == ':'; };
  for (SkipSpaces(&rest); rest.starts_with('['); SkipSpaces(&rest)) {
    const size_t end = rest.find(']');
    if (end == std::string_view::npos || !std::ranges::all_of(rest.substr(1, end - 1), is_time)) return false;
    rest.remove_prefix(end + 1);
  }
  return rest.empty() || rest == "audit:";
}

bool Carries(std::string_view tag, std::string_view behind) {
  if (tag == kKernel) return IsOfKernel(behind);
  SkipSpaces(&behind);
  return behind.empty() && std::ranges::find(kCarriers, tag) != std::end(kCarriers);
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Where the value that begins `rest` ends.
size_t ValueEnd(std::string_view rest) {
  const auto is_end = [&](size_t at) { return at >= rest.size() || rest[at] == ' ' || rest[at] == kEnriched; };
  if (!rest.empty() && (rest[0] == '"' || rest[0] == '\'')) {
    const size_t end = rest.find(rest[0], 1);
    return end == std::string_view::npos ? rest.size() : end + 1;
  }
  if (!rest.empty() && rest[0] == '[') {
    for (size_t at = rest.find(']'); at != std::string_view::npos; at = rest.find(']', at + 1)) {
      if (is_end(at + 1)) return at + 1;
    }
  }
  size_t end = 0;
  while (!is_end(end)) ++end;
  return end;
}

// auoms writes these as they are, spaces and quotes included; then comes what it made of them.
bool IsFree(std::string_view key) { return key == "cmdline" || key == "proctitle"; }
constexpr std::string_view kBehindFree = " redactors=";

}  // namespace

bool IsCarriersHead(std::string_view rest) {
  while (rest.ends_with(' ') || rest.ends_with('\t')) rest.remove_suffix(1);
  if (IsOfKernel(rest)) return true;
  const size_t priority = rest.starts_with('<') ? rest.find('>') : std::string_view::npos;
  if (priority != std::string_view::npos && rest.substr(priority).starts_with(">1 ")) {
    for (int word = 0; word < 3; ++word) TakeWord(&rest);
    const std::string_view tag = TakeWord(&rest);
    TakeWord(&rest), TakeWord(&rest);
    SkipSpaces(&rest);
    // Data with a structure, or none.
    if (rest.starts_with('-')) return Carries(tag, rest.substr(1));
    if (!rest.starts_with('[')) return false;
    for (size_t end = 0; rest.starts_with('['); rest.remove_prefix(end + 1)) {
      if ((end = rest.find(']')) == std::string_view::npos) return false;
    }
    return Carries(tag, rest);
  }
  while (!rest.empty()) {
    std::string_view tag = TakeWord(&rest);
    if (!tag.ends_with(':')) continue;
    tag.remove_suffix(1);
    return Carries(tag.substr(0, tag.find('[')), rest);
  }
  return false;
}

std::optional<Record> ParseRecord(std::string_view line) {
  constexpr std::string_view kNode = "node=";
  Record record;
  for (size_t at = line.find("type="); at != std::string_view::npos; at = line.find("type=", at + 1)) {
    if (at > 0 && line[at - 1] != ' ' && line[at - 1] != '\t') continue;
    if (!TakeHead(line.substr(at), &record)) continue;
    std::string_view before = line.substr(0, at);
    while (before.ends_with(' ')) before.remove_suffix(1);
    const size_t last = before.rfind(' ') == std::string_view::npos ? 0 : before.rfind(' ') + 1;
    if (before.substr(last).starts_with(kNode)) {
      record.node = before.substr(last + kNode.size()).substr(0, kMostNode);
      before = before.substr(0, last);
    }
    return IsCarriersHead(before) ? std::optional(std::move(record)) : std::nullopt;
  }
  return std::nullopt;
}

Fields::Fields(std::string_view body) {
  const size_t free_end = body.rfind(kBehindFree);
  for (size_t at = 0; at < body.size() && pairs_.size() < kMostPairs;) {
    if (body[at] == ' ' || body[at] == kEnriched || body[at] == ',') {
      ++at;
      continue;
    }
    const size_t stop = body.find_first_of(std::string_view(" =\x1d", 3), at);
    // A word that is no pair.
    if (stop == std::string_view::npos || body[stop] != '=') {
      at = stop == std::string_view::npos ? body.size() : stop + 1;
      continue;
    }
    const std::string_view key = body.substr(at, stop - at);
    std::string_view value = body.substr(stop + 1);
    const bool is_free = IsFree(key) && free_end != std::string_view::npos && free_end > stop;
    value = value.substr(0, is_free ? free_end - stop - 1 : ValueEnd(value));
    pairs_.emplace_back(key, value);
    at = stop + 1 + value.size();
  }
}

std::optional<std::string_view> Fields::Raw(std::string_view key) const {
  const auto found = std::ranges::find_if(pairs_, [&](const auto& one) { return one.first == key; });
  return found == pairs_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<int64_t> Fields::Number(std::string_view key) const {
  std::optional<std::string_view> raw = Raw(key);
  if (raw && raw->size() > 1 && raw->front() == '"' && raw->back() == '"') raw = raw->substr(1, raw->size() - 2);
  return raw ? ReadDecimal(*raw) : std::nullopt;
}

std::optional<uint64_t> Fields::Hex(std::string_view key) const {
  const std::optional<std::string_view> raw = Raw(key);
  return raw ? ReadHex(*raw) : std::nullopt;
}

std::optional<int64_t> Fields::Octal(std::string_view key) const {
  const std::optional<std::string_view> raw = Raw(key);
  return raw ? ReadOctal(*raw) : std::nullopt;
}

std::optional<int64_t> Fields::Id(std::string_view key) const {
  constexpr int64_t kUnset = 0xffffffff;
  if (Raw(key) == "unset") return kUnset;
  const std::optional<int64_t> id = Number(key);
  if (id == -1) return kUnset;
  return id && *id >= 0 && *id <= kUnset ? id : std::nullopt;
}

std::optional<std::string> Fields::Text(std::string_view key) const {
  const std::optional<std::string_view> raw = Raw(key);
  return raw ? DecodeText(*raw) : std::nullopt;
}

std::optional<std::string> Fields::Bytes(std::string_view key) const {
  const std::optional<std::string_view> raw = Raw(key);
  return raw ? DecodeHex(*raw) : std::nullopt;
}

std::vector<std::string> Fields::List(std::string_view key) const {
  std::vector<std::string> list;
  std::string_view rest = Raw(key).value_or("");
  for (size_t open = rest.find('"'); open != std::string_view::npos; open = rest.find('"')) {
    rest.remove_prefix(open + 1);
    std::string one;
    size_t at = 0;
    for (; at < rest.size() && rest[at] != '"'; ++at) {
      if (rest[at] == '\\' && at + 1 < rest.size()) ++at;
      one += rest[at];
    }
    if (at == rest.size()) break;
    list.push_back(std::move(one));
    rest.remove_prefix(at + 1);
  }
  return list;
}

std::optional<int64_t> ReadDecimal(std::string_view text) { return ParseNumber<int64_t>(text); }
std::optional<int64_t> ReadOctal(std::string_view text) { return ParseNumber<int64_t>(text, 8); }
std::optional<uint64_t> ReadHex(std::string_view text) { return ParseNumber<uint64_t>(text, 16); }

std::optional<std::string> DecodeHex(std::string_view hex) {
  if (hex.empty() || hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexDigit(hex[i]), low = HexDigit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

std::optional<std::string> DecodeText(std::string_view raw) {
  if (raw.empty() || raw == "(null)" || raw == "?") return std::nullopt;
  if (raw.front() == '"') return raw.size() > 1 && raw.back() == '"' ? std::optional(std::string(raw.substr(1, raw.size() - 2))) : std::nullopt;
  // What is in neither form is written as it is: (none).
  const std::optional<std::string> bytes = DecodeHex(raw);
  return bytes ? bytes : std::string(raw);
}

std::string ReadShellWords(std::string_view line) {
  // $'…' has C's escapes.
  const auto escaped = [&](size_t* at) {
    constexpr std::string_view kNames = "abtnvfre", kBytes = "\a\b\t\n\v\f\r\x1b";
    const char c = line[*at];
    if (c == 'x' && *at + 2 < line.size() && HexDigit(line[*at + 1]) >= 0 && HexDigit(line[*at + 2]) >= 0) {
      *at += 2;
      return static_cast<char>(HexDigit(line[*at - 1]) << 4 | HexDigit(line[*at]));
    }
    const size_t found = kNames.find(c);
    return found == std::string_view::npos ? c : kBytes[found];
  };
  std::string words;
  bool inside = false, bash = false;  // of a word; of $'…'
  char quote = 0;
  for (size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (quote == 0 && c == ' ') {
      if (inside) words += '\0';
      inside = false;
      continue;
    }
    inside = true;
    if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
      bash = false;
    } else if (quote == 0 && c == '$' && at + 1 < line.size() && line[at + 1] == '\'') {
      quote = '\'';
      bash = true;
      ++at;
    } else if (c == '\\' && at + 1 < line.size() && (quote != '\'' || bash)) {
      ++at;
      words += bash && quote != 0 ? escaped(&at) : line[at];
    } else {
      words += c;
    }
  }
  if (inside) words += '\0';
  return words;
}

}  // namespace ks::import::audit
