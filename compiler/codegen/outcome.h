// Where the evaluation of one atom ends: true with the number of a literal, false, or unknown.
#pragma once

#include <functional>

#include "compiler/codegen/unit.h"

namespace ks::codegen {

class Outcome {
 public:
  // Writes what follows from an atom that can be this: KS_CAN_BE_TRUE, KS_CAN_BE_FALSE, or both if it is unknown.
  using Settle = std::function<void(uint8_t can)>;
  // Goes to `settle`, for each end there is, and to which[] if `with_index`: somebody asks which literal matched.
  Outcome(Code& code, uint32_t atom, bool with_index, Settle settle, Break broken = Break::None);
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
  void Settled();
  void Return();

  Code& code_;
  uint32_t atom_ = 0;
  Settle settle_;
  Break broken_ = Break::None;
  bool returns_ = false;
  llvm::BasicBlock* yes_;
  llvm::BasicBlock* no_;
  llvm::BasicBlock* unknown_;
  llvm::PHINode* index_ = nullptr;
};

}  // namespace ks::codegen
