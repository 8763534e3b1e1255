// Looking values up in tables, and the AND of the rows that come of it (compiler/codegen/rows.cpp lays the tables out). What is
// a loop here is inlined into one global function of the generated program, so that the kernel verifies it once. What a loop goes
// by is loaded from memory again and again: the verifier would tell apart all that it could have learnt of a register.
#include <linux/bpf.h>

#include "bpf/schema/record.h"
#include "compiler/codegen/bpf/tables.h"

#include <bpf/bpf_helpers.h>

enum { KS_ROWS_NONE = 0xffffffff, KS_ROWS_PROBES = 16, KS_ROWS_KEY_WORDS = 66, KS_ROWS_BLOCKS = 129 };

// Where the slot `at`, a constant of the generated program, lies in scratch: room for the longest text is behind it, and one test
// is enough.
enum { KS_SLOT_ROOM = 8 * (KS_ROWS_KEY_WORDS + 1) };
#define KS_ROWS_SLOT(slot, scratch, at)                                           \
  __u64 slot##_at = at; /* a register of its own, or an old verifier loses the bound */ \
  KS_ROWS_HIDE(slot##_at);                                                        \
  if (slot##_at > sizeof(struct ks_scratch) - KS_SLOT_ROOM) return KS_ROWS_NONE;  \
  const volatile __u8 *slot = (scratch) + slot##_at
#define KS_ROWS_WORD(slot, i) (*(const volatile __u64 *)((slot) + 8 * (__u64)(i)))
#define KS_ROWS_LENGTH(slot) (*(const volatile __u32 *)(slot))

// ---- Hash tables: u32 mask, u32 filter, u64 lengths[16] (a bit per length below 1,024), u64 bits[filter + 1] (a bit for each hash,
// some sixteen for each key: what is not there ends in a few lines of cache), then entries {u32 hash, u32 key, u32 outcome, u32 length},
// free if outcome is KS_ROWS_NONE. Keys: words, zero-padded. No entry is further than KS_ROWS_PROBES from its place.

enum { KS_HASH_HEAD = 8 + 128, KS_HASH_ENTRY = 16 };

static KS_ROWS_INLINE int has_length(const __u8 *tables, __u32 size, __u32 table, __u32 length) {
  if (length >= 1024) return 0;
  return at64(tables, size, (__u64)table + 8 + (length >> 6) * 8) >> (length & 63) & 1;
}
// Word by word; the last one, which may be empty, cut to the key's bytes. A product's low bits know nothing of the word's high bytes,
// in which keys often differ: these are folded in first.
static KS_ROWS_INLINE __u32 mix(__u32 hash, __u64 word) {
  __u64 both = hash ^ word;
  return ((both ^ both >> 32) * 0xd6e8feb86659fd93ull) >> 32;
}
// 0x80 in each byte of a path that is '/', and where it ends, if it has less than 8 bytes `left`.
static KS_ROWS_INLINE __u64 ends_of(__u64 word, __u64 left, __u32 anywhere) {
  word ^= 0x2f2f2f2f2f2f2f2full;
  __u64 ends = ~(((word & 0x7f7f7f7f7f7f7f7full) + 0x7f7f7f7f7f7f7f7full) | word | 0x7f7f7f7f7f7f7f7full);
  if (anywhere) ends = 0x8080808080808080ull;
  if (left < 8) ends = (ends & ((1ull << left * 8) - 1)) | 0x80ull << left * 8;
  return ends;
}
enum { KS_HASH_SEED = 0x9e3779b9 };

// Whether (not 0) `length` bytes at `text` in scratch are those at `key`.
KS_ROWS_INLINE __u32 ks_rows_same(const __u8 *scratch, __u32 text, __u32 length, const __u8 *tables, __u32 size, __u32 key) {
  KS_ROWS_SLOT(bytes, scratch, text);
  __u32 words = length >> 3;
  __u64 last = (1ull << (length & 7) * 8) - 1;
  KS_ROWS_LOOP(i, KS_ROWS_KEY_WORDS) {
    KS_ROWS_HIDE(i);
    __u64 differ = KS_ROWS_WORD(bytes, i) ^ at64(tables, size, (__u64)key + 8 * (__u64)i);
    if (i >= words) return (differ & last) == 0;
    if (differ) return 0;
  }
  return 0;
}

typedef __u32 ks_same(__u32 hook, __u32 text, __u32 length, __u32 key);
// The outcome of the key of `length` bytes at `text` in scratch, or KS_ROWS_NONE.
KS_ROWS_INLINE __u32 ks_rows_probe(__u32 hook, __u32 text, __u32 length, const __u8 *tables, __u32 size, __u32 table, __u32 hash,
                                   ks_same *same) {
  __u64 filter = at32(tables, size, (__u64)table + 4), entries = (__u64)table + KS_HASH_HEAD + 8 * (filter + 1);
  if (!(at64(tables, size, (__u64)table + KS_HASH_HEAD + 8 * (hash >> 6 & filter)) >> (hash & 63) & 1)) return KS_ROWS_NONE;
  KS_ROWS_LOOP(probe, KS_ROWS_PROBES) {
    KS_ROWS_HIDE(probe);
    __u64 entry = entries + (__u64)((hash + probe) & at32(tables, size, table)) * KS_HASH_ENTRY;
    __u32 outcome = at32(tables, size, entry + 8);
    if (outcome == KS_ROWS_NONE) break;
    if (at32(tables, size, entry) == hash && at32(tables, size, entry + 12) == length &&
        same(hook, text, length, at32(tables, size, entry + 4))) {
      return outcome;
    }
  }
  return KS_ROWS_NONE;
}

typedef __u32 ks_probe(__u32 hook, __u32 text, __u32 length, __u32 table, __u32 hash);

// Of a text: equal.
KS_ROWS_INLINE __u32 ks_rows_text(const __u8 *scratch, __u32 hook, __u32 text, const __u8 *tables, __u32 size, __u32 table,
                                  ks_probe *probe) {
  KS_ROWS_SLOT(slot, scratch, text);
  __u32 length = KS_ROWS_LENGTH(slot);
  if (!has_length(tables, size, table, length)) return KS_ROWS_NONE;
  __u32 hash = KS_HASH_SEED;
  KS_ROWS_LOOP(i, KS_ROWS_KEY_WORDS) {
    KS_ROWS_HIDE(i);
    __u64 word = KS_ROWS_WORD(slot, i + 1);
    __u64 at = 8 * (__u64)i;
    if (at + 8 > length) {
      hash = mix(hash, word & ((1ull << (length - at) * 8) - 1));
      break;
    }
    hash = mix(hash, word);
  }
  return probe(hook, text + 8, length, table, hash);
}

// An outcome, or another if it is none. No branch.
static KS_ROWS_INLINE __u32 either(__u32 outcome, __u32 other) {
  __u32 some = outcome + 1;
  some = (some | -some) >> 31;
  KS_ROWS_HIDE(some);
  return other ^ ((other ^ outcome) & -some);
}

// Of a path: the longest prefix that ends at a component's end, within the word `number`, of which `hash` is the hash of those before.
// `number` with KS_ANYWHERE: also where none ends (a seeded miscompilation).
enum { KS_ANYWHERE = 1 << 16 };
KS_ROWS_INLINE __u32 ks_rows_ends(const __u8 *scratch, __u32 hook, __u32 text, const __u8 *tables, __u32 size, __u32 table,
                                  __u32 number, __u32 hash, ks_probe *probe) {
  KS_ROWS_SLOT(slot, scratch, text);
  __u64 i = number & (KS_ANYWHERE - 1);
  KS_ROWS_HIDE(i);
  if (i >= KS_ROWS_KEY_WORDS) return KS_ROWS_NONE;
  __u64 word = KS_ROWS_WORD(slot, i + 1), at = 8 * i;
  __u64 ends = ends_of(word, KS_ROWS_LENGTH(slot) - at, number & KS_ANYWHERE);
  __u32 found = KS_ROWS_NONE;
  KS_ROWS_LOOP(n, 8) {
    KS_ROWS_HIDE(n);
    if (!ends) break;
    __u64 mask = ((ends & -ends) - 1) >> 7;  // the bytes before the lowest end
    __u32 prefix = at + (((mask & 0x0101010101010101ull) * 0x0101010101010101ull) >> 56);
    ends &= ends - 1;
    if (!has_length(tables, size, table, prefix)) continue;
    found = either(probe(hook, text + 8, prefix, table, mix(hash, word & mask)), found);
  }
  return found;
}

typedef __u32 ks_ends(__u32 hook, __u32 text, __u32 table, __u32 number, __u32 hash);
KS_ROWS_INLINE __u32 ks_rows_under(const __u8 *scratch, __u32 hook, __u32 text, __u32 table, __u32 anywhere, ks_ends *find) {
  KS_ROWS_SLOT(slot, scratch, text);
  __u32 hash = KS_HASH_SEED, found = KS_ROWS_NONE;
  KS_ROWS_LOOP(i, KS_ROWS_KEY_WORDS) {
    KS_ROWS_HIDE(i);
    if (8 * (i + 1) > KS_ROWS_LENGTH(slot)) return either(find(hook, text, table, anywhere ? i | KS_ANYWHERE : i, hash), found);
    __u64 word = KS_ROWS_WORD(slot, i + 1);
    if (ends_of(word, 8, anywhere)) found = either(find(hook, text, table, anywhere ? i | KS_ANYWHERE : i, hash), found);
    hash = mix(hash, word);
  }
  return found;
}

// Blocks of addresses, the smallest first: u32 count, u32 table, then {u64 mask[2], u64 bits}. Key: address and bits, three words.
// An endpoint is looked up by its address and port; then `port` is not 0, and the mask's bits are not looked at.
KS_ROWS_INLINE __u32 ks_rows_address(struct ks_scratch *s, __u32 hook, __u32 slot, const __u8 *tables, __u32 size, __u32 list,
                                     __u32 port, ks_probe *probe) {
  KS_ROWS_SLOT(address, (const __u8 *)s, slot);
  KS_ROWS_LOOP(i, KS_ROWS_BLOCKS) {
    KS_ROWS_HIDE(i);
    if (i >= at32(tables, size, list)) break;
    __u64 row = (__u64)list + 8 + 24 * (__u64)i;
    __u64 high = KS_ROWS_WORD(address, 0) & at64(tables, size, row);
    __u64 low = KS_ROWS_WORD(address, 1) & at64(tables, size, row + 8);
    __u64 more = port ? KS_ROWS_WORD(address, 2) & 0xffff : at64(tables, size, row + 16);
    *(volatile __u64 *)&s->rows.key[0] = high;
    *(volatile __u64 *)&s->rows.key[1] = low;
    *(volatile __u64 *)&s->rows.key[2] = more;
    __u32 hash = mix(mix(mix(mix(KS_HASH_SEED, high), low), more), 0);
    __u32 outcome = probe(hook, __builtin_offsetof(struct ks_scratch, rows.key), 24, at32(tables, size, (__u64)list + 4), hash);
    if (outcome != KS_ROWS_NONE) return outcome;
  }
  return KS_ROWS_NONE;
}

// Numbers: u32 mask, u32 pad, then entries {u64 value, u32 outcome, u32 pad}. `port`: of an endpoint.
KS_ROWS_INLINE __u32 ks_rows_number(const __u8 *scratch, __u32 slot, const __u8 *tables, __u32 size, __u32 table, __u32 port) {
  KS_ROWS_SLOT(number, scratch, slot);
  __u64 value = KS_ROWS_WORD(number, 0);
  if (port) value &= 0xffff;
  __u32 hash = value * 0x9e3779b97f4a7c15ull >> 32;
  KS_ROWS_LOOP(probe, KS_ROWS_PROBES) {
    KS_ROWS_HIDE(probe);
    __u64 entry = (__u64)table + 8 + (__u64)((hash + probe) & at32(tables, size, table)) * 16;
    __u32 outcome = at32(tables, size, entry + 8);
    if (outcome == KS_ROWS_NONE) break;
    if (at64(tables, size, entry) == value) return outcome;
  }
  return KS_ROWS_NONE;
}

// Ranges: u32 step, u32 last, then where each begins, ascending, the first with the least number, the last one again and again up
// to a power of two, which is twice the step. The last that has begun.
KS_ROWS_INLINE __u32 ks_rows_span(const __u8 *scratch, __u32 slot, const __u8 *tables, __u32 size, __u32 table, __u32 port) {
  KS_ROWS_SLOT(number, scratch, slot);
  __u64 value = KS_ROWS_WORD(number, 0);
  if (port) value &= 0xffff;
  __u32 low = 0, step = at32(tables, size, table);
  KS_ROWS_LOOP(round, 20) {
    KS_ROWS_HIDE(round);
    if (!step) break;
    __u64 start = at64(tables, size, (__u64)table + 8 + 8 * (__u64)(low + step));
    // Whether value < start, signed, without a branch: each would be another state.
    __u64 less = value - start;
    less = (less ^ ((value ^ start) & (less ^ value))) >> 63;
    KS_ROWS_HIDE(less);
    low += step & (__u32)(less - 1);
    step >>= 1;
  }
  __u32 last = at32(tables, size, (__u64)table + 4);
  return low < last ? low : last;
}

// Automata: u32 start, u32 ends, u8 classes[256], then by state u32s: the hit, that at the text's end (if ends), then by class the
// next state. A state is the place of its row, with KS_SCAN_HIT if it has a hit: places are in fours, and an access drops that bit.
enum { KS_SCAN_HEAD = 8, KS_SCAN_CELLS = KS_SCAN_HEAD + 256, KS_SCAN_HIT = 1, KS_NO_HIT = 0xffff };

// Takes down a hit, unless it is the last one again.
KS_ROWS_INLINE __u32 ks_rows_hit(struct ks_scratch *s, __u32 scanner, __u32 hit) {
  __u64 place = scanner;
  KS_ROWS_HIDE(place);
  if (place >= KS_ROWS_SCANNERS) return 0;
  volatile __u16 *hits = s->rows.hits[place];
  volatile __u8 *hit_count = &s->rows.hit_count[place];
  __u64 count = *hit_count, last = count - 1;
  KS_ROWS_HIDE(last);
  if (count && hits[last & (KS_ROWS_HITS - 1)] == hit) return 0;
  *hit_count = count < KS_ROWS_HITS ? count + 1 : KS_ROWS_UNDECIDED;
  KS_ROWS_HIDE(count);
  if (count < KS_ROWS_HITS) hits[count] = hit;
  return 0;
}

// Of a whole text. Hits are seldom: the loop calls for them, and is short.
typedef __u32 ks_hit(__u32 hook, __u32 scanner, __u32 hit);
KS_ROWS_INLINE __u32 ks_rows_scan(struct ks_scratch *s, __u32 hook, __u32 text, __u32 longest, const __u8 *tables, __u32 size,
                                  __u32 table, __u32 scanner, ks_hit *take) {
  __u64 place = scanner;
  KS_ROWS_HIDE(place);
  if (place >= KS_ROWS_SCANNERS) return 0;
  *(volatile __u8 *)&s->rows.hit_count[place] = 0;
  KS_ROWS_SLOT(slot, (const __u8 *)s, text);
  __u32 length = KS_ROWS_LENGTH(slot);
  __u64 state = at32(tables, size, table);
  KS_ROWS_LOOP(i, longest) {
    KS_ROWS_HIDE(i);
    if (i >= length) break;
    __u64 class = at8(tables, size, (__u64)table + KS_SCAN_HEAD + slot[8 + (__u64)i]);
    state = at32(tables, size, state + 8 + 4 * class);
    if (state & KS_SCAN_HIT) take(hook, scanner, at32(tables, size, state));
  }
  if (at32(tables, size, (__u64)table + 4)) {
    __u32 hit = at32(tables, size, state + 4);
    if (hit != KS_NO_HIT) take(hook, scanner, hit);
  }
  return 1;
}

// ---- Rows. A kind's head: u32 words, summary_words, row_blocks, pad, summaries, block_of, blocks, clauses, classes, then by
// dimension {u32 scanner, u32 row_of, u32 how, u32 none}: how 0: one row; 1: AnyFound; 2: NoneFound.

enum { KS_KIND_HEAD = 36, KS_KIND_DIMENSION = 16, KS_BLOCK_WORDS = 8 };

// Where one word of all rows is: the number of a row's block, and the word in a block.
struct column {
  __u64 bytes, block_of, words;  // of a row's numbers; where those of the first row and the first block are
};
static KS_ROWS_INLINE struct column column_of(const __u8 *tables, __u32 size, __u32 kind, __u32 word) {
  struct column column = {2 * (__u64)at32(tables, size, (__u64)kind + 8),
                          (__u64)at32(tables, size, (__u64)kind + 20) + 2 * (__u64)(word / KS_BLOCK_WORDS),
                          (__u64)at32(tables, size, (__u64)kind + 24) + 8 * (__u64)(word % KS_BLOCK_WORDS)};
  return column;
}
static KS_ROWS_INLINE __u64 word_of(const __u8 *tables, __u32 size, const struct column *column, __u64 row) {
  __u64 block = at16(tables, size, column->block_of + row * column->bytes);
  return at64(tables, size, column->words + 8 * KS_BLOCK_WORDS * block);
}

static KS_ROWS_INLINE void add_row(struct ks_scratch *s, __u32 row) {
  __u64 at = *(volatile __u32 *)&s->rows.listed;
  *(volatile __u32 *)&s->rows.listed = at + 1;
  KS_ROWS_HIDE(at);
  *(volatile __u32 *)&s->rows.list[at & 255] = row;
}

// The AND of the rows in the list, in one word, into words[]. No branch but the end.
KS_ROWS_INLINE __u32 ks_rows_word(struct ks_scratch *s, const __u8 *tables, __u32 size, __u32 kind, __u32 word) {
  struct column column = column_of(tables, size, kind, word);
  __u64 all = word_of(tables, size, &column, 0), any = 0;
  KS_ROWS_LOOP(i, KS_ROWS_LIST) {
    KS_ROWS_HIDE(i);
    if (i >= *(volatile __u32 *)&s->rows.listed || i >= KS_ROWS_LIST) break;
    __u64 row = *(volatile __u32 *)&s->rows.list[i];
    any |= word_of(tables, size, &column, row & ~(__u64)KS_ROWS_MORE);
    __u64 more = -(row >> 31);
    all &= any | more;
    any &= more;
  }
  __u64 place = word;
  KS_ROWS_HIDE(place);
  if (place >= KS_ROWS_WORDS) return 0;
  *(volatile __u64 *)&s->rows.words[place] = all;
  return all != 0;
}

// Decides words that one word of the summary still has. Whether any is left.
typedef __u32 ks_word(__u32 hook, __u32 kind, __u32 word);
KS_ROWS_INLINE __u32 ks_rows_settle(struct ks_scratch *s, __u32 hook, __u32 kind, __u32 number, ks_word *decide) {
  __u64 place = number;
  KS_ROWS_HIDE(place);
  if (place >= KS_ROWS_SUMMARY) return 0;
  volatile __u64 *alive = &s->rows.alive[place];
  __u64 left = *alive;
  KS_ROWS_LOOP(n, 64) {
    KS_ROWS_HIDE(n);
    if (!left) break;
    __u64 lowest = left & -left;
    left &= left - 1;
    __u64 some = decide(hook, kind, number * 64 + lowest_bit(lowest));
    some = (some | -some) >> 63;  // no branch
    KS_ROWS_HIDE(some);
    *alive &= ~lowest | -some;
  }
  return *alive != 0;
}

// The u32 at place `at`, in fours.
KS_ROWS_INLINE __u32 ks_rows_row(const __u8 *tables, __u32 size, __u64 at) { return at32(tables, size, 4 * at); }

// Lists a row and ANDs its summary (summary_words, at most KS_ROWS_SUMMARY, is a constant in generated code); whether anything is left.
KS_ROWS_INLINE __u32 ks_rows_and(struct ks_scratch *s, const __u8 *tables, __u32 size, __u32 summaries, __u32 summary_words,
                                 __u32 row) {
  add_row(s, row);
  __u64 at = summaries + 8ull * summary_words * row, any = 0;
#define KS_AND(i)                                                                                    \
  if (summary_words > (i)) {                                                                         \
    __u64 bits = *(volatile __u64 *)&s->rows.alive[i] & at64(tables, size, at + 8 * (i));                                   \
    *(volatile __u64 *)&s->rows.alive[i] = bits;                                                     \
    any |= bits;                                                                                     \
  }
  KS_AND(0) KS_AND(1) KS_AND(2) KS_AND(3) KS_AND(4) KS_AND(5) KS_AND(6) KS_AND(7)
  return any != 0;
}

// Lists what a scanner found, and ANDs the summaries of that. Several hits: OR (how 1) or AND (2) of their rows. What the list has
// no room for counts as too many hits.
KS_ROWS_INLINE __u32 ks_rows_found(struct ks_scratch *s, const __u8 *tables, __u32 size, __u32 kind, __u32 dimension) {
  __u64 about = (__u64)kind + KS_KIND_HEAD + KS_KIND_DIMENSION * (__u64)dimension;
  __u64 scanner = at32(tables, size, about);
  __u32 how = at32(tables, size, about + 8), row_of = at32(tables, size, about + 4);
  KS_ROWS_HIDE(scanner);
  if (scanner >= KS_ROWS_SCANNERS) return 1;
  volatile __u16 *hits = s->rows.hits[scanner];
  volatile __u8 *hit_count = &s->rows.hit_count[scanner];
  if (*hit_count > KS_ROWS_HITS) return 1;
  if (*(volatile __u32 *)&s->rows.listed + *hit_count > KS_ROWS_LIST - KS_ROWS_DIMENSIONS + dimension) {
    *hit_count = KS_ROWS_UNDECIDED;
    return 1;
  }
  if (*hit_count == 0) add_row(s, at32(tables, size, about + 12));
  KS_ROWS_LOOP(i, KS_ROWS_HITS) {
    KS_ROWS_HIDE(i);
    if (i >= *hit_count || i >= KS_ROWS_HITS) break;
    __u32 more = how == 1 && i + 1 < *hit_count ? KS_ROWS_MORE : 0;
    add_row(s, at32(tables, size, row_of + 4 * (__u64)hits[(__u64)i]) | more);
  }
  __u64 any = 0, bytes = 8ull * at32(tables, size, (__u64)kind + 4);
  KS_ROWS_LOOP(w, KS_ROWS_SUMMARY) {
    KS_ROWS_HIDE(w);
    if (w >= at32(tables, size, (__u64)kind + 4) || w >= KS_ROWS_SUMMARY) break;
    __u64 summaries = (__u64)at32(tables, size, (__u64)kind + 16) + 8 * (__u64)w;
    __u64 bits = how == 1 ? 0 : ~0ull;
    if (*hit_count == 0) bits = at64(tables, size, summaries + at32(tables, size, about + 12) * bytes);
    KS_ROWS_LOOP(i, KS_ROWS_HITS) {
      KS_ROWS_HIDE(i);
      if (i >= *hit_count || i >= KS_ROWS_HITS) break;
      __u64 of = at64(tables, size, summaries + at32(tables, size, row_of + 4 * (__u64)hits[(__u64)i]) * bytes);
      bits = how == 1 ? bits | of : bits & of;
    }
    bits &= *(volatile __u64 *)&s->rows.alive[w];
    *(volatile __u64 *)&s->rows.alive[w] = bits;
    any |= bits;
  }
  return any != 0;
}

// ---- The record: what the clauses that passed ask for. By clause a class (u16), by class 6 words: copied, tested, reported.

static KS_ROWS_INLINE void ask(struct ks_scratch *s, const __u8 *tables, __u32 size, __u64 class) {
#define KS_ASK(member, i, at) *(volatile __u64 *)&s->rows.member[i] |= at64(tables, size, class + (at));
  KS_ASK(copied, 0, 0) KS_ASK(copied, 1, 8) KS_ASK(tested, 0, 16) KS_ASK(tested, 1, 24)
  KS_ASK(reported, 0, 32) KS_ASK(reported, 1, 40)
}

// Appends one word to the record, and adds what its clauses ask for as long as s->rows.left lasts.
KS_ROWS_INLINE __u32 ks_rows_ask(struct ks_scratch *s, const __u8 *tables, __u32 size, __u32 kind, __u32 word) {
  __u64 place = word;
  KS_ROWS_HIDE(place);
  if (place >= KS_ROWS_WORDS) return 0;
  __u64 bits = *(volatile __u64 *)&s->rows.words[place];
  __u64 end = *(volatile __u32 *)&s->out_size;
  KS_ROWS_HIDE(end);
  if (end > KS_RECORD_MAX - 8) return 0;
  *(volatile __u64 *)(s->out + end) = bits;
  *(volatile __u32 *)&s->out_size = end + 8;
  KS_ROWS_LOOP(n, 64) {
    KS_ROWS_HIDE(n);
    __u32 left = *(volatile __u32 *)&s->rows.left;
    if (!bits || !left) break;
    *(volatile __u32 *)&s->rows.left = left - 1;
    __u64 clause = word * 64 + lowest_bit(bits);
    bits &= bits - 1;
    __u64 clauses = at32(tables, size, (__u64)kind + 28), classes = at32(tables, size, (__u64)kind + 32);
    ask(s, tables, size, classes + 48 * (__u64)at16(tables, size, clauses + 2 * clause));
  }
  return 1;
}

// Appends the words of one word of the summary.
typedef __u32 ks_ask(__u32 hook, __u32 kind, __u32 word);
KS_ROWS_INLINE __u32 ks_rows_append(struct ks_scratch *s, __u32 hook, __u32 kind, __u32 number, ks_ask *ask_for) {
  __u64 place = number;
  KS_ROWS_HIDE(place);
  if (place >= KS_ROWS_SUMMARY) return 0;
  __u64 words = *(volatile __u64 *)&s->rows.alive[place];
  *(volatile __u64 *)(s->out + sizeof(struct ks_record) + 8 * place) = words;
  KS_ROWS_LOOP(n, 64) {
    KS_ROWS_HIDE(n);
    if (!words) break;
    ask_for(hook, kind, number * 64 + lowest_bit(words));
    words &= words - 1;
  }
  return 1;
}

// Appends the words to the record that was begun, and finds out what it shall carry. Class 0 is what any rule asks for.
typedef __u32 ks_append(__u32 hook, __u32 kind, __u32 number);
KS_ROWS_INLINE __u32 ks_rows_collect(struct ks_scratch *s, __u32 hook, const __u8 *tables, __u32 size, __u32 kind, ks_append *append) {
  for (__u32 i = 0; i < 2; i++) {
    *(volatile __u64 *)&s->rows.copied[i] = 0;
    *(volatile __u64 *)&s->rows.tested[i] = 0;
    *(volatile __u64 *)&s->rows.reported[i] = 0;
  }
  *(volatile __u32 *)&s->rows.left = KS_ROWS_CLAUSES;
  struct ks_record *head = (struct ks_record *)s->out;
  *(volatile __u8 *)&head->summary = at32(tables, size, (__u64)kind + 4);
  *(volatile __u32 *)&s->out_size = sizeof(struct ks_record) + 8 * at32(tables, size, (__u64)kind + 4);
  KS_ROWS_LOOP(i, KS_ROWS_SUMMARY) {
    KS_ROWS_HIDE(i);
    if (i >= at32(tables, size, (__u64)kind + 4)) break;
    append(hook, kind, i);
  }
  if (*(volatile __u32 *)&s->rows.left == 0) ask(s, tables, size, at32(tables, size, (__u64)kind + 32));
  *(volatile __u16 *)&head->words = (*(volatile __u32 *)&s->out_size - sizeof(*head)) / 8;
  return 1;
}
