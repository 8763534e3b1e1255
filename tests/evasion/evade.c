// Does one thing in every way that might hide it, and says what was really done, by the kernel's word.
//   evade FOLDER RACES GROUP…     groups: open, connect, exec, race. FOLDER holds secret, secreT, program (this one) and script.
//   evade --tally TAKEN           alerts as JSON lines → rule, time, pid, uncertain or not, message; for what comes by the million;
//                                 the file TAKEN holds how many there were, as a number of 64 bits
// Each way is a process of its own, by which alerts are told apart. A line for each, with tabs between:
//   group, way, pid, how often it was done (-1: it failed, -2: not to be had here), the file's path
// and of races a line of letters: whose file or endpoint the kernel took, try by try.
#include "evade.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

char folder[1024], secret[1100], decoy[1100], program[1100], script[1100];
unsigned long races = 1000;
uint16_t secret_port, decoy_port;
const volatile uint64_t *taken;

static struct stat truth, other;
static char opened[4096];  // the kernel's name for what is_secret saw

const char *in_folder(const char *name) {
  static char paths[4][1400];
  static unsigned turn;
  char *path = paths[turn++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

char whose(int fd) {
  struct stat info;
  char who = '-';
  if (fd >= 0 && fstat(fd, &info) == 0 && info.st_dev == truth.st_dev)
    who = info.st_ino == truth.st_ino ? 'S' : info.st_ino == other.st_ino ? 'D' : '-';
  if (fd >= 0) close(fd);
  return who;
}

int is_secret(int fd) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = fd < 0 ? -1 : readlink(link, opened, sizeof opened - 1);
  opened[size < 0 ? 0 : size] = 0;
  if (fd < 0 && getenv("EVADE_LOUD")) perror("evade");
  return fd < 0 ? kFailed : whose(fd) == 'S';
}

static long gate32(long number, long a, long b, long c, long d, long e) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory", "r8", "r9", "r10", "r11");
  return result;
}

// Under some hypervisors the gate faults.
static int has_gate32(void) {
  pid_t pid = fork();
  if (pid == 0) _exit(gate32(20, 0, 0, 0, 0, 0) == getpid() ? 0 : 1);
  int status = 0;
  return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

long call32(long number, long a, long b, long c, long d, long e) { return has_gate32() ? gate32(number, a, b, c, d, e) : -ENOSYS; }

void *memory32(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (memory == MAP_FAILED) {
    perror("evade: memory below 4 GiB");
    exit(1);
  }
  return memory;
}

// Both stay open until the end: whoever connects is taken up by the backlog, datagrams by the buffer.
static uint16_t listen_at(int type, uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || (type == SOCK_STREAM && listen(fd, 128) != 0)) {
    perror("evade: listen");
    exit(1);
  }
  return port;
}

static long times_ran(void) {
  struct stat info;
  return stat(in_folder("ran"), &info) == 0 ? (long)info.st_size : 0;
}

static void run_way(const char *group, const struct way *way) {
  int is_exec = strcmp(group, "exec") == 0;
  long before = times_ran();
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    int n = way->run();
    if (n == kFailed) fprintf(stderr, "evade: %s by %s: %s\n", group, way->name, strerror(errno));
    if (!is_exec || n < 0) printf("%s\t%s\t%d\t%d\t%s\n", group, way->name, getpid(), n, opened);
    fflush(stdout);
    _exit(is_exec && n < 0 ? 99 : 0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (is_exec && !(WIFEXITED(status) && WEXITSTATUS(status) == 99))
    printf("%s\t%s\t%d\t%ld\t\n", group, way->name, pid, times_ran() - before);
  else if (WIFSIGNALED(status))
    printf("%s\t%s\t%d\t-1\tended by signal %d\n", group, way->name, pid, WTERMSIG(status));
}

// The text behind `name` up to `end`.
static const char *after(const char *line, const char *name, char end, char *out, size_t size) {
  const char *at = strstr(line, name);
  size_t n = 0;
  if (at)
    for (at += strlen(name); at[n] && at[n] != end && n + 1 < size; n++) out[n] = at[n];
  out[n] = 0;
  return out;
}

static void *count_in(const char *path, int flags, int access) {
  int fd = open(path, flags, 0600);
  if (fd >= 0 && (flags & O_CREAT) && ftruncate(fd, sizeof *taken) != 0) return NULL;
  void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *taken, access, MAP_SHARED, fd, 0);
  return at == MAP_FAILED ? NULL : at;
}

static int tally(const char *path) {
  volatile uint64_t *count = count_in(path, O_RDWR | O_CREAT | O_TRUNC, PROT_READ | PROT_WRITE);
  if (!count) {
    perror(path);
    return 1;
  }
  static char line[1 << 16];
  while (fgets(line, sizeof line, stdin)) {
    char rule[128], time[64], pid[32], uncertain[256], message[4096];
    after(line, "\"rule\":\"", '"', rule, sizeof rule);
    after(line, "\"time\":\"", '"', time, sizeof time);
    after(line, "\"process\":{\"pid\":", ',', pid, sizeof pid);
    after(line, "\"uncertain\":[", ']', uncertain, sizeof uncertain);
    after(line, "\"message\":\"", '"', message, sizeof message);
    printf("%s\t%s\t%s\t%s\t%s\n", rule, time, pid, uncertain, message);
    ++*count;
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--tally") == 0) return tally(argv[2]);
  for (int i = 1; i + 1 < argc; i++) {  // run as the secret program, by whatever name, or behind the loader
    if (strcmp(argv[i], "--ran") != 0) continue;
    snprintf(folder, sizeof folder, "%s", argv[i + 1]);
    int fd = open(in_folder("ran"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    return fd >= 0 && write(fd, "x", 1) == 1 ? 0 : 1;
  }
  if (argc < 4) {
    fprintf(stderr, "usage: evade FOLDER RACES GROUP…\n");
    return 2;
  }
  snprintf(folder, sizeof folder, "%s", argv[1]);
  races = strtoul(argv[2], NULL, 10);
  snprintf(secret, sizeof secret, "%s/secret", folder);
  snprintf(decoy, sizeof decoy, "%s/secreT", folder);  // one byte apart, so that a race is never lost to a torn path
  snprintf(program, sizeof program, "%s/program", folder);
  snprintf(script, sizeof script, "%s/script", folder);
  if (stat(secret, &truth) != 0 || stat(decoy, &other) != 0) {
    perror("evade: the secret and its decoy");
    return 1;
  }
  taken = count_in(in_folder("taken"), O_RDONLY, PROT_READ);
  secret_port = listen_at(SOCK_STREAM, 47011), decoy_port = listen_at(SOCK_STREAM, 47012);
  listen_at(SOCK_DGRAM, 47011), listen_at(SOCK_DGRAM, 47012);

  const struct {
    const char *name;
    const struct way *ways;
  } groups[] = {{"open", open_ways}, {"connect", connect_ways}, {"exec", exec_ways}, {"race", race_ways}};
  for (int i = 3; i < argc; i++)
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
      if (strcmp(argv[i], groups[g].name) == 0)
        for (const struct way *way = groups[g].ways; way->name; way++) run_way(groups[g].name, way);
  return 0;
}
