// The unix socket on which a running daemon answers `kubesentryd status` and the like: who connects sends one line, and is sent one
// JSON document.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/support/result.h"

namespace ks::agent {

inline constexpr std::string_view kAskStatus = "status", kAskRollback = "rollback";

class StatusSocket {
 public:
  // Only its owner may connect (0600). Replaces the socket of a daemon that is gone; refuses if one answers.
  static Result<StatusSocket> Listen(const std::string& path);
  StatusSocket(StatusSocket&& other) noexcept;
  StatusSocket& operator=(StatusSocket&& other) noexcept;
  ~StatusSocket();

  // Answers whose line has come; who sends none is let go after a second, and who has gone is not obeyed: it may ask again, and not
  // mean it twice. Never blocks: a document that does not fit the socket's buffer at once is cut.
  void Serve(const std::function<std::string(std::string_view request)>& answer);

 private:
  struct Client {
    int fd;
    uint64_t since_ns;
    std::string sent;
  };
  StatusSocket(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  static bool Hear(Client& client, const std::function<std::string(std::string_view)>& answer);
  int fd_;
  std::vector<Client> clients_;
  std::string path_;
};

// What the daemon at that socket answers. Nothing is asked of a daemon of another user than root, the own one and `user`: it could be
// anyone who has taken its place.
Result<std::string> Ask(const std::string& path, std::string_view request, std::optional<uid_t> user = std::nullopt);

}  // namespace ks::agent
