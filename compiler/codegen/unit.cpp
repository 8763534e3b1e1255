#include "compiler/codegen/unit.h"

#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/IR/Module.h>
#include <llvm/Linker/Linker.h>

#include <algorithm>
#include <charconv>

#include "compiler/codegen/line_table.h"

namespace ks::codegen {
namespace {

constexpr unsigned kMaxLine = 1 << 20;  // BTF's line numbers have 22 bits

struct Place {
  std::string file;
  unsigned line = 0;
};

// "rules/shell.ksp:14". What is not of that form is a file without lines.
Place ParsePlace(const std::string& source) {
  const size_t colon = source.rfind(':');
  Place place{source, 0};
  if (colon == std::string::npos) return place;
  const char* end = source.data() + source.size();
  const auto [stop, failure] = std::from_chars(source.data() + colon + 1, end, place.line);
  if (failure != std::errc() || stop != end || place.line > kMaxLine) return {source, 0};
  place.file = source.substr(0, colon);
  return place;
}

// The embedded accessors name the bpf target that clang calls bpfel, too.
constexpr char kBroken[] = "this build of ksc is broken";

constexpr char kTriple[] = "bpfel";
constexpr char kDataLayout[] = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128";

}  // namespace

Code::Code(llvm::Function* code_of)
    : builder_(std::make_unique<llvm::IRBuilder<>>(llvm::BasicBlock::Create(code_of->getContext(), "entry", code_of))),
      b(*builder_),
      function(code_of) {}

llvm::Value* Code::Load(unsigned bits, size_t offset) {
  llvm::Value* at = b.CreateConstInBoundsGEP1_64(b.getInt8Ty(), scratch, offset);
  return b.CreateAlignedLoad(b.getIntNTy(bits), at, llvm::Align(bits / 8), /*isVolatile=*/true);
}

void Code::Store(llvm::Value* value, size_t offset) {
  llvm::Value* at = b.CreateConstInBoundsGEP1_64(b.getInt8Ty(), scratch, offset);
  b.CreateAlignedStore(value, at, llvm::Align(value->getType()->getIntegerBitWidth() / 8), /*isVolatile=*/true);
}

Unit::Unit(Target target, const ir::Plan& plan)
    : target_(target), module_(std::make_unique<llvm::Module>("policy", context_)) {
  module_->setTargetTriple(kTriple);
  module_->setDataLayout(kDataLayout);
  // Without these there is neither BTF nor CO-RE.
  module_->addModuleFlag(llvm::Module::Warning, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
  module_->addModuleFlag(llvm::Module::Max, "Dwarf Version", 5);
  debug_ = std::make_unique<llvm::DIBuilder>(*module_);
  // An empty source: LLVM would look for the file otherwise, and the object would depend on what it finds.
  file_ = debug_->createFile("generated", "", std::nullopt, llvm::StringRef(""));
  debug_->createCompileUnit(llvm::dwarf::DW_LANG_C11, file_, "ksc", /*isOptimized=*/true, "", 0);
  ReadPlaces(plan);
}

Unit::~Unit() = default;

namespace {

struct Quote {
  std::string text;             // of the policy, if conditions stand in the line
  std::vector<std::string> of;  // rules
};
using Quotes = std::map<std::string, std::map<unsigned, Quote>>;  // file → line →

void AddConditions(const ir::KindPlan& kind, const ir::RulePlan& rule, const ir::Formula& formula, Quotes* quotes) {
  for (const ir::Formula& operand : formula.operands) AddConditions(kind, rule, operand, quotes);
  if (formula.op != ir::Formula::Op::Literal) return;
  const auto& place = kind.atoms[formula.atom].place;
  if (!place || place->line == 0 || place->line > kMaxLine) return;
  Quote& quote = (*quotes)[place->file][place->line];
  if (quote.text.empty()) quote.of.clear();  // of whom the line is said to be counts only where no condition is
  quote.text = place->text;
  if (std::find(quote.of.begin(), quote.of.end(), rule.id) == quote.of.end()) quote.of.push_back(rule.id);
}

// "  on exec where file.path under "/etc"  # rule acme.shell", or "rule acme.shell".
std::string Spell(const Quote& quote) {
  constexpr size_t kMostNamed = 3;
  std::string rules;
  for (size_t i = 0; i < quote.of.size() && i < kMostNamed; i++) rules += (i == 0 ? "" : ", ") + quote.of[i];
  if (quote.of.size() > kMostNamed) rules += " and " + std::to_string(quote.of.size() - kMostNamed) + " more";
  return (quote.text.empty() ? std::string(kRuleAlone) : quote.text + std::string(kRuleMark)) + rules;
}

}  // namespace

// What the kernel's log quotes at a line: what the policy asks there, and which rules ask it. No more of the policy
// travels with the programs.
void Unit::ReadPlaces(const ir::Plan& plan) {
  Quotes quotes;
  for (const ir::KindPlan& kind : plan.kinds) {
    for (const ir::RulePlan& rule : kind.rules) {
      const Place place = ParsePlace(rule.source);
      Quote& quote = quotes[place.file][place.line];
      if (quote.text.empty()) quote.of = {rule.id};
    }
    for (const ir::RulePlan& rule : kind.rules) {
      for (const ir::Formula& conjunct : rule.conjuncts) AddConditions(kind, rule, conjunct, &quotes);
    }
  }
  for (const auto& [name, lines] : quotes) {
    std::string text;
    unsigned line = 1;
    for (const auto& [at, quote] : lines) {
      if (at == 0) continue;
      text.append(at - line, '\n');
      text += Spell(quote);
      line = at;
    }
    files_[name] = debug_->createFile(name, "", std::nullopt, llvm::StringRef(text));
  }
}

llvm::FunctionCallee Unit::Linked(const std::string& name, llvm::Type* result,
                                  const std::vector<llvm::Type*>& parameters) {
  return module_->getOrInsertFunction(name, llvm::FunctionType::get(result, parameters, false));
}

llvm::Constant* Unit::LinkedVariable(const std::string& name, llvm::Type* type) {
  return module_->getOrInsertGlobal(name, type);
}

Status Unit::Link(std::string_view bitcode, const char* name) {
  const auto failed = [&](std::string on, std::string why) {
    return Error{"link the embedded bitcode", std::move(on), std::move(why), kBroken, "codegen-bitcode"};
  };
  llvm::Expected<std::unique_ptr<llvm::Module>> part =
      llvm::parseBitcodeFile(llvm::MemoryBufferRef(llvm::StringRef(bitcode.data(), bitcode.size()), name), context_);
  if (!part) return failed(name, llvm::toString(part.takeError()));
  for (const llvm::Function& function : *module_) {
    const llvm::Function* definition = (*part)->getFunction(function.getName());
    if (function.isDeclaration() && definition != nullptr &&
        definition->getFunctionType() != function.getFunctionType()) {
      return failed(function.getName().str(), "its parameters are not what codegen passes");
    }
  }
  (*part)->setTargetTriple(kTriple);
  if (llvm::Linker::linkModules(*module_, std::move(*part), llvm::Linker::LinkOnlyNeeded))
    return failed(name, "it does not link");
  return Ok();
}

Status Unit::CheckComplete() const {
  for (const llvm::GlobalValue& value : module_->global_values()) {
    if (!value.isDeclaration() || value.getName().starts_with("llvm.")) continue;
    return Error{"link the kernel half", value.getName().str(), "nothing under bpf/ defines it", kBroken,
                 "codegen-bitcode"};
  }
  return Ok();
}

llvm::DISubprogram* Unit::Describe(llvm::Function* function, const std::vector<std::string>& parameters, bool program) {
  llvm::DIType* u32 = debug_->createBasicType("unsigned int", 32, llvm::dwarf::DW_ATE_unsigned);
  llvm::DIType* parameter = program ? debug_->createPointerType(nullptr, 64) : u32;
  std::vector<llvm::Metadata*> types(parameters.size() + 1, parameter);
  types[0] = program ? debug_->createBasicType("int", 32, llvm::dwarf::DW_ATE_signed) : u32;
  llvm::DISubprogram* about = debug_->createFunction(
      file_, function->getName(), "", file_, 0, debug_->createSubroutineType(debug_->getOrCreateTypeArray(types)), 0,
      llvm::DINode::FlagPrototyped, llvm::DISubprogram::SPFlagDefinition);
  // The kernel insists that BTF names every parameter.
  for (unsigned i = 0; i < parameters.size(); i++) {
    debug_->createParameterVariable(about, parameters[i], i + 1, file_, 0, parameter, /*AlwaysPreserve=*/true);
    function->getArg(i)->setName(parameters[i]);
  }
  function->setSubprogram(about);
  return about;
}

Code Unit::BeginGlobal(const std::string& name, const std::vector<std::string>& more_parameters) {
  std::vector<std::string> parameters{"hook"};
  parameters.insert(parameters.end(), more_parameters.begin(), more_parameters.end());
  llvm::Type* u32 = llvm::Type::getInt32Ty(context_);
  auto* type = llvm::FunctionType::get(u32, std::vector<llvm::Type*>(parameters.size(), u32), false);
  auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, *module_);
  function->addFnAttr(llvm::Attribute::NoInline);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  Code code(function);
  code.hook = function->getArg(0);
  code.b.SetCurrentDebugLocation(llvm::DILocation::get(context_, 0, 0, Describe(function, parameters, false)));
  code.scratch = LookUpScratch(code, code.hook);
  llvm::BasicBlock* missing = code.Block("missing");
  llvm::BasicBlock* found = code.Block("found");
  code.b.CreateCondBr(code.b.CreateIsNull(code.scratch), missing, found);
  code.b.SetInsertPoint(missing);
  code.b.CreateRet(code.b.getInt32(0));
  code.b.SetInsertPoint(found);
  return code;
}

llvm::Function* Unit::Find(const std::string& name) const { return module_->getFunction(name); }

Code Unit::BeginProgram(const std::string& name, const std::string& section) {
  auto* type = llvm::FunctionType::get(llvm::Type::getInt32Ty(context_), {llvm::PointerType::get(context_, 0)}, false);
  auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, *module_);
  function->setSection(section);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  Code code(function);
  code.b.SetCurrentDebugLocation(llvm::DILocation::get(context_, 0, 0, Describe(function, {"ctx"}, true)));
  return code;
}

llvm::Value* Unit::LookUpScratch(Code& code, llvm::Value* hook) {
  llvm::Constant* map = LinkedVariable("ks_scratch", code.b.getInt8Ty());
  llvm::Value* key = code.b.CreateAlloca(code.b.getInt32Ty(), nullptr, "key");
  code.b.CreateStore(hook, key);
  auto* type = llvm::FunctionType::get(code.b.getPtrTy(), {code.b.getPtrTy(), code.b.getPtrTy()}, false);
  constexpr uint64_t kMapLookupElem = 1;  // enum bpf_func_id
  llvm::Value* helper = code.b.CreateIntToPtr(code.b.getInt64(kMapLookupElem), code.b.getPtrTy());
  return code.b.CreateCall(type, helper, {map, key}, "scratch");
}

void Unit::Locate(Code& code, const std::string& file, unsigned line, unsigned column) {
  constexpr unsigned kMostColumn = 1023;  // BTF's have 10 bits
  llvm::DIScope* scope = debug_->createLexicalBlockFile(code.function->getSubprogram(), files_.at(file));
  code.b.SetCurrentDebugLocation(llvm::DILocation::get(context_, line, column > kMostColumn ? 0 : column, scope));
}

void Unit::Locate(Code& code, const ir::RulePlan& rule) {
  const Place place = ParsePlace(rule.source);
  Locate(code, place.file, place.line, 0);
}

void Unit::Locate(Code& code, const ir::RulePlan& rule, const ir::Atom& atom) {
  if (!atom.place || !files_.contains(atom.place->file)) return Locate(code, rule);
  Locate(code, atom.place->file, atom.place->line > kMaxLine ? 0 : atom.place->line, atom.place->column);
}

void Unit::Note(Code& code, const std::string& what) {
  const std::string name = std::string(kGeneratedMark) + what;  // LLVM knows a file's text by its name
  llvm::DIFile*& file = files_[name];
  if (file == nullptr) file = debug_->createFile(name, "", std::nullopt, llvm::StringRef(name));
  Locate(code, name, 1, 0);
}

llvm::GlobalVariable* Unit::Constant(const std::string& name, const std::string& bytes, uint64_t alignment,
                                     const std::string& section) {
  llvm::Constant* data = llvm::ConstantDataArray::getString(context_, bytes, /*AddNull=*/false);
  auto* constant =
      new llvm::GlobalVariable(*module_, data->getType(), true, llvm::GlobalValue::InternalLinkage, data, name);
  constant->setSection(section);
  constant->setAlignment(llvm::Align(alignment));
  return constant;
}

}  // namespace ks::codegen
