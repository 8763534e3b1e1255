// What a shell script cannot do by itself for the live test. Static, so that it also runs where there is nothing else.
//   acts reverse PROGRAM [ARG…]       a listener on loopback, and PROGRAM with the other end as its standard input
//   acts unix PROGRAM [ARG…]          the same over a Unix socket
//   acts spawn PROGRAM [ARG…]         start PROGRAM and wait for it
//   acts memfd NAME FILE [ARG…]       run a copy of FILE from memory
//   acts as UID PROGRAM [ARG…]        become UID for good, then PROGRAM
//   acts become-root                  setuid(0); status 0 if that worked
//   acts connect ADDRESS PORT         try to connect by TCP; status 0 if there was an attempt
//   acts read FILE                    open and read FILE
//   acts nothing                      end at once (also under any name that is none of these programs')
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static int run(char** argv) {
  execvp(argv[0], argv);
  fail(argv[0]);
  return 1;
}

static int wait_for(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) < 0) fail("waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int spawn(char** argv) {
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) return run(argv);
  return wait_for(child);
}

// The listener stays in the parent, so that the program at the other end finds a living peer.
static int reverse(char** argv) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr*)&address, sizeof address) || listen(listener, 1) ||
      getsockname(listener, (struct sockaddr*)&address, &size))
    fail("listen");
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    close(listener);
    int end = socket(AF_INET, SOCK_STREAM, 0);
    if (end < 0 || connect(end, (struct sockaddr*)&address, sizeof address) || dup2(end, 0) < 0) fail("connect");
    return run(argv);
  }
  int end = accept(listener, NULL, NULL);
  if (end < 0) fail("accept");
  return wait_for(child);
}

static int over_unix(char** argv) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) fail("socketpair");
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    if (dup2(ends[0], 0) < 0) fail("dup2");
    return run(argv);
  }
  return wait_for(child);
}

static int memfd(const char* name, const char* file, char** argv) {
  int source = open(file, O_RDONLY | O_CLOEXEC);
  int image = memfd_create(name, MFD_CLOEXEC);
  struct stat about;
  if (source < 0 || image < 0 || fstat(source, &about)) fail(file);
  for (off_t at = 0; at < about.st_size;)
    if (sendfile(image, source, &at, (size_t)(about.st_size - at)) <= 0) fail("sendfile");
  extern char** environ;
  fexecve(image, argv, environ);
  fail("fexecve");
  return 1;
}

static int try_connect(const char* host, const char* port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) fail(host);
  int end = socket(AF_INET, SOCK_STREAM, 0);
  if (end < 0) fail("socket");
  return connect(end, (struct sockaddr*)&address, sizeof address) == 0 || errno == ECONNREFUSED ? 0 : 1;
}

static int read_file(const char* path) {
  char buffer[256];
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || read(file, buffer, sizeof buffer) < 0) fail(path);
  return 0;
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "nothing";
  if (!strcmp(what, "reverse") && argc > 2) return reverse(argv + 2);
  if (!strcmp(what, "unix") && argc > 2) return over_unix(argv + 2);
  if (!strcmp(what, "spawn") && argc > 2) return spawn(argv + 2);
  if (!strcmp(what, "memfd") && argc > 3) return memfd(argv[2], argv[3], argv + 3);
  if (!strcmp(what, "as") && argc > 3) {
    uid_t uid = (uid_t)atoi(argv[2]);
    if (setresuid(uid, uid, uid)) fail("setresuid");
    return run(argv + 3);
  }
  if (!strcmp(what, "become-root")) return setuid(0) ? 1 : 0;
  if (!strcmp(what, "connect") && argc > 3) return try_connect(argv[2], argv[3]);
  if (!strcmp(what, "read") && argc > 2) return read_file(argv[2]);
  return 0;
}
