// Load for the flood test: critical calls, one a millisecond, beside noise as fast as it goes.
//   flood_load CRITICAL NOISY
// One process calls setuid(N) CRITICAL times, NOISY others setgid(N) until it is done; all of an unprivileged user, so that each
// fails with EPERM. N begins at FIRST_NUMBER; that of setuid goes up by one. In the end a JSON line with how many there were.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_NUMBER = 1000000, NOBODY = 65534, MOST_NOISY = 64 };

struct shared {
  _Atomic uint64_t noise;
  _Atomic uint64_t wrong;  // calls that did not fail with EPERM
  _Atomic int stop;
};
static struct shared *shared;

static void make_noise(void) {
  uint64_t made = 0, wrong = 0;
  while (!shared->stop) {
    for (int i = 0; i < 64; i++, made++) wrong += syscall(SYS_setgid, FIRST_NUMBER) != -1 || errno != EPERM;
  }
  shared->noise += made;
  shared->wrong += wrong;
}

static void make_critical(uint64_t count) {
  struct timespec due;
  clock_gettime(CLOCK_MONOTONIC, &due);
  for (uint64_t i = 0; i < count; i++) {
    if (syscall(SYS_setuid, FIRST_NUMBER + i) != -1 || errno != EPERM) shared->wrong++;
    due.tv_nsec += 1000000;
    if (due.tv_nsec >= 1000000000) due.tv_sec++, due.tv_nsec -= 1000000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
    }
  }
}

static pid_t begin(void (*noise)(void), uint64_t critical) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getuid() == 0 && (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)) _exit(3);
  if (noise) noise();
  else make_critical(critical);
  _exit(0);
}

int main(int argc, char **argv) {
  const uint64_t critical = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
  const int noisy = argc == 3 ? atoi(argv[2]) : -1;
  if (critical == 0 || noisy < 0 || noisy > MOST_NOISY) {
    fprintf(stderr, "usage: flood_load CRITICAL NOISY\n");
    return 2;
  }
  shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return perror("mmap"), 3;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct timespec from, to;
  clock_gettime(CLOCK_MONOTONIC, &from);
  pid_t noise[MOST_NOISY];
  for (int i = 0; i < noisy; i++) noise[i] = begin(make_noise, 0);
  const pid_t steady = begin(NULL, critical);
  int bad = 0, status = 0;
  if (waitpid(steady, &status, 0) != steady) return perror("waitpid"), 3;
  bad |= status;
  shared->stop = 1;
  for (int i = 0; i < noisy; i++) {
    if (waitpid(noise[i], &status, 0) != noise[i]) return perror("waitpid"), 3;
    bad |= status;
  }
  clock_gettime(CLOCK_MONOTONIC, &to);
  printf("{\"pid\":%d,\"first\":%d,\"critical\":%llu,\"noise\":%llu,\"wrong\":%llu,\"seconds\":%.3f}\n", steady, FIRST_NUMBER,
         (unsigned long long)critical, (unsigned long long)shared->noise, (unsigned long long)shared->wrong,
         (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
  return bad ? 3 : 0;
}
