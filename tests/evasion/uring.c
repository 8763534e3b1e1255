// io_uring by its system calls alone.
#include <linux/io_uring.h>
#include <sys/mman.h>

#include "evade.h"

long uring_do(int flags, void (*fill)(struct io_uring_sqe *, void *), void *of) {
  struct io_uring_params p;
  memset(&p, 0, sizeof p);
  if (flags & kSqpoll) p.flags = IORING_SETUP_SQPOLL, p.sq_thread_idle = 100;
  int ring = (int)syscall(SYS_io_uring_setup, 4, &p);
  if (ring < 0) return kNoRing;
  if (flags & kFixedFiles) {
    int none[1] = {-1};
    if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, none, 1) != 0) return kNoRing;
  }
  size_t sq_size = p.sq_off.array + p.sq_entries * sizeof(unsigned);
  size_t cq_size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
  char *sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
  char *cq = mmap(NULL, cq_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
  struct io_uring_sqe *sqe = mmap(NULL, p.sq_entries * sizeof *sqe, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
                                  IORING_OFF_SQES);
  if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED) return kNoRing;
  memset(sqe, 0, sizeof *sqe);
  fill(sqe, of);
  if (flags & kAsync) sqe->flags |= IOSQE_ASYNC;
  ((unsigned *)(sq + p.sq_off.array))[0] = 0;
  __atomic_store_n((unsigned *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
  unsigned enter = IORING_ENTER_GETEVENTS | (flags & kSqpoll ? IORING_ENTER_SQ_WAKEUP : 0);
  if (syscall(SYS_io_uring_enter, ring, 1, 1, enter, NULL, 0) < 0) return -errno;
  while (__atomic_load_n((unsigned *)(cq + p.cq_off.tail), __ATOMIC_ACQUIRE) == 0) usleep(1000);
  long result = ((struct io_uring_cqe *)(cq + p.cq_off.cqes))->res;
  munmap(sq, sq_size);
  munmap(cq, cq_size);
  close(ring);
  return result;
}
