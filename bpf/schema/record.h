// What BPF and userspace share: the per-CPU scratch in which an event is gathered, and the record that leaves through
// the ring. Plain C; member layout follows THE TABLE (events.def).
#ifndef KS_RECORD_H
#define KS_RECORD_H

#ifdef __cplusplus
#include <linux/types.h>
#define KS_STATIC_ASSERT static_assert
#else
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef signed int __s32;
typedef signed short __s16;
#define KS_STATIC_ASSERT _Static_assert
#endif

// State of one field of one event. Kernel code asks for "is it Ok"; everything else decides as language.md says.
enum ks_status {
  KS_UNREAD = 0,     // no accessor ran
  KS_OK = 1,         // the value is there, whole
  KS_ABSENT = 2,     // the object does not exist for this event; every test on it is false
  KS_TRUNCATED = 3,  // the value is longer than the capture; what is there is a part of it (the tail of a path)
  KS_UNKNOWN = 4,    // reading failed
  KS_RAW = 5,        // a path as the caller wrote it, with ".", ".." or "//" in it: userspace normalises, BPF treats as unknown
  KS_FOREIGN = 6,    // a system call number of another ABI (i386): userspace translates, BPF treats as unknown
};

enum {
  KS_RULE_WORDS = 16,      // 64 rules each, per event kind
  KS_MAX_ATOMS = 1024,     // per event kind
  KS_RECORD_MAX = 6144,    // bytes of one ring record
  KS_TEXT_SLACK = 16,      // bytes behind a text's capture, so that words may be read over its end
};

// Slots: how scratch holds a value. The four kinds are the `slot` column of types.def.
struct ks_slot_Int {
  __s64 value;
};
struct ks_slot_Ip {
  __u8 address[16];  // network order; IPv4 as ::ffff:a.b.c.d
};
struct ks_slot_Endpoint {
  __u8 address[16];
  __u16 port;  // host order
  __u16 pad[3];
};
// Text: `len` bytes at data, no terminating NUL; data[len .. len+7] is zero so that whole words compare.
#define KS_SLOT_TEXT(capture) \
  struct {                    \
    __u32 len;                \
    __u32 pad;                \
    char data[(capture) + KS_TEXT_SLACK]; \
  }
// Texts that userspace computes take no room in scratch.
#define KS_SCRATCH_BYTES_Kernel(capture) (capture)
#define KS_SCRATCH_BYTES_User(capture) 0

// Field numbers, in the order of the table. Also the numbers in records.
enum ks_field {
#define KS_FIELD(object, field, type, decided, dataclass, about) KS_FIELD_##object##_##field,
#define KS_TEXT(object, field, type, capture, decided, dataclass, about) KS_FIELD_##object##_##field,
#define KS_NAMED(object, field, type, enumeration, decided, dataclass, about) KS_FIELD_##object##_##field,
#include "events.def"
  KS_FIELD_COUNT
};

enum ks_kind {
#define KS_EVENT(kind, hook, about) KS_KIND_##kind,
#include "events.def"
  KS_KIND_COUNT,
  KS_KIND_NONE = 255,
};

// Maps a type of the table to its slot's name, so that the table alone decides the layout.
#define KS_SLOT_OF_Bool struct ks_slot_Int
#define KS_SLOT_OF_Int struct ks_slot_Int
#define KS_SLOT_OF_Port struct ks_slot_Int
#define KS_SLOT_OF_Duration struct ks_slot_Int
#define KS_SLOT_OF_Size struct ks_slot_Int
#define KS_SLOT_OF_Time struct ks_slot_Int
#define KS_SLOT_OF_Mode struct ks_slot_Int
#define KS_SLOT_OF_Enum struct ks_slot_Int
#define KS_SLOT_OF_Flags struct ks_slot_Int
#define KS_SLOT_OF_Ip struct ks_slot_Ip
#define KS_SLOT_OF_Endpoint struct ks_slot_Endpoint

struct ks_fields {
#define KS_FIELD(object, field, type, decided, dataclass, about) KS_SLOT_OF_##type object##_##field;
#define KS_TEXT(object, field, type, capture, decided, dataclass, about) KS_SLOT_TEXT(KS_SCRATCH_BYTES_##decided(capture)) object##_##field;
#define KS_NAMED(object, field, type, enumeration, decided, dataclass, about) KS_SLOT_OF_##type object##_##field;
#include "events.def"
};

// What a hook knows of its event; accessors start from here. Kernel addresses are plain numbers and are read with CO-RE.
struct ks_context {
  __u64 task;       // struct task_struct *: who did it
  __u64 regs;       // struct pt_regs *: sys_exit only
  __u64 arg[6];     // sys_exit: arguments of the call, by the caller's ABI · io_uring: the opcode
  __s64 ret;        // sys_exit: what the call returned
  __u64 object;     // fork: the new task · open, accept: struct file *, once resolved
  __u64 file;       // file of the event once resolved (ks_event_file), or 0
  __u64 sock;       // socket of the event once resolved (ks_event_sock), or 0
  __u32 nr;         // system call number, by the caller's ABI
  __u32 hook;       // index of the hook, which finds this scratch again
  __u16 call;       // enum ks_call (bpf/fields/calls.h): which of the calls that have a kind of their own
  __u8 compat;      // 1: the caller used the i386 ABI
  __u8 file_tried;  // ks_event_file ran
  __u8 sock_tried;  // ks_event_sock ran
  __u8 kind;        // enum ks_kind
  __u8 captured;    // enum ks_captured_what: of what scratch.captured is a copy that was taken during this call
  __u8 pad;
  __u64 path_end;   // in scratch.path: where the next component ends while a path is built
};

// What a function of the kernel was given during a call: the kernel's own copy, which no other thread writes. Addresses may be
// those of things that are gone when they are read.
enum ks_captured_what {
  KS_CAPTURED_NOTHING,
  KS_CAPTURED_FILE,
  KS_CAPTURED_SOCKET,
  KS_CAPTURED_NAMES,  // in ks_captured_names (maps.h)
  KS_CAPTURED_PATH,   // in ks_captured_paths: as it was before the call, which may change where things are
};
struct ks_captured_file {
  __u64 mnt, dentry, inode;  // addresses
  __u64 number;              // of the inode
  __u32 device;
  __u32 f_mode, f_flags;
  __u32 i_mode;
};
struct ks_captured_socket {
  __u64 sock;       // address
  __u16 family;     // of the socket
  __u16 protocol;
  __u16 pad[2];
  __u16 to_family;  // struct sockaddr_in6; the start of struct sockaddr_in has the same shape
  __u16 to_port;
  __u32 flow_or_v4;
  __u8 to_v6[16];
};
enum { KS_CALL_WORDS = 9 };
struct ks_captured {
  __u64 call[KS_CALL_WORDS];  // the caller's registers r10 to orig_ax, as struct pt_regs has them, ax apart: which call it was
  __u32 what;                 // enum ks_captured_what
  __u32 pad;
  struct ks_captured_file file;      // the first that the call opened; of names only the mount
  __u64 last_dentry, last_inode;     // the last: the kernel may open files for its own ends in between
  struct ks_captured_socket socket;  // of the first message
};

// Head of a ring record; `words` 64-bit words follow, then `struct ks_item`s to its end. The words are a bit per rule of the kind;
// or, if `summary` is not 0, so many of them say which words of a bit per clause (ir::Index) are not zero, and those follow.
struct ks_record {
  __u64 time_ns;        // CLOCK_BOOTTIME
  __u64 sequence : 48;  // a stream (KS_SEQUENCE_BITS up) and the number in it, of sent and dropped records: a gap is a proof of loss
  __u64 cpu : 16;
  __u32 generation;     // which loaded bundle decided
  __u16 words;
  __u8 kind;
  __u8 summary;
};
KS_STATIC_ASSERT(sizeof(struct ks_record) == 24, "the head that every record pays for");

// One field's value, or the literal that an atom matched; padded to KS_ITEM_ALIGN bytes.
struct ks_item {
  __u16 id;      // enum ks_field; with KS_ITEM_ATOM set: number of the atom in the kind's plan, or of the index's dimension
  __u8 status;   // enum ks_status
  __u8 high;     // of a dimension: bits above those of index · of a field: KS_ITEM_SHORT or 0
  __u16 len;     // bytes of data that follow, before padding · KS_ITEM_SHORT: the number's low half
  __u16 index;   // of an atom: which literal matched · of a dimension: which outcome · KS_ITEM_SHORT: the number's high half
};
enum {
  KS_ITEM_ATOM = 0x8000,
  KS_ITEM_SHORT = 1,     // a number that is a signed 32-bit one is in len and index, and nothing follows
  KS_ITEM_ALIGN = 4,
  KS_RECORD_LAYOUT = 4,  // goes up when head or items change in a way that their sizes do not show
};

// Two rings: a flood of what only sequences and aggregates ask for cannot push out what is an alert by itself.
enum ks_ring_number {
  KS_RING_ALERTS = 0,   // of the rules that passed the record, one at least can alert by this event alone
  KS_RING_CONTEXT = 1,  // all of them wait for other events as well
  KS_RINGS = 2,
};

// Each hook counts by itself: its programs never nest on a CPU, those of two hooks may (from Linux 7 on), and then numbers that
// they share would need atomics. A stream is a hook's records for one ring: hook * KS_RINGS + ring.
enum { KS_SEQUENCE_BITS = 42, KS_STREAMS = 64 };

// Per CPU, hook and event kind: seen = filtered + limited + submitted + dropped holds exactly.
struct ks_seen_counters {
  __u64 seen;
  __u64 filtered;
};
struct ks_passed_counters {
  __u64 limited;
  __u64 submitted[KS_RINGS];
  __u64 dropped[KS_RINGS];
};

// Of a kind with many rules (ir::Index): rows with a bit per clause are ANDed, their summaries first.
enum {
  KS_ROWS_SUMMARY = 8,        // words with a bit per word
  KS_ROWS_WORDS = 512,        // words with a bit per clause
  KS_ROWS_DIMENSIONS = 128,
  KS_ROWS_SCANNERS = 64,
  KS_ROWS_HITS = 8,           // of one scanner; beyond, the text counts as unknown
  KS_ROWS_LIST = 192,         // rows that are ANDed; those of scanners may be left out
  KS_ROWS_MORE = 1u << 31,    // in the list: ORed with the next before the AND
  KS_ROWS_CLAUSES = 64,       // that passed and are told apart when the record is made; beyond, it carries what any rule asks for
  KS_ROWS_NOT_SCANNED = 254,  // as number of hits
  KS_ROWS_UNDECIDED = 255,    // too many hits
};
struct ks_rows {
  __u64 alive[KS_ROWS_SUMMARY];
  __u64 words[KS_ROWS_WORDS];         // of alive ones
  __u32 list[256];                    // rows to AND; room for an index of 8 bits
  __u32 listed;                       // of them: at most KS_ROWS_LIST
  __u32 left;                         // clauses that may still be told apart
  __u32 outcome[KS_ROWS_DIMENSIONS];  // what the dimension gave, from 1; 0: nothing
  __u16 hits[KS_ROWS_SCANNERS][KS_ROWS_HITS];
  __u8 hit_count[KS_ROWS_SCANNERS];
  __u64 key[3];                       // an address, as what it is looked up by
  __u64 copied[2], tested[2];         // fields, by what the clauses that passed ask for
  __u64 reported[2];                  // dimensions, likewise
};

// Per CPU and hook (a hook's program never nests in itself on one CPU: the kernel skips and counts that). What most events need
// stands together, at the beginning: a page that is touched costs more than many instructions.
struct ks_scratch {
  char path[1024 + 512];                      // paths are built here from their end
  struct ks_context context;
  __u8 status[(KS_FIELD_COUNT + 7) / 8 * 8];  // enum ks_status, by field
  __u64 alive[KS_RULE_WORDS];                 // rules of this kind that may still match
  struct ks_seen_counters counted[KS_KIND_COUNT];
  struct ks_fields fields;
  struct ks_captured captured;
  __u8 can[KS_MAX_ATOMS];                     // per atom: KS_CAN_BE_TRUE | KS_CAN_BE_FALSE
  __u16 which[KS_MAX_ATOMS];                  // per atom: index of the literal that matched
  struct ks_rows rows;
  __u32 out_size;
  __u32 pad;
  __u8 out[KS_RECORD_MAX + 1024];             // the record; the slack keeps every bounded copy inside
  struct ks_passed_counters passed[KS_KIND_COUNT];
};
enum { KS_CAN_BE_TRUE = 1, KS_CAN_BE_FALSE = 2 };
KS_STATIC_ASSERT(sizeof(struct ks_scratch) <= 32 * 1024, "a per-CPU value of a BPF map is at most 32 KiB");

// A file that the policy names, by device and inode (file.canonical).
struct ks_inode {
  __u64 device;  // major << 20 | minor, as in the kernel's dev_t
  __u64 inode;
};
struct ks_name {
  __u32 len;
  __u32 pad;
  char data[512 + KS_TEXT_SLACK];
};

// Maps that the agent owns and every bundle's object names (bpf/hooks/maps.h declares them).
//   ks_scratch  PERCPU_ARRAY  hook → struct ks_scratch, which counts, too
//   ks_ring     RINGBUF       records: KS_RING_ALERTS
//   ks_ring_context RINGBUF   records: KS_RING_CONTEXT
//   ks_sequence PERCPU_ARRAY  stream → __u64: the next number
//   ks_inodes   HASH          struct ks_inode → struct ks_name
//   ks_exited   LRU_HASH      process → __u8: which ends of processes were told already
//   ks_captured LRU_HASH      thread id → struct ks_captured (trampoline tier)
//   ks_active   ARRAY         0 → __u32 epoch; bit 0 chooses the bank
//   ks_bank_<hook> PROG_ARRAY bank → program

#endif
