// Bytes that several partials share, counted.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace ks::state {

class Blob {
 public:
  Blob() = default;
  explicit Blob(std::string_view bytes) : head_(static_cast<Head*>(std::malloc(sizeof(Head) + bytes.size()))) {
    if (head_ == nullptr) std::abort();
    *head_ = {1, static_cast<uint32_t>(bytes.size())};
    std::memcpy(head_ + 1, bytes.data(), bytes.size());
  }
  Blob(const Blob& other) : head_(other.head_) {
    if (head_ != nullptr) ++head_->refs;
  }
  Blob(Blob&& other) noexcept : head_(std::exchange(other.head_, nullptr)) {}
  Blob& operator=(Blob other) noexcept {
    std::swap(head_, other.head_);
    return *this;
  }
  ~Blob() {
    if (head_ != nullptr && --head_->refs == 0) std::free(head_);
  }
  std::string_view view() const {
    if (head_ == nullptr) return {};
    return {reinterpret_cast<const char*>(head_ + 1), head_->size};
  }
  // What it takes, once, however many share it.
  size_t bytes() const { return head_ == nullptr ? 0 : sizeof(Head) + head_->size; }
  bool is_only() const { return head_ != nullptr && head_->refs == 1; }

 private:
  struct Head {
    uint32_t refs, size;
  };
  Head* head_ = nullptr;
};

}  // namespace ks::state
