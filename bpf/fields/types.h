// The kernel's structures, cut down to the members that are read. CO-RE finds their real offsets when the object loads.
#ifndef KS_TYPES_H
#define KS_TYPES_H

#include "bpf/schema/record.h"

typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

// The part of <linux/bpf.h> that is used here; the whole header would bring types of its own.
enum {
  BPF_MAP_TYPE_HASH = 1,
  BPF_MAP_TYPE_ARRAY = 2,
  BPF_MAP_TYPE_PROG_ARRAY = 3,
  BPF_MAP_TYPE_PERCPU_ARRAY = 6,
  BPF_MAP_TYPE_LRU_HASH = 9,
  BPF_MAP_TYPE_RINGBUF = 27,
  BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_F_NO_PREALLOC = 1, BPF_F_MMAPABLE = 1 << 10 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0, BPF_RB_RING_SIZE = 1 };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct bpf_raw_tracepoint_args {
  __u64 args[0];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
  union {
    struct {
      __u32 hash;
      __u32 len;
    };
    __u64 hash_len;
  };
  const unsigned char *name;
};

struct super_block {
  __u32 s_dev;
  unsigned long s_magic;
};

struct inode {
  __u16 i_mode;
  struct super_block *i_sb;
  unsigned long i_ino;
  __u32 i_rdev;
  void *i_private;
};

struct dentry {
  struct dentry *d_parent;
  struct qstr d_name;
  struct inode *d_inode;
};

struct vfsmount {
  struct dentry *mnt_root;
};

struct mount {
  struct mount *mnt_parent;
  struct dentry *mnt_mountpoint;
  struct vfsmount mnt;
  void *mnt_ns;
};

struct path {
  struct vfsmount *mnt;
  struct dentry *dentry;
};

struct file {
  __u32 f_mode;
  __u32 f_flags;
  void *private_data;
  struct inode *f_inode;
  struct path f_path;
};

struct fdtable {
  unsigned int max_fds;
  struct file **fd;
};

struct files_struct {
  struct fdtable *fdt;
};

struct fs_struct {
  struct path root;
  struct path pwd;
};

struct mm_struct {
  unsigned long arg_start;
  unsigned long arg_end;
  struct file *exe_file;
};

typedef struct {
  __u32 val;
} kuid_t;
typedef struct {
  __u32 val;
} kgid_t;

// A bit per capability. Two words of 32 bits before 6.3: the same bytes.
typedef struct {
  __u64 val;
} kernel_cap_t;

struct cred {
  kuid_t uid;
  kgid_t gid;
  kuid_t euid;
  kgid_t egid;
  kuid_t fsuid;
  kgid_t fsgid;
  kernel_cap_t cap_effective;
};

struct upid {
  int nr;
};

struct pid {
  unsigned int level;
  struct upid numbers[1];
};

typedef struct {
  int counter;
} atomic_t;

struct tty_struct {
  char name[64];
};

struct signal_struct {
  struct tty_struct *tty;
  atomic_t live;
  int group_exit_code;
  unsigned int flags;
  struct pid *pids[4];
};

struct kernfs_node {
  const char *name;
  struct kernfs_node *__parent;
};

// Before 6.15.
struct kernfs_node___plain_parent {
  struct kernfs_node *parent;
};

struct cgroup {
  struct kernfs_node *kn;
};

struct cgroup_subsys_state {
  struct cgroup *cgroup;
};

struct css_set {
  struct cgroup *dfl_cgrp;
  struct cgroup_subsys_state *subsys[1];
};

struct proc_ns_operations {
  int type;
};

struct ns_common {
  __u32 ns_type;
};
// Before Linux 6.18.
struct ns_common___operations {
  const struct proc_ns_operations *ops;
};

struct filename {
  const char *name;
};
// From Linux 7 on, in requests.
struct delayed_filename {
  struct filename *__incomplete_filename;
};

struct io_cqe {
  __s32 res;
};
struct io_uring_task {
  struct task_struct *task;
};
struct io_kiocb {
  struct file *file;
  __u8 opcode;
  unsigned int flags;
  struct io_cqe cqe;
  struct task_struct *task;
  struct io_uring_task *tctx;
  void *async_data;
};
// Before Linux 5.19.
struct io_kiocb___result {
  __u32 result;
  __u64 user_data;
};
struct io_uring_cqe {
  __s32 res;
};

// With what a request begins, by its operation.
struct open_how {
  __u64 flags;
};
struct io_open {
  int dfd;
  __u32 file_slot;
  struct filename *filename;
  struct open_how how;
};
struct io_open___delayed {
  struct delayed_filename filename;
};
struct io_unlink {
  int dfd;
  int flags;
  struct filename *filename;
};
struct io_unlink___delayed {
  struct delayed_filename filename;
};
struct io_mkdir {
  int dfd;
  __u16 mode;
  struct filename *filename;
};
struct io_mkdir___delayed {
  struct delayed_filename filename;
};
struct io_rename {
  int old_dfd;
  int new_dfd;
  struct filename *oldpath;
  struct filename *newpath;
};
struct io_rename___delayed {
  struct delayed_filename oldpath;
  struct delayed_filename newpath;
};
// Both kinds of links. Before Linux 5.19 each has a structure of its own.
struct io_link {
  int old_dfd;
  int new_dfd;
  struct filename *oldpath;
  struct filename *newpath;
};
struct io_link___delayed {
  struct delayed_filename oldpath;
  struct delayed_filename newpath;
};
struct io_hardlink {
  int old_dfd;
  int new_dfd;
  struct filename *oldpath;
  struct filename *newpath;
};
struct io_symlink {
  int new_dfd;
  struct filename *oldpath;
  struct filename *newpath;
};
struct io_connect {
  void *addr;
};
struct io_accept {
  __u32 file_slot;
  int iou_flags;
};
struct io_socket {
  int domain;
  int type;
  int protocol;
};
struct io_listen {
  int backlog;
};
struct io_ftrunc {
  __s64 len;
};
struct io_sr_msg {
  unsigned int msg_flags;
};
// What perf records of two tracepoints: only which members there are matters.
struct trace_event_raw_io_uring_submit_req {
  void *req;
};
struct trace_event_raw_io_uring_submit_sqe {
  void *req;
  __u32 __data_loc_op_str;
};

struct trace_event_raw_sched_process_exit {
  _Bool group_dead;
};

struct thread_info {
  __u32 status;
};

struct list_head {
  struct list_head *next;
};

struct nsproxy {
  void *mnt_ns;
};

struct task_struct {
  struct thread_info thread_info;
  void *stack;
  unsigned int flags;
  int exit_code;
  int pid;
  int tgid;
  char comm[16];
  __u64 start_boottime;
  kuid_t loginuid;
  struct task_struct *real_parent;
  struct list_head children;
  struct list_head sibling;
  struct task_struct *group_leader;
  struct pid *thread_pid;
  struct mm_struct *mm;
  __u64 self_exec_id;
  const struct cred *real_cred;
  struct fs_struct *fs;
  struct files_struct *files;
  struct nsproxy *nsproxy;
  struct signal_struct *signal;
  struct css_set *cgroups;
};

struct bpf_iter_meta {
  struct seq_file *seq;
};

struct bpf_iter__task {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
};

struct pt_regs {
  unsigned long bp;
  unsigned long bx;
  unsigned long r10;
  unsigned long r9;
  unsigned long r8;
  unsigned long cx;
  unsigned long dx;
  unsigned long si;
  unsigned long di;
  unsigned long orig_ax;
};

struct in6_addr {
  union {
    __u8 u6_addr8[16];
  } in6_u;
};

struct sock_common {
  __be32 skc_daddr;
  __be32 skc_rcv_saddr;
  __be16 skc_dport;
  __u16 skc_num;
  unsigned short skc_family;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
  struct sock_common __sk_common;
  __u16 sk_protocol;
};

struct socket {
  struct file *file;
  struct sock *sk;
};

struct msghdr {
  void *msg_name;
  int msg_namelen;
};

#pragma clang attribute pop

// Whether the kernel has a helper.
enum bpf_func_id {
  BPF_FUNC_task_pt_regs = 175,
};

// Numbers differ between builds of the kernel: CO-RE fills them in.
enum kernel_read_file_id {
  READING_MODULE = 0x7ffd,
  READING_KEXEC_IMAGE = 0x7ffe,
  READING_MODULE_COMPRESSED = 0x7fff,
};
enum cgroup_subsys_id {
  memory_cgrp_id = 0x7ffe,
  pids_cgrp_id = 0x7fff,
};

enum {
  KS_FMODE_READ = 0x1,
  KS_FMODE_WRITE = 0x2,
  KS_FMODE_PATH = 0x4000,
  KS_FMODE_CREATED = 0x100000,
  KS_FMODE_NOACCOUNT = 0x20000000,
  KS_O_CREAT = 0100,
  KS_O_TRUNC = 01000,
  KS_O_APPEND = 02000,
  KS_O_PATH = 010000000,
  KS_S_IFMT = 0170000,
  KS_S_IFSOCK = 0140000,
  KS_S_IFREG = 0100000,
  KS_S_IFDIR = 0040000,
  KS_S_IFCHR = 0020000,
  KS_S_IFBLK = 0060000,
  KS_S_IFIFO = 0010000,
  KS_AT_FDCWD = -100,
  KS_AT_EMPTY_PATH = 0x1000,
  KS_AT_REMOVEDIR = 0x200,
  KS_MSG_FASTOPEN = 0x20000000,
  KS_NSFS_MAGIC = 0x6e736673,
  KS_PIDFS_MAGIC = 0x50494446,
  KS_AF_INET = 2,
  KS_AF_INET6 = 10,
  KS_PF_KTHREAD = 0x00200000,
  KS_PF_IO_WORKER = 0x10,
  KS_SIGNAL_GROUP_EXIT = 4,
  KS_TS_COMPAT = 2,
  KS_X32_BIT = 0x40000000,
  KS_EPERM = 1,
  KS_EINTR = 4,
  KS_EEXIST = 17,
  KS_EALREADY = 114,
  KS_EINPROGRESS = 115,
  KS_ERESTARTSYS = 512,
  KS_ERESTART_RESTARTBLOCK = 516,
};

#endif
