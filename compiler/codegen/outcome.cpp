#include "compiler/codegen/outcome.h"

#include <llvm/IR/CFG.h>

namespace ks::codegen {

Outcome::Outcome(Code& code, uint32_t atom, bool with_index, Settle settle, Break broken)
    : code_(code),
      atom_(atom),
      settle_(std::move(settle)),
      broken_(broken),
      yes_(code.Block("yes")),
      no_(code.Block("no")),
      unknown_(code.Block("unknown")) {
  if (with_index) index_ = llvm::PHINode::Create(code.b.getInt32Ty(), 0, "index", yes_);
}

Outcome::Outcome(Code& code) : Outcome(code, 0, true, nullptr) { returns_ = true; }

void Outcome::Yes(llvm::Value* index) {
  if (index_) index_->addIncoming(index, code_.b.GetInsertBlock());
  code_.b.CreateBr(yes_);
}

void Outcome::YesIf(llvm::Value* condition) {
  llvm::BasicBlock* hit = code_.Block("hit");
  code_.b.CreateCondBr(condition, hit, no_);
  code_.b.SetInsertPoint(hit);
  Yes(uint32_t{0});
}

void Outcome::Finish() {
  if (index_ && llvm::pred_empty(yes_)) {
    index_->eraseFromParent();
    index_ = nullptr;
  }
  returns_ ? Return() : Settled();
}

void Outcome::Settled() {
  llvm::BasicBlock* behind = code_.Block("behind");
  const auto end = [&](llvm::BasicBlock* block, uint8_t can) {
    if (llvm::pred_empty(block)) {
      block->eraseFromParent();
      return;
    }
    code_.b.SetInsertPoint(block);
    if (block == yes_ && index_) {
      code_.Store(code_.b.CreateTrunc(index_, code_.b.getInt16Ty()), offsetof(ks_scratch, which) + 2 * atom_);
    }
    settle_(can);
    code_.b.CreateBr(behind);
  };
  end(yes_, KS_CAN_BE_TRUE);
  end(no_, KS_CAN_BE_FALSE);
  end(unknown_, broken_ == Break::Unknown ? KS_CAN_BE_FALSE : KS_CAN_BE_TRUE | KS_CAN_BE_FALSE);
  code_.b.SetInsertPoint(behind);
}

void Outcome::Return() {
  const auto end = [&](llvm::BasicBlock* block, llvm::Value* result) {
    if (llvm::pred_empty(block)) {
      block->eraseFromParent();
      return;
    }
    code_.b.SetInsertPoint(block);
    code_.b.CreateRet(result);
  };
  end(yes_, index_);
  end(no_, code_.b.getInt32(kNone));
  KS_CHECK(llvm::pred_empty(unknown_), "a looked up value is there");
  unknown_->eraseFromParent();
}

}  // namespace ks::codegen
