#include "compiler/codegen/backend.h"

#include <llvm/ADT/SmallString.h>
#include <llvm/IR/DebugInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/ObjCopy/CommonConfig.h>
#include <llvm/ObjCopy/ELF/ELFConfig.h>
#include <llvm/ObjCopy/ELF/ELFObjcopy.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Transforms/IPO/Internalize.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include <algorithm>

#include "compiler/codegen/isolate.h"

namespace ks::codegen {
namespace {

Error Failed(std::string cause) {
  return {"generate the kernel half", "LLVM", std::move(cause), "report this as a bug, with the policy",
          "codegen-llvm"};
}

// "generic" would be the first version of the instruction set; "probe" would depend on this machine.
constexpr char kCpu[] = "v3";

std::unique_ptr<llvm::TargetMachine> MakeTargetMachine(const std::string& triple, std::string* why) {
  static const bool initialized = [] {
    LLVMInitializeBPFTargetInfo();
    LLVMInitializeBPFTarget();
    LLVMInitializeBPFTargetMC();
    LLVMInitializeBPFAsmPrinter();
    LLVMInitializeBPFAsmParser();
    return true;
  }();
  (void)initialized;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple, *why);
  if (target == nullptr) return nullptr;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, kCpu, "", llvm::TargetOptions(), std::nullopt, std::nullopt, llvm::CodeGenOptLevel::Default));
}

// Keeps the first complaint. LLVM's BPF backend reports what it cannot do (a stack overflow among it) as "unsupported",
// at times as a mere warning, and writes an object all the same.
class Complaints : public llvm::DiagnosticHandler {
 public:
  explicit Complaints(std::string* first) : first_(first) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo& info) override {
    if (info.getSeverity() != llvm::DS_Error && info.getKind() != llvm::DK_Unsupported) return true;
    if (first_->empty()) {
      llvm::raw_string_ostream stream(*first_);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
    }
    return true;
  }

 private:
  std::string* first_;
};

// Functions that the kernel verifies on their own are those that must not be inlined; the loader finds the rest by
// name.
bool MustStay(const llvm::GlobalValue& value) {
  if (const auto* function = llvm::dyn_cast<llvm::Function>(&value)) {
    return function->hasSection() || function->hasFnAttribute(llvm::Attribute::NoInline);
  }
  const auto* variable = llvm::dyn_cast<llvm::GlobalVariable>(&value);
  return variable != nullptr && (variable->getSection() == ".maps" || variable->getSection() == "license" ||
                                 variable->getName() == "ks_generation" || variable->getName() == "ks_captures");
}

void Optimise(llvm::Module& module, llvm::TargetMachine& machine) {
  for (llvm::Function& function : module) {
    function.removeFnAttr("target-features");
    if (!function.isDeclaration()) function.addFnAttr("target-cpu", kCpu);
  }
  llvm::internalizeModule(module, MustStay);
  llvm::PipelineTuningOptions tuning;
  tuning.LoopUnrolling = tuning.LoopVectorization = tuning.SLPVectorization = tuning.LoopInterleaving = false;
  // With the machine, or its passes (CO-RE among them) are left out without a word.
  llvm::PassBuilder passes(&machine, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graphs;
  llvm::ModuleAnalysisManager modules;
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(graphs);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, graphs, modules);
  passes.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

std::string Generate(llvm::Module& module, llvm::TargetMachine& machine, llvm::CodeGenFileType type) {
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  KS_CHECK(!machine.addPassesToEmitFile(passes, stream, nullptr, type), "the BPF target emits files");
  passes.run(module);
  return std::string(bytes);
}

// Without DWARF, which LLVM writes beside BTF: nobody reads it, and it is most of the object.
Result<std::string> WithoutDwarf(const std::string& elf) {
  llvm::Expected<std::unique_ptr<llvm::object::ObjectFile>> object =
      llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(elf, "object"));
  if (!object) return Failed(llvm::toString(object.takeError()));
  llvm::objcopy::CommonConfig config;
  config.StripDebug = true;
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  if (llvm::Error error = llvm::objcopy::elf::executeObjcopyOnBinary(
          config, llvm::objcopy::ELFConfig(), llvm::cast<llvm::object::ELFObjectFileBase>(**object), stream)) {
    return Failed(llvm::toString(std::move(error)));
  }
  return std::string(bytes);
}

// Without what people do not read: the places of debug information, and everything behind the code and the data.
std::string Readable(std::string_view assembly) {
  std::string text;
  while (!assembly.empty()) {
    const size_t end = std::min(assembly.find('\n'), assembly.size() - 1) + 1;
    const std::string_view line = assembly.substr(0, end);
    assembly.remove_prefix(end);
    const auto starts = [&](std::string_view with) { return line.starts_with(with); };
    if (starts("\t.section\t.debug") || starts("\t.section\t.BTF")) break;
    if (starts("\t.file") || starts("\t.loc") || starts("\t.cfi") || starts(".Ltmp") || starts(".Lfunc")) continue;
    text += line;
  }
  return text;
}

// In the child.
Result<Compiled> CompileHere(llvm::Module& module, const EmitOptions& options) {
  std::string complaint;
  module.getContext().setDiagnosticHandler(std::make_unique<Complaints>(&complaint));
  std::unique_ptr<llvm::TargetMachine> machine = MakeTargetMachine(module.getTargetTriple(), &complaint);
  if (!machine) return Failed(complaint);
  Optimise(module, *machine);
  Compiled compiled;
  if (options.dump_llvm) {
    const std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
    llvm::StripDebugInfo(*copy);
    llvm::raw_string_ostream stream(compiled.llvm);
    copy->print(stream, nullptr);
  }
  if (options.dump_asm) {
    compiled.assembly = Readable(Generate(*llvm::CloneModule(module), *machine, llvm::CodeGenFileType::AssemblyFile));
  }
  const std::string elf = Generate(module, *machine, llvm::CodeGenFileType::ObjectFile);
  if (!complaint.empty()) return Failed(complaint);
  Result<std::string> small = WithoutDwarf(elf);
  if (!small) return small.error();
  compiled.elf = std::move(*small);
  return compiled;
}

}  // namespace

Result<Compiled> Compile(llvm::Module& module, const EmitOptions& options) {
  std::string complaint;
  llvm::raw_string_ostream stream(complaint);
  KS_CHECK(!llvm::verifyModule(module, &stream), complaint);
  Result<std::vector<std::string>> parts =
      RunIsolated([&](const ReportFailure& report) -> Result<std::vector<std::string>> {
        llvm::install_fatal_error_handler(
            [](void* to, const char* why, bool) { (*static_cast<const ReportFailure*>(to))(why); },
            const_cast<ReportFailure*>(&report));
        Result<Compiled> compiled = CompileHere(module, options);
        if (!compiled) return compiled.error();
        return std::vector<std::string>{std::move(compiled->elf), std::move(compiled->llvm),
                                        std::move(compiled->assembly)};
      });
  if (!parts) return Failed(parts.error().cause);
  return Compiled{std::move((*parts)[0]), std::move((*parts)[1]), std::move((*parts)[2])};
}

}  // namespace ks::codegen
