// The finished object, read back.
#pragma once

#include <elf.h>

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ks::codegen {

class ElfImage {
 public:
  // Nothing if it is not a BPF object, or its sections lie outside of it.
  static std::optional<ElfImage> Read(std::string_view elf);

  const std::vector<Elf64_Shdr>& sections() const { return sections_; }
  std::string_view NameOf(const Elf64_Shdr& section) const { return StringAt(names_, section.sh_name); }
  // The section of that name, or null.
  const Elf64_Shdr* Find(std::string_view name) const;
  std::string_view StringAt(size_t table, uint64_t offset) const;

  std::string_view Bytes(const Elf64_Shdr& section) const {
    return section.sh_type == SHT_NOBITS ? "" : elf_.substr(section.sh_offset, section.sh_size);
  }

  // The bytes of a section as rows of T.
  template <typename T>
  std::vector<T> Rows(const Elf64_Shdr& section) const {
    std::vector<T> rows(section.sh_size / sizeof(T));
    if (!rows.empty()) memcpy(rows.data(), elf_.data() + section.sh_offset, rows.size() * sizeof(T));
    return rows;
  }

 private:
  explicit ElfImage(std::string_view elf) : elf_(elf) {}
  std::string_view elf_;
  std::vector<Elf64_Shdr> sections_;
  size_t names_ = 0;
};

}  // namespace ks::codegen
