#include "compiler/codegen/stats.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "compiler/codegen/elf_image.h"
#include "compiler/codegen/line_table.h"

namespace ks::codegen {
namespace {

struct Instruction {
  uint8_t code;
  uint8_t registers;  // destination, source << 4
  int16_t offset;
  int32_t imm;
  unsigned dst() const { return registers & 15; }
  unsigned src() const { return registers >> 4; }
};
static_assert(sizeof(Instruction) == 8);

constexpr uint8_t kCall = 0x85, kMoveRegister = 0xbf, kAddConstant = 0x07;
constexpr unsigned kFrame = 10;          // the frame pointer
constexpr unsigned kPseudoCall = 1;      // source of a call to another function of the object
constexpr uint32_t kFrameRounding = 32;  // the kernel's, when it adds up frames

struct Function {
  std::string name;
  uint32_t section = 0;
  uint64_t begin = 0, size = 0;  // bytes in the section
  uint32_t stack = 0;
  std::vector<const Function*> callees;
  std::set<uint32_t> maps;  // sections of the object's own data that it reads
};

class Reader {
 public:
  explicit Reader(const ElfImage& image) : image_(image), lines_(image) {}

  bool Read() {
    for (const Elf64_Shdr& section : image_.sections()) {
      if (section.sh_type == SHT_SYMTAB) ReadSymbols(section);
    }
    for (Function& function : functions_) {
      if (!ReadFunction(function)) return false;
    }
    return true;
  }

  void Report(BpfObject& object) const {
    for (const Function& function : functions_) {
      const std::string section(image_.NameOf(image_.sections()[function.section]));
      if (section == ".text") continue;
      std::set<const Function*> reached;
      Reach(&function, &reached);
      ProgramStats stats;
      stats.section = section == "syscall" ? section + " " + function.name : section;
      for (const Function* one : reached) stats.instructions += static_cast<uint32_t>(one->size / sizeof(Instruction));
      stats.stack_bytes = StackOf(function);
      std::set<uint32_t> maps;
      for (const Function* one : reached) maps.insert(one->maps.begin(), one->maps.end());
      for (uint32_t map : maps) stats.map_bytes += image_.sections()[map].sh_size;
      stats.conditions = Conditions(reached);
      std::set<const Function*> chain;
      for (const Function* one = &function; one != nullptr; one = Deepest(*one)) {
        chain.insert(one);
        stats.deepest.emplace_back(one->name, OwnStack(*one));
      }
      stats.deepest_conditions = Conditions(chain);
      object.programs.push_back(std::move(stats));
    }
    std::sort(object.programs.begin(), object.programs.end(),
              [](const ProgramStats& a, const ProgramStats& b) { return a.section < b.section; });
    for (const Elf64_Shdr& section : image_.sections()) {
      if (image_.NameOf(section).starts_with(".rodata")) object.map_bytes += section.sh_size;
    }
  }

 private:
  void ReadSymbols(const Elf64_Shdr& section) {
    symbols_ = image_.Rows<Elf64_Sym>(section);
    for (const Elf64_Sym& symbol : symbols_) {
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx >= image_.sections().size()) continue;
      functions_.push_back({std::string(image_.StringAt(section.sh_link, symbol.st_name)),
                            symbol.st_shndx,
                            symbol.st_value,
                            symbol.st_size,
                            0,
                            {},
                            {}});
    }
  }

  const Function* Find(uint32_t section, uint64_t at) const {
    for (const Function& function : functions_) {
      if (function.section == section && function.begin == at) return &function;
    }
    return nullptr;
  }

  // Where calls of a section go to: place of the call → symbol.
  std::map<uint64_t, uint64_t> Relocations(uint32_t target) const {
    std::map<uint64_t, uint64_t> symbols;
    for (const Elf64_Shdr& section : image_.sections()) {
      if (section.sh_type != SHT_REL || section.sh_info != target) continue;
      for (const Elf64_Rel& relocation : image_.Rows<Elf64_Rel>(section)) {
        symbols[relocation.r_offset] = ELF64_R_SYM(relocation.r_info);
      }
    }
    return symbols;
  }

  bool ReadFunction(Function& function) {
    const std::map<uint64_t, uint64_t> relocations = Relocations(function.section);
    const std::vector<Instruction> code = image_.Rows<Instruction>(image_.sections()[function.section]);
    const size_t first = function.begin / sizeof(Instruction), count = function.size / sizeof(Instruction);
    if (first + count > code.size()) return false;
    bool holds_frame[16] = {};
    holds_frame[kFrame] = true;
    int deepest = 0;
    for (size_t i = first; i < first + count; i++) {
      const Instruction& one = code[i];
      const unsigned kind = one.code & 7;  // 0, 1: loads; 2, 3: stores; 4, 7: arithmetic; 5, 6: jumps
      const bool reads_memory = kind == 1, writes_memory = kind == 2 || kind == 3;
      if ((reads_memory && one.src() == kFrame) || (writes_memory && one.dst() == kFrame)) {
        deepest = std::min<int>(deepest, one.offset);
      }
      if (one.code == kAddConstant && holds_frame[one.dst()]) {
        deepest = std::min(deepest, one.imm);
      } else if (kind == 0 || kind == 1 || kind == 4 || kind == 7) {
        if (one.dst() != kFrame) holds_frame[one.dst()] = one.code == kMoveRegister && one.src() == kFrame;
      }
      if (one.code == kCall && one.src() == kPseudoCall) {
        const Function* callee = Callee(function, i * sizeof(Instruction), one, relocations);
        if (callee == nullptr) return false;
        function.callees.push_back(callee);
      }
    }
    function.stack = static_cast<uint32_t>(-deepest);
    for (const auto& [at, symbol] : relocations) {
      if (at < function.begin || at >= function.begin + function.size || symbol >= symbols_.size()) continue;
      const uint32_t section = symbols_[symbol].st_shndx;
      if (section < image_.sections().size() && image_.NameOf(image_.sections()[section]).starts_with(".rodata")) {
        function.maps.insert(section);
      }
    }
    return true;
  }

  // Within a section a call may be resolved already; else its symbol is the function, or a section to which imm counts.
  const Function* Callee(const Function& caller, uint64_t at, const Instruction& call,
                         const std::map<uint64_t, uint64_t>& relocations) const {
    const auto found = relocations.find(at);
    if (found == relocations.end()) {
      return Find(caller.section, at + (int64_t{call.imm} + 1) * int64_t{sizeof(Instruction)});
    }
    if (found->second >= symbols_.size()) return nullptr;
    const Elf64_Sym& symbol = symbols_[found->second];
    const int64_t beyond =
        ELF64_ST_TYPE(symbol.st_info) == STT_SECTION ? (int64_t{call.imm} + 1) * int64_t{sizeof(Instruction)} : 0;
    return Find(symbol.st_shndx, symbol.st_value + static_cast<uint64_t>(beyond));
  }

  // The dearest first.
  std::vector<ConditionCost> Conditions(const std::set<const Function*>& reached) const {
    std::map<std::tuple<std::string, std::string, uint32_t>, ConditionCost> costs;
    for (const Function* function : reached) {
      const LineRange lines = lines_.Of(image_.NameOf(image_.sections()[function->section]), function->begin,
                                        function->begin + function->size);
      const ConditionCost* of = nullptr;
      ConditionCost now;
      for (size_t i = 0; i < lines.size(); i++) {
        if (const std::optional<ConditionCost> condition = lines_.ConditionOf(lines[i])) {
          now = *condition;
          of = now.rule.empty() ? nullptr : &now;
        }
        if (of == nullptr) continue;
        const uint64_t end = i + 1 < lines.size() ? lines[i + 1].offset : function->begin + function->size;
        ConditionCost& cost = costs.try_emplace({now.rule, now.file, now.line}, now).first->second;
        cost.instructions += static_cast<uint32_t>((end - lines[i].offset) / sizeof(Instruction));
      }
    }
    std::vector<ConditionCost> sorted;
    for (auto& [key, cost] : costs) sorted.push_back(std::move(cost));
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.instructions > b.instructions; });
    return sorted;
  }

  static void Reach(const Function* function, std::set<const Function*>* reached) {
    if (!reached->insert(function).second) return;
    for (const Function* callee : function->callees) Reach(callee, reached);
  }

  static uint32_t OwnStack(const Function& function) {
    const uint32_t own = std::max<uint32_t>(function.stack, 1);
    return (own + kFrameRounding - 1) / kFrameRounding * kFrameRounding;
  }

  // BPF functions do not recurse.
  static uint32_t StackOf(const Function& function) {
    const Function* below = Deepest(function);
    return OwnStack(function) + (below ? StackOf(*below) : 0);
  }

  // The callee that needs most; null if there is none.
  static const Function* Deepest(const Function& function) {
    const Function* deepest = nullptr;
    uint32_t most = 0;
    for (const Function* callee : function.callees) {
      const uint32_t stack = StackOf(*callee);
      if (stack > most) deepest = callee;
      most = std::max(most, stack);
    }
    return deepest;
  }

  const ElfImage& image_;
  const LineTable lines_;
  std::vector<Elf64_Sym> symbols_;
  std::vector<Function> functions_;
};

}  // namespace

Status Measure(BpfObject& object) {
  const std::optional<ElfImage> image = ElfImage::Read(object.elf);
  if (image) {
    Reader reader(*image);
    if (reader.Read()) {
      reader.Report(object);
      return Ok();
    }
  }
  return Error{"measure the object", "LLVM's output", "it is not a BPF object", "report this as a bug", "codegen-llvm"};
}

}  // namespace ks::codegen
