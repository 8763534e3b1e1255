// One atom: from the fields in scratch to can[] and which[], exactly as ir::EvalAtom decides it.
#pragma once

#include "compiler/codegen/automata.h"
#include "compiler/codegen/lookup.h"

namespace ks::codegen {

struct AtomOptions {
  bool with_index = false;  // somebody asks which literal matched
  LookupOptions lookup;
};

// The fields have been read. Goes on in a new block. Says what it wrote.
Emitted WriteAtom(Unit& unit, Code& code, const ir::Atom& atom, uint32_t number, Automata& automata,
                  const AtomOptions& options);

}  // namespace ks::codegen
