// The part of text matching that is a loop. Inlined into one global function of the generated program, so that the
// kernel verifies it once, whatever the number of automata.
#include "bpf/schema/record.h"

enum { KS_DFA_CLASSES = 256, KS_DFA_NONE = 0xffff };

// A table, at byte `table` of `tables`: the class of each byte (256 bytes); then rows of 16-bit cells. A row is a state: which
// literal it accepts (or KS_DFA_NONE), then for each class the number of the first cell of the next row. `first` is the start's.
// Returns the literal, or KS_DFA_NONE. A row whose number is 0 is dead; a row from `final` on has decided. `text` is the place
// of the text's slot in scratch, whose data hold at most `longest` bytes.
//
// Every access is checked against a constant, and the empty asm keeps LLVM from turning the counter, which the verifier
// must be able to follow, into a pointer.
__attribute__((always_inline)) __u32 ks_dfa_run(const __u8 *scratch, __u32 text, __u32 longest, const __u8 *tables, __u32 size,
                                                __u32 table, __u32 first, __u32 final) {
  if (text > sizeof(struct ks_scratch) - 8) return KS_DFA_NONE;
  __u32 len = *(const volatile __u32 *)(scratch + text);
  __u32 row = first;
  for (__u32 i = 0; i < longest; i++) {
    asm volatile("" : "+r"(i));
    if (i >= len || row == 0 || row >= final) break;
    __u64 at = (__u64)text + 8 + i;
    if (at >= sizeof(struct ks_scratch)) break;
    __u64 class_at = (__u64)table + scratch[at];
    if (class_at >= size) break;
    __u64 cell_at = (__u64)table + KS_DFA_CLASSES + 2 * ((__u64)row + 1 + tables[class_at]);
    if (cell_at + 2 > size) break;
    row = *(const __u16 *)(tables + cell_at);
  }
  __u64 accept_at = (__u64)table + KS_DFA_CLASSES + 2 * (__u64)row;
  if (accept_at + 2 > size) return KS_DFA_NONE;
  return *(const __u16 *)(tables + accept_at);
}
