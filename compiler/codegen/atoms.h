// One atom: from the fields in scratch to can[] and which[], exactly as ir::EvalAtom decides it.
#pragma once

#include "compiler/codegen/automata.h"

namespace ks::codegen {

inline size_t StatusOffset(ir::FieldId field) { return offsetof(ks_scratch, status) + static_cast<size_t>(field); }
inline size_t FieldOffset(ir::FieldId field) { return offsetof(ks_scratch, fields) + schema::Row(field).offset; }

struct AtomOptions {
  bool with_index = false;   // somebody asks which literal matched
  bool break_under = false;  // see EmitOptions
};

// The fields have been read. Goes on in a new block.
void WriteAtom(Code& code, const ir::Atom& atom, uint32_t number, Automata& automata, const AtomOptions& options);

}  // namespace ks::codegen
