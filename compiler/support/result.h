// Failures of the world: files, kernel, network. Mistakes in a policy are Diagnostics instead; bugs are KS_CHECK.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ks {

// What was tried, on what, why it failed, what to do. `code` is stable and for machines ("bundle-bad-signature").
struct Error {
  std::string tried;   // "read the bundle"
  std::string on;      // "prod.kspb"
  std::string cause;   // "permission denied"
  std::string advice;  // "" if there is none
  std::string code;
  // Rarely: an excerpt with its caret and the like, whole lines for people; the same for machines, by name; and all
  // that the other side said, for a file.
  std::string detail;
  std::vector<std::pair<std::string, std::string>> facts;
  std::string log;
  std::string ToString() const;
};

template <typename T = std::monostate>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() { return std::get<0>(state_); }
  const T& operator*() const { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

using Status = Result<std::monostate>;
inline Status Ok() { return std::monostate{}; }

// A bug of ours: says what was violated and where, and aborts.
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line, const std::string& why);
#define KS_CHECK(condition, why) ((condition) ? void() : ::ks::CheckFailed(#condition, __FILE__, __LINE__, (why)))

// Reads a whole regular file of at most `limit` bytes.
Result<std::string> ReadFile(const std::string& path, size_t limit);
// Writes through a temporary file, fsync and rename, so that a reader sees the old or the new file and nothing between.
Status WriteFile(const std::string& path, std::string_view bytes, unsigned mode = 0644);

}  // namespace ks
