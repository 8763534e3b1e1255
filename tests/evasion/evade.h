// Ways to open a file, reach an endpoint or run a program so that a sensor does not see which: see evade.c.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// What a way answers besides how often it did what it tried.
enum { kFailed = -1, kNotHere = -2 };

struct way {
  const char *name;
  int (*run)(void);
};
extern const struct way open_ways[], connect_ways[], exec_ways[], race_ways[];  // each ends with a null name

extern char folder[1024];          // where everything lies, on one file system
extern char secret[1100];          // folder/secret
extern char decoy[1100];           // folder/decoy
extern char program[1100];         // folder/program: this program, of which no rule wants to see a run
extern char script[1100];          // folder/script: the same as a script
extern unsigned long races;        // how many of each kind
extern uint16_t secret_port, decoy_port;  // listeners of TCP and UDP on 127.0.0.1

// Alerts that the tally has taken up so far, as folder/taken has it, of which a race waits for its own; null: nobody counts them.
extern const volatile uint64_t *taken;

const char *in_folder(const char *name);  // in one of a few buffers, in turn

// 1 if the descriptor is the secret, and says so on stdout by the name that the kernel has for it; closes it.
int is_secret(int fd);
// Whose file a descriptor is: 'S' the secret, 'D' the decoy, '-' none; closes it.
char whose(int fd);
// A system call by the i386 table; -ENOSYS where there is no such. Pointers must be of memory32().
long call32(long number, long a, long b, long c, long d, long e);
void *memory32(size_t size);

// One operation through a new ring. `sqpoll`: a thread of the kernel takes it up. `async`: a worker does.
struct io_uring_sqe;
enum { kInline = 0, kSqpoll = 1, kAsync = 2, kFixedFiles = 4 };
long uring_do(int flags, void (*fill)(struct io_uring_sqe *, void *), void *of);  // -errno, or kNoRing
enum { kNoRing = -100000 };
