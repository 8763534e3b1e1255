#include "runtime/kernel/line_recorder.h"

#include <linux/bpf.h>

#include <cstring>

namespace ks::kernel {
namespace {

// Rows of at least T's size, of which later versions may append to.
template <typename T>
std::vector<T> Rows(const void* rows, uint32_t count, uint32_t row_bytes) {
  std::vector<T> taken;
  if (rows == nullptr || row_bytes < sizeof(T)) return taken;
  taken.resize(count);
  for (uint32_t i = 0; i < count; i++) {
    std::memcpy(&taken[i], static_cast<const char*>(rows) + size_t{i} * row_bytes, sizeof(T));
  }
  return taken;
}

std::string StringAt(const btf* types, uint32_t offset) {
  const char* text = btf__str_by_offset(types, offset);
  return text ? text : "";
}

}  // namespace

thread_local LineRecorder* LineRecorder::current_ = nullptr;

void LineRecorder::Register() {
  static const int registered = [] {
    LIBBPF_OPTS(libbpf_prog_handler_opts, options, .prog_prepare_load_fn = Prepare);
    return libbpf_register_prog_handler("raw_tp+", BPF_PROG_TYPE_RAW_TRACEPOINT, bpf_attach_type{}, &options);
  }();
  (void)registered;  // without it, what the log quotes must do
}

int LineRecorder::Prepare(bpf_program* program, bpf_prog_load_opts* options, long) {
  if (current_ == nullptr) return 0;
  current_->programs_[bpf_program__name(program)] = {
      Rows<bpf_line_info>(options->line_info, options->line_info_cnt, options->line_info_rec_size),
      Rows<bpf_func_info>(options->func_info, options->func_info_cnt, options->func_info_rec_size)};
  return 0;
}

LineTables LineRecorder::Tables(const bpf_object* object) const {
  LineTables tables;
  const btf* types = bpf_object__btf(object);
  if (types == nullptr) return tables;
  for (const auto& [name, raw] : programs_) {
    ProgramLines& program = tables[name];
    for (const bpf_line_info& line : raw.lines) {
      program.lines.push_back({line.insn_off, StringAt(types, line.file_name_off), StringAt(types, line.line_off),
                               BPF_LINE_INFO_LINE_NUM(line.line_col), BPF_LINE_INFO_LINE_COL(line.line_col)});
    }
    for (const bpf_func_info& function : raw.functions) {
      const btf_type* type = btf__type_by_id(types, function.type_id);
      program.functions.emplace_back(function.insn_off, type ? StringAt(types, type->name_off) : "");
    }
  }
  return tables;
}

}  // namespace ks::kernel
