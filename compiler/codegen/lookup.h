// Whether a value is one of a set, below one of a set, or accepted by an automaton.
#pragma once

#include "compiler/codegen/automata.h"
#include "compiler/codegen/outcome.h"

namespace ks::codegen {

inline size_t StatusOffset(ir::FieldId field) { return offsetof(ks_scratch, status) + static_cast<size_t>(field); }
inline size_t FieldOffset(ir::FieldId field) { return offsetof(ks_scratch, fields) + schema::Row(field).offset; }

// What is compared of an operand: a number (one word), an address (two), an endpoint (three), or a text.
schema::Slot SlotOf(const ir::Operand& operand);
size_t WordCount(schema::Slot slot);
llvm::Value* LoadWord(Code& code, const ir::Operand& operand, size_t word);

// About how many compares an atom takes.
size_t WeightOf(const ir::Atom& atom);
// A function holds atoms of about this weight, and a set of more is divided: the verifier bounds the branches of one
// function, and a jump spans at most 32,767 instructions. Smaller ones would run into the 256 functions of a program.
inline constexpr size_t kFunctionWeight = 3072;

struct LookupOptions {
  std::string name;            // of functions that take a part of the set, if it must be divided
  Break broken = Break::None;  // see EmitOptions
};

// In and Under, of a field that is Ok. Ends the block at code.b's place.
Emitted WriteLookup(Unit& unit, Code& code, const ir::Atom& atom, Outcome& outcome, const LookupOptions& options);
// Before the automaton of a Like, of a text that is Ok: goes to outcome.no() unless the text begins as a match of one of the patterns
// must, which is a comparison of few words. Writes nothing, and says so by false, where the patterns' beginnings are none or many.
bool WriteBeginsLike(Code& code, const ir::Atom& atom, Outcome& outcome);
// Like, Contains, HasElement. To `miss` if no literal matches.
Emitted WriteAutomaton(Code& code, const ir::Atom& atom, Automata& automata, Outcome& outcome, llvm::BasicBlock* miss);

}  // namespace ks::codegen
