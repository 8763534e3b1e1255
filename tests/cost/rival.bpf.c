// What somebody would write by hand for the rules of rules_cost.py: one program a hook, no dispatcher, no swap, no counters but seen
// and filtered. RULES of them. With EMPTY an empty
// program for each hook. Built on the kernel's own headers' names by CO-RE.
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#ifndef RULES
#define RULES 1
#endif
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define CORE __attribute__((preserve_access_index))
struct qstr { union { struct { u32 hash, len; }; u64 hash_len; }; const u8 *name; } CORE;
struct dentry { struct dentry *d_parent; struct qstr d_name; } CORE;
struct vfsmount { struct dentry *mnt_root; } CORE;
struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; } CORE;
struct path { struct vfsmount *mnt; struct dentry *dentry; } CORE;
struct file { struct path f_path; u32 f_mode; } CORE;
struct fdtable { u32 max_fds; struct file **fd; } CORE;
struct files_struct { struct fdtable *fdt; } CORE;
struct kuid { u32 val; } CORE;
struct cred { struct kuid uid; } CORE;
struct mm_struct { struct file *exe_file; } CORE;
struct task_struct { struct files_struct *files; const struct cred *cred; struct mm_struct *mm; } CORE;
struct pt_regs { unsigned long orig_ax, si, dx; } CORE;

enum { ROOM = 512, COMPONENTS = 24 };
struct buffer { u32 at; u8 text[3 * ROOM]; };
struct counts { u64 seen, filtered; };
#define MAP(kind, name_, value_)                    \
  struct {                                          \
    __uint(type, kind);                             \
    __uint(max_entries, 1);                         \
    __type(key, u32);                               \
    __type(value, value_);                          \
  } name_ SEC(".maps")
MAP(BPF_MAP_TYPE_PERCPU_ARRAY, buffers, struct buffer);
MAP(BPF_MAP_TYPE_PERCPU_ARRAY, counters, struct counts);
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");

// The path of a file, built from its end. 0 if it does not fit.
static __always_inline u8 *path_of(struct buffer *b, struct file *file, u32 *length) {
  struct vfsmount *vfs = BPF_CORE_READ(file, f_path.mnt);
  struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
  u32 at = ROOM;
  for (int i = 0; i < COMPONENTS; i++) {
    struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
    if (dentry == BPF_CORE_READ(vfs, mnt_root) || dentry == parent) {
      struct mount *mount = (void *)vfs - bpf_core_field_offset(struct mount, mnt);
      struct mount *up = BPF_CORE_READ(mount, mnt_parent);
      if (up == mount) break;
      dentry = BPF_CORE_READ(mount, mnt_mountpoint);
      vfs = (void *)up + bpf_core_field_offset(struct mount, mnt);
      continue;
    }
    u32 len = BPF_CORE_READ(dentry, d_name.len);
    if (len > 255 || at < len + 1) return 0;
    at -= len + 1;
    asm volatile("" : "+r"(at));
    if (at >= ROOM) return 0;
    b->text[at] = '/';
    bpf_probe_read_kernel(&b->text[at + 1], len & 255, BPF_CORE_READ(dentry, d_name.name));
    dentry = parent;
  }
  *length = ROOM - at;
  return at < ROOM ? &b->text[at] : 0;
}

#define NAME(text_) (__builtin_memcmp(name, text_, sizeof(text_)) == 0)
#define BEGINS(text_) (length >= sizeof(text_) - 1 && __builtin_memcmp(path, text_, sizeof(text_) - 1) == 0)
#define IS(text_) (length == sizeof(text_) - 1 && BEGINS(text_))
#define UNDER(text_) (IS(text_) || BEGINS(text_ "/"))
#define GROUP(n)                                                             \
  if ((NAME("app" #n) || NAME("job" #n)) && UNDER("/srv/app" #n)) return 1;  \
  if (IS("/etc/app" #n "/secret")) return 1;                                 \
  if (UNDER("/opt/team" #n) && !NAME("keeper")) return 1;                    \
  if (other && BEGINS("/var/lib/app" #n "/") && ENDS(".key")) return 1;      \
  if (uid == 20000 + n && UNDER("/home/u" #n)) return 1;
#define ENDS(text_) (length >= 4 && __builtin_memcmp(path + ((length - 4) & 511), text_, 4) == 0)

static __always_inline int matches(struct buffer *b, struct file *file, int other, u32 uid) {
  char name[16];
  bpf_get_current_comm(name, sizeof(name));
#if RULES == 1
  if (!NAME("app0") && !NAME("job0")) return 0;
#endif
  u32 length = 0;
  const u8 *path = path_of(b, file, &length);
  if (!path) return 1;
#if RULES == 1
  return UNDER("/srv/app0");
#else
  GROUP(0)
  GROUP(1)
  return 0;
#endif
}

static __always_inline int decide(struct task_struct *task, struct file *file, int other) {
  u32 zero = 0;
  struct buffer *b = bpf_map_lookup_elem(&buffers, &zero);
  struct counts *c = bpf_map_lookup_elem(&counters, &zero);
  if (!b || !c) return 0;
  __sync_fetch_and_add(&c->seen, 1);
  if (matches(b, file, other, BPF_CORE_READ(task, cred, uid.val))) {
    bpf_ringbuf_output(&events, b->text, 64, 0);
  } else {
    __sync_fetch_and_add(&c->filtered, 1);
  }
  return 0;
}

#ifndef EMPTY
SEC("raw_tp/sys_exit") int rival_open(struct bpf_raw_tracepoint_args *ctx) {
  struct pt_regs *regs = (void *)ctx->args[0];
  unsigned long nr = BPF_CORE_READ(regs, orig_ax);
  if (nr != 257 && nr != 2 && nr != 437 && nr != 85) return 0;
  long fd = ctx->args[1];
  if (fd < 0) return 0;
  struct task_struct *task = (void *)bpf_get_current_task();
  struct fdtable *table = BPF_CORE_READ(task, files, fdt);
  if (fd >= BPF_CORE_READ(table, max_fds)) return 0;
  struct file *file = 0;
  bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd);
  return decide(task, file, BPF_CORE_READ(file, f_mode) & 2);
}

SEC("raw_tp/sched_process_exec") int rival_exec(void *ctx) {
  struct task_struct *task = (void *)bpf_get_current_task();
  return decide(task, BPF_CORE_READ(task, mm, exe_file), 0);
}

#else
SEC("raw_tp/sys_exit") int empty_open(void *ctx) { return 0; }
SEC("raw_tp/sched_process_exec") int empty_exec(void *ctx) { return 0; }
#endif

char rival_license[] SEC("license") = "GPL";
