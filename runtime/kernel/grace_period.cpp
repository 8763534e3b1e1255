#include <linux/membarrier.h>
#include <sys/syscall.h>

#include <cerrno>

#include "runtime/kernel/grace_period.h"
#include "runtime/kernel/libbpf.h"
#include "runtime/kernel/preempt.h"

namespace ks::kernel {

Result<GracePeriod> GracePeriod::Open() {
  GracePeriod period;
  long commands = ::syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  // It is not there under nohz_full or a strict seccomp filter, and on one CPU waits for nobody, also where programs are preempted. An update of a
  // map of maps waits for the same thing.
  if (commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL) && !PreemptsPrograms()) return period;
  period.inner_ = Fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ks_wait_inner", 4, 4, 1, nullptr));
  LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = static_cast<uint32_t>(period.inner_.get()));
  period.outer_ = Fd(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "ks_wait", 4, 4, 1, &options));
  if (!period.outer_) return WorldError("find a way to wait for running programs", "", errno, "kernel-map");
  return period;
}

void GracePeriod::Wait() const {
  if (!outer_) {
    long done = ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    KS_CHECK(done == 0, "membarrier was offered and then refused");
    return;
  }
  uint32_t key = 0;
  int fd = inner_.get();
  int done = bpf_map_update_elem(outer_.get(), &key, &fd, BPF_ANY);
  KS_CHECK(done == 0, "the map that waits does not take its inner map");
}

}  // namespace ks::kernel
