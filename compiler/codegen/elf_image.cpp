#include "compiler/codegen/elf_image.h"

namespace ks::codegen {

std::optional<ElfImage> ElfImage::Read(std::string_view elf) {
  Elf64_Ehdr head;
  if (elf.size() < sizeof(head)) return std::nullopt;
  memcpy(&head, elf.data(), sizeof(head));
  if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_machine != EM_BPF) return std::nullopt;
  const auto inside = [&](uint64_t at, uint64_t size) { return at <= elf.size() && size <= elf.size() - at; };
  if (!inside(head.e_shoff, head.e_shnum * sizeof(Elf64_Shdr)) || head.e_shstrndx >= head.e_shnum) return std::nullopt;
  ElfImage image(elf);
  image.sections_.resize(head.e_shnum);
  memcpy(image.sections_.data(), elf.data() + head.e_shoff, head.e_shnum * sizeof(Elf64_Shdr));
  image.names_ = head.e_shstrndx;
  for (const Elf64_Shdr& section : image.sections_) {
    if (section.sh_type != SHT_NOBITS && !inside(section.sh_offset, section.sh_size)) return std::nullopt;
  }
  return image;
}

const Elf64_Shdr* ElfImage::Find(std::string_view name) const {
  for (const Elf64_Shdr& section : sections_) {
    if (NameOf(section) == name) return &section;
  }
  return nullptr;
}

std::string_view ElfImage::StringAt(size_t table, uint64_t offset) const {
  if (table >= sections_.size() || offset >= sections_[table].sh_size) return "";
  const std::string_view strings = elf_.substr(sections_[table].sh_offset, sections_[table].sh_size).substr(offset);
  return strings.substr(0, strings.find('\0'));
}

}  // namespace ks::codegen
