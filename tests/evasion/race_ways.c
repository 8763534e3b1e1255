// What the kernel read is not what a sensor reads: another thread writes the memory, or puts another file in the descriptor's
// place, all the time. Whose file or endpoint it really was is written down, try by try.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "evade.h"

// So that the alerts can be taken up: what is lost proves nothing. After each batch until they have been, or no more come.
enum { kBurst = 50, kPauseUs = 1000, kBatch = 5000, kQuietUs = 3000000 };

static char *letters;
static unsigned long tried;
static int seen_secret, seen_decoy, one_sided;  // one_sided: what is opened is always the secret
enum { kPatience = 30 };                         // times as many, until the threads have met

static int more(void) {
  if (tried < races) return 1;
  return !one_sided && !(seen_secret && seen_decoy) && tried < kPatience * races;
}
static atomic_int racing = 1, waiting;
static uint64_t taken_before;

// For the other thread, between two of its turns.
static int goes_on(void) {
  while (atomic_load(&waiting)) usleep(kPauseUs);
  return atomic_load(&racing);
}

static void wait_for_tally(void) {
  if (!taken) return;
  atomic_store(&waiting, 1);
  uint64_t last = *taken;
  for (long quiet = 0; quiet < kQuietUs && *taken - taken_before < tried; quiet += kPauseUs) {
    usleep(kPauseUs);
    if (*taken != last) quiet = 0;
    last = *taken;
  }
  atomic_store(&waiting, 0);
}

static void note(char who) {
  letters[tried++] = who;
  seen_secret |= who == 'S', seen_decoy |= who == 'D';
  if (tried % kBurst == 0) usleep(kPauseUs);
  if (tried % kBatch == 0) wait_for_tally();
}

// Runs `other` beside `body` and writes the letters.
static int race(const char *name, void *(*other)(void *), void (*body)(void)) {
  pthread_t thread;
  taken_before = taken ? *taken : 0;
  letters = malloc(kPatience * races + 1);
  if (!letters || pthread_create(&thread, NULL, other, NULL) != 0) return kFailed;
  body();
  atomic_store(&racing, 0);
  pthread_join(thread, NULL);
  int secrets = 0;
  for (unsigned long i = 0; i < tried; i++) secrets += letters[i] == 'S';
  FILE *out = fopen(in_folder(name), "w");
  if (!out || fwrite(letters, 1, tried, out) != tried || fclose(out) != 0) return kFailed;
  return secrets;
}

// ---- the path

static char path[1100];
static void *flip_path(void *unused) {
  size_t last = strlen(secret) - 1;
  while (goes_on()) {
    *(volatile char *)&path[last] = 'T';
    *(volatile char *)&path[last] = 't';
  }
  return unused;
}
static void open_path(void) {
  while (more()) note(whose(open(path, O_RDONLY)));
}
static int of_path(void) {
  strcpy(path, secret);
  return race("race-path", flip_path, open_path);
}

// ---- the descriptor: what was opened is kept under another number, and the decoy put in its place

static int number, decoy_fd;
static atomic_int kept = -1, expected;
static void *swap_descriptor(void *unused) {
  while (goes_on()) {
    if (!atomic_load(&expected)) continue;
    int fd = fcntl(number, F_DUPFD, 100);
    if (fd < 0) continue;
    dup2(decoy_fd, number);
    atomic_store(&expected, 0);
    atomic_store(&kept, fd);
  }
  return unused;
}
static void open_swapped(void) {
  while (more()) {
    atomic_store(&kept, -1);
    atomic_store(&expected, 1);
    if (open(secret, O_RDONLY) != number) {
      note('-');
      return;
    }
    int fd;
    while ((fd = atomic_load(&kept)) < 0) continue;
    close(number);
    note(whose(fd));
  }
}
static int of_descriptor(void) {
  one_sided = 1;
  decoy_fd = open(decoy, O_RDONLY);  // an alert of its own, the first one
  number = dup(decoy_fd);
  close(number);
  return race("race-descriptor", swap_descriptor, open_swapped);
}

// ---- the address

static struct sockaddr_in address;
static void *flip_port(void *unused) {
  while (goes_on()) {
    *(volatile uint16_t *)&address.sin_port = htons(decoy_port);
    *(volatile uint16_t *)&address.sin_port = htons(secret_port);
  }
  return unused;
}
static void prepare_address(void) {
  address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(secret_port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}
static void connect_there(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  while (more()) {
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 || getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
      note('-');
    else
      note(ntohs(peer.sin_port) == secret_port ? 'S' : 'D');
  }
}
static int of_address(void) {
  prepare_address();
  return race("race-address", flip_port, connect_there);
}

// A datagram: which of two receivers has it?
static int receiver(uint16_t *port) {
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(*port)};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  return fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof own) == 0 ? fd : -1;
}
static int at_secret, at_decoy;
static void send_there(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  char byte;
  while (more()) {
    if (sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof address) != 1) {
      note('-');
      continue;
    }
    // Over the loopback device it is there when the call returns, or as soon as the interrupt's work is done elsewhere.
    for (;;) {
      if (recv(at_secret, &byte, 1, 0) == 1) {
        note('S');
        break;
      }
      if (recv(at_decoy, &byte, 1, 0) == 1) {
        note('D');
        break;
      }
    }
  }
}
static int of_datagram(void) {
  secret_port = 47013, decoy_port = 47014;  // those of the listeners are the parent's
  at_secret = receiver(&secret_port), at_decoy = receiver(&decoy_port);
  if (at_secret < 0 || at_decoy < 0) return kFailed;
  prepare_address();
  return race("race-datagram", flip_port, send_there);
}

const struct way race_ways[] = {{"path", of_path},
                                {"descriptor", of_descriptor},
                                {"address", of_address},
                                {"datagram", of_datagram},
                                {NULL, NULL}};
