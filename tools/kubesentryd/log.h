// What the daemon says on stderr: lines for people, or one JSON object a line (--log json).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "compiler/support/result.h"

namespace ks::agent {

class Log {
 public:
  explicit Log(bool json) : json_(json) {}

  // `what` is stable and for machines ("ready", "swapped", "lost"); `text` is for people; `facts` go into the JSON.
  void Info(std::string_view what, std::string_view text,
            nlohmann::ordered_json facts = nlohmann::ordered_json::object());
  void Warn(std::string_view what, std::string_view text,
            nlohmann::ordered_json facts = nlohmann::ordered_json::object());
  // `what`: the step that failed ("swap"). A verifier's log goes to a file, which is named.
  void Failure(std::string_view what, Error error);

 private:
  void Write(std::string_view level, std::string_view what, std::string_view text, nlohmann::ordered_json facts);
  bool json_;
};

}  // namespace ks::agent
