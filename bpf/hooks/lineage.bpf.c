// Resident programs that keep who made whom, while a bundle asks for parents or ancestors: the kernel forgets it when the parent
// ends, and names whoever adopts the child. A process is known from its making until it is reaped (ks_living), one that made others
// beyond its end (ks_forkers). With CLONE_PARENT the maker is the parent here, not the one whom the maker has the kernel name.
#include "bpf/fields/access.h"
#include "bpf/hooks/maps.h"

static const struct ks_forker new_forker = {.exe_status = KS_UNKNOWN};

static KS_INLINE int is_first_thread(struct task_struct *task) {
  return BPF_CORE_READ(task, pid) == BPF_CORE_READ(task, tgid);
}

static KS_INLINE void note_identity(struct ks_lineage *lineage, struct task_struct *leader) {
  lineage->uid = BPF_CORE_READ(leader, real_cred, uid.val);
  bpf_core_read_str(lineage->name, sizeof(lineage->name), &leader->comm);
}

// The kernel's word does not hold any more of those that are not kept: they may have been left by who made them.
static KS_INLINE void trust_none(void) {
  __u32 zero = 0;
  __u64 never = 0;
  bpf_map_update_elem(&ks_living_since, &zero, &never, BPF_ANY);
}

// Of a process that was made before this was kept, the kernel's word: nothing here is truer. What has no room may be given to another
// process unseen: from then on the kernel's word is taken of none. False if it has been reaped meanwhile; if not yet,
// ks_lineage_free comes after this program, which holds up RCU.
static KS_INLINE int note_found(struct task_struct *leader, const struct ks_process *parent) {
  struct ks_process process = ks_process_of(leader);
  if (!ks_is_older(&process)) return 0;
  struct ks_lineage lineage = {.parent = *parent, .forked = 1};
  note_identity(&lineage, leader);
  int error = bpf_map_update_elem(&ks_living, &process, &lineage, BPF_NOEXIST);
  if (error && error != -KS_EEXIST) {
    trust_none();
    return 0;
  }
  if (BPF_CORE_READ(leader, thread_pid)) return 1;
  bpf_map_delete_elem(&ks_living, &process);
  return 0;
}

enum { KS_MOST_GENERATIONS = 17, KS_MOST_CHILDREN = 256 };

// Likewise a thread's process, and those above: some may be of PID namespaces that the iterator does not see.
static KS_INLINE void note_found_and_above(struct task_struct *task) {
#pragma clang loop unroll(disable)
  for (int i = 0; i < KS_MOST_GENERATIONS; i++) {
    struct ks_process process = ks_process_of(task);
    if (!process.pid || bpf_map_lookup_elem(&ks_living, &process)) break;
    struct task_struct *above = BPF_CORE_READ(task, real_parent);
    struct ks_process parent = ks_process_of(above);
    if (!note_found(BPF_CORE_READ(task, group_leader), &parent)) break;
    task = above;
  }
}

// What is kept of the process of a task.
static KS_INLINE struct ks_lineage *own_of(const struct ks_process *process, struct task_struct *task) {
  struct ks_lineage *own = bpf_map_lookup_elem(&ks_living, process);
  if (own) return own;
  note_found_and_above(task);
  return bpf_map_lookup_elem(&ks_living, process);
}

// Of a thread that ends, before the kernel gives them to another process. Most of them are known.
static KS_INLINE void note_children(struct task_struct *task, const struct ks_process *parent) {
  const struct list_head *end = __builtin_preserve_access_index(&task->children);
  struct list_head *at = BPF_CORE_READ(task, children.next);
#pragma clang loop unroll(disable)
  for (int i = 0; i < KS_MOST_CHILDREN; i++) {
    if (!at || at == end) return;
    note_found((struct task_struct *)((char *)at - bpf_core_field_offset(struct task_struct, sibling)), parent);
    at = BPF_CORE_READ(at, next);
  }
  if (at && at != end) trust_none();
}

static KS_INLINE struct ks_forker *forker_of(const struct ks_process *process) {
  struct ks_forker *forker = bpf_map_lookup_elem(&ks_forkers, process);
  if (forker) return forker;
  bpf_map_update_elem(&ks_forkers, process, &new_forker, BPF_NOEXIST);
  return bpf_map_lookup_elem(&ks_forkers, process);
}

// While there is an image: a task that is about to end has given it back (before Linux 6.16).
static KS_INLINE void note_image(__u32 scratch, const struct ks_process *process, struct task_struct *task) {
  struct ks_scratch *s = ks_scratch_of(scratch);
  struct ks_forker *forker = forker_of(process);
  if (!s || !forker) return;
  __u64 path = ks_exe_path(scratch, task);
  __u64 bytes = KS_TEXT_LEN(path);
  asm volatile("" : "+r"(bytes));
  if (bytes > KS_PATH_CAPTURE) return;
  bpf_probe_read_kernel(forker->exe, bytes, s->path + KS_TEXT_START(path));
  forker->exe_len = bytes;
  forker->exe_status = KS_TEXT_STATUS(path);
}

// The child does not run yet.
SEC("raw_tp/sched_process_fork")
int ks_lineage_fork(struct bpf_raw_tracepoint_args *ctx) {
  struct task_struct *maker = (struct task_struct *)ctx->args[0], *child = (struct task_struct *)ctx->args[1];
  if (!is_first_thread(child)) return 0;
  struct ks_process born = ks_process_of(child);
  struct ks_lineage lineage = {.parent = ks_process_of(maker)};
  note_identity(&lineage, child);
  // What the iterator may have put there is not truer than this.
  bpf_map_update_elem(&ks_living, &born, &lineage, BPF_ANY);
  struct ks_lineage *own = own_of(&lineage.parent, maker);
  if (!own) return 0;
  note_identity(own, BPF_CORE_READ(maker, group_leader));
  own->forked = 1;
  if (!bpf_map_lookup_elem(&ks_forkers, &lineage.parent)) note_image(KS_SCRATCH_LINEAGE_FORK, &lineage.parent, maker);
  return 0;
}

SEC("raw_tp/sched_process_exec")
int ks_lineage_exec(struct bpf_raw_tracepoint_args *ctx) {
  struct task_struct *task = (struct task_struct *)ctx->args[0];
  struct ks_process process = ks_process_of(task);
  struct ks_lineage *own = bpf_map_lookup_elem(&ks_living, &process);
  if (!own) return 0;
  note_identity(own, task);
  if (own->forked) note_image(KS_SCRATCH_LINEAGE_EXEC, &process, task);
  return 0;
}

// Before its children are given away. Threads that end at once may all come here: they say the same.
SEC("raw_tp/sched_process_exit")
int ks_lineage_exit(struct bpf_raw_tracepoint_args *ctx) {
  struct task_struct *task = (struct task_struct *)ctx->args[0];
  struct ks_process process = ks_process_of(task);
  note_children(task, &process);
  if (BPF_CORE_READ(task, signal, live.counter) > 0) return 0;
  struct ks_lineage *own = own_of(&process, task);
  if (!own || !own->forked) return 0;
  note_identity(own, BPF_CORE_READ(task, group_leader));
  struct ks_forker *forker = forker_of(&process);
  if (!forker) return 0;
  forker->last = *own;
  *(volatile __u32 *)&forker->ended = 1;
  return 0;
}

// Reaped; what was told of its end has been told.
SEC("raw_tp/sched_process_free")
int ks_lineage_free(struct bpf_raw_tracepoint_args *ctx) {
  struct task_struct *task = (struct task_struct *)ctx->args[0];
  // The first thread is reaped last.
  if (!is_first_thread(task)) return 0;
  struct ks_process process = ks_process_of(task);
  bpf_map_delete_elem(&ks_living, &process);
  return 0;
}

// Processes that were made before the programs above were attached: the kernel's word is all there is. Writes which processes live.
SEC("iter/task")
int ks_lineage_task(struct bpf_iter__task *ctx) {
  struct task_struct *task = ctx->task;
  if (!task || !is_first_thread(task)) return 0;
  struct ks_process process = ks_process_of(task);
  bpf_seq_write(ctx->meta->seq, &process, sizeof(process));
  struct ks_lineage *own = own_of(&process, task);
  if (!own || !own->forked || !BPF_CORE_READ(task, mm)) return 0;
  if (!bpf_map_lookup_elem(&ks_forkers, &process)) note_image(KS_SCRATCH_LINEAGE_TASK, &process, task);
  return 0;
}
