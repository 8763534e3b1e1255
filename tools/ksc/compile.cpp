#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <system_error>

#include "compiler/bundle/archive.h"
#include "compiler/bundle/bundle.h"
#include "compiler/bundle/keys.h"
#include "compiler/ir/passes.h"
#include "compiler/ir/text.h"
#include "compiler/syntax/parser.h"
#include "tools/ksc/budget.h"
#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

std::string Rfc3339(int64_t seconds) {
  auto time = static_cast<time_t>(seconds);
  tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// Prints what the stage made. False if the stage is none of a compile's own.
bool Dump(const std::string& stage, const driver::Analysis& analysis, const codegen::BpfObject* object) {
  if (stage == "ast") {
    for (const syntax::Module& module : analysis.modules) fmt::print("{}", syntax::Dump(module));
  } else if (stage == "types") {
    for (const sema::CheckedModule& module : analysis.checked) fmt::print("{}", sema::Dump(module));
  } else if (stage == "ir") {
    for (const ir::Rule& rule : analysis.lowered.rules) fmt::print("{}", ir::Print(rule));
  } else if (stage == "split") {
    for (const ir::SplitRule& rule : analysis.program.rules) fmt::print("{}", ir::Print(rule));
  } else if (stage == "llvm" && object) {
    fmt::print("{}", object->llvm);
  } else if (stage == "asm" && object) {
    fmt::print("{}", object->assembly);
  } else {
    return false;
  }
  return true;
}

struct Figures {
  size_t rules = 0;
  size_t bundle_bytes = 0;
  double milliseconds = 0;
  Budget budget;
  const ir::Program* program = nullptr;
};

void PrintFigures(const codegen::BpfObject& object, const Figures& figures, const std::string& out, bool json) {
  if (json) {
    fmt::print(R"({{"bundle":{},"rules":{},"bytes":{},"object_bytes":{},"map_bytes":{},"ms":{:.1f},"hooks":{}}})"
               "\n",
               JsonString(out), figures.rules, figures.bundle_bytes, object.elf.size(), object.map_bytes,
               figures.milliseconds, BudgetJson(object, figures.budget));
    return;
  }
  fmt::print("{}: {}, {} bytes, in {:.0f} ms\n", out, Count(figures.rules, "rule"), figures.bundle_bytes,
             figures.milliseconds);
  fmt::print("{}", BudgetTable(object, figures.budget));
  fmt::print("  maps of the object: {} bytes; object: {} bytes\n", object.map_bytes, object.elf.size());
  for (const ir::Machine& machine : figures.program->machines) {
    ir::StateSize size = ir::SizeOfState(machine.rule);
    fmt::print("  state of {}: at most {} bytes each, {} of them: {} bytes\n", machine.rule.id, size.bytes_each,
               machine.rule.max_keys, size.bytes_most);
  }
}

constexpr std::string_view kNameIs = "it has a-z 0-9 . _ -, and at most 64 characters";

std::string NameFrom(const std::string& out) {
  std::string name = out.substr(out.rfind('/') + 1);
  if (name.ends_with(".kspb")) name.resize(name.size() - 5);
  return name;
}

// What is wrong with -o; "" if nothing. Known before anything is compiled.
std::string WrongOutput(const std::string& out) {
  std::error_code ignored;
  if (out.empty()) return "";
  if (std::filesystem::is_directory(out, ignored)) {
    return fmt::format("-o {} is a folder: give the file to write, as in {}{}prod.kspb", out, out,
                       out.ends_with('/') ? "" : "/");
  }
  std::filesystem::path folder = std::filesystem::path(out).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder, ignored)) {
    return fmt::format("-o {}: there is no folder {}", out, folder.string());
  }
  return "";
}

}  // namespace

int Compile(const Words& words) {
  const cli::Command command = {
      "ksc compile",
      "FILES-OR-FOLDERS",
      1,
      10'000,
      "Compiles policies to one signed bundle. With --dump it prints a step's result instead.",
      "  ksc bundle keygen -o key.pem\n  ksc compile rules/ -o prod.kspb --key key.pem\n  ksc compile rules/shell.ksp "
      "--dump=split",
      {{"-o", "OUT.kspb", "the bundle to write", false, {}},
       {"--key", "KEY.pem", "private key that signs it", false, {}},
       {"--name", "NAME", "the bundle's name; by default that of OUT", false, {}},
       {"--bundle-version", "N", "must grow with each release; by default the time in seconds since 1970", false, {}},
       {"--valid-days", "N", "expires so many days after now (default 365)", false, {}},
       {"--budget",
        "LIST",
        "instructions=N,stack=N,maps=N: what a hook's program may cost, all or some of them (default 250000,\n"
        "                         512 bytes with callees, 33554432 bytes)",
        false,
        {}},
       {"--strict", "", "warnings are findings, too", false, {}},
       {"--dump",
        "STAGE",
        "ast, types, ir, split, llvm, asm or bundle (the unsigned manifest)",
        false,
        {"ast", "types", "ir", "split", "llvm", "asm", "bundle"}},
       {"--explain", "", "how the kernel half decides each test, and why; alone or with -o", false, {}},
       EnvironmentOption(),
       FormatOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  bool json = WantsJson(*arguments);
  const bool explain = arguments->Has("--explain");
  std::string dump = arguments->Get("--dump");
  std::string out = arguments->Get("-o");
  if (out.empty() && dump.empty() && !explain) return cli::Usage(command, "-o OUT.kspb is missing (or --dump=STAGE)");
  if (!out.empty() && !arguments->Has("--key")) {
    return cli::Usage(command,
                      "--key KEY.pem is missing: nothing unsigned is ever loaded (`ksc bundle keygen` makes one)");
  }
  if (std::string wrong = WrongOutput(out); !wrong.empty()) return cli::Usage(command, wrong);
  if (arguments->Has("--name") && !bundle::IsMemberName(arguments->Get("--name"))) {
    return cli::Usage(command, fmt::format("--name `{}` is no bundle's name: {}", arguments->Get("--name"), kNameIs));
  }
  if (!out.empty() && !arguments->Has("--name") && !bundle::IsMemberName(NameFrom(out))) {
    return cli::Usage(command, fmt::format("`{}`, from -o {}, is no bundle's name: {}; give one with --name",
                                           NameFrom(out), out, kNameIs));
  }
  auto number = [&](std::string_view option, uint64_t otherwise, uint64_t* value) {
    *value = otherwise;
    if (!arguments->Has(option)) return true;
    std::string text = arguments->Get(option);
    if (text.empty() || text.size() > 19 || text.find_first_not_of("0123456789") != std::string::npos) return false;
    *value = std::stoull(text);
    return true;
  };
  int64_t now = Now();
  uint64_t version = 0, days = 0;
  if (!number("--bundle-version", static_cast<uint64_t>(now), &version) || version == 0) {
    return cli::Usage(command, "--bundle-version is a whole number from 1");
  }
  if (!number("--valid-days", 365, &days) || days == 0 || days > 36'500) {
    return cli::Usage(command, "--valid-days is a whole number from 1 to 36500");
  }
  Budget budget;
  if (arguments->Has("--budget")) {
    const std::string wrong = ReadBudget(arguments->Get("--budget"), &budget);
    if (!wrong.empty()) return cli::Usage(command, "--budget: " + wrong);
  }
  std::string private_key;
  if (!out.empty()) {
    Result<std::string> key = bundle::ReadPrivateKey(arguments->Get("--key"));
    if (!key) return cli::Fail(key.error(), json);
    private_key = std::move(*key);
  }

  auto start = std::chrono::steady_clock::now();
  auto analysis = AnalyzePaths(arguments->positionals(), json, &code, OptionsOf(*arguments));
  if (!analysis) return code;
  for (const auto& file : analysis->files) {
    std::error_code ignored;
    if (!out.empty() && std::filesystem::equivalent(file->name(), out, ignored)) {
      return cli::Usage(command, fmt::format("-o {} is one of the policies", out));
    }
  }
  code = Report(*analysis, {json, false, arguments->Has("--strict")});
  if (!analysis->ok()) {
    if (dump == "ast" || dump == "types") Dump(dump, *analysis, nullptr);
    return code;
  }
  if (Dump(dump, *analysis, nullptr) && out.empty() && !explain) return code;

  codegen::EmitOptions emit;
  emit.dump_llvm = dump == "llvm";
  emit.dump_asm = dump == "asm";
  Result<codegen::BpfObject> object = driver::Generate(*analysis, emit);
  if (!object) return cli::Fail(object.error(), json);
  if (explain) ExplainPlan(*analysis, *object, json);
  if (explain && out.empty() && emit.dump_llvm == emit.dump_asm && dump != "bundle") return code;
  if (dump == "llvm" || dump == "asm") Dump(dump, *analysis, &*object);
  if (const std::vector<Error> over = OverBudget(*analysis, *object, budget); !over.empty()) {
    for (const Error& error : over) cli::Fail(error, json);
    return cli::kFindings;
  }

  bundle::Contents contents;
  contents.bpf_object = object->elf;
  contents.program = &analysis->program;
  for (const auto& file : analysis->files) {
    contents.sources.push_back({file->logical(), bundle::Sha256Hex(file->text())});
  }
  bundle::PackOptions options;
  options.name = arguments->Get("--name");
  if (options.name.empty()) {
    options.name = out.empty() ? "policy" : NameFrom(out);
  }
  options.version = version;
  options.issued_at = Rfc3339(now);
  options.expires_at = Rfc3339(now + static_cast<int64_t>(days) * 86'400);
  options.compiler_version = KS_VERSION;
  bundle::Unsigned unsigned_bundle = bundle::Pack(contents, options);
  if (dump == "bundle") fmt::print("{}\n", unsigned_bundle.manifest_json);
  if (out.empty()) return code;

  Result<std::string> container = bundle::Sign(unsigned_bundle, private_key);
  if (!container) return cli::Fail(container.error(), json);
  if (Status written = WriteFile(out, *container); !written) return cli::Fail(written.error(), json);
  Figures figures;
  figures.program = &analysis->program;
  figures.budget = budget;
  for (const ir::SplitRule& split : analysis->program.rules) figures.rules += split.step == 0 ? 1 : 0;
  figures.bundle_bytes = container->size();
  figures.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  if (dump.empty()) PrintFigures(*object, figures, out, json);
  const std::vector<std::string>& disabled = analysis->lowered.disabled;
  if (!disabled.empty()) fmt::print(stderr, "`{}` turns off {}\n", analysis->environment, fmt::join(disabled, ", "));
  return code;
}

}  // namespace ks::ksc
