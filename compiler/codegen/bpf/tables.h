// Numbers in a generated program's tables. All places are bytes. A table's size is a power of two, and every access is cut to it: a
// mask is no branch, which the verifier would have to follow.
#ifndef KS_TABLES_H
#define KS_TABLES_H

#include "bpf/schema/record.h"

#define KS_ROWS_INLINE __attribute__((always_inline))
// Keeps LLVM from knowing what it could make a pointer of.
#define KS_ROWS_HIDE(number) asm volatile("" : "+r"(number))
#define KS_ROWS_LOOP(i, count) _Pragma("clang loop unroll(disable)") for (__u32 i = 0; i < (count); i++)

static KS_ROWS_INLINE __u64 at64(const __u8 *tables, __u32 size, __u64 at) {
  KS_ROWS_HIDE(at);
  return *(const __u64 *)(tables + (at & (size - 8)));
}
static KS_ROWS_INLINE __u32 at32(const __u8 *tables, __u32 size, __u64 at) {
  KS_ROWS_HIDE(at);
  return *(const __u32 *)(tables + (at & (size - 4)));
}
static KS_ROWS_INLINE __u32 at16(const __u8 *tables, __u32 size, __u64 at) {
  KS_ROWS_HIDE(at);
  return *(const __u16 *)(tables + (at & (size - 2)));
}
static KS_ROWS_INLINE __u32 at8(const __u8 *tables, __u32 size, __u64 at) {
  KS_ROWS_HIDE(at);
  return tables[at & (size - 1)];
}

// The number of the lowest bit: the product's upper six bits differ for each.
static const __u8 bit_numbers[64] = {0,  1,  2,  53, 3,  7,  54, 27, 4,  38, 41, 8,  34, 55, 48, 28, 62, 5,  39, 46, 44, 42,
                                     22, 9,  24, 35, 59, 56, 49, 18, 29, 11, 63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21,
                                     23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12};
static KS_ROWS_INLINE __u32 lowest_bit(__u64 bits) {
  __u64 at = ((bits & -bits) * 0x022fdd63cc95386dull) >> 58;
  KS_ROWS_HIDE(at);
  return bit_numbers[at & 63];
}

#endif
