// Which of the rules that passed are over their limits (bpf/schema/limits.h; compiler/codegen/limits.cpp lays the tables out: struct
// ks_limit_rule by number from 0 on, then what each kind has). Whatever is not certain is not over: userspace limits it.
#include "bpf/hooks/maps.h"
#include "bpf/schema/limits.h"
#include "bpf/schema/siphash.h"
#include "compiler/codegen/bpf/tables.h"

// While a key is hashed, before the record is begun.
struct ks_limit_state {
  struct ks_sip sip;
  __u64 words;
};
#define KS_LIMIT_STATE(s) ((volatile struct ks_limit_state *)(s)->out)

static KS_ROWS_INLINE void load_sip(struct ks_sip *sip, const volatile struct ks_limit_state *state) {
  sip->v0 = state->sip.v0;
  sip->v1 = state->sip.v1;
  sip->v2 = state->sip.v2;
  sip->v3 = state->sip.v3;
}
static KS_ROWS_INLINE void store_sip(volatile struct ks_limit_state *state, const struct ks_sip *sip) {
  state->sip.v0 = sip->v0;
  state->sip.v1 = sip->v1;
  state->sip.v2 = sip->v2;
  state->sip.v3 = sip->v3;
}

static KS_ROWS_INLINE __u32 status_of(const struct ks_scratch *s, __u64 field) {
  KS_ROWS_HIDE(field);
  return *(const volatile __u8 *)&s->status[field & 0xff];
}

// Adds one part of the rule's key to the hash; 0 if its value is not known for certain.
KS_ROWS_INLINE __u32 ks_limits_part(struct ks_scratch *s, const __u8 *tables, __u32 size, __u32 number, __u32 part) {
  __u64 about = at32(tables, size, (__u64)number * sizeof(struct ks_limit_rule) +
                                       __builtin_offsetof(struct ks_limit_rule, part) + 4 * (__u64)part);
  __u32 status = status_of(s, about & 0xff), what = about >> 8 & 0xff;
  __u64 slot = about >> 16;
  if (status != KS_OK && status != KS_ABSENT) return 0;
  KS_ROWS_HIDE(slot);
  if (slot > sizeof(*s) - 8 * (KS_LIMIT_PART_WORDS + 2)) return 0;
  const volatile __u8 *bytes = (const volatile __u8 *)s + slot;
  __u64 words = status == KS_ABSENT ? 0 : what == KS_LIMIT_NUMBER ? 1 : what == KS_LIMIT_ADDRESS ? 2 : 3;
  __u64 last = ~0ull;
  volatile struct ks_limit_state *state = KS_LIMIT_STATE(s);
  struct ks_sip sip;
  load_sip(&sip, state);
  ks_sip_add(&sip, status);
  __u64 added = 1;
  if (status == KS_OK && what == KS_LIMIT_TEXT) {
    __u32 length = *(const volatile __u32 *)bytes;
    bytes += 8;
    words = ((__u64)length + 7) >> 3;
    ks_sip_add(&sip, length);
    added = 2;
  } else if (status == KS_OK && what == KS_LIMIT_ENDPOINT) {
    last = 0xffff;
  } else if (status == KS_OK && what == KS_LIMIT_PORT) {
    bytes += __builtin_offsetof(struct ks_slot_Endpoint, port);
    words = 1;
    last = 0xffff;
  }
  if (words > KS_LIMIT_PART_WORDS) return 0;
  KS_ROWS_LOOP(i, KS_LIMIT_PART_WORDS) {
    KS_ROWS_HIDE(i);
    if (i >= words || i >= KS_LIMIT_PART_WORDS) break;
    __u64 word = *(const volatile __u64 *)(bytes + 8 * (__u64)i);
    if (i + 1 == words) word &= last;
    ks_sip_add(&sip, word);
  }
  store_sip(state, &sip);
  state->words += added + words;
  return 1;
}

typedef __u32 ks_part(__u32 hook, __u32 number, __u32 part);
// Whether the rule is over its limit for this event, which then has been counted.
KS_ROWS_INLINE __u32 ks_limits_over(struct ks_scratch *s, __u32 hook, const __u8 *tables, __u32 size, __u32 number, ks_part *add) {
  __u64 rule = (__u64)number * sizeof(struct ks_limit_rule);
  __u32 fields = at8(tables, size, rule + __builtin_offsetof(struct ks_limit_rule, fields));
  __u32 parts = at8(tables, size, rule + __builtin_offsetof(struct ks_limit_rule, parts));
  // What userspace may decide otherwise: a value that is cut, or that it can read and we cannot.
  __u64 uncertain = 0;
  KS_ROWS_LOOP(i, KS_LIMIT_FIELDS) {
    KS_ROWS_HIDE(i);
    if (i >= fields || i >= KS_LIMIT_FIELDS) break;
    __u64 status = status_of(s, at8(tables, size, rule + __builtin_offsetof(struct ks_limit_rule, field) + (__u64)i));
    uncertain |= (__u64)KS_ABSENT - status;
  }
  if (uncertain >> 63) return 0;
  __u32 zero = 0;
  const volatile __u64 *secret = bpf_map_lookup_elem(&ks_limit_secret, &zero);
  if (!secret) return 0;
  __u64 secrets[2] = {secret[0], secret[1]};
  struct ks_sip sip;
  ks_sip_begin(&sip, secrets);
  volatile struct ks_limit_state *state = KS_LIMIT_STATE(s);
  store_sip(state, &sip);
  state->words = 0;
  KS_ROWS_LOOP(i, KS_LIMIT_PARTS) {
    KS_ROWS_HIDE(i);
    if (i >= parts || i >= KS_LIMIT_PARTS) break;
    if (!add(hook, number, i)) return 0;
  }
  load_sip(&sip, state);
  struct ks_limit_key key;
  ks_sip_end(&sip, state->words, key.hash);
  key.rule = at64(tables, size, rule);
  const __u32 *place = bpf_map_lookup_elem(&ks_limits, &key);
  if (!place) return 0;
  __u32 at = *place;
  struct ks_limit_hold *hold = bpf_map_lookup_elem(&ks_limit_holds, &at);
  if (!hold) return 0;
  __u64 now = bpf_ktime_get_boot_ns();
  if (now > *(volatile __u64 *)&hold->until || now < *(volatile __u64 *)&hold->from) return 0;
  __sync_fetch_and_add(&hold->held, 1);
  return 1;
}

// Of a kind: u32 where its words of bits lie in scratch, u32 masks (u64 by word: bits of limited rules), u32 numbers (u16 by bit).
// Takes the bits of those that are over their limits out of one word; whether any is left.
typedef __u32 ks_over(__u32 hook, __u32 number);
KS_ROWS_INLINE __u32 ks_limits_word(struct ks_scratch *s, __u32 hook, const __u8 *tables, __u32 size, __u32 kind, __u32 word,
                                    ks_over *over) {
  __u64 at = at32(tables, size, kind) + 8 * (__u64)word;
  KS_ROWS_HIDE(at);
  if (at > sizeof(*s) - 8) return 1;
  volatile __u64 *bits = (volatile __u64 *)((volatile __u8 *)s + at);
  __u64 left = *bits & at64(tables, size, at32(tables, size, (__u64)kind + 4) + 8 * (__u64)word);
  KS_ROWS_LOOP(n, 64) {
    KS_ROWS_HIDE(n);
    if (!left) break;
    __u64 lowest = left & -left;
    left &= left - 1;
    __u32 bit = word * 64 + lowest_bit(lowest);
    __u64 is_over = over(hook, at16(tables, size, at32(tables, size, (__u64)kind + 8) + 2 * (__u64)bit));
    KS_ROWS_HIDE(is_over);
    *bits &= ~(lowest & -is_over);  // no branch
  }
  return *bits != 0;
}
