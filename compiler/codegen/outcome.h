// Where the evaluation of one atom ends: true with the number of a literal, false, or unknown.
#pragma once

#include "compiler/codegen/unit.h"

namespace ks::codegen {

class Outcome {
 public:
  // `with_index`: somebody asks which literal matched.
  Outcome(Code& code, uint32_t atom, bool with_index);

  llvm::BasicBlock* no() const { return no_; }
  llvm::BasicBlock* unknown() const { return unknown_; }
  // Ends the block at code.b's place.
  void Yes(uint32_t index) { Yes(code_.b.getInt16(static_cast<uint16_t>(index))); }
  void Yes(llvm::Value* index);
  // True if `condition`, else false.
  void YesIf(llvm::Value* condition);

  // Writes can[] and which[], and goes on behind.
  void Finish();

 private:
  Code& code_;
  uint32_t atom_;
  llvm::BasicBlock* yes_;
  llvm::BasicBlock* no_;
  llvm::BasicBlock* unknown_;
  llvm::PHINode* index_ = nullptr;
};

}  // namespace ks::codegen
