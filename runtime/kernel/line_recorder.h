// Takes the line tables of the programs that are loaded while it lives, on its thread.
#pragma once

#include "runtime/kernel/libbpf.h"
#include "runtime/kernel/line_table.h"

namespace ks::kernel {

class LineRecorder {
 public:
  // Once per process, before the first object is opened: libbpf shall ask us before it loads a raw tracepoint.
  static void Register();

  LineRecorder() : outer_(current_) { current_ = this; }
  ~LineRecorder() { current_ = outer_; }
  LineRecorder(const LineRecorder&) = delete;
  LineRecorder& operator=(const LineRecorder&) = delete;

  // Of the object's programs that were about to be loaded.
  LineTables Tables(const bpf_object* object) const;

 private:
  struct Raw {
    std::vector<bpf_line_info> lines;
    std::vector<bpf_func_info> functions;
  };
  static int Prepare(bpf_program* program, bpf_prog_load_opts* options, long cookie);

  LineRecorder* outer_;
  std::map<std::string, Raw> programs_;
  static thread_local LineRecorder* current_;
};

}  // namespace ks::kernel
