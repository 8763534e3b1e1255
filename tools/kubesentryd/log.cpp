#include "tools/kubesentryd/log.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <utility>

#include "tools/cli/args.h"
#include "tools/kubesentryd/clock.h"
#include "tools/kubesentryd/write_ready.h"

namespace ks::agent {

using nlohmann::ordered_json;

namespace {

constexpr size_t kMostWaiting = 256 * 1024;
constexpr uint64_t kLastWaitNs = 1'000'000'000;

}  // namespace

Log::Log(bool json, int fd) : json_(json), given_(fd), fd_(OwnTerminal(fd)) {}

Log::~Log() {
  const uint64_t give_up = BootNs() + kLastWaitNs;
  for (Flush(); !waiting_.empty() && BootNs() < give_up; Flush()) {
    pollfd ready{fd_, POLLOUT, 0};
    poll(&ready, 1, 100);
  }
  if (fd_ != given_) close(fd_);
}

std::string Log::Message(std::string_view level, std::string_view what, std::string_view text, ordered_json facts) const {
  if (!json_) return fmt::format("{}\n", text);
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  ordered_json out;
  out["time"] = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                            utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000);
  out["level"] = level;
  out["what"] = what;
  for (auto& [key, value] : facts.items()) out[key] = std::move(value);
  return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

void Log::Write(std::string_view level, std::string_view what, std::string_view text, ordered_json facts) {
  std::string message = Message(level, what, text, std::move(facts));
  Flush();
  // What follows something that was given up is said after the word of that.
  if (unsaid_ > 0 || waiting_bytes_ + message.size() > kMostWaiting) {
    ++unsaid_;
    return;
  }
  Add(std::move(message));
  Flush();
}

void Log::Add(std::string message) {
  waiting_bytes_ += message.size();
  waiting_.push_back(std::move(message));
}

void Log::Flush() {
  for (;;) {
    while (!waiting_.empty()) {
      std::string& first = waiting_.front();
      const ssize_t written = WriteReady(fd_, first, 0);
      if (written == 0) return;
      if (written < 0) return GiveUp();
      mid_line_ = first[static_cast<size_t>(written) - 1] != '\n';
      waiting_bytes_ -= static_cast<size_t>(written);
      first.erase(0, static_cast<size_t>(written));
      if (!first.empty()) continue;
      waiting_.pop_front();
      unsaid_ -= std::exchange(announced_, 0);
    }
    if (unsaid_ == 0) return;
    announced_ = unsaid_;
    Add((mid_line_ ? "\n" : "") +
        Message("warning", "unsaid", fmt::format("warning: {} messages were not written: stderr did not take them", unsaid_),
                {{"messages", unsaid_}}));
  }
}

// A stderr that is gone, or a full disk, does not stop detection.
void Log::GiveUp() {
  unsaid_ += waiting_.size() - (announced_ > 0 ? 1 : 0);
  announced_ = 0;
  waiting_.clear();
  waiting_bytes_ = 0;
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
