#include "compiler/support/source.h"

#include <algorithm>

namespace ks {

SourceFile::SourceFile(std::string name, std::string text, std::string logical)
    : name_(std::move(name)), text_(std::move(text)), logical_(logical.empty() ? name_ : std::move(logical)) {
  line_starts_.push_back(0);
  for (size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n') line_starts_.push_back(static_cast<uint32_t>(i + 1));
  }
}

SourceFile::Position SourceFile::At(uint32_t offset) const {
  offset = std::min(offset, static_cast<uint32_t>(text_.size()));
  auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  auto line = static_cast<uint32_t>(after - line_starts_.begin());
  uint32_t column = 1;
  for (uint32_t i = line_starts_[line - 1]; i < offset; ++i) {
    if ((static_cast<unsigned char>(text_[i]) & 0xc0) != 0x80) ++column;
  }
  return {line, column};
}

std::string_view SourceFile::Line(uint32_t line) const {
  uint32_t begin = line_starts_[line - 1];
  size_t end = line < line_starts_.size() ? line_starts_[line] - 1 : text_.size();
  if (end > begin && text_[end - 1] == '\r') --end;
  return std::string_view(text_).substr(begin, end - begin);
}

uint32_t SourceFile::LineStart(uint32_t line) const { return line_starts_[line - 1]; }

}  // namespace ks
