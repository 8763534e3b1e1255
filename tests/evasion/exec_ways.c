// One program, run under another name, from another place, or by another program. What runs says so in folder/ran.
#include <linux/memfd.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>

#include "evade.h"

extern char **environ;

static char *arguments[] = {"innocent", "--ran", folder, NULL};

static int failed(void) { return errno == ENOSYS ? kNotHere : kFailed; }

static int by_execve(void) { return execve(program, arguments, environ), failed(); }
static int by_execveat(void) {
  int dir = open(folder, O_PATH | O_DIRECTORY);
  return syscall(SYS_execveat, dir, "program", arguments, environ, 0), failed();
}
static int by_descriptor(void) {
  int fd = open(program, O_PATH | O_CLOEXEC);
  return syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH), failed();
}
static int by_proc(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", open(program, O_PATH | O_CLOEXEC));
  return execve(path, arguments, environ), failed();
}
static int by_symlink(void) {
  const char *path = in_folder("innocent-program-symlink");
  unlink(path);
  if (symlink(program, path) != 0) return kFailed;
  return execve(path, arguments, environ), failed();
}
static int by_hard_link(void) {
  const char *path = in_folder("innocent-program");
  unlink(path);
  if (link(program, path) != 0) return kFailed;
  return execve(path, arguments, environ), failed();
}
static int by_relative_path(void) {
  char path[2048];
  snprintf(path, sizeof path, "../../../../../../../..%s", program);
  return execve(path, arguments, environ), failed();
}
static int by_bind_mount(void) {
  const char *path = in_folder("innocent-program-mount");
  close(open(path, O_RDWR | O_CREAT, 0700));
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount(program, path, NULL, MS_BIND, NULL) != 0)
    return errno == EPERM || errno == EINVAL ? kNotHere : kFailed;
  return execve(path, arguments, environ), failed();
}

// In 32-bit memory: the arguments too.
static uint32_t *low_arguments(char **path, const char *of) {
  char *memory = memory32(8192);
  *path = memory + 4096;
  strcpy(*path, of);
  uint32_t *list = (uint32_t *)memory;
  char *text = memory + 64;
  size_t n = 0;
  for (; arguments[n] != NULL; n++) {
    strcpy(text, arguments[n]);
    list[n] = (uint32_t)(uintptr_t)text;
    text += strlen(text) + 1;
  }
  list[n] = 0;
  return list;
}
static int by_int80(void) {
  char *path;
  uint32_t *list = low_arguments(&path, program);
  return call32(11, (long)path, (long)list, 0, 0, 0) == -ENOSYS ? kNotHere : kFailed;
}
static int by_int80_execveat(void) {
  char *path;
  uint32_t *list = low_arguments(&path, program);
  return call32(358, AT_FDCWD, (long)path, (long)list, 0, 0) == -ENOSYS ? kNotHere : kFailed;
}

static int by_absent_page(void) {
  const char *path = in_folder("page");
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, program, strlen(program) + 1) < 0 || ftruncate(fd, 4096) != 0) return kFailed;
  fsync(fd);
  char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  posix_fadvise(fd, 0, 4096, POSIX_FADV_DONTNEED);
  madvise(page, 4096, MADV_DONTNEED);
  return execve(page, arguments, environ), failed();
}

static int by_memfd(void) {
  int source = open(program, O_RDONLY | O_CLOEXEC), image = (int)syscall(SYS_memfd_create, "innocent", MFD_CLOEXEC);
  struct stat about;
  if (source < 0 || image < 0 || fstat(source, &about) != 0) return kFailed;
  for (off_t at = 0; at < about.st_size;)
    if (sendfile(image, source, &at, (size_t)(about.st_size - at)) <= 0) return kFailed;
  return syscall(SYS_execveat, image, "", arguments, environ, AT_EMPTY_PATH), failed();
}

static int by_loader(void) {
  char *with_loader[] = {"ld.so", program, "--ran", folder, NULL};
  return execve("/lib64/ld-linux-x86-64.so.2", with_loader, environ), errno == ENOENT ? kNotHere : kFailed;
}
static int by_script(void) { return execve(script, (char *[]){"innocent", NULL}, environ), failed(); }
static int by_script_symlink(void) {
  const char *path = in_folder("innocent-script");
  unlink(path);
  if (symlink(script, path) != 0) return kFailed;
  return execve(path, (char *[]){"innocent", NULL}, environ), failed();
}
static int by_interpreter(void) { return execve("/bin/sh", (char *[]){"sh", script, NULL}, environ), failed(); }

const struct way exec_ways[] = {{"execve", by_execve},
                                {"execveat, folder's descriptor", by_execveat},
                                {"execveat, descriptor alone", by_descriptor},
                                {"/proc/self/fd", by_proc},
                                {"symlink", by_symlink},
                                {"hard link", by_hard_link},
                                {"relative path", by_relative_path},
                                {"bind mount", by_bind_mount},
                                {"int 0x80", by_int80},
                                {"int 0x80 execveat", by_int80_execveat},
                                {"path in an absent page", by_absent_page},
                                {"copy in memory", by_memfd},
                                {"by ld.so", by_loader},
                                {"script", by_script},
                                {"script, symlink", by_script_symlink},
                                {"script, by its interpreter", by_interpreter},
                                {NULL, NULL}};
