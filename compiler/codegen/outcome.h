// Where the evaluation of one atom ends: true with the number of a literal, false, or unknown.
#pragma once

#include "compiler/codegen/unit.h"

namespace ks::codegen {

class Outcome {
 public:
  // Goes to can[] and which[]. `with_index`: somebody asks which literal matched.
  Outcome(Code& code, uint32_t atom, bool with_index, Break broken = Break::None);
  // Is what the function returns: the literal's number, or kNone. It is never unknown.
  explicit Outcome(Code& code);
  static constexpr uint32_t kNone = 0xffffffff;

  llvm::BasicBlock* no() const { return no_; }
  llvm::BasicBlock* unknown() const { return unknown_; }
  // Ends the block at code.b's place.
  void Yes(uint32_t index) { Yes(code_.b.getInt32(index)); }
  void Yes(llvm::Value* index);
  // True if `condition`, else false.
  void YesIf(llvm::Value* condition);

  // Goes on behind, if anything does.
  void Finish();

 private:
  void Store();
  void Return();

  Code& code_;
  uint32_t atom_ = 0;
  Break broken_ = Break::None;
  bool returns_ = false;
  llvm::BasicBlock* yes_;
  llvm::BasicBlock* no_;
  llvm::BasicBlock* unknown_;
  llvm::PHINode* index_ = nullptr;
};

}  // namespace ks::codegen
