// Load for the swap test: numbered system calls among many that nobody asks for, and processes that start and end.
//   swap_load EVENTS_PER_SECOND CALLS_PER_SECOND SPAWNS_PER_SECOND
// Two processes of an unprivileged user call setuid(N), which fails with EPERM and carries N, and getppid in between. Every N is
// used once. A third, called swap_spawn, starts a program that does nothing. On SIGTERM: one JSON line with how many numbers, calls and
// starts there were. N begins at FIRST_NUMBER.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES = 2, FIRST_NUMBER = 1000000, NOBODY = 65534 };

struct shared {
  _Atomic uint64_t next;   // number
  _Atomic uint64_t calls;
  _Atomic uint64_t wrong;  // numbered calls that did not fail with EPERM
  _Atomic uint64_t spawned;
  _Atomic int stop;
};

static struct shared *shared;

static void stop(int signal) {
  (void)signal;
  shared->stop = 1;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void work(double events_per_second, double calls_per_second) {
  const double begin = now();
  uint64_t events = 0, calls = 0;
  while (!shared->stop) {
    const double elapsed = now() - begin;
    if ((double)events < elapsed * events_per_second) {
      const uint64_t number = shared->next++;
      if (syscall(SYS_setuid, FIRST_NUMBER + number) != -1 || errno != EPERM) shared->wrong++;
      events++;
      calls++;
    }
    if ((double)calls < elapsed * calls_per_second) {
      for (int i = 0; i < 50; i++) syscall(SYS_getppid);
      calls += 50;
    } else {
      // Ahead of its due time: leave the CPU to the agent.
      nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
      calls++;
    }
  }
  shared->calls += calls;
}

static int spawn(double spawns_per_second) {
  char *const words[] = {"swap_nothing", "--nothing", NULL}, *const none[] = {NULL};
  prctl(PR_SET_NAME, "swap_spawn");
  const double begin = now();
  while (!shared->stop) {
    if ((double)shared->spawned >= (now() - begin) * spawns_per_second) {
      nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
      continue;
    }
    pid_t child = 0;
    int status = 0;
    if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, words, none) != 0) return 3;
    shared->spawned++;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) return 3;
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--nothing") == 0) return 0;
  if (argc != 4) {
    fprintf(stderr, "usage: swap_load EVENTS_PER_SECOND CALLS_PER_SECOND SPAWNS_PER_SECOND\n");
    return 2;
  }
  const double events_per_second = strtod(argv[1], NULL) / PROCESSES, calls_per_second = strtod(argv[2], NULL) / PROCESSES;
  shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return perror("mmap"), 3;
  if (getuid() == 0 && (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)) {
    return perror("become nobody"), 3;
  }
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  // Not an orphan for ever, should the test be killed.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const double begin = now();
  pid_t children[PROCESSES + 1];
  for (int i = 0; i <= PROCESSES; i++) {
    children[i] = fork();
    if (children[i] < 0) return perror("fork"), 3;
    if (children[i] == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (i == PROCESSES) _exit(spawn(strtod(argv[3], NULL)));
      work(events_per_second, calls_per_second);
      _exit(0);
    }
  }
  int bad = 0;
  for (int i = 0; i <= PROCESSES; i++) {
    int status = 0;
    while (waitpid(children[i], &status, 0) < 0 && errno == EINTR) {
    }
    bad |= status;
  }
  const double seconds = now() - begin;
  printf("{\"pids\":[%d,%d],\"first\":%d,\"events\":%llu,\"calls\":%llu,\"wrong\":%llu,\"spawner\":%d,\"spawned\":%llu,\"seconds\":%.3f}\n",
         children[0], children[1], FIRST_NUMBER, (unsigned long long)shared->next, (unsigned long long)shared->calls,
         (unsigned long long)shared->wrong, children[PROCESSES], (unsigned long long)shared->spawned, seconds);
  return bad ? 3 : 0;
}
