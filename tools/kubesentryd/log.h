// What the daemon says on stderr: lines for people, or one JSON object a line (--log json). A reader that is slow never holds us up: what
// it does not take waits here, and what is too much is counted and said later ("unsaid").
#pragma once

#include <unistd.h>

#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "compiler/support/result.h"

namespace ks::agent {

class Log {
 public:
  // `fd`: stays the caller's.
  explicit Log(bool json, int fd = STDERR_FILENO);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  // Waits up to a second for what was not taken yet.
  ~Log();

  // `what` is stable and for machines ("ready", "swapped", "lost"); `text` is for people; `facts` go into the JSON.
  void Info(std::string_view what, std::string_view text,
            nlohmann::ordered_json facts = nlohmann::ordered_json::object());
  void Warn(std::string_view what, std::string_view text,
            nlohmann::ordered_json facts = nlohmann::ordered_json::object());
  // `what`: the step that failed ("swap"). A verifier's log goes to a file, which is named.
  void Failure(std::string_view what, Error error);

  // Says what waits, as far as it is taken. To be called now and then; saying something does, too.
  void Flush();
  // Messages that were given up and not yet counted on stderr.
  uint64_t unsaid() const { return unsaid_; }

 private:
  void Write(std::string_view level, std::string_view what, std::string_view text, nlohmann::ordered_json facts);
  std::string Message(std::string_view level, std::string_view what, std::string_view text, nlohmann::ordered_json facts) const;
  void Add(std::string message);
  void GiveUp();

  const bool json_;
  const int given_, fd_;  // the latter is our own where the former is a terminal
  std::deque<std::string> waiting_;  // whole messages; of the first one a part may be written
  size_t waiting_bytes_ = 0;
  uint64_t unsaid_ = 0;
  uint64_t announced_ = 0;  // of the unsaid ones, if the first that waits says so
  bool mid_line_ = false;   // what was written last ended within a line
};

}  // namespace ks::agent
