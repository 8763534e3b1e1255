// LLVM's passes and code generator, in a child process: what makes LLVM abort is an Error here.
#pragma once

#include <string>

#include "compiler/codegen/codegen.h"

namespace llvm {
class Module;
}

namespace ks::codegen {

struct Compiled {
  std::string elf;
  std::string llvm, assembly;  // if asked for
};

// Optimises a complete module for the BPF target and makes it an ELF object.
Result<Compiled> Compile(llvm::Module& module, const EmitOptions& options);

}  // namespace ks::codegen
