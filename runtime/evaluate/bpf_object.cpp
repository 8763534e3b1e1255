#include "runtime/evaluate/bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "compiler/codegen/codegen.h"
#include "runtime/kernel/preempt.h"

namespace ks::evaluate {
namespace {

constexpr size_t kMappedBytes = (sizeof(ks_scratch) * codegen::kEvaluateBatch + 4095) / 4096 * 4096;

std::string& Log() {
  static std::string log;
  return log;
}

int Print(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  char line[8192];
  vsnprintf(line, sizeof(line), format, arguments);
  Log() += line;
  return 0;
}

Error Failed(std::string what) {
  constexpr size_t kWords = 1500;
  const std::string& log = Log();
  return {std::move(what), "a generated object", log.size() > kWords ? log.substr(log.size() - kWords) : log, "",
          "evaluate"};
}

}  // namespace

std::string WhyNoBpf() {
  const bpf_insn program[] = {{0xb7, 0, 0, 0, 0}, {0x95, 0, 0, 0, 0}};  // return 0
  const int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "probe", "GPL", program, 2, nullptr);
  if (fd < 0) return fmt::format("this kernel or user may not load BPF programs: {}", strerror(errno));
  close(fd);
  return "";
}

// An empty program at the function whose end bundles go on from.
std::string WhyNoTrampolines() {
  const bpf_insn program[] = {{0xb7, 0, 0, 0, 0}, {0x95, 0, 0, 0, 0}};
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.expected_attach_type = BPF_TRACE_FEXIT;
  const int function = libbpf_find_vmlinux_btf_id("io_issue_sqe", BPF_TRACE_FEXIT);
  if (function < 0) return fmt::format("this kernel tells no io_issue_sqe: {}", strerror(-function));
  options.attach_btf_id = static_cast<uint32_t>(function);
  const int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "probe", "GPL", program, 2, &options);
  if (fd < 0) return fmt::format("this kernel refuses trampolines: {}", strerror(errno));
  close(fd);
  return "";
}

void LoadedObject::Close::operator()(bpf_object* object) const { bpf_object__close(object); }
void LoadedObject::Unmap::operator()(ks_scratch* scratch) const { munmap(scratch, kMappedBytes); }

Result<LoadedObject> LoadedObject::Load(std::string_view elf) {
  libbpf_set_print(Print);
  Log().clear();
  LoadedObject loaded;
  loaded.object_.reset(bpf_object__open_mem(elf.data(), elf.size(), nullptr));
  if (!loaded.object_) return Failed("open");
  static const std::string why_not = WhyNoTrampolines();
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, loaded.object_.get()) {
    if (why_not.empty() || bpf_program__type(program) != BPF_PROG_TYPE_TRACING) continue;
    bpf_program__set_autoload(program, false);
    loaded.left_out_.push_back(fmt::format("{}: {}", bpf_program__name(program), why_not));
  }
  if (Status kept = kernel::KeepPreemptionOff(loaded.object_.get(), kernel::PreemptsPrograms()); !kept) return kept.error();
  if (bpf_object__load(loaded.object_.get()) != 0) return Failed("load");
  return loaded;
}

std::vector<Verified> LoadedObject::programs() const {
  std::vector<Verified> all;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    bpf_prog_info info{};
    uint32_t size = sizeof(info);
    if (!bpf_program__autoload(program)) continue;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) != 0) continue;
    all.push_back({bpf_program__name(program), info.verified_insns});
  }
  return all;
}

Status LoadedObject::MapScratch() {
  const int fd = bpf_object__find_map_fd_by_name(object_.get(), "ks_scratch");
  if (fd < 0) return Failed("find ks_scratch");
  void* memory = mmap(nullptr, kMappedBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return Error{"map", "ks_scratch", strerror(errno), "", "evaluate"};
  scratch_.reset(static_cast<ks_scratch*>(memory));
  return Ok();
}

Status LoadedObject::Run(schema::EventKind kind, uint32_t events) const {
  const std::string name = fmt::format("ks_eval_{}", schema::Row(kind).name);
  bpf_program* program = bpf_object__find_program_by_name(object_.get(), name.c_str());
  if (program == nullptr) return Error{"run", name, "there is no such program", "", "evaluate"};
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.ctx_in = &events;
  options.ctx_size_in = sizeof(events);
  if (bpf_prog_test_run_opts(bpf_program__fd(program), &options) != 0)
    return Error{"run", name, strerror(errno), "", "evaluate"};
  return Ok();
}

}  // namespace ks::evaluate
