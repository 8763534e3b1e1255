// Bytes of a client → messages. What comes in is not trusted: bounded whatever it says.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ks::lsp {

inline constexpr size_t kMaxMessageBytes = 64 * 1024 * 1024;
inline constexpr size_t kMaxHeaderBytes = 4096;

class Framing {
 public:
  struct Message {
    std::string body;
    std::string mistake;  // what is wrong with it; then there is no body
    bool fatal = false;   // where the next message starts cannot be known
  };
  void Feed(std::string_view bytes);
  // Nothing: more bytes are needed.
  std::optional<Message> Next();

 private:
  std::string buffer_;
  size_t skip_ = 0;  // bytes of a message that is too large, to be thrown away
};

// JSON text with U+FFFD for each \uD8xx that is half of a pair only: as long for the client, and readable here. Editors
// send such halves when a pair was cut in two.
std::string MendSurrogates(std::string body);

std::string Framed(std::string_view body);

}  // namespace ks::lsp
