// Tables of automata, and the one function that runs them.
#pragma once

#include <map>
#include <string>

#include "compiler/codegen/unit.h"
#include "compiler/ir/passes.h"

namespace ks::codegen {

// Of texts that the kernel half reads.
uint32_t LongestCapture();

class Automata {
 public:
  explicit Automata(Unit& unit) : unit_(unit) {}

  // Runs the automaton over the text at `text` in scratch. Gives the number of the literal it accepts (16 bits), or
  // kNone.
  llvm::Value* Run(Code& code, const ir::Dfa& dfa, size_t text);
  static constexpr uint32_t kNone = 0xffff;

  // What the last one that was run is: "a table of 2304 bytes, 9 states".
  const std::string& last() const { return last_; }

  // Writes the tables and the function, if any automaton was run.
  void Finish();

 private:
  struct Table {
    uint32_t at = 0;     // byte in bytes_
    uint32_t first = 0;  // row of the start
    uint32_t final = 0;  // rows from here on have decided
  };
  Table Place(const ir::Dfa& dfa);

  Unit& unit_;
  std::string bytes_;
  std::map<std::string, Table> placed_;
  std::unique_ptr<Code> function_;
  std::string last_;
};

}  // namespace ks::codegen
