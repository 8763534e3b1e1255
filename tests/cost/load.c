// Loads for rules_cost.py:  load open N · load calls N · load exec N
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
  if (argc != 3) return 0;  // what is executed
  long count = atol(argv[2]);
  static const char *const kFiles[] = {"/usr/include/stdio.h", "/etc/passwd", "/usr/lib/os-release", "/usr/share/doc/bash/copyright"};
  for (long i = 0; i < count; i++) {
    if (strcmp(argv[1], "open") == 0) {
      int fd = open(kFiles[i % 4], O_RDONLY);
      if (fd >= 0) close(fd);
    } else if (strcmp(argv[1], "calls") == 0) {
      syscall(SYS_getppid);
    } else {
      pid_t child;
      char *arguments[] = {argv[0], NULL};
      if (posix_spawn(&child, argv[0], NULL, NULL, arguments, environ) != 0) return 1;
      waitpid(child, NULL, 0);
    }
  }
  return 0;
}
