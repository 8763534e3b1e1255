#include "tools/ksc/trace_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "compiler/bundle/manifest.h"
#include "tools/ksc/commands.h"
#include "tools/ksc/results.h"

namespace ks::ksc {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

std::optional<uint64_t> TakeNumber(std::string_view& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

std::optional<uint64_t> ParseSpan(std::string_view text) {
  const std::optional<uint64_t> number = TakeNumber(text);
  if (!number) return std::nullopt;
  for (const auto& [unit, ns] : {std::pair<std::string_view, uint64_t>{"ms", kSecondNs / 1000},
                                 {"s", kSecondNs},
                                 {"m", 60 * kSecondNs},
                                 {"h", 3600 * kSecondNs}}) {
    if (text == unit && *number <= INT64_MAX / ns) return *number * ns;
  }
  return std::nullopt;
}

}  // namespace

std::string JsonText(std::string_view text) { return JsonString(Utf8(text)); }

Result<trace::Writer> MakeTrace(const std::string& path, const trace::HostFacts& host, const std::string& match_only) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return trace::Writer::Create(path, host, match_only);
  }
  const int error = errno;
  if (error == EEXIST)
    return Error{"create the trace", path, "it is there already", "remove it, or give another name", "trace-exists"};
  return Error{"create the trace", path, std::strerror(error), "", "trace-file"};
}

void SayUnknown(const std::string& path, const trace::Info& info) {
  for (const std::string& column : info.unknown_columns) {
    fmt::print(stderr, "note: {}: column `{}` is unknown to this build and is skipped\n", path,
               event::Printable(column));
  }
  for (const std::string& kind : info.unknown_kinds) {
    fmt::print(stderr, "note: {}: events of kind `{}` are unknown to this build and are skipped\n", path,
               event::Printable(kind));
  }
}

int SayEnd(const std::string& path, const trace::Info& info, const Status& read, bool strict, bool json) {
  std::fflush(stdout);  // it is said behind what was read
  if (!read) {
    if (strict || read.error().code != "trace-damaged") return cli::Fail(read.error(), json);
    fmt::print(stderr, "warning: {}: {}; what comes before it was read\n", path, read.error().cause);
    return cli::kFine;
  }
  if (!info.index_rebuilt) return cli::kFine;
  const Error open{
      "read", path,
      fmt::format("it has no end: it is still being written, or was cut; its blocks are whole up to byte {}",
                  info.whole_bytes),
      "", "trace-cut"};
  if (strict) return cli::Fail(open, json);
  fmt::print(stderr, "warning: {}: {}\n", path, open.cause);
  return cli::kFine;
}

int Finish(trace::Writer& writer, const std::string& path, uint64_t events, uint64_t of, uint64_t lost, bool json) {
  if (Status closed = writer.Close(); !closed) return cli::Fail(closed.error(), json);
  if (json) {
    fmt::print("{{\"file\":{},\"events\":{},\"of\":{},\"lost\":{}}}\n", JsonText(path), events, of, lost);
  } else {
    fmt::print(stderr, "{}: {}{}{}\n", path, events == of ? "" : fmt::format("{} of ", events), Count(of, "event"),
               lost == 0 ? "" : ", " + Count(lost, "LOST record"));
  }
  return cli::kFine;
}

std::optional<uint64_t> ParseMoment(std::string_view text, uint64_t begin_ns) {
  if (text.starts_with('+')) {
    const std::optional<uint64_t> span = ParseSpan(text.substr(1));
    if (!span) return std::nullopt;
    return begin_ns + *span;
  }
  constexpr size_t kToSeconds = std::string_view("2026-11-23T17:12:03").size();
  if (!text.ends_with('Z') || text.size() <= kToSeconds) return std::nullopt;
  const std::optional<int64_t> seconds = bundle::ParseTime(std::string(text.substr(0, kToSeconds)) + "Z");
  if (!seconds) return std::nullopt;
  std::string_view fraction = text.substr(kToSeconds, text.size() - kToSeconds - 1);
  uint64_t ns = 0;
  if (!fraction.empty()) {
    if (fraction.front() != '.' || fraction.size() < 2 || fraction.size() > 10) return std::nullopt;
    std::string digits(fraction.substr(1));
    digits.resize(9, '0');
    std::string_view rest = digits;
    const std::optional<uint64_t> number = TakeNumber(rest);
    if (!number || !rest.empty()) return std::nullopt;
    ns = *number;
  }
  return static_cast<uint64_t>(*seconds) * kSecondNs + ns;
}

}  // namespace ks::ksc
