#include "compiler/codegen/line_table.h"

#include <algorithm>
#include <cstring>

namespace ks::codegen {
namespace {

// include/uapi/linux/btf.h and libbpf's btf_ext_header.
struct BtfHeader {
  uint16_t magic;
  uint8_t version, flags;
  uint32_t header_bytes, types, types_bytes, strings, strings_bytes;
};
struct ExtensionHeader {
  uint16_t magic;
  uint8_t version, flags;
  uint32_t header_bytes, functions, functions_bytes, lines, lines_bytes;
};

std::string_view Part(std::string_view bytes, uint64_t at, uint64_t size) {
  if (at > bytes.size() || size > bytes.size() - at) return "";
  return bytes.substr(at, size);
}

template <typename T>
bool Take(std::string_view* bytes, T* value) {
  if (bytes->size() < sizeof(T)) return false;
  std::memcpy(value, bytes->data(), sizeof(T));
  bytes->remove_prefix(sizeof(T));
  return true;
}

std::string_view BytesOf(const ElfImage& image, std::string_view section) {
  const Elf64_Shdr* found = image.Find(section);
  return found ? image.Bytes(*found) : "";
}

}  // namespace

LineTable::LineTable(const ElfImage& image) {
  const std::string_view types = BytesOf(image, ".BTF"), more = BytesOf(image, ".BTF.ext");
  BtfHeader header{};
  ExtensionHeader extension{};
  std::string_view begin = types, extension_begin = more;
  if (!Take(&begin, &header) || !Take(&extension_begin, &extension)) return;
  strings_ = Part(types, uint64_t{header.header_bytes} + header.strings, header.strings_bytes);
  std::string_view lines = Part(more, uint64_t{extension.header_bytes} + extension.lines, extension.lines_bytes);
  uint32_t row_bytes = 0;
  if (!Take(&lines, &row_bytes) || row_bytes < sizeof(LineRow)) return;
  uint32_t name = 0, count = 0;
  while (Take(&lines, &name) && Take(&lines, &count)) {
    std::vector<LineRow>& rows = sections_[std::string(StringAt(name))];
    for (uint32_t i = 0; i < count && lines.size() >= row_bytes; i++) {
      LineRow row;
      std::memcpy(&row, lines.data(), sizeof(row));
      lines.remove_prefix(row_bytes);
      rows.push_back(row);
    }
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  }
}

std::string_view LineTable::StringAt(uint32_t offset) const {
  if (offset >= strings_.size()) return "";
  const std::string_view text = strings_.substr(offset);
  return text.substr(0, text.find('\0'));
}

LineRange LineTable::Of(std::string_view section, uint64_t begin, uint64_t end) const {
  const auto rows = sections_.find(section);
  if (rows == sections_.end()) return {};
  const auto before = [](const LineRow& row, uint64_t at) { return row.offset < at; };
  const auto first = std::lower_bound(rows->second.begin(), rows->second.end(), begin, before);
  return {first, std::lower_bound(first, rows->second.end(), end, before)};
}

std::optional<ConditionCost> LineTable::ConditionOf(const LineRow& row) const {
  const std::string_view text = StringAt(row.text);
  if (text.starts_with(kGeneratedMark)) return ConditionCost{};
  const size_t mark = text.rfind(kRuleMark);
  if (mark == std::string_view::npos && !text.starts_with(kRuleAlone)) return std::nullopt;
  ConditionCost condition;
  std::string_view rules =
      mark == std::string_view::npos ? text.substr(kRuleAlone.size()) : text.substr(mark + kRuleMark.size());
  condition.rule = rules.substr(0, rules.find_first_of(", "));
  condition.file = StringAt(row.file);
  condition.line = row.line_column >> 10;
  if (mark != std::string_view::npos) {
    condition.text = text.substr(0, mark);
    condition.text.erase(0, std::min(condition.text.find_first_not_of(" \t"), condition.text.size()));
  }
  return condition;
}

}  // namespace ks::codegen
