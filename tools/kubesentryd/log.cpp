#include "tools/kubesentryd/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <utility>

#include "tools/cli/args.h"

namespace ks::agent {

using nlohmann::ordered_json;

void Log::Write(std::string_view level, std::string_view what, std::string_view text, ordered_json facts) {
  std::string line;
  if (json_) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    tm utc{};
    gmtime_r(&now.tv_sec, &utc);
    ordered_json out;
    out["time"] = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                              utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000);
    out["level"] = level;
    out["what"] = what;
    for (auto& [key, value] : facts.items()) out[key] = std::move(value);
    line = out.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  } else {
    line = fmt::format("{}\n", text);
  }
  // One write per line, so that lines of several processes do not mix. A stderr that is gone must not stop detection.
  (void)!write(STDERR_FILENO, line.data(), line.size());
}

void Log::Info(std::string_view what, std::string_view text, ordered_json facts) {
  Write("info", what, text, std::move(facts));
}

void Log::Warn(std::string_view what, std::string_view text, ordered_json facts) {
  Write("warning", what, fmt::format("warning: {}", text), std::move(facts));
}

namespace {

// One for each user, so that an agent that is started again and again fills no disk.
std::string LogFile() {
  const char* folder = std::getenv("TMPDIR");
  return fmt::format("{}/kubesentryd-verifier-{}.log", folder && *folder ? folder : "/tmp", ::geteuid());
}

}  // namespace

void Log::Failure(std::string_view what, Error error) {
  cli::KeepLog(&error, LogFile());
  ordered_json facts;
  facts["code"] = error.code;
  facts["tried"] = error.tried;
  facts["on"] = error.on;
  facts["cause"] = error.cause;
  if (!error.advice.empty()) facts["advice"] = error.advice;
  for (const auto& [name, value] : error.facts) facts[name] = value;
  Write("error", what,
        fmt::format("error: {}{}", error.ToString(), error.code.empty() ? "" : "\n  code: " + error.code),
        std::move(facts));
}

}  // namespace ks::agent
