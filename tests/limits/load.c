// Load for the test of limits: calls that fail, from two processes on two CPUs if there are two.
//   limits_load CALLS GID
// Each calls setgid(GID) CALLS / 2 times as an unprivileged user, and before each 100th connects a socket to 127.0.0.1:9. In the end a JSON line with how many there were.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NOBODY = 65534, PROCESSES = 2 };

struct shared {
  _Atomic uint64_t made;
  _Atomic uint64_t connected;
  _Atomic uint64_t wrong;  // calls that did not fail with EPERM, or not connect
};
static struct shared *shared;

static void make(int process, uint64_t calls, uint64_t gid) {
  cpu_set_t all, one;
  sched_getaffinity(0, sizeof(all), &all);
  for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &all) || seen++ != process % CPU_COUNT(&all)) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
  }
  if (getuid() == 0 && (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)) _exit(3);
  const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int udp = socket(AF_INET, SOCK_DGRAM, 0);  // nothing is sent
  uint64_t wrong = 0, connected = 0;
  for (uint64_t i = 0; i < calls; i++) {
    if (i % 100 == 0) wrong += connect(udp, (const struct sockaddr *)&to, sizeof(to)) != 0, connected++;
    wrong += syscall(SYS_setgid, gid) != -1 || errno != EPERM;
  }
  shared->connected += connected;
  shared->made += calls;
  shared->wrong += wrong;
}

int main(int argc, char **argv) {
  const uint64_t calls = argc == 3 ? strtoull(argv[1], NULL, 10) : 0, gid = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
  if (calls == 0 || gid == 0) {
    fprintf(stderr, "usage: limits_load CALLS GID\n");
    return 2;
  }
  shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return perror("mmap"), 3;
  struct timespec from, to;
  clock_gettime(CLOCK_MONOTONIC, &from);
  pid_t children[PROCESSES];
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = fork();
    if (children[i] != 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    make(i, i == 0 ? (calls + 1) / 2 : calls / 2, gid);
    _exit(0);
  }
  int bad = 0, status = 0;
  for (int i = 0; i < PROCESSES; i++) {
    if (waitpid(children[i], &status, 0) != children[i]) return perror("waitpid"), 3;
    bad |= status;
  }
  clock_gettime(CLOCK_MONOTONIC, &to);
  printf("{\"made\":%llu,\"connected\":%llu,\"wrong\":%llu,\"seconds\":%.3f}\n", (unsigned long long)shared->made,
         (unsigned long long)shared->connected, (unsigned long long)shared->wrong,
         (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
  return bad ? 3 : 0;
}
