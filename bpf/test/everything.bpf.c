// An object for tests of the kernel seam: sends every event with every field that its kind has, if the name of the thread or of
// its parent begins with "kst". It stands where generated code stands: same hooks, accessors and records.
#include "bpf/fields/access.h"
#include "bpf/hooks/abi.h"

#define READ_Kernel(object, field, record) \
  ks_get_##object##_##field(s);            \
  record(s, KS_FIELD_##object##_##field, &s->fields.object##_##field);
#define READ_User(object, field, record) (void)s;

#define RECORD_Int ks_record_int
#define RECORD_Duration ks_record_int
#define RECORD_Mode ks_record_int
#define RECORD_Size ks_record_int
#define RECORD_Time ks_record_int
#define RECORD_Endpoint ks_record_endpoint

// One subprogram per field, for the kinds that have it: `kind` is tested by the caller.
#define KS_FIELD(object, field, type, decided, dataclass, about) \
  static KS_INLINE void read_##object##_##field(struct ks_scratch *s) { READ_##decided(object, field, RECORD_##type) }
#define KS_NAMED(object, field, type, enumeration, decided, dataclass, about) \
  static KS_INLINE void read_##object##_##field(struct ks_scratch *s) { READ_##decided(object, field, ks_record_int) }
#define KS_TEXT(object, field, type, capture, decided, dataclass, about) \
  static KS_INLINE void read_##object##_##field(struct ks_scratch *s) { READ_##decided(object, field, ks_record_text) }
#include "bpf/schema/events.def"

static KS_INLINE void read_process(struct ks_scratch *s) {
  read_process_pid(s);
  read_process_tid(s);
  read_process_name(s);
  read_process_uid(s);
  read_process_euid(s);
  read_process_gid(s);
  read_process_egid(s);
  read_process_loginuid(s);
  read_process_session(s);
  read_process_start_time(s);
  read_process_exe(s);
  read_process_args(s);
  read_process_cwd(s);
  read_process_cgroup(s);
  read_process_stdin(s);
  read_process_stdin_peer(s);
  read_process_stdout(s);
  read_process_stdout_peer(s);
  read_process_stderr(s);
  read_process_stderr_peer(s);
  read_process_tty(s);
  read_process_caps(s);
  read_process_ancestors(s);
  read_process_ancestor_ids(s);
  read_process_parent_pid(s);
  read_process_parent_name(s);
  read_process_parent_uid(s);
  read_process_parent_exe(s);
}

static KS_INLINE void read_all_of_child(struct ks_scratch *s) { read_child_pid(s); }

static KS_INLINE int is_ours(const char *name) { return name[0] == 'k' && name[1] == 's' && name[2] == 't'; }

// Sends what the scratch of `hook` holds, as an event of `kind`.
KS_SUBPROGRAM __u64 ks_sub_everything(__u32 hook, __u32 kind) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s || kind >= KS_KIND_COUNT) return 0;
  ks_get_process_name(s);
  ks_get_process_parent_name(s);
  // Its bound is lost where it is kept on the stack (before Linux 6.3): asked again where it is used.
  asm volatile("" : "+r"(kind));
  if (!is_ours(s->fields.process_name.data) && !is_ours(s->fields.process_parent_name.data)) {
    ks_count_filtered(s, kind);
    return 0;
  }
  s->alive[0] = 1;
  ks_record_begin(s, kind, 1, ks_generation);
  read_process(s);
  // Read again each time: the verifier must not follow each kind through all of it.
  s->context.kind = kind;
  const volatile __u8 *kind_now = &s->context.kind;
#define KS_HAS(k, object) \
  if (*kind_now == KS_KIND_##k) read_all_of_##object(s);
#define KS_HAS_FIELD(k, object, field) \
  if (*kind_now == KS_KIND_##k) read_##object##_##field(s);
#include "bpf/schema/events.def"
  asm volatile("" : "+r"(kind));
  ks_record_send(s, kind, kind == KS_KIND_syscall ? KS_RING_CONTEXT : KS_RING_ALERTS);
  return 0;
}

static KS_INLINE void run_in(struct ks_scratch *s, void *ctx, __u32 hook, __u32 (*what)(void *, struct ks_scratch *)) {
  __u32 kind = what(ctx, s);
  // Of all other calls, getpid and getppid stand for kind `syscall` here, by either ABI, and the i386 socketcall.
  if (hook == KS_HOOK_sys_exit && kind == KS_KIND_NONE &&
      (s->context.nr == 39 || s->context.nr == 110 || s->context.nr == 20 || (s->context.compat && s->context.nr == 102))) {
    kind = KS_KIND_syscall;
  }
  ks_sub_everything(hook, kind);
  if (hook == KS_HOOK_sys_exit || hook == KS_HOOK_io_issue_sqe) ks_sub_everything(hook, ks_also(s));
}

static KS_INLINE int run(void *ctx, __u32 hook, __u32 (*what)(void *, struct ks_scratch *)) {
  ks_keep_stack(ctx, hook);
  struct ks_scratch *s = ks_begin(hook);
  if (s) run_in(s, ctx, hook, what);
  ks_end(hook);
  return 0;
}

#define KS_PROGRAM(hook) \
  SEC("raw_tp/" #hook) int ks_##hook(void *ctx) { return run(ctx, KS_HOOK_##hook, ks_hook_##hook); }
KS_HOOKS(KS_PROGRAM)

#define KS_EXIT_PROGRAM(hook) \
  SEC("fexit/" #hook) int ks_##hook(void *ctx) { return run(ctx, KS_HOOK_##hook, ks_hook_##hook); }
KS_EXIT_HOOKS(KS_EXIT_PROGRAM)
