#include "compiler/codegen/programs.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/codegen/calls.h"

namespace ks::codegen {
namespace {

using schema::EventKind;

// Asked for at every system call, also for those that have a kind of their own.
constexpr EventKind kEveryCall = EventKind::syscall_;
constexpr char kCallsHook[] = "sys_exit";

std::vector<std::string> HookNames() {
  std::vector<std::string> names;
  for (const schema::EventRow& event : schema::Events()) {
    if (std::find(names.begin(), names.end(), event.hook) == names.end()) names.emplace_back(event.hook);
  }
  return names;
}

using Kinds = std::vector<std::pair<EventKind, llvm::Function*>>;

// Kinds that an open may be besides.
bool IsAlso(EventKind kind) { return kind == EventKind::create_ || kind == EventKind::open_by_handle_; }
bool IsOwn(EventKind kind) { return kind != kEveryCall && !IsAlso(kind); }

// Calls the functions of those of `kinds` for which `wanted` holds, by `kind`, a value of enum ks_kind. Goes on behind.
void WriteSwitch(Code& code, llvm::Value* kind, const Kinds& kinds, bool (*wanted)(EventKind), llvm::Value* index) {
  llvm::IRBuilder<>& b = code.b;
  llvm::BasicBlock* behind = code.Block("behind_kind");
  llvm::SwitchInst* branch = b.CreateSwitch(kind, behind, static_cast<unsigned>(kinds.size()));
  for (const auto& [number, function] : kinds) {
    if (!wanted(number)) continue;
    llvm::BasicBlock* block = code.Block("kind");
    branch->addCase(b.getInt32(static_cast<uint32_t>(number)), block);
    b.SetInsertPoint(block);
    b.CreateCall(function, {index});
    b.CreateBr(behind);
  }
  b.SetInsertPoint(behind);
}

// Ends here for calls that no rule asks for.
void WriteNumberTest(Unit& unit, Code& code, const std::string& hook, const Kinds& kinds, llvm::BasicBlock* end) {
  std::vector<EventKind> numbers;
  for (const auto& [number, function] : kinds) {
    if (number == kEveryCall) return;
    numbers.push_back(number);
  }
  llvm::IRBuilder<>& b = code.b;
  llvm::Value* table = unit.Constant("ks_wanted_calls", WantedCalls(numbers), 8);
  llvm::Value* wanted = b.CreateCall(unit.Linked("ks_wants_" + hook, b.getInt32Ty(), {b.getPtrTy(), b.getPtrTy()}),
                                     {code.function->getArg(0), table}, "wanted");
  llvm::BasicBlock* begin = code.Block("begin");
  b.CreateCondBr(b.CreateICmpNE(wanted, b.getInt32(0)), begin, end);
  b.SetInsertPoint(begin);
}

void WriteHookProgram(Unit& unit, const std::string& hook, const Kinds& kinds) {
  Code code = unit.BeginProgram("ks_" + hook, "raw_tp/" + hook);
  unit.Note(code, fmt::format("which event of {} it is", hook));
  llvm::IRBuilder<>& b = code.b;
  llvm::Type* pointer = b.getPtrTy();
  llvm::Value* index = b.getInt32(HookIndex(hook));
  llvm::BasicBlock* end = code.Block("end");
  llvm::BasicBlock* found = code.Block("found");
  if (hook == kCallsHook) WriteNumberTest(unit, code, hook, kinds, end);
  code.scratch = b.CreateCall(unit.Linked("ks_begin", pointer, {b.getInt32Ty()}), {index}, "scratch");
  b.CreateCondBr(b.CreateIsNull(code.scratch), end, found);
  b.SetInsertPoint(found);
  llvm::Value* kind = b.CreateCall(unit.Linked("ks_hook_" + hook, b.getInt32Ty(), {pointer, pointer}),
                                   {code.function->getArg(0), code.scratch}, "kind");
  WriteSwitch(code, kind, kinds, IsOwn, index);
  if (std::any_of(kinds.begin(), kinds.end(), [](const auto& one) { return IsAlso(one.first); })) {
    llvm::Value* also = b.CreateCall(unit.Linked("ks_also_" + hook, b.getInt32Ty(), {pointer}), {code.scratch}, "also");
    WriteSwitch(code, also, kinds, IsAlso, index);
  }
  for (const auto& [number, function] : kinds) {
    if (number == kEveryCall) b.CreateCall(function, {index});
  }
  b.CreateBr(end);
  b.SetInsertPoint(end);
  b.CreateRet(b.getInt32(0));
}

}  // namespace

uint32_t HookIndex(std::string_view hook) {
  const std::vector<std::string> names = HookNames();
  const auto found = std::find(names.begin(), names.end(), hook);
  KS_CHECK(found != names.end(), "hooks come from the table");
  return static_cast<uint32_t>(found - names.begin());
}

void WriteHookPrograms(Unit& unit, const ir::Plan& plan, const std::vector<llvm::Function*>& functions) {
  for (const std::string& hook : HookNames()) {
    std::vector<std::pair<EventKind, llvm::Function*>> kinds;
    for (size_t i = 0; i < plan.kinds.size(); i++) {
      if (schema::Row(plan.kinds[i].kind).hook == hook) kinds.emplace_back(plan.kinds[i].kind, functions[i]);
    }
    if (!kinds.empty()) WriteHookProgram(unit, hook, kinds);
  }
}

// A batch: events 0 to n-1 of the scratch map, n being the first word of the context that the test run is given.
void WriteEvaluatePrograms(Unit& unit, const ir::Plan& plan, const std::vector<llvm::Function*>& functions) {
  for (size_t i = 0; i < plan.kinds.size(); i++) {
    Code code = unit.BeginProgram(fmt::format("ks_eval_{}", schema::Row(plan.kinds[i].kind).name), "syscall");
    llvm::IRBuilder<>& b = code.b;
    llvm::BasicBlock* entry = b.GetInsertBlock();
    llvm::BasicBlock* loop = code.Block("event");
    llvm::BasicBlock* body = code.Block("evaluate");
    llvm::BasicBlock* end = code.Block("end");
    llvm::Value* count = b.CreateAlignedLoad(b.getInt32Ty(), code.function->getArg(0), llvm::Align(4), "count");
    b.CreateBr(loop);
    b.SetInsertPoint(loop);
    llvm::PHINode* event = b.CreatePHI(b.getInt32Ty(), 2, "event");
    event->addIncoming(b.getInt32(0), entry);
    llvm::Value* within =
        b.CreateAnd(b.CreateICmpULT(event, b.getInt32(kEvaluateBatch)), b.CreateICmpULT(event, count));
    b.CreateCondBr(within, body, end);
    b.SetInsertPoint(body);
    b.CreateCall(functions[i], {event});
    event->addIncoming(b.CreateAdd(event, b.getInt32(1)), body);
    b.CreateBr(loop);
    b.SetInsertPoint(end);
    b.CreateRet(b.getInt32(0));
  }
}

}  // namespace ks::codegen
