// The LLVM module under construction: what was linked into it, functions that are begun in it, and where in the policy
// their instructions come from.
#pragma once

#include <llvm/IR/DIBuilder.h>
#include <llvm/IR/IRBuilder.h>

#include <map>
#include <memory>
#include <string>

#include "compiler/codegen/codegen.h"

namespace ks::codegen {

// A function that is being written.
class Code {
  std::unique_ptr<llvm::IRBuilder<>> builder_;  // does not move itself

 public:
  explicit Code(llvm::Function* code_of);

  llvm::IRBuilder<>& b;
  llvm::Function* function;
  llvm::Value* scratch = nullptr;  // struct ks_scratch *, not null
  llvm::Value* hook = nullptr;     // index of the scratch

  llvm::BasicBlock* Block(const char* name) { return llvm::BasicBlock::Create(b.getContext(), name, function); }
  // A member of scratch, by its offset. Volatile: a value that LLVM kept in a register across branches would make the
  // verifier tell apart all that could be known of it.
  llvm::Value* Load(unsigned bits, size_t offset);
  void Store(llvm::Value* value, size_t offset);
};

class Unit {
 public:
  Unit(Target target, const ir::Plan& plan);
  ~Unit();

  // A function of the bitcode that is linked later.
  llvm::FunctionCallee Linked(const std::string& name, llvm::Type* result, const std::vector<llvm::Type*>& parameters);
  // A variable of it: a map, a constant.
  llvm::Constant* LinkedVariable(const std::string& name, llvm::Type* type);
  // Brings in what the module uses of one bitcode file. It is an Error if a function's parameters are not what they are
  // called with.
  Status Link(std::string_view bitcode, const char* name);

  // `u32 name(u32 hook, u32 …)`: a BPF global function, verified once and on its own, that begins by looking up scratch
  // (it returns 0 if there is none). The caller gives it instructions from code.b's place on and ends it.
  Code BeginGlobal(const std::string& name, const std::vector<std::string>& more_parameters = {});
  // A function that was begun before, or null.
  llvm::Function* Find(const std::string& name) const;
  // `int name(void *ctx)`: a program. No scratch yet.
  Code BeginProgram(const std::string& name, const std::string& section);
  llvm::Value* LookUpScratch(Code& code, llvm::Value* hook);

  // Instructions from here on are this rule's, or this atom's of such rules.
  void Locate(Code& code, const ir::RulePlan& rule);
  void Locate(Code& code, const ir::RulePlan& rule, const ir::Atom& atom);
  // They are nobody's: `what` they do is what a verifier's log quotes, so that it names no wrong rule.
  void Note(Code& code, const std::string& what);

  // A constant in .rodata.
  llvm::GlobalVariable* Constant(const std::string& name, const std::string& bytes, uint64_t alignment,
                                 const std::string& section = ".rodata");

  // What the kind's code does for an atom or a dimension, as it was written.
  void Decided(ir::EventKind kind, uint32_t number, Emitted emitted) {
    decisions_.push_back({kind, number, std::move(emitted)});
  }
  std::vector<Decision> TakeDecisions() { return std::move(decisions_); }

  Target target() const { return target_; }
  llvm::Module& module() { return *module_; }
  // Ends debug information: before anything is linked.
  void FinishDebugInformation() { debug_->finalize(); }
  // An Error if something is used and was linked by nobody.
  Status CheckComplete() const;

 private:
  llvm::DISubprogram* Describe(llvm::Function* function, const std::vector<std::string>& parameters, bool program);
  void ReadPlaces(const ir::Plan& plan);
  void Locate(Code& code, const std::string& file, unsigned line, unsigned column);

  Target target_;
  llvm::LLVMContext context_;
  std::unique_ptr<llvm::Module> module_;
  std::unique_ptr<llvm::DIBuilder> debug_;
  llvm::DIFile* file_ = nullptr;
  std::map<std::string, llvm::DIFile*> files_;
  std::vector<Decision> decisions_;
};

}  // namespace ks::codegen
