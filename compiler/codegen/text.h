// Tests on texts.
#pragma once

#include "compiler/codegen/automata.h"
#include "compiler/codegen/outcome.h"

namespace ks::codegen {

// `text` is the place of the text's slot in scratch. Each ends the block at code.b's place.
void WriteTextIn(Code& code, const ir::Atom& atom, size_t text, Outcome& outcome);
void WriteUnder(Code& code, const ir::Atom& atom, size_t text, Outcome& outcome, bool without_boundary);
// Like, Contains, HasElement. To `miss` if no literal matches.
void WriteAutomaton(Code& code, const ir::Atom& atom, size_t text, Automata& automata, Outcome& outcome,
                    llvm::BasicBlock* miss);

}  // namespace ks::codegen
