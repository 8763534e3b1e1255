// The unix socket on which a running daemon answers `kubesentryd status`: who connects is sent one JSON document.
#pragma once

#include <functional>
#include <string>

#include "compiler/support/result.h"

namespace ks::agent {

class StatusSocket {
 public:
  // Only its owner may connect (0600). Replaces the socket of a daemon that is gone; refuses if one answers.
  static Result<StatusSocket> Listen(const std::string& path);
  StatusSocket(StatusSocket&& other) noexcept;
  StatusSocket& operator=(StatusSocket&& other) noexcept;
  ~StatusSocket();

  // Answers who waits. Never blocks: a document that does not fit the socket's buffer at once is cut.
  void Serve(const std::function<std::string()>& document);

 private:
  StatusSocket(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::string path_;
};

// What the daemon at that socket says of itself.
Result<std::string> AskStatus(const std::string& path);

}  // namespace ks::agent
