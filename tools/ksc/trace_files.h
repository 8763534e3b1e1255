// What the commands of ksc trace have in common: how traces are opened, made and finished.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/trace/trace.h"
#include "tools/cli/args.h"

namespace ks::ksc {

// A JSON string of any bytes: what is no UTF-8 becomes U+FFFD.
std::string JsonText(std::string_view text);

inline cli::Option StrictOption() {
  return {"--strict", "", "a trace that is damaged, or has no end, is a failure (exit status 3)", false, {}};
}
inline cli::Option OutputOption() { return {"-o", "OUT.kst", "the trace to make; never overwritten", true, {}}; }
// The exit status, if `out` is no name of a trace.
inline std::optional<int> CheckOutput(const cli::Command& command, const std::string& out) {
  if (out.ends_with(".kst")) return std::nullopt;
  return cli::Usage(command, "-o must end in .kst: by that name `ksc replay` knows a trace");
}

// A new trace; whoever made a file of that name in the meantime keeps it.
Result<trace::Writer> MakeTrace(const std::string& path, const trace::HostFacts& host,
                                const std::string& match_only = "as observed");

// What of the trace this build cannot read, and so does not copy: a line each on stderr.
void SayUnknown(const std::string& path, const trace::Info& info);

// Says on stderr where and why the reading of a trace ended before its end, if it did. Gives the exit status: kFine if
// it is whole or `strict` is false, kWorldFailed else and if it could not be read at all.
int SayEnd(const std::string& path, const trace::Info& info, const Status& read, bool strict, bool json);

// Writes the end of a copy and says what it holds: "out.kst: 7 of 10 events, 1 LOST record".
int Finish(trace::Writer& writer, const std::string& path, uint64_t events, uint64_t of, uint64_t lost, bool json);

// "2026-11-23T17:12:03Z", with a fraction of a second if wanted, or "+90s" (ms, s, m, h) after `begin_ns` → nanoseconds
// since 1970. Nothing if it is neither.
std::optional<uint64_t> ParseMoment(std::string_view text, uint64_t begin_ns);

}  // namespace ks::ksc
