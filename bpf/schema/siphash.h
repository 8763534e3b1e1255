// SipHash-2-4 with 128 bits of result, over whole words: for BPF and for userspace, which must agree.
// Aumasson, Bernstein: SipHash: a fast short-input PRF, 2012; the 128-bit finish is the reference implementation's.
#ifndef KS_SIPHASH_H
#define KS_SIPHASH_H

#include "bpf/schema/record.h"

#ifdef __cplusplus
#define KS_SIP_INLINE inline
#else
#define KS_SIP_INLINE static __attribute__((always_inline))
#endif

struct ks_sip {
  __u64 v0, v1, v2, v3;
};

#define KS_SIP_ROTATE(word, bits) ((word) << (bits) | (word) >> (64 - (bits)))

KS_SIP_INLINE void ks_sip_round(struct ks_sip *sip) {
  sip->v0 += sip->v1;
  sip->v1 = KS_SIP_ROTATE(sip->v1, 13) ^ sip->v0;
  sip->v0 = KS_SIP_ROTATE(sip->v0, 32);
  sip->v2 += sip->v3;
  sip->v3 = KS_SIP_ROTATE(sip->v3, 16) ^ sip->v2;
  sip->v0 += sip->v3;
  sip->v3 = KS_SIP_ROTATE(sip->v3, 21) ^ sip->v0;
  sip->v2 += sip->v1;
  sip->v1 = KS_SIP_ROTATE(sip->v1, 17) ^ sip->v2;
  sip->v2 = KS_SIP_ROTATE(sip->v2, 32);
}

KS_SIP_INLINE void ks_sip_begin(struct ks_sip *sip, const __u64 *secret) {
  sip->v0 = secret[0] ^ 0x736f6d6570736575ull;
  sip->v1 = secret[1] ^ 0x646f72616e646f6dull ^ 0xee;
  sip->v2 = secret[0] ^ 0x6c7967656e657261ull;
  sip->v3 = secret[1] ^ 0x7465646279746573ull;
}

KS_SIP_INLINE void ks_sip_add(struct ks_sip *sip, __u64 word) {
  sip->v3 ^= word;
  ks_sip_round(sip);
  ks_sip_round(sip);
  sip->v0 ^= word;
}

KS_SIP_INLINE void ks_sip_end(struct ks_sip *sip, __u64 words, __u64 *hash) {
  ks_sip_add(sip, words * 8 << 56);
  sip->v2 ^= 0xee;
  ks_sip_round(sip);
  ks_sip_round(sip);
  ks_sip_round(sip);
  ks_sip_round(sip);
  hash[0] = sip->v0 ^ sip->v1 ^ sip->v2 ^ sip->v3;
  sip->v1 ^= 0xdd;
  ks_sip_round(sip);
  ks_sip_round(sip);
  ks_sip_round(sip);
  ks_sip_round(sip);
  hash[1] = sip->v0 ^ sip->v1 ^ sip->v2 ^ sip->v3;
}

#endif
