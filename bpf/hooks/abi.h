// What generated code calls. All of it is in one bitcode module (accessors.bc); generated code links it, internalizes all
// but its own entry points, the maps, the license and every ks_sub_*, and optimises.
//
// ks_sub_* stay subprograms with external linkage and take numbers only: the verifier then checks each once, on its own,
// however often it is called, and LLVM leaves their arguments alone. Linker::LinkOnlyNeeded brings in just those that are used.
#ifndef KS_ABI_H
#define KS_ABI_H

#include "bpf/fields/types.h"

#define KS_INLINE __attribute__((always_inline))
#define KS_SUBPROGRAM __attribute__((noinline))

// Set by the loader: which bundle these programs are from.
extern const volatile __u32 ks_generation;
// Likewise: a bit for each enum ks_capture whose copies are taken here.
extern const volatile __u32 ks_captures;

// A program begins with this. From Linux 6.13 on one that wants much stack gets it per CPU, to itself, since the kernel runs it once at a
// time there (kernel/bpf/verifier.c: bpf_enable_priv_stack). That is not so of what two dispatchers jump to, where programs are preempted:
// each would write over the other's variables. What might jump on by itself gets none; that this never does the verifier sees, and
// leaves nothing of it.
void ks_keep_stack(void *ctx, __u32 hook_index);

// Scratch of the hook on this CPU, with no field read and an empty context; null never happens but must be checked. It is the
// caller's alone until ks_end.
struct ks_scratch *ks_begin(__u32 hook_index);
void ks_end(__u32 hook_index);

// What happened: enum ks_kind, or KS_KIND_NONE. ks_hook_sys_exit has filled context.nr, ret, task and regs also when it
// answers KS_KIND_NONE, so that the fields of kind `syscall` can be read for any call.
__u32 ks_hook_sched_process_exec(void *ctx, struct ks_scratch *s);
__u32 ks_hook_sched_process_fork(void *ctx, struct ks_scratch *s);
__u32 ks_hook_sched_process_exit(void *ctx, struct ks_scratch *s);
__u32 ks_hook_sys_exit(void *ctx, struct ks_scratch *s);
__u32 ks_wants_sys_exit(void *ctx, const __u8 *wanted);
__u32 ks_hook_io_uring_submit_req(void *ctx, struct ks_scratch *s);
__u32 ks_hook_io_issue_sqe(void *ctx, struct ks_scratch *s);
// What was captured during this call or operation, for its kind. captured.call has what it is known by.
void ks_take_captured(struct ks_scratch *s);
// What the call or operation is besides, after its hook: context.kind is that from now on. KS_KIND_NONE: nothing.
__u32 ks_also(struct ks_scratch *s);

// One accessor per Kernel field of the table: sets s->status[KS_FIELD_…] and, where there is a value, s->fields.….
#define KS_DECLARE_User(object, field)
#define KS_DECLARE_Kernel(object, field) void ks_get_##object##_##field(struct ks_scratch *s);
#define KS_FIELD(object, field, type, decided, dataclass, about) KS_DECLARE_##decided(object, field)
#define KS_TEXT(object, field, type, capture, decided, dataclass, about) KS_DECLARE_##decided(object, field)
#define KS_NAMED(object, field, type, enumeration, decided, dataclass, about) KS_DECLARE_##decided(object, field)
#include "bpf/schema/events.def"

// A record: begin, items, send. Items that do not fit are left out (userspace sees the field as unread).
void ks_record_begin(struct ks_scratch *s, __u32 kind, __u32 words, __u32 generation);
void ks_record_int(struct ks_scratch *s, __u32 field, const struct ks_slot_Int *slot);
void ks_record_ip(struct ks_scratch *s, __u32 field, const struct ks_slot_Ip *slot);
void ks_record_endpoint(struct ks_scratch *s, __u32 field, const struct ks_slot_Endpoint *slot);
// `slot` is any text slot. Texts of status OK, TRUNCATED, RAW carry their bytes.
void ks_record_text(struct ks_scratch *s, __u32 field, const void *slot);
// An item without value, if the field was tried and has none.
void ks_record_status(struct ks_scratch *s, __u32 field);
void ks_record_atom(struct ks_scratch *s, __u32 atom);
// Of an index's dimension: the outcome, or what its scanner found.
void ks_record_dimension(struct ks_scratch *s, __u32 dimension);
void ks_record_hits(struct ks_scratch *s, __u32 dimension, __u32 scanner);
// `ring`: enum ks_ring_number.
void ks_record_send(struct ks_scratch *s, __u32 kind, __u32 ring);

void ks_count_filtered(struct ks_scratch *s, __u32 kind);
void ks_count_limited(struct ks_scratch *s, __u32 kind);

#endif
