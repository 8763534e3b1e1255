#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "runtime/kernel/libbpf.h"
#include "runtime/kernel/verifier_log.h"

namespace ks::kernel {
namespace {

constexpr size_t kMaxLog = 1 << 20, kHead = 4096;

}  // namespace

thread_local LibbpfLog* LibbpfLog::current_ = nullptr;

int LibbpfLog::Print(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG || !current_) return 0;
  va_list again;
  va_copy(again, arguments);
  int length = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (length <= 0) return 0;
  std::string line(static_cast<size_t>(length) + 1, '\0');
  std::vsnprintf(line.data(), line.size(), format, arguments);
  line.pop_back();
  // Of a verifier's log its end matters, and the words before it that say whose it is.
  if (line.size() > kMaxLog) line.replace(kHead, line.size() - kMaxLog, "\n(cut)\n");
  if (current_->text_.size() < kMaxLog) current_->text_ += line;
  return length;
}

Error WorldError(const char* tried, const std::string& on, int error, const char* code) {
  return {tried, on, std::strerror(error), "", code};
}

Result<ObjectPtr> OpenObject(std::string_view elf, const char* name, const std::string& on) {
  LibbpfLog log;
  // Told where the kernel's types are, libbpf does not look for what they lack in those of modules, which CAP_BPF does not allow.
  constexpr const char* kTypes = "/sys/kernel/btf/vmlinux";
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name, .btf_custom_path = ::access(kTypes, R_OK) == 0 ? kTypes : nullptr);
  ObjectPtr object(bpf_object__open_mem(elf.data(), elf.size(), &options));
  if (!object) {
    int error = errno;
    Error explained = ExplainLoadFailure(log.text(), error, on);
    if (explained.code == "kernel-load") {
      explained.tried = "read";
      explained.code = "kernel-object";
      explained.advice = "the object is damaged or was not made by this compiler";
    }
    return explained;
  }
  // What can be mapped into userspace lies on pages of its own, which each event would touch.
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object.get()) {
    if (bpf_map__is_internal(map)) bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~BPF_F_MMAPABLE);
  }
  return object;
}

Status ReuseMaps(bpf_object* object, const std::map<std::string, int>& maps) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const auto shared = maps.find(bpf_map__name(map));
    if (shared == maps.end()) continue;
    if (int error = bpf_map__reuse_fd(map, shared->second); error != 0) {
      return WorldError("share the map", shared->first, -error, "kernel-map");
    }
  }
  return Ok();
}

Result<bool> SetConstant(bpf_object* object, std::string_view name, uint32_t value, const std::string& on) {
  const btf* types = bpf_object__btf(object);
  int section = types ? btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC) : -1;
  if (section < 0) return false;
  const btf_type* type = btf__type_by_id(types, static_cast<uint32_t>(section));
  const btf_var_secinfo* variables = btf_var_secinfos(type);
  for (uint32_t i = 0; i < btf_vlen(type); ++i) {
    const btf_type* variable = btf__type_by_id(types, variables[i].type);
    if (std::string_view(btf__name_by_offset(types, variable->name_off)) != name) continue;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
      if (!std::string_view(bpf_map__name(map)).ends_with(".rodata")) continue;
      size_t size = 0;
      const void* before = bpf_map__initial_value(map, &size);
      if (!before || size < sizeof(value) || variables[i].offset > size - sizeof(value)) continue;
      std::string bytes(static_cast<const char*>(before), size);
      std::memcpy(bytes.data() + variables[i].offset, &value, sizeof(value));
      if (int error = bpf_map__set_initial_value(map, bytes.data(), bytes.size()); error != 0) {
        return WorldError("write the constants of", on, -error, "kernel-object");
      }
      return true;
    }
  }
  return false;
}

std::string HookOf(const bpf_program* program) {
  const std::string_view section = bpf_program__section_name(program);
  for (const std::string_view prefix : {"raw_tp/", "fexit/"}) {
    if (section.starts_with(prefix)) return std::string(section.substr(prefix.size()));
  }
  return "";
}

bool InFirstPidNamespace() {
  constexpr ino_t kFirstNamespace = 0xEFFFFFFC;  // the kernel's PROC_PID_INIT_INO
  struct stat info{};
  return ::stat("/proc/self/ns/pid", &info) == 0 && info.st_ino == kFirstNamespace;
}

}  // namespace ks::kernel
