#include "compiler/codegen/refused.h"

#include <cstddef>

namespace ks::codegen {
namespace {

// Numbers of enum bpf_func_id.
constexpr uint64_t kMapLookupElem = 1, kSkbLoadBytes = 26, kKtimeGetTaiNs = 208;

llvm::Value* Helper(Code& code, uint64_t number) {
  return code.b.CreateIntToPtr(code.b.getInt64(number), code.b.getPtrTy());
}

// Something of which nothing is known, read anew each time.
llvm::Value* Anything(Code& code) { return code.Load(32, offsetof(ks_scratch, fields)); }

// BPF has none but those of a function's first block.
llvm::Value* OnStack(Code& code, unsigned words, const char* name) {
  llvm::BasicBlock& entry = code.function->getEntryBlock();
  llvm::IRBuilder<> b(&entry, entry.begin());
  return b.CreateAlloca(llvm::ArrayType::get(b.getInt64Ty(), words), nullptr, name);
}

llvm::Value* LookUp(Unit& unit, Code& code, const char* map) {
  llvm::Value* key = OnStack(code, 2, "looked_for");
  for (unsigned word = 0; word < 2; word++) {
    llvm::Value* at = code.b.CreateConstInBoundsGEP1_64(code.b.getInt64Ty(), key, word);
    code.b.CreateStore(code.b.getInt64(0), at, /*isVolatile=*/true);
  }
  llvm::Constant* of = unit.LinkedVariable(map, code.b.getInt8Ty());
  auto* type = llvm::FunctionType::get(code.b.getPtrTy(), {code.b.getPtrTy(), code.b.getPtrTy()}, false);
  return code.b.CreateCall(type, Helper(code, kMapLookupElem), {of, key}, "found");
}

void Loop(Code& code, uint64_t times) {
  llvm::BasicBlock* before = code.b.GetInsertBlock();
  llvm::BasicBlock* loop = code.Block("loop");
  llvm::BasicBlock* behind = code.Block("behind_loop");
  code.b.CreateBr(loop);
  code.b.SetInsertPoint(loop);
  llvm::Value* goes_on = nullptr;
  if (times == 0) {
    goes_on = code.b.CreateICmpNE(Anything(code), code.b.getInt32(0));
  } else {
    llvm::PHINode* count = code.b.CreatePHI(code.b.getInt64Ty(), 2, "count");
    count->addIncoming(code.b.getInt64(0), before);
    llvm::Value* next = code.b.CreateAdd(count, code.b.getInt64(1));
    count->addIncoming(next, loop);
    Anything(code);
    goes_on = code.b.CreateICmpULT(next, code.b.getInt64(times));
  }
  code.b.CreateCondBr(goes_on, loop, behind);
  code.b.SetInsertPoint(behind);
}

void Call(Code& code, uint64_t number, const std::vector<llvm::Value*>& arguments) {
  std::vector<llvm::Type*> types;
  for (llvm::Value* argument : arguments) types.push_back(argument->getType());
  code.b.CreateCall(llvm::FunctionType::get(code.b.getInt64Ty(), types, false), Helper(code, number), arguments);
}

}  // namespace

void WriteRefused(Unit& unit, Code& code, Refused refused) {
  llvm::IRBuilder<>& b = code.b;
  switch (refused) {
    case Refused::None:
      return;
    case Refused::EndlessLoop:
      return Loop(code, 0);
    case Refused::TooManySteps:
      return Loop(code, 4'000'000);
    case Refused::OutOfBounds:
      b.CreateLoad(b.getInt8Ty(),
                   b.CreateGEP(b.getInt8Ty(), code.scratch, b.CreateZExt(Anything(code), b.getInt64Ty())),
                   /*isVolatile=*/true);
      return;
    case Refused::MissingNullTest:
      b.CreateLoad(b.getInt64Ty(), LookUp(unit, code, "ks_inodes"), /*isVolatile=*/true);
      return;
    case Refused::WrongHelper:
      return Call(code, kSkbLoadBytes, {code.scratch, b.getInt32(0), code.scratch, b.getInt32(8)});
    case Refused::NewHelper:
      return Call(code, kKtimeGetTaiNs, {});
    case Refused::TooMuchStack: {
      constexpr unsigned kWords = 28;
      llvm::Value* words = OnStack(code, kWords, "words");
      for (unsigned word = 0; word < kWords; word++) {
        b.CreateStore(b.getInt64(word), b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), words, word), /*isVolatile=*/true);
      }
      return;
    }
  }
}

std::string_view Name(Refused refused) {
  switch (refused) {
    case Refused::None:
      break;
    case Refused::EndlessLoop:
      return "endless-loop";
    case Refused::OutOfBounds:
      return "out-of-bounds";
    case Refused::MissingNullTest:
      return "missing-null-test";
    case Refused::TooManySteps:
      return "too-many-steps";
    case Refused::WrongHelper:
      return "wrong-helper";
    case Refused::NewHelper:
      return "new-helper";
    case Refused::TooMuchStack:
      return "too-much-stack";
  }
  return "none";
}

}  // namespace ks::codegen
