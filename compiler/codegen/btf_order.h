// LLVM's BTF ends with forward declarations of structures that are only pointed to, in the order of a hash of their
// addresses in LLVM's memory: another one in each process. Same plan, same bytes: here they are brought into the order
// of their names.
#pragma once

#include <string>

namespace ks::codegen {

// Changes bytes of an ELF's .BTF in place. False if that is not as LLVM writes it.
bool OrderForwardDeclarations(std::string& elf);

}  // namespace ks::codegen
