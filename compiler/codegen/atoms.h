// One atom: from the fields in scratch to what follows from it, exactly as ir::EvalAtom decides it.
#pragma once

#include "compiler/codegen/automata.h"
#include "compiler/codegen/lookup.h"

namespace ks::codegen {

struct AtomOptions {
  bool with_index = false;  // somebody asks which literal matched: goes to which[]
  Outcome::Settle settle;
  LookupOptions lookup;
};

// The fields have been read. Goes on in a new block. Says what it wrote.
Emitted WriteAtom(Unit& unit, Code& code, const ir::Atom& atom, uint32_t number, Automata& automata,
                  const AtomOptions& options);

}  // namespace ks::codegen
