// Loads for rules_cost.py:  load open N · load calls N · load exec N
// And what BPF programs cost:  load programs PID  prints "ID NAME NANOSECONDS RUNS" of each that the process holds.
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static long Bpf(int command, union bpf_attr *attr) { return syscall(SYS_bpf, command, attr, sizeof(*attr)); }

// 0 if it is no program of BPF.
static unsigned ProgramBehind(const char *folder, const char *name) {
  char path[512], line[256];
  unsigned id = 0;
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  int is_link = 0;
  while (fgets(line, sizeof(line), file)) {
    is_link |= strncmp(line, "link_id:", 8) == 0;
    sscanf(line, "prog_id: %u", &id);
  }
  fclose(file);
  return is_link ? 0 : id;
}

static int TellPrograms(const char *pid) {
  char folder[64];
  snprintf(folder, sizeof(folder), "/proc/%s/fdinfo", pid);
  DIR *all = opendir(folder);
  if (!all) return 1;
  for (struct dirent *one = readdir(all); one; one = readdir(all)) {
    union bpf_attr attr = {.prog_id = ProgramBehind(folder, one->d_name)};
    if (!attr.prog_id) continue;
    int program = (int)Bpf(BPF_PROG_GET_FD_BY_ID, &attr);
    if (program < 0) return 1;
    struct bpf_prog_info info = {0};
    union bpf_attr asked = {.info = {.bpf_fd = (unsigned)program, .info_len = sizeof(info), .info = (unsigned long)&info}};
    if (Bpf(BPF_OBJ_GET_INFO_BY_FD, &asked) != 0) return 1;
    printf("%u %s %llu %llu\n", info.id, info.name, (unsigned long long)info.run_time_ns, (unsigned long long)info.run_cnt);
    close(program);
  }
  closedir(all);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 3) return 0;  // what is executed
  if (strcmp(argv[1], "programs") == 0) return TellPrograms(argv[2]);
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
