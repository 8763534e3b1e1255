// libbpf's objects as owners of what they hold, and its words as Errors. No other folder sees them.
#pragma once

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cstdarg>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "compiler/support/result.h"

namespace ks::kernel {

// What libbpf says while an instance lives on this thread goes into it, and else nowhere: never to stderr.
class LibbpfLog {
 public:
  LibbpfLog() : outer_(current_) { current_ = this; }
  ~LibbpfLog() { current_ = outer_; }
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;
  const std::string& text() const { return text_; }

  static int Print(libbpf_print_level level, const char* format, va_list arguments);

 private:
  LibbpfLog* outer_;
  std::string text_;
  static thread_local LibbpfLog* current_;
};
struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using ObjectPtr = std::unique_ptr<bpf_object, CloseObject>;

struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using LinkPtr = std::unique_ptr<bpf_link, DestroyLink>;

// What the world refused: `error` is a positive errno, `code` stable (docs of kubesentryd).
Error WorldError(const char* tried, const std::string& on, int error, const char* code);

// Parses an ELF image; nothing is in the kernel yet. `on` says in an Error whose object it is.
Result<ObjectPtr> OpenObject(std::string_view elf, const char* name, const std::string& on);

// The object's maps are those of `maps` (name → fd) that have their names; others are its own.
Status ReuseMaps(bpf_object* object, const std::map<std::string, int>& maps);

// Overwrites a number among the object's constants, before it is loaded. False if there is none of that name.
Result<bool> SetConstant(bpf_object* object, std::string_view name, uint32_t value, const std::string& on);

// "raw_tp/sys_exit" → "sys_exit", "fexit/io_issue_sqe" → "io_issue_sqe"; "" if it is another kind of program.
std::string HookOf(const bpf_program* program);

// Whether the kernel's numbers of processes are those of this process, too.
bool InFirstPidNamespace();

}  // namespace ks::kernel
