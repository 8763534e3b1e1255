// Records: gathered in scratch, sent with one copy into the ring.
#include "bpf/fields/access.h"
#include "bpf/hooks/abi.h"
#include "bpf/hooks/maps.h"

const volatile __u32 ks_generation = 0;

// The kernel's functions, by numbers that no helper has: the loader writes what they are into the calls, or nothing where the kernel does
// not preempt programs (runtime/kernel/preempt.cpp). As externs they would be looked for in modules, which CAP_BPF does not allow.
static void (*const preempt_disable)(void) = (void *)KS_CALL_PREEMPT_DISABLE;
static void (*const preempt_enable)(void) = (void *)KS_CALL_PREEMPT_ENABLE;

// What hangs on functions of the kernel has one dispatcher, and so nobody beside it.
static KS_INLINE int is_shared(__u32 hook_index) { return hook_index < KS_HOOK_io_issue_sqe; }

KS_INLINE void ks_keep_stack(void *ctx, __u32 hook_index) {
  __u64 never;
  asm volatile("%0 = 0" : "=r"(never));
  if (!never) return;
#define KS_JUMP(hook) \
  if (hook_index == KS_HOOK_##hook) bpf_tail_call(ctx, &ks_bank_##hook, 0);
  KS_HOOKS(KS_JUMP)
  KS_EXIT_HOOKS(KS_JUMP)
#undef KS_JUMP
}

enum { KS_LONGEST_TEXT = 512 };

KS_INLINE struct ks_scratch *ks_begin(__u32 hook_index) {
  if (is_shared(hook_index)) preempt_disable();
  struct ks_scratch *s = bpf_map_lookup_elem(&ks_scratch, &hook_index);
  if (!s) return 0;
  __builtin_memset(&s->context, 0, sizeof(s->context));
  __builtin_memset(s->status, KS_UNREAD, sizeof(s->status));
  s->context.hook = hook_index;
  return s;
}

KS_INLINE void ks_end(__u32 hook_index) {
  if (is_shared(hook_index)) preempt_enable();
}

KS_INLINE void ks_record_begin(struct ks_scratch *s, __u32 kind, __u32 words, __u32 generation) {
  struct ks_record *head = (struct ks_record *)s->out;
  head->time_ns = bpf_ktime_get_boot_ns();
  head->generation = generation;
  head->cpu = bpf_get_smp_processor_id();
  head->kind = kind;
  head->summary = 0;
  head->words = words;
  __u64 *alive = (__u64 *)(head + 1);
  for (__u32 i = 0; i < KS_RULE_WORDS; i++) {
    if (i >= words) break;
    alive[i] = s->alive[i];
  }
  s->out_size = sizeof(*head) + words * sizeof(__u64);
}

// Appends the head of an item with room for `len` bytes, at most KS_LONGEST_TEXT. Null if the record is full.
static KS_INLINE __u8 *ks_item(struct ks_scratch *s, __u32 id, __u32 status, __u32 index, __u64 len) {
  __u64 at = *(volatile __u32 *)&s->out_size;
  // The verifier bounds `at` by this test; scratch has room for the longest text behind it.
  asm volatile("" : "+r"(at));
  if (at > KS_RECORD_MAX - sizeof(struct ks_item)) return 0;
  __u64 padded = (len + KS_ITEM_ALIGN - 1) & -(__u64)KS_ITEM_ALIGN;
  if (at + sizeof(struct ks_item) + padded > KS_RECORD_MAX) return 0;
  struct ks_item *item = (struct ks_item *)(s->out + at);
  item->id = id;
  item->status = status;
  item->high = 0;
  item->len = len;
  item->index = index;
  s->out_size = at + sizeof(struct ks_item) + padded;
  return (__u8 *)(item + 1);
}

static KS_INLINE int ks_has_value(__u32 status) {
  return status == KS_OK || status == KS_TRUNCATED || status == KS_RAW || status == KS_FOREIGN;
}

KS_INLINE void ks_record_status(struct ks_scratch *s, __u32 field) {
  __u32 status = s->status[field];
  if (status == KS_UNREAD || status == KS_OK) return;
  if (field == KS_FIELD_process_args && status == KS_UNKNOWN) ks_sub_note_unread_args(s->context.hook);
  ks_item(s, field, status, 0, 0);
}

KS_INLINE void ks_record_int(struct ks_scratch *s, __u32 field, const struct ks_slot_Int *slot) {
  __u32 status = s->status[field];
  if (!ks_has_value(status)) {
    ks_record_status(s, field);
    return;
  }
  __s64 value = slot->value;
  if (value == (__s32)value) {
    __u8 *end = ks_item(s, field, status, (__u32)value >> 16, 0);
    if (!end) return;
    struct ks_item *item = (struct ks_item *)end - 1;
    item->high = KS_ITEM_SHORT;
    item->len = value;
    return;
  }
  __u64 *data = (__u64 *)ks_item(s, field, status, 0, sizeof(*slot));
  if (data) *data = value;
}

KS_INLINE void ks_record_ip(struct ks_scratch *s, __u32 field, const struct ks_slot_Ip *slot) {
  __u32 status = s->status[field];
  if (!ks_has_value(status)) {
    ks_record_status(s, field);
    return;
  }
  __u8 *value = ks_item(s, field, status, 0, sizeof(*slot));
  if (value) __builtin_memcpy(value, slot, sizeof(*slot));
}

KS_INLINE void ks_record_endpoint(struct ks_scratch *s, __u32 field, const struct ks_slot_Endpoint *slot) {
  __u32 status = s->status[field];
  if (!ks_has_value(status)) {
    ks_record_status(s, field);
    return;
  }
  __u8 *value = ks_item(s, field, status, 0, sizeof(*slot));
  if (value) __builtin_memcpy(value, slot, sizeof(*slot));
}

KS_INLINE void ks_record_text(struct ks_scratch *s, __u32 field, const void *slot) {
  __u32 status = s->status[field];
  if (!ks_has_value(status)) {
    ks_record_status(s, field);
    return;
  }
  __u64 len = *(const volatile __u32 *)slot;
  asm volatile("" : "+r"(len));
  if (len > KS_LONGEST_TEXT) return;
  __u8 *value = ks_item(s, field, status, 0, len);
  if (!value) return;
  // Padding must not show what was there before.
  *(__u32 *)(value + (len & -(__u64)KS_ITEM_ALIGN)) = 0;
  bpf_probe_read_kernel(value, len, (const char *)slot + 2 * sizeof(__u32));
}

KS_INLINE void ks_record_atom(struct ks_scratch *s, __u32 atom) {
  if (atom < KS_MAX_ATOMS) ks_item(s, KS_ITEM_ATOM | atom, KS_OK, s->which[atom], 0);
}

static KS_INLINE void ks_record_outcome(struct ks_scratch *s, __u32 dimension, __u32 outcome) {
  __u8 *end = ks_item(s, KS_ITEM_ATOM | dimension, KS_OK, outcome & 0xffff, 0);
  if (end) ((struct ks_item *)end - 1)->high = outcome >> 16;
}

// What the index's dimension found, if anything.
KS_INLINE void ks_record_dimension(struct ks_scratch *s, __u32 dimension) {
  if (dimension >= KS_ROWS_DIMENSIONS) return;
  __u32 outcome = *(volatile __u32 *)&s->rows.outcome[dimension];
  if (outcome) ks_record_outcome(s, dimension, outcome - 1);
}

KS_INLINE void ks_record_hits(struct ks_scratch *s, __u32 dimension, __u32 scanner) {
  if (dimension >= KS_ROWS_DIMENSIONS || scanner >= KS_ROWS_SCANNERS) return;
  __u32 count = *(volatile __u8 *)&s->rows.hit_count[scanner];
  if (count > KS_ROWS_HITS) return;
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < KS_ROWS_HITS; i++) {
    asm volatile("" : "+r"(i));
    if (i >= count || i >= KS_ROWS_HITS) break;
    ks_record_outcome(s, dimension, *(volatile __u16 *)&s->rows.hits[scanner][i]);
  }
}

static KS_INLINE long ks_record_put(void *ring, struct ks_scratch *s, __u64 number) {
  __u64 size = *(volatile __u32 *)&s->out_size;
  // The reader comes by on a timer. It is woken only when it falls behind, and then not for every record.
  __u64 flags = BPF_RB_NO_WAKEUP;
  if ((number & 31) == 0 && bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 4) {
    flags = BPF_RB_FORCE_WAKEUP;
  }
  asm volatile("" : "+r"(size));
  if (size > sizeof(s->out)) return -1;
  return bpf_ringbuf_output(ring, s->out, size, flags);
}

KS_INLINE void ks_record_send(struct ks_scratch *s, __u32 kind, __u32 ring) {
  __u32 hook = s->context.hook, stream = hook * KS_RINGS + ring;
  __u64 *sequence = bpf_map_lookup_elem(&ks_sequence, &stream);
  if (!sequence || kind >= KS_KIND_COUNT) return;
  struct ks_seen_counters *counted = &s->counted[kind];
  struct ks_passed_counters *passed = &s->passed[kind];
  // As pointers: the bound of a number is lost where it is kept on the stack (before Linux 6.3).
  asm volatile("" : "+r"(counted), "+r"(passed));
  struct ks_record *head = (struct ks_record *)s->out;
  __u64 number = *sequence;
  head->sequence = number | (__u64)stream << KS_SEQUENCE_BITS;
  *sequence = number + 1;
  counted->seen += 1;
  // Two calls, so that each names its ring: the map of a call must be known wherever the verifier comes from.
  if (ring == KS_RING_ALERTS) {
    if (ks_record_put(&ks_ring, s, number) == 0) {
      passed->submitted[KS_RING_ALERTS] += 1;
    } else {
      passed->dropped[KS_RING_ALERTS] += 1;
    }
  } else {
    if (ks_record_put(&ks_ring_context, s, number) == 0) {
      passed->submitted[KS_RING_CONTEXT] += 1;
    } else {
      passed->dropped[KS_RING_CONTEXT] += 1;
    }
  }
}

// Without atomics, as all of scratch. An event is seen when it is filtered, limited or sent.
KS_INLINE void ks_count_filtered(struct ks_scratch *s, __u32 kind) {
  if (kind >= KS_KIND_COUNT) return;
  struct ks_seen_counters *counted = &s->counted[kind];
  asm volatile("" : "+r"(counted));
  counted->seen += 1;
  counted->filtered += 1;
}

// Of an event that passed, but for rules that are all over their limits.
KS_INLINE void ks_count_limited(struct ks_scratch *s, __u32 kind) {
  if (kind >= KS_KIND_COUNT) return;
  s->counted[kind].seen += 1;
  s->passed[kind].limited += 1;
}
