#include "compiler/codegen/programs.h"

#include <fmt/format.h>

#include <algorithm>

#include "bpf/hooks/hooks.h"
#include "compiler/codegen/calls.h"

namespace ks::codegen {
namespace {

using schema::EventKind;

// Asked for at every system call, also for those that have a kind of their own.
constexpr EventKind kEveryCall = EventKind::syscall_;
constexpr char kCallsHook[] = "sys_exit";

struct HookName {
  std::string_view name;
  std::string_view section;  // of its program
};
constexpr HookName kHooks[] = {
#define KS_HOOK(hook) {#hook, "raw_tp/" #hook},
#define KS_EXIT_HOOK(hook) {#hook, "fexit/" #hook},
    KS_HOOKS(KS_HOOK) KS_EXIT_HOOKS(KS_EXIT_HOOK)
#undef KS_HOOK
#undef KS_EXIT_HOOK
};

// A kind that has one more hook.
struct Twin {
  std::string_view hook;
  EventKind kind;
};
constexpr Twin kTwins[] = {
#define KS_TWIN(hook, kind) {#hook, EventKind::kind##_},
    KS_TWIN_KINDS(KS_TWIN)
#undef KS_TWIN
};

bool IsToldAt(EventKind kind, std::string_view hook) {
  return schema::Row(kind).hook == hook || std::any_of(std::begin(kTwins), std::end(kTwins), [&](const Twin& twin) {
           return twin.hook == hook && twin.kind == kind;
         });
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

void WriteHookProgram(Unit& unit, const HookName& named, const Kinds& kinds) {
  const std::string hook(named.name);
  Code code = unit.BeginProgram("ks_" + hook, std::string(named.section));
  unit.Note(code, fmt::format("which event of {} it is", hook));
  llvm::IRBuilder<>& b = code.b;
  llvm::Type* pointer = b.getPtrTy();
  llvm::Value* index = b.getInt32(HookIndex(hook));
  llvm::BasicBlock* end = code.Block("end");
  llvm::BasicBlock* leave = code.Block("leave");
  llvm::BasicBlock* found = code.Block("found");
  b.CreateCall(unit.Linked("ks_keep_stack", b.getVoidTy(), {pointer, b.getInt32Ty()}), {code.function->getArg(0), index});
  if (hook == kCallsHook) WriteNumberTest(unit, code, hook, kinds, end);
  code.scratch = b.CreateCall(unit.Linked("ks_begin", pointer, {b.getInt32Ty()}), {index}, "scratch");
  b.CreateCondBr(b.CreateIsNull(code.scratch), leave, found);
  b.SetInsertPoint(found);
  llvm::Value* kind = b.CreateCall(unit.Linked("ks_hook_" + hook, b.getInt32Ty(), {pointer, pointer}),
                                   {code.function->getArg(0), code.scratch}, "kind");
  WriteSwitch(code, kind, kinds, IsOwn, index);
  if (std::any_of(kinds.begin(), kinds.end(), [](const auto& one) { return IsAlso(one.first); })) {
    llvm::Value* also = b.CreateCall(unit.Linked("ks_also", b.getInt32Ty(), {pointer}), {code.scratch}, "also");
    WriteSwitch(code, also, kinds, IsAlso, index);
  }
  for (const auto& [number, function] : kinds) {
    if (number == kEveryCall) b.CreateCall(function, {index});
  }
  b.CreateBr(leave);
  b.SetInsertPoint(leave);
  b.CreateCall(unit.Linked("ks_end", b.getVoidTy(), {b.getInt32Ty()}), {index});
  b.CreateBr(end);
  b.SetInsertPoint(end);
  b.CreateRet(b.getInt32(0));
}

}  // namespace

uint32_t HookIndex(std::string_view hook) {
  const auto* found =
      std::find_if(std::begin(kHooks), std::end(kHooks), [&](const HookName& one) { return one.name == hook; });
  KS_CHECK(found != std::end(kHooks), "hooks come from the table");
  return static_cast<uint32_t>(found - std::begin(kHooks));
}

void WriteHookPrograms(Unit& unit, const ir::Plan& plan, const std::vector<llvm::Function*>& functions) {
  for (const HookName& hook : kHooks) {
    Kinds kinds;
    for (size_t i = 0; i < plan.kinds.size(); i++) {
      if (IsToldAt(plan.kinds[i].kind, hook.name)) kinds.emplace_back(plan.kinds[i].kind, functions[i]);
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
