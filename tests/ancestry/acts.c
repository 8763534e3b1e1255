// Makes processes whose parents end, and has them open marks. For each it prints `expect MARK PID NAME UID EXE BELOW`: who made the
// one that opens it, and whether ks-top is above.
//   acts ready-file ACT…   run in the folder of the marks; `before` waits for the ready-file, the others begin when it is there
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char exe[4096];
static const char *ready;

// By the effective user, as one opens.
static int is_there(const char *path) { return faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0; }

static void fail(const char *what) {
  printf("failed %s: %s\n", what, strerror(errno));
  fflush(stdout);
  _exit(1);
}

static void name(const char *text) { prctl(PR_SET_NAME, text); }

static pid_t must_fork(void) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid < 0) fail("fork");
  return pid;
}

static void open_mark(const char *mark) {
  int fd = open(mark, O_RDONLY | O_CREAT, 0644);
  if (fd < 0) fail(mark);
  close(fd);
}

// The one that opens the mark, after its maker has gone (getppid tells) and then some.
static void leaf(const char *mark, pid_t maker, const char *maker_name, unsigned uid, int naps) {
  name("ks-leaf");
  while (getppid() == maker) usleep(1000);
  while (!is_there(ready)) usleep(10000);
  for (int i = 0; i < naps; i++) usleep(100000);
  printf("expect %s %d %s %u %s yes\n", mark, maker, maker_name, uid, exe);
  open_mark(mark);
  fflush(stdout);
  _exit(0);
}

static void wait_for(pid_t pid) { waitpid(pid, 0, 0); }

// ks-top makes ks-mid, which makes the leaf and ends, or is killed; ks-top stays until the leaf has ended (a pipe tells), or goes as well.
static void orphan(const char *mark, int killed, int top_goes, int naps) {
  int ends[2];
  if (pipe(ends)) fail("pipe");
  pid_t top = must_fork();
  if (top == 0) {
    name("ks-top");
    pid_t mid = must_fork();
    if (mid == 0) {
      name("ks-mid");
      if (setresuid(1234, 0, 0)) fail("setresuid");
      pid_t maker = getpid();
      if (must_fork() == 0) leaf(mark, maker, "ks-mid", 1234, naps);
      // What it is at the end counts, not what it was when it made the leaf.
      name("ks-mid");
      if (killed) pause();
      _exit(0);
    }
    usleep(50000);
    if (killed) kill(mid, SIGKILL);
    wait_for(mid);
    if (top_goes) _exit(0);
    close(ends[1]);
    char byte;
    while (read(ends[0], &byte, 1) > 0) {
    }
    _exit(0);
  }
  close(ends[1]);
  char byte;
  while (read(ends[0], &byte, 1) > 0) {
  }
  wait_for(top);
}

// Ids up to here are given once, after boot.
enum { RESERVED_IDS = 300 };

static pid_t passing(void) {
  pid_t pid = must_fork();
  if (pid == 0) _exit(0);
  wait_for(pid);
  return pid;
}

// Others have had the maker's id since, and one has it when the mark is opened.
static void reuse(void) {
  while (passing() <= RESERVED_IDS) {
  }
  int ends[2], told[2];
  if (pipe(ends) || pipe(told)) fail("pipe");
  pid_t top = must_fork();
  if (top == 0) {
    name("ks-top");
    pid_t mid = must_fork();
    if (mid == 0) {
      name("ks-mid");
      pid_t maker = getpid();
      if (must_fork() == 0) {
        char byte;
        if (read(told[0], &byte, 1) != 1) fail("read");
        leaf("reuse", maker, "ks-mid", 0, 0);
      }
      _exit(0);
    }
    wait_for(mid);
    for (int i = 0; i < 5000; i++) {
      pid_t pid = must_fork();
      if (pid == 0) {
        name("ks-fake");
        if (getpid() == mid) {
          if (write(told[1], "x", 1) != 1) fail("write");
          usleep(500000);
        }
        _exit(0);
      }
      wait_for(pid);
      if (pid == mid) _exit(0);
    }
    errno = EAGAIN;
    fail("have the same id again");
  }
  close(ends[1]);
  char byte;
  while (read(ends[0], &byte, 1) > 0) {
  }
  wait_for(top);
}

// `count` processes that make one each and end: what is kept of ks-mid makes room for what is kept of them.
static void flood(int count) {
  int go[2];
  if (pipe(go)) fail("pipe");
  pid_t top = must_fork();
  if (top == 0) {
    name("ks-top");
    pid_t mid = must_fork();
    if (mid == 0) {
      name("ks-mid");
      pid_t maker = getpid();
      if (must_fork() == 0) {
        char byte;
        close(go[1]);
        while (read(go[0], &byte, 1) > 0) {
        }
        leaf("flood", maker, "ks-mid", 0, 0);
      }
      _exit(0);
    }
    wait_for(mid);
    _exit(0);
  }
  wait_for(top);
  for (int i = 0; i < count; i++) {
    pid_t maker = vfork();
    if (maker == 0) {
      if (vfork() == 0) _exit(0);
      _exit(0);
    }
    wait_for(maker);
  }
  close(go[1]);
  sleep(1);
}

// The maker names its own parent as the child's: who made it is its parent all the same, while it lives and after.
static void clone_parent(void) {
  pid_t top = must_fork();
  if (top == 0) {
    name("ks-top");
    pid_t mid = must_fork();
    if (mid == 0) {
      name("ks-mid");
      pid_t maker = getpid();
      fflush(stdout);
      if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0) {
        printf("expect clone_parent %d ks-mid 0 %s yes\n", maker, exe);
        open_mark("clone_parent");
        fflush(stdout);
        _exit(0);
      }
      usleep(300000);
      _exit(0);
    }
    while (wait(0) > 0) {
    }
    _exit(0);
  }
  wait_for(top);
}

// The maker comes and goes while there is no agent: whoever takes the ready-file away when it has another name starts the next.
static void gap(void) {
  char name_of[4096];
  snprintf(name_of, sizeof(name_of), "%s.gap", ready);
  if (rename(ready, name_of)) fail("rename");
  while (is_there(name_of)) usleep(10000);
  orphan("gap", 0, 1, 0);
}

int main(int argc, char **argv) {
  ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
  if (length < 0 || argc < 3) fail("begin");
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  ready = argv[1];
  for (int i = 2; i < argc; i++) {
    const char *act = argv[i];
    if (strcmp(act, "before") == 0) {
      // ks-mid and its leaf are there before the agent is; ks-mid goes after.
      pid_t top = must_fork();
      if (top == 0) {
        name("ks-top");
        pid_t mid = must_fork();
        if (mid == 0) {
          name("ks-mid");
          pid_t maker = getpid();
          if (must_fork() == 0) leaf("before", maker, "ks-mid", 0, 5);
          while (!is_there(ready)) usleep(10000);
          _exit(0);
        }
        wait_for(mid);
        sleep(1);
        _exit(0);
      }
      wait_for(top);
      continue;
    }
    while (!is_there(ready)) usleep(10000);
    if (strcmp(act, "double") == 0) orphan("double", 0, 0, 0);
    else if (strcmp(act, "killed") == 0) orphan("killed", 1, 0, 0);
    else if (strcmp(act, "grand") == 0) orphan("grand", 0, 1, 2);
    else if (strcmp(act, "daemon") == 0) orphan("daemon", 0, 1, 30);
    else if (strcmp(act, "gap") == 0) gap();
    else if (strcmp(act, "reuse") == 0) reuse();
    else if (strcmp(act, "clone_parent") == 0) clone_parent();
    else if (strncmp(act, "flood=", 6) == 0) flood(atoi(act + 6));
    else fail(act);
  }
  fflush(stdout);
  return 0;
}
