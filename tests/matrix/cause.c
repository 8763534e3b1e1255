// Causes one event of each kind, with values that matrix.ksp asks for. Run as root, in a folder that may be written:
//   cause [KIND…]      prints `caused KIND` for each, or `cannot KIND: why` where this kernel has no such call
// Nothing here changes the machine: what would (reboot, kexec, clock) is asked in a way that the kernel refuses.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/kexec.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *cannot;  // why the kind cannot be caused here

static int make(const char *name) { return open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644); }

static struct sockaddr_in local(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}
static int bound(int type, int port) {
  int fd = socket(AF_INET, type, 0), one = 1;
  struct sockaddr_in address = local(port);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  bind(fd, (struct sockaddr *)&address, sizeof(address));
  return fd;
}

static void cause_exec(void) {
  if (fork() == 0) {
    execl("/proc/self/exe", "matrix", "nothing", "second", NULL);
    _exit(1);
  }
  wait(NULL);
}
static void cause_fork(void) {
  if (fork() == 0) _exit(0);
  wait(NULL);
}
static void cause_exit(void) {
  if (fork() == 0) _exit(7);
  wait(NULL);
}
static void cause_setuid(void) { syscall(SYS_setresuid, 0, 4321, 0); }
static void cause_setgid(void) { syscall(SYS_setresgid, 0, 4321, 0); }
static void cause_capset(void) {
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {};
  syscall(SYS_capget, &head, data);
  data[0].effective = 1u << CAP_SYS_TIME;
  data[1].effective = 0;
  syscall(SYS_capset, &head, data);
}
static void cause_ptrace(void) {
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  ptrace(PTRACE_SEIZE, child, 0, 0);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}
static void cause_signal(void) {
  signal(SIGUSR2, SIG_IGN);
  kill(getpid(), SIGUSR2);
}
static void cause_setns(void) {
  int fd = open("/proc/self/ns/uts", O_RDONLY);
  setns(fd, 0);
  close(fd);
}
static void cause_unshare(void) { unshare(CLONE_NEWUTS | CLONE_NEWIPC); }
static void cause_prctl(void) { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }
static void cause_memfd_create(void) { close(memfd_create("matrix", MFD_CLOEXEC)); }
static void cause_mprotect(void) {
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(page, 4096, PROT_READ | PROT_EXEC);
  munmap(page, 4096);
}
static void cause_open(void) { close(open("there", O_RDWR)); }
static void cause_create(void) {
  umask(0);
  close(open("created", O_CREAT | O_EXCL | O_WRONLY, 0640));
}
static void cause_rename(void) {
  close(make("before"));
  rename("before", "after");
}
static void cause_unlink(void) {
  close(make("removed"));
  unlink("removed");
}
static void cause_link(void) { link("there", "linked"); }
static void cause_symlink(void) { symlink("../some/where", "symbolic"); }
static void cause_chmod(void) { chmod("there", 04755); }
static void cause_chown(void) { chown("there", 4321, 1234); }
static void cause_mkdir(void) { mkdir("folder", 0750); }
static void cause_rmdir(void) {
  mkdir("gone", 0700);
  rmdir("gone");
}
static void cause_mknod(void) { mknod("device", S_IFCHR | 0600, makedev(1, 3)); }
static void cause_truncate(void) { truncate("there", 12288); }
static void in_mounts_of_its_own(void) {
  unshare(CLONE_NEWNS);
  mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}
static void cause_mount(void) {
  in_mounts_of_its_own();
  mkdir("mounted", 0700);
  mount("matrix-source", "mounted", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k");
}
static void cause_umount(void) {
  in_mounts_of_its_own();
  mkdir("unmounted", 0700);
  mount("none", "unmounted", "tmpfs", 0, "size=64k");
  umount2("unmounted", MNT_DETACH);
}
static void cause_chroot(void) {
  mkdir("root", 0700);
  chroot("root");
}
static void cause_open_by_handle(void) {
  struct {
    struct file_handle handle;
    unsigned char bytes[MAX_HANDLE_SZ];
  } at = {.handle.handle_bytes = MAX_HANDLE_SZ};
  int mount_id;
  // A file of one name: the kernel may find another one's by any of them.
  close(make("handled"));
  if (name_to_handle_at(AT_FDCWD, "handled", &at.handle, &mount_id, 0)) {
    cannot = "the file system has no handles";
    return;
  }
  int folder = open(".", O_RDONLY | O_DIRECTORY);
  close(open_by_handle_at(folder, &at.handle, O_RDONLY));
}
static void cause_socket(void) { close(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 15)); }
static void cause_bind(void) { close(bound(SOCK_STREAM, 40911)); }
static void cause_listen(void) {
  int fd = bound(SOCK_STREAM, 40912);
  listen(fd, 23);
  close(fd);
}
static void cause_connect(void) {
  int listener = bound(SOCK_STREAM, 40913), fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = local(40913);
  listen(listener, 5);
  connect(fd, (struct sockaddr *)&address, sizeof(address));
  close(fd);
  close(listener);
}
static void cause_accept(void) {
  int listener = bound(SOCK_STREAM, 40914), fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = local(40914);
  listen(listener, 5);
  connect(fd, (struct sockaddr *)&address, sizeof(address));
  close(accept(listener, NULL, NULL));
  close(fd);
  close(listener);
}
static void cause_sendto(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in address = local(40915);
  sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address));
  close(fd);
}
static void cause_module_load(void) {
  int fd = open("there", O_RDONLY);
  syscall(SYS_finit_module, fd, "", 0);
  close(fd);
}
static void cause_bpf(void) { syscall(SYS_bpf, BPF_PROG_QUERY, NULL, 0); }
static void cause_io_uring_setup(void) {
  struct io_uring_params p = {};
  close(syscall(SYS_io_uring_setup, 1, &p));
}
static void cause_io_uring(void) {
  struct io_uring_params p = {};
  int fd = syscall(SYS_io_uring_setup, 4, &p);
  if (fd < 0) {
    cannot = strerror(errno);
    return;
  }
  char *ring = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(__u32), PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
  struct io_uring_sqe *sqe = mmap(NULL, p.sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
  *sqe = (struct io_uring_sqe){.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)"there"};
  *(__u32 *)(ring + p.sq_off.array) = 0;
  __atomic_store_n((__u32 *)(ring + p.sq_off.tail), 1, __ATOMIC_RELEASE);
  syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
  close(fd);
}
static void cause_userfaultfd(void) { close(syscall(SYS_userfaultfd, O_CLOEXEC)); }
static void cause_keyctl(void) { syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0); }
static void cause_kexec(void) {
  int fd = open("there", O_RDONLY);
  syscall(SYS_kexec_file_load, fd, -1, 0, NULL, KEXEC_FILE_NO_INITRAMFS);  // which is read, and is no kernel
  close(fd);
}
static void cause_reboot(void) { syscall(SYS_reboot, 0, 0, 0x4321fedc, NULL); }  // wrong magic numbers
static void cause_settimeofday(void) {
  struct timespec never = {-1, 0};
  syscall(SYS_clock_settime, CLOCK_MONOTONIC, &never);
}
static void cause_syscall(void) { syscall(SYS_getppid); }

static const struct {
  const char *kind;
  void (*cause)(void);
} kKinds[] = {
#define KIND(kind) {#kind, cause_##kind}
    KIND(exec),           KIND(fork),       KIND(exit),        KIND(setuid),      KIND(setgid),       KIND(capset),
    KIND(ptrace),         KIND(signal),     KIND(setns),       KIND(unshare),     KIND(prctl),        KIND(memfd_create),
    KIND(mprotect),       KIND(open),       KIND(create),      KIND(rename),      KIND(unlink),       KIND(link),
    KIND(symlink),        KIND(chmod),      KIND(chown),       KIND(mkdir),       KIND(rmdir),        KIND(mknod),
    KIND(truncate),       KIND(mount),      KIND(umount),      KIND(chroot),      KIND(open_by_handle), KIND(socket),
    KIND(bind),           KIND(listen),     KIND(connect),     KIND(accept),      KIND(sendto),       KIND(module_load),
    KIND(bpf),            KIND(io_uring_setup), KIND(io_uring), KIND(userfaultfd), KIND(keyctl),      KIND(kexec),
    KIND(reboot),         KIND(settimeofday), KIND(syscall),
};

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "nothing") == 0) return 0;
  // The rules ask for this name, whatever the program's file is called.
  prctl(PR_SET_NAME, "ks-matrix");
  close(make("there"));
  fflush(NULL);
  for (size_t i = 0; i < sizeof(kKinds) / sizeof(*kKinds); ++i) {
    int wanted = argc == 1;
    for (int a = 1; a < argc; ++a) wanted |= strcmp(argv[a], kKinds[i].kind) == 0;
    if (!wanted) continue;
    // Each in a process of its own: some cannot be undone.
    pid_t child = fork();
    if (child == 0) {
      kKinds[i].cause();
      if (cannot) printf("cannot %s: %s\n", kKinds[i].kind, cannot);
      else printf("caused %s\n", kKinds[i].kind);
      fflush(NULL);
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
  return 0;
}
