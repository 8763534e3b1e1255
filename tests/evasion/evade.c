// Opens one file in ways that hide which file it is. Each line of output: what was tried, how often the file was really
// opened (by device and inode), as this process.
//   evade FILE FOLDER      FOLDER: on the file system of FILE, for links
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kRaces = 2000, kMostRaces = 500000 };

static struct stat truth;

// 1 if the descriptor is the file; closes it.
static int is_truth(int fd) {
  struct stat info;
  int same = fd >= 0 && fstat(fd, &info) == 0 && info.st_ino == truth.st_ino && info.st_dev == truth.st_dev;
  if (fd >= 0) close(fd);
  return same;
}

static int via_symlink(const char *file, const char *folder) {
  char path[4096];
  snprintf(path, sizeof path, "%s/innocent-symlink", folder);
  unlink(path);
  if (symlink(file, path) != 0) return -1;
  int n = is_truth(open(path, O_RDONLY));
  unlink(path);
  return n;
}

static int via_hard_link(const char *file, const char *folder) {
  char path[4096];
  snprintf(path, sizeof path, "%s/innocent-link", folder);
  unlink(path);
  if (link(file, path) != 0) return -1;
  int n = is_truth(open(path, O_RDONLY));
  unlink(path);
  return n;
}

static int via_relative_path(const char *file, const char *folder) {
  (void)folder;
  char path[4096];
  snprintf(path, sizeof path, "../../../../../../../../..%s", file);
  return is_truth(open(path, O_RDONLY));
}

static int via_dirfd(const char *file, const char *folder) {
  (void)folder;
  char path[4096];
  snprintf(path, sizeof path, "%s", file);
  char *slash = strrchr(path, '/');
  *slash = 0;
  int dir = open(path, O_PATH | O_DIRECTORY);
  int n = is_truth(openat(dir, slash + 1, O_RDONLY));
  close(dir);
  return n;
}

static int via_openat2(const char *file, const char *folder) {
  (void)folder;
  struct open_how how = {.flags = O_RDONLY};
  return is_truth((int)syscall(SYS_openat2, AT_FDCWD, file, &how, sizeof how));
}

static char shared_path[4096];
static atomic_int racing;
static const char *race_file;

static void *rewrite(void *unused) {
  (void)unused;
  char other[4096];
  memset(other, 0, sizeof other);
  snprintf(other, sizeof other, "/etc/hostname");
  while (atomic_load(&racing)) {
    strcpy(shared_path, race_file);
    __asm__ volatile("" ::: "memory");  // both writes must happen
    strcpy(shared_path, other);
    __asm__ volatile("" ::: "memory");
  }
  return NULL;
}

// A second thread rewrites the path all the time; whichever the kernel read decides what was opened.
static int via_race(const char *file, const char *folder) {
  (void)folder;
  race_file = file;
  strcpy(shared_path, file);
  atomic_store(&racing, 1);
  pthread_t thread;
  if (pthread_create(&thread, NULL, rewrite, NULL) != 0) return -1;
  int n = 0, i = 0;
  while (i < kMostRaces && (i < kRaces || n == i || n == 0)) {  // until the race was both won and lost
    n += is_truth(open(shared_path, O_RDONLY));
    ++i;
  }
  if (n == i || n == 0) fprintf(stderr, "evade: race: the threads never met in %d tries\n", i);
  atomic_store(&racing, 0);
  pthread_join(thread, NULL);
  return n;
}

static const struct {
  const char *name;
  int (*run)(const char *, const char *);
} kWays[] = {{"symlink", via_symlink}, {"hard-link", via_hard_link}, {"relative", via_relative_path},
             {"dirfd", via_dirfd},     {"openat2", via_openat2},     {"race", via_race}};

int main(int argc, char **argv) {
  if (argc != 3 || stat(argv[1], &truth) != 0) {
    fprintf(stderr, "usage: evade FILE FOLDER\n");
    return 2;
  }
  for (size_t i = 0; i < sizeof kWays / sizeof *kWays; ++i) {
    fflush(stdout);
    pid_t pid = fork();  // alerts are told apart by process
    if (pid == 0) {
      int n = kWays[i].run(argv[1], argv[2]);
      if (n < 0) fprintf(stderr, "evade: %s: %s\n", kWays[i].name, strerror(errno));
      printf("%s %d %d\n", kWays[i].name, getpid(), n);
      fflush(stdout);
      _exit(n < 0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (status != 0) return 1;
  }
  return 0;
}
