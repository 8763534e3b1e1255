#include "compiler/codegen/stats.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <vector>

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
};

class Reader {
 public:
  explicit Reader(std::string_view elf) : elf_(elf) {}

  Status Read() {
    Elf64_Ehdr head;
    if (!Get(0, &head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_machine != EM_BPF) return Bad();
    sections_.resize(head.e_shnum);
    for (size_t i = 0; i < sections_.size(); i++) {
      if (!Get(head.e_shoff + i * sizeof(Elf64_Shdr), &sections_[i])) return Bad();
    }
    if (head.e_shstrndx >= sections_.size()) return Bad();
    names_ = head.e_shstrndx;
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_type == SHT_SYMTAB && !ReadSymbols(section)) return Bad();
    }
    for (Function& function : functions_) {
      if (!ReadFunction(function)) return Bad();
    }
    return Ok();
  }

  void Report(BpfObject& object) const {
    for (const Function& function : functions_) {
      const std::string section = String(names_, sections_[function.section].sh_name);
      if (section == ".text") continue;
      std::set<const Function*> reached;
      Reach(&function, &reached);
      ProgramStats stats;
      stats.section = section == "syscall" ? section + " " + function.name : section;
      for (const Function* one : reached) stats.instructions += static_cast<uint32_t>(one->size / sizeof(Instruction));
      stats.stack_bytes = StackOf(function);
      object.programs.push_back(std::move(stats));
    }
    std::sort(object.programs.begin(), object.programs.end(),
              [](const ProgramStats& a, const ProgramStats& b) { return a.section < b.section; });
    for (const Elf64_Shdr& section : sections_) {
      if (String(names_, section.sh_name).starts_with(".rodata")) object.map_bytes += section.sh_size;
    }
  }

 private:
  static Error Bad() {
    return {"measure the object", "LLVM's output", "it is not a BPF object", "report this as a bug", "codegen-llvm"};
  }

  template <typename T>
  bool Get(uint64_t at, T* out) const {
    if (at > elf_.size() || elf_.size() - at < sizeof(T)) return false;
    memcpy(out, elf_.data() + at, sizeof(T));
    return true;
  }

  std::string String(uint32_t table, uint32_t at) const {
    const Elf64_Shdr& section = sections_[table];
    if (section.sh_offset > elf_.size() || at >= section.sh_size || section.sh_size > elf_.size() - section.sh_offset)
      return "";
    const std::string_view strings = elf_.substr(section.sh_offset, section.sh_size).substr(at);
    return std::string(strings.substr(0, strings.find('\0')));
  }

  bool ReadSymbols(const Elf64_Shdr& section) {
    if (section.sh_link >= sections_.size()) return false;
    for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= section.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      if (!Get(section.sh_offset + at, &symbol)) return false;
      symbols_.push_back(symbol);
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx >= sections_.size()) continue;
      functions_.push_back(
          {String(section.sh_link, symbol.st_name), symbol.st_shndx, symbol.st_value, symbol.st_size, 0, {}});
    }
    return true;
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
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_type != SHT_REL || section.sh_info != target) continue;
      for (uint64_t at = 0; at + sizeof(Elf64_Rel) <= section.sh_size; at += sizeof(Elf64_Rel)) {
        Elf64_Rel relocation;
        if (!Get(section.sh_offset + at, &relocation)) break;
        symbols[relocation.r_offset] = ELF64_R_SYM(relocation.r_info);
      }
    }
    return symbols;
  }

  bool ReadFunction(Function& function) {
    const std::map<uint64_t, uint64_t> relocations = Relocations(function.section);
    bool holds_frame[16] = {};
    holds_frame[kFrame] = true;
    int deepest = 0;
    for (uint64_t at = 0; at < function.size; at += sizeof(Instruction)) {
      Instruction one;
      if (!Get(sections_[function.section].sh_offset + function.begin + at, &one)) return false;
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
        const Function* callee = Callee(function, at, one, relocations);
        if (callee == nullptr) return false;
        function.callees.push_back(callee);
      }
    }
    function.stack = static_cast<uint32_t>(-deepest);
    return true;
  }

  // Within a section a call may be resolved already; else its symbol is the function, or a section to which imm counts.
  const Function* Callee(const Function& caller, uint64_t at, const Instruction& call,
                         const std::map<uint64_t, uint64_t>& relocations) const {
    const auto found = relocations.find(caller.begin + at);
    if (found == relocations.end()) {
      return Find(caller.section, caller.begin + at + (int64_t{call.imm} + 1) * int64_t{sizeof(Instruction)});
    }
    if (found->second >= symbols_.size()) return nullptr;
    const Elf64_Sym& symbol = symbols_[found->second];
    const int64_t beyond =
        ELF64_ST_TYPE(symbol.st_info) == STT_SECTION ? (int64_t{call.imm} + 1) * int64_t{sizeof(Instruction)} : 0;
    return Find(symbol.st_shndx, symbol.st_value + static_cast<uint64_t>(beyond));
  }

  static void Reach(const Function* function, std::set<const Function*>* reached) {
    if (!reached->insert(function).second) return;
    for (const Function* callee : function->callees) Reach(callee, reached);
  }

  // BPF functions do not recurse.
  static uint32_t StackOf(const Function& function) {
    uint32_t below = 0;
    for (const Function* callee : function.callees) below = std::max(below, StackOf(*callee));
    const uint32_t own = std::max<uint32_t>(function.stack, 1);
    return below + (own + kFrameRounding - 1) / kFrameRounding * kFrameRounding;
  }

  std::string_view elf_;
  std::vector<Elf64_Shdr> sections_;
  std::vector<Elf64_Sym> symbols_;
  std::vector<Function> functions_;
  uint32_t names_ = 0;
};

}  // namespace

Status Measure(BpfObject& object) {
  Reader reader(object.elf);
  if (Status read = reader.Read(); !read) return read;
  reader.Report(object);
  return Ok();
}

}  // namespace ks::codegen
