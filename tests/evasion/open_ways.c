// One file, opened so that its name, its path or the call itself does not say which.
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "evade.h"

static int by_open(void) { return is_secret((int)syscall(SYS_open, secret, O_RDONLY)); }
static int by_openat(void) { return is_secret((int)syscall(SYS_openat, AT_FDCWD, secret, O_RDONLY)); }
static int by_openat2(void) {
  struct open_how how = {.flags = O_RDONLY};
  return is_secret((int)syscall(SYS_openat2, AT_FDCWD, secret, &how, sizeof how));
}
static int by_creat(void) { return is_secret((int)syscall(SYS_creat, secret, 0600)); }

static int by_handle(void) {
  struct {
    struct file_handle handle;
    unsigned char bytes[MAX_HANDLE_SZ];
  } h;
  int mount_id = 0, mount = open(folder, O_RDONLY | O_DIRECTORY);
  h.handle.handle_bytes = MAX_HANDLE_SZ;
  if (name_to_handle_at(AT_FDCWD, secret, &h.handle, &mount_id, 0) != 0)
    return errno == EOPNOTSUPP ? kNotHere : kFailed;  // ramfs has no handles
  return is_secret(open_by_handle_at(mount, &h.handle, O_RDONLY));
}

static int by_symlink(void) {
  const char *path = in_folder("innocent-symlink");
  unlink(path);
  if (symlink(secret, path) != 0) return kFailed;
  return is_secret(open(path, O_RDONLY));
}

static int by_hard_link(void) {
  const char *path = in_folder("innocent-link");
  unlink(path);
  if (link(secret, path) != 0) return kFailed;
  int n = is_secret(open(path, O_RDONLY));
  unlink(path);
  return n;
}

static int by_relative_path(void) {
  char path[2048];
  snprintf(path, sizeof path, "../../../../../../../../..%s", secret);
  return is_secret(open(path, O_RDONLY));
}

static int by_dirfd(void) {
  int dir = open(folder, O_PATH | O_DIRECTORY);
  return is_secret(openat(dir, "secret", O_RDONLY));
}

static int by_cwd(void) { return chdir(folder) == 0 ? is_secret(open("./secret", O_RDONLY)) : kFailed; }

// The path lies in a page that is not there when the call begins: the kernel half of a sensor at its entry may not fault.
static int by_absent_page(void) {
  const char *path = in_folder("page");
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || write(fd, secret, strlen(secret) + 1) < 0 || ftruncate(fd, 4096) != 0) return kFailed;
  fsync(fd);
  char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  posix_fadvise(fd, 0, 4096, POSIX_FADV_DONTNEED);
  madvise(page, 4096, MADV_DONTNEED);
  unsigned char there = 1;
  if (mincore(page, 4096, &there) == 0 && (there & 1)) fprintf(stderr, "evade: the page stayed in memory\n");
  int n = is_secret((int)syscall(SYS_openat, AT_FDCWD, page, O_RDONLY));
  unlink(path);
  return n;
}

static int by_int80(void) {
  char *path = memory32(4096);
  strcpy(path, secret);
  long fd = call32(5, (long)path, O_RDONLY, 0, 0, 0);  // open
  return fd == -ENOSYS ? kNotHere : is_secret((int)fd);
}

static int by_int80_openat2(void) {
  char *path = memory32(4096);
  struct open_how *how = (struct open_how *)(path + 2048);
  strcpy(path, secret);
  memset(how, 0, sizeof *how);
  long fd = call32(437, AT_FDCWD, (long)path, (long)how, sizeof *how, 0);
  return fd == -ENOSYS ? kNotHere : is_secret((int)fd);
}

static int by_x32(void) {
  long fd = syscall(0x40000000 | SYS_openat, AT_FDCWD, secret, O_RDONLY);
  return fd < 0 ? kNotHere : is_secret((int)fd);
}

static int by_o_path(void) {
  char path[64];
  int fd = open(secret, O_PATH);  // not yet a way to read it, but an event of its own
  if (!is_secret(dup(fd))) return kFailed;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return 1 + is_secret(open(path, O_RDONLY));
}

static int by_open_tree(void) {
  char path[64];
  long fd = syscall(428 /* open_tree */, AT_FDCWD, secret, O_CLOEXEC);
  if (fd < 0) return kNotHere;
  snprintf(path, sizeof path, "/proc/self/fd/%ld", fd);
  return is_secret(open(path, O_RDONLY));
}

static int by_magic_root(void) {
  char path[2048];
  snprintf(path, sizeof path, "/proc/self/root%s", secret);
  return is_secret(open(path, O_RDONLY));
}

static int by_bind_mount(void) {
  const char *path = in_folder("innocent-mount");
  int fd = open(path, O_RDWR | O_CREAT, 0600);
  close(fd);
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount(secret, path, NULL, MS_BIND, NULL) != 0)
    return errno == EPERM || errno == EINVAL ? kNotHere : kFailed;  // EINVAL: the root is an initramfs
  return is_secret(open(path, O_RDONLY));
}

static int by_chroot(void) {
  if (chroot(folder) != 0) return kFailed;
  return is_secret(open("/secret", O_RDONLY));
}

// Another process opens it and hands it over: that process is the one to be seen.
static int by_passed_descriptor(void) {
  int ends[2];
  char byte = 'x', control[CMSG_SPACE(sizeof(int))];
  struct iovec io = {&byte, 1};
  struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return kFailed;
  pid_t opener = getpid(), receiver = fork();
  if (receiver == 0) {
    if (recvmsg(ends[1], &message, 0) != 1) _exit(1);
    struct stat info, truth;
    int fd = *(int *)CMSG_DATA(CMSG_FIRSTHDR(&message));
    _exit(fstat(fd, &info) != 0 || stat(secret, &truth) != 0 || info.st_ino != truth.st_ino);
  }
  int fd = open(secret, O_RDONLY), status = 1;
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
  memcpy(CMSG_DATA(head), &fd, sizeof fd);
  if (opener != getpid() || sendmsg(ends[0], &message, 0) != 1) return kFailed;
  waitpid(receiver, &status, 0);
  return status == 0 ? is_secret(fd) : kFailed;
}

static int by_rename_first(void) {
  const char *path = in_folder("innocent-name");
  if (rename(secret, path) != 0) return kFailed;
  int n = is_secret(open(path, O_RDONLY));
  return rename(path, secret) == 0 ? n : kFailed;
}

static struct open_how uring_how = {.flags = O_RDONLY};
static void fill_openat(struct io_uring_sqe *sqe, void *fixed) {
  sqe->opcode = IORING_OP_OPENAT;
  sqe->fd = AT_FDCWD;
  sqe->addr = (uint64_t)(uintptr_t)secret;
  sqe->open_flags = O_RDONLY;
  if (fixed) sqe->file_index = 1;
}
static void fill_openat2(struct io_uring_sqe *sqe, void *unused) {
  (void)unused;
  sqe->opcode = IORING_OP_OPENAT2;
  sqe->fd = AT_FDCWD;
  sqe->addr = (uint64_t)(uintptr_t)secret;
  sqe->len = sizeof uring_how;
  sqe->off = (uint64_t)(uintptr_t)&uring_how;
}
static int uring_open(int flags, void (*fill)(struct io_uring_sqe *, void *)) {
  long fd = uring_do(flags, fill, NULL);
  return fd == kNoRing ? kNotHere : is_secret((int)fd);
}
static int by_uring(void) { return uring_open(kInline, fill_openat); }
static int by_uring_async(void) { return uring_open(kAsync, fill_openat); }
static int by_uring_sqpoll(void) { return uring_open(kSqpoll, fill_openat2); }
// Into the ring's own table: there never is a descriptor.
static int by_uring_direct(void) {
  static int fixed = 1;
  long done = uring_do(kFixedFiles, fill_openat, &fixed);
  return done == kNoRing || done == -EINVAL ? kNotHere : done == 0 ? 1 : kFailed;
}

const struct way open_ways[] = {{"open", by_open},
                                {"openat", by_openat},
                                {"openat2", by_openat2},
                                {"creat", by_creat},
                                {"open_by_handle_at", by_handle},
                                {"symlink", by_symlink},
                                {"hard link", by_hard_link},
                                {"relative path", by_relative_path},
                                {"folder's descriptor", by_dirfd},
                                {"working directory", by_cwd},
                                {"path in an absent page", by_absent_page},
                                {"int 0x80", by_int80},
                                {"int 0x80 openat2", by_int80_openat2},
                                {"x32", by_x32},
                                {"O_PATH, then /proc/self/fd", by_o_path},
                                {"open_tree, then /proc/self/fd", by_open_tree},
                                {"/proc/self/root", by_magic_root},
                                {"bind mount", by_bind_mount},
                                {"chroot", by_chroot},
                                {"passed descriptor", by_passed_descriptor},
                                {"renamed before", by_rename_first},
                                {"io_uring openat", by_uring},
                                {"io_uring openat, worker", by_uring_async},
                                {"io_uring openat2, sqpoll", by_uring_sqpoll},
                                {"io_uring openat, direct", by_uring_direct},
                                {NULL, NULL}};
