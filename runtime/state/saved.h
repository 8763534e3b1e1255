// Saved state as bytes. The reader trusts none of them: what is not there, too much or out of range makes it fail, once
// and for good, and what it gives after that is empty.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/schema/schema.h"

namespace ks::state {

class SavedWriter {
 public:
  void Number(uint64_t number) {
    for (; number >= 128; number >>= 7) out_ += static_cast<char>(number | 128);
    out_ += static_cast<char>(number);
  }
  void Text(std::string_view text) {
    Number(text.size());
    out_ += text;
  }
  void Fields(const std::vector<schema::FieldId>& fields) {
    Number(fields.size());
    for (schema::FieldId field : fields) Number(static_cast<uint64_t>(field));
  }
  template <typename Times>
  void TimeList(const Times& times) {
    Number(times.size());
    for (uint64_t time : times) Number(time);
  }
  const std::string& bytes() const { return out_; }

 private:
  std::string out_;
};

class SavedReader {
 public:
  // No time in it may be later than `edge_ns`: it would never pass.
  SavedReader(std::string_view bytes, uint64_t edge_ns) : rest_(bytes), edge_ns_(edge_ns) {}

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }
  uint64_t edge_ns() const { return edge_ns_; }
  // For what its caller finds wrong.
  void Require(bool holds) { ok_ = ok_ && holds; }

  uint64_t Number(uint64_t most = UINT64_MAX) {
    uint64_t number = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<uint8_t>(rest_.front());
      if (shift == 63 && byte > 1) break;
      rest_.remove_prefix(1);
      number |= uint64_t{byte & 127U} << shift;
      if (byte >= 128) continue;
      if (number > most) break;
      return ok_ ? number : 0;
    }
    return Fail();
  }
  // How many follow; each takes at least a byte, so that no more is reserved than was given.
  size_t Count(uint64_t most = UINT64_MAX) {
    const uint64_t count = Number(most);
    return count <= rest_.size() ? static_cast<size_t>(count) : static_cast<size_t>(Fail());
  }
  std::string_view Bytes(size_t size) {
    if (size > rest_.size()) size = static_cast<size_t>(Fail());
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::string_view Text() { return Bytes(Count()); }
  uint64_t Time() { return Number(edge_ns_); }
  // Ascending.
  template <typename Times>
  void TimeList(uint64_t most, Times* times) {
    uint64_t last = 0;
    for (size_t i = 0, n = Count(most); i < n && ok_; ++i) {
      times->push_back(Time());
      Require(times->back() >= last);
      last = times->back();
    }
  }
  std::vector<schema::FieldId> Fields() {
    std::vector<schema::FieldId> fields;
    for (size_t i = 0, n = Count(schema::kFieldCount); i < n && ok_; ++i) {
      fields.push_back(static_cast<schema::FieldId>(Number(schema::kFieldCount - 1)));
      Require(i == 0 || fields[i - 1] < fields[i]);
    }
    return fields;
  }

 private:
  uint64_t Fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  uint64_t edge_ns_;
  bool ok_ = true;
};

}  // namespace ks::state
