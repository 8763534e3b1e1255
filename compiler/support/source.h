// Source text and places in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ks {

// One file of policy text. Never moves once parsed: spans point to it. At most kMaxSourceBytes.
class SourceFile {
 public:
  // `logical`: the name that bundles hold, the same on any machine; by default `name`.
  SourceFile(std::string name, std::string text, std::string logical = "");
  SourceFile(const SourceFile&) = delete;
  SourceFile& operator=(const SourceFile&) = delete;

  const std::string& name() const { return name_; }  // as the user gave it
  const std::string& logical() const { return logical_; }
  std::string_view text() const { return text_; }

  struct Position {
    uint32_t line;    // from 1
    uint32_t column;  // from 1, in characters (UTF-8 code points)
  };
  Position At(uint32_t offset) const;
  // A line without its line break; `line` from 1.
  std::string_view Line(uint32_t line) const;
  uint32_t LineStart(uint32_t line) const;

 private:
  std::string name_;
  std::string text_;
  std::string logical_;
  std::vector<uint32_t> line_starts_;
};

inline constexpr size_t kMaxSourceBytes = 4 * 1024 * 1024;

// Bytes [begin, end) of a file. `file` is null for what no user wrote.
struct Span {
  const SourceFile* file = nullptr;
  uint32_t begin = 0;
  uint32_t end = 0;
  std::string_view text() const { return file ? file->text().substr(begin, end - begin) : std::string_view(); }
};

}  // namespace ks
