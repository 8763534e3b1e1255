// Which line of which source an instruction comes from: as libbpf told the kernel when it loaded a program.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ks::kernel {

struct SourceLine {
  uint32_t instruction = 0;  // from here on
  std::string file, text;
  uint32_t line = 0, column = 0;
};

struct ProgramLines {
  std::vector<SourceLine> lines;                            // ascending
  std::vector<std::pair<uint32_t, std::string>> functions;  // where each begins, ascending
};

using LineTables = std::map<std::string, ProgramLines>;  // by program

// The line of an instruction, and its function; null and "" if that is not known.
const SourceLine* LineOf(const ProgramLines& program, uint32_t instruction);
std::string FunctionOf(const ProgramLines& program, uint32_t instruction);

}  // namespace ks::kernel
