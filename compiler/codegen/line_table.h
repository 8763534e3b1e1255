// The line information of a finished object (.BTF.ext): which condition an instruction is for.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/codegen/elf_image.h"

namespace ks::codegen {

struct LineRow {
  uint32_t offset;  // bytes in its section
  uint32_t file, text, line_column;
};
using LineRange = std::span<const LineRow>;

class LineTable {
 public:
  explicit LineTable(const ElfImage& image);

  // Of the section, from one byte to another, ascending.
  LineRange Of(std::string_view section, uint64_t begin, uint64_t end) const;
  // Whose the row is; one without a rule if it is nobody's; nothing if it is code of ours, which is for whom calls it.
  std::optional<ConditionCost> ConditionOf(const LineRow& row) const;

 private:
  std::string_view StringAt(uint32_t offset) const;

  std::string_view strings_;
  std::map<std::string, std::vector<LineRow>, std::less<>> sections_;
};

// How Unit spells what a line says: "  process.name in shells  # rule acme.shell", "rule acme.shell", "(generated) …".
inline constexpr std::string_view kRuleMark = "  # rule ";
inline constexpr std::string_view kRuleAlone = "rule ";
inline constexpr std::string_view kGeneratedMark = "(generated) ";

}  // namespace ks::codegen
