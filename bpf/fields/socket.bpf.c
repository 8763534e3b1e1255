// Sockets: the kernel's own idea of both ends. The caller's memory is asked only where the kernel kept nothing, which is
// after a failure.
#include "bpf/fields/access.h"

// The socket behind a file: only files that a socket really owns, not a socket's name in a file system opened by path.
KS_SUBPROGRAM __u64 ks_sub_file_sock(__u64 file_address) {
  struct file *file = (struct file *)file_address;
  if (!file) return 0;
  if ((BPF_CORE_READ(file, f_inode, i_mode) & KS_S_IFMT) != KS_S_IFSOCK) return 0;
  if (BPF_CORE_READ(file, f_mode) & KS_FMODE_PATH) return 0;
  struct socket *socket = (struct socket *)BPF_CORE_READ(file, private_data);
  if (BPF_CORE_READ(socket, file) != file) return 0;
  return (__u64)BPF_CORE_READ(socket, sk);
}

// The event's socket: the new one of an accept that succeeded, else that of the first argument.
KS_SUBPROGRAM __u64 ks_sub_event_sock(__u32 hook) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return 0;
  if (s->context.sock_tried) return s->context.sock;
  s->context.sock_tried = 1;
  __u32 fd = s->context.arg[0];
  __u32 call = s->context.call;
  if ((call == KS_CALL_accept || call == KS_CALL_accept4) && s->context.ret >= 0) fd = s->context.ret;
  __u64 sock = ks_sub_file_sock(ks_sub_fd_file(s->context.task, fd));
  // Another thread has put another socket in its place.
  if (ks_is_captured_socket(s) && sock != s->captured.socket.sock) sock = 0;
  s->context.sock = sock;
  return sock;
}

static KS_INLINE int is_inet(__u32 family) { return family == KS_AF_INET || family == KS_AF_INET6; }

// Where the caller says to which address; 0 if nowhere. If that could not be read: where nothing can be.
static KS_INLINE __u64 given_at(struct ks_scratch *s) {
  __u32 call = s->context.call;
  if (call == KS_CALL_sendto) return s->context.arg[4];
  if (call != KS_CALL_sendmsg && call != KS_CALL_sendmmsg) return s->context.arg[1];
  // The first member of struct msghdr, with which struct mmsghdr begins.
  __u64 name = 0;
  if (bpf_probe_read_user(&name, sizeof(name), (void *)s->context.arg[1])) return ~0ull;
  return s->context.compat ? (__u32)name : name;
}

static KS_INLINE __u32 family_of(struct sock *sock) { return BPF_CORE_READ(sock, __sk_common.skc_family); }

KS_SUBPROGRAM __u64 ks_sub_is_inet(__u32 hook) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return 0;
  struct sock *sock = (struct sock *)ks_sub_event_sock(hook);
  __u16 family = 0;
  __u32 call = s->context.call;
  if (ks_is_captured_socket(s)) {
    // connect to "no family" dissolves a connection and makes none.
    return is_inet(s->captured.socket.family) && (call != KS_CALL_connect || s->captured.socket.to_family != 0);
  }
  __u32 accepts = call == KS_CALL_accept || call == KS_CALL_accept4 || call == KS_CALL_listen;
  if (sock && !is_inet(family_of(sock))) return 0;
  // listen has no address, and an accept's is where the answer goes: the socket is all there is to ask.
  if (accepts) return sock != 0;
  __u64 at = given_at(s);
  // What is sent without an address goes where the socket is connected to: no event.
  if (!at && s->context.kind == KS_KIND_sendto) return 0;
  // An address that could not be read may be any.
  if (bpf_probe_read_user(&family, sizeof(family), (void *)at)) return 1;
  // Without a socket (the descriptor was closed meanwhile) the address says what was tried. connect to "no family" dissolves a
  // connection and makes none.
  if (call == KS_CALL_connect && family == 0) return 0;
  return sock ? 1 : is_inet(family);
}

static KS_INLINE void set_v4(struct ks_slot_Endpoint *endpoint, const __u8 *address) {
  __builtin_memset(endpoint->address, 0, 10);
  endpoint->address[10] = 0xff;
  endpoint->address[11] = 0xff;
  __builtin_memcpy(endpoint->address + 12, address, 4);
}

static KS_INLINE __u16 host_order(__u16 port) { return __builtin_bswap16(port); }

// One end of a socket. An end that is not there yet is all zero.
static KS_INLINE __u32 near_end(struct sock *sock, struct ks_slot_Endpoint *out) {
  __builtin_memset(out, 0, sizeof(*out));
  if (family_of(sock) == KS_AF_INET) {
    __be32 address = BPF_CORE_READ(sock, __sk_common.skc_rcv_saddr);
    set_v4(out, (const __u8 *)&address);
  } else if (bpf_core_field_exists(struct sock_common, skc_v6_rcv_saddr)) {
    BPF_CORE_READ_INTO(&out->address, sock, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
  }
  out->port = BPF_CORE_READ(sock, __sk_common.skc_num);
  return KS_OK;
}

static KS_INLINE __u32 far_end(struct sock *sock, struct ks_slot_Endpoint *out) {
  __builtin_memset(out, 0, sizeof(*out));
  if (family_of(sock) == KS_AF_INET) {
    __be32 address = BPF_CORE_READ(sock, __sk_common.skc_daddr);
    set_v4(out, (const __u8 *)&address);
  } else if (bpf_core_field_exists(struct sock_common, skc_v6_daddr)) {
    BPF_CORE_READ_INTO(&out->address, sock, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
  }
  out->port = host_order(BPF_CORE_READ(sock, __sk_common.skc_dport));
  // Without a port there is no other end.
  return out->port ? KS_OK : KS_ABSENT;
}

// The address that the caller gave.
static KS_INLINE __u32 given(struct ks_scratch *s, struct ks_slot_Endpoint *out) {
  // struct sockaddr_in6; the start of struct sockaddr_in has the same shape.
  struct {
    __u16 family;
    __u16 port;
    __u32 flow_or_v4;
    __u8 v6[16];
  } address = {};
  __builtin_memset(out, 0, sizeof(*out));
  const void *user = 0;
  if (ks_is_captured_socket(s)) {
    __builtin_memcpy(&address, &s->captured.socket.to_family, sizeof(address));
  } else {
    user = (const void *)given_at(s);
    if (bpf_probe_read_user(&address, 8, user)) return KS_UNKNOWN;
  }
  if (address.family == KS_AF_INET) {
    set_v4(out, (const __u8 *)&address.flow_or_v4);
  } else if (address.family == KS_AF_INET6) {
    if (user && bpf_probe_read_user(&address, sizeof(address), user)) return KS_UNKNOWN;
    __builtin_memcpy(out->address, address.v6, 16);
  } else {
    return KS_ABSENT;
  }
  out->port = host_order(address.port);
  return KS_OK;
}

static KS_INLINE int succeeded(struct ks_scratch *s) { return s->context.ret >= 0; }

// connect that goes on in the background has its socket's addresses set as one that is done.
static KS_INLINE int on_its_way(struct ks_scratch *s) {
  return s->context.ret == -KS_EINPROGRESS || s->context.ret == -KS_EALREADY;
}

enum { KS_END_SRC, KS_END_DST };

// src or dst of the event into s->fields, by the kind of the call; answers the status.
KS_SUBPROGRAM __u64 ks_sub_endpoint(__u32 hook, __u32 end) {
  struct ks_scratch *s = ks_scratch_of(hook);
  if (!s) return KS_UNKNOWN;
  struct ks_slot_Endpoint *out = end == KS_END_SRC ? &s->fields.event_src : &s->fields.event_dst;
  struct sock *sock = (struct sock *)ks_sub_event_sock(hook);
  __u32 kind = s->context.kind;
  if (kind == KS_KIND_connect) {
    if (end == KS_END_SRC) return sock ? near_end(sock, out) : KS_UNKNOWN;
    if (sock && (succeeded(s) || on_its_way(s)) && far_end(sock, out) == KS_OK) return KS_OK;
    return given(s, out);
  }
  if (kind == KS_KIND_sendto) {
    if (end == KS_END_DST) return given(s, out);
    return sock ? near_end(sock, out) : KS_UNKNOWN;
  }
  if (kind == KS_KIND_listen) {
    if (end == KS_END_DST) return KS_ABSENT;
    return sock ? near_end(sock, out) : KS_UNKNOWN;
  }
  if (kind == KS_KIND_bind) {
    if (end == KS_END_DST) return KS_ABSENT;
    if (sock && succeeded(s)) return near_end(sock, out);
    __u32 status = given(s, out);
    // Which port it has become is known to the socket only.
    return status == KS_OK && succeeded(s) && !out->port ? KS_UNKNOWN : status;
  }
  // accept: without a new socket, `sock` is the one that listens, or nothing if the new one was closed meanwhile.
  if (!sock) return KS_UNKNOWN;
  if (end == KS_END_DST) return near_end(sock, out);
  if (!succeeded(s)) return KS_ABSENT;
  return far_end(sock, out);
}

KS_INLINE void ks_get_event_src(struct ks_scratch *s) {
  KS_SET_STATUS(s, event_src, ks_sub_endpoint(s->context.hook, KS_END_SRC));
}

KS_INLINE void ks_get_event_dst(struct ks_scratch *s) {
  KS_SET_STATUS(s, event_dst, ks_sub_endpoint(s->context.hook, KS_END_DST));
}

KS_INLINE void ks_get_event_transport(struct ks_scratch *s) {
  struct sock *sock = (struct sock *)ks_sub_event_sock(s->context.hook);
  __u16 protocol = 0;
  if (!sock && ks_is_captured_socket(s)) {
    protocol = s->captured.socket.protocol;
  } else if (!sock || BPF_CORE_READ_INTO(&protocol, sock, sk_protocol)) {
    KS_SET_STATUS(s, event_transport, KS_UNKNOWN);
    return;
  }
  enum { TCP = 6, UDP = 17 };
  KS_SET_INT(s, event_transport, protocol == TCP || protocol == UDP ? protocol : 0);
}

// --- standard input, output and error ---

enum { KS_CLOSED = 0, KS_FILE = 1, KS_PIPE = 2, KS_SOCKET = 3, KS_TTY = 4, KS_OTHER = 5, KS_UNREADABLE = 6 };

static KS_INLINE int is_tty(__u32 device) {
  __u32 major = device >> 20;
  // Consoles and serial lines, /dev/tty and its kin, pseudo terminals.
  return major == 4 || major == 5 || (major >= 136 && major <= 143);
}

KS_SUBPROGRAM __u64 ks_sub_descriptor(__u64 task, __u32 fd) {
  struct file *file = (struct file *)ks_sub_fd_file(task, fd);
  if (!file) return KS_CLOSED;
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  __u16 mode = 0;
  if (BPF_CORE_READ_INTO(&mode, inode, i_mode)) return KS_UNREADABLE;
  __u32 format = mode & KS_S_IFMT;
  if (format == KS_S_IFREG || format == KS_S_IFDIR) return KS_FILE;
  if (format == KS_S_IFIFO) return KS_PIPE;
  if (format == KS_S_IFSOCK) return KS_SOCKET;
  if (format == KS_S_IFCHR && is_tty(BPF_CORE_READ(inode, i_rdev))) return KS_TTY;
  return KS_OTHER;
}

#define KS_GET_DESCRIPTOR(s, member, fd)                            \
  do {                                                              \
    __u64 what = ks_sub_descriptor((s)->context.task, fd);          \
    if (what >= KS_UNREADABLE) {                                    \
      KS_SET_STATUS(s, member, KS_UNKNOWN);                         \
    } else {                                                        \
      KS_SET_INT(s, member, what);                                  \
    }                                                               \
  } while (0)

static KS_INLINE __u32 descriptor_peer(struct ks_scratch *s, __u32 fd, struct ks_slot_Endpoint *out) {
  struct sock *sock = (struct sock *)ks_sub_file_sock(ks_sub_fd_file(s->context.task, fd));
  return sock && is_inet(family_of(sock)) ? far_end(sock, out) : KS_ABSENT;
}

KS_INLINE void ks_get_process_stdin(struct ks_scratch *s) { KS_GET_DESCRIPTOR(s, process_stdin, 0); }

KS_INLINE void ks_get_process_stdout(struct ks_scratch *s) { KS_GET_DESCRIPTOR(s, process_stdout, 1); }

KS_INLINE void ks_get_process_stderr(struct ks_scratch *s) { KS_GET_DESCRIPTOR(s, process_stderr, 2); }

KS_INLINE void ks_get_process_stdin_peer(struct ks_scratch *s) {
  KS_SET_STATUS(s, process_stdin_peer, descriptor_peer(s, 0, &s->fields.process_stdin_peer));
}

KS_INLINE void ks_get_process_stdout_peer(struct ks_scratch *s) {
  KS_SET_STATUS(s, process_stdout_peer, descriptor_peer(s, 1, &s->fields.process_stdout_peer));
}

KS_INLINE void ks_get_process_stderr_peer(struct ks_scratch *s) {
  KS_SET_STATUS(s, process_stderr_peer, descriptor_peer(s, 2, &s->fields.process_stderr_peer));
}
