// Writing to what somebody else reads, without being held up by them. O_NONBLOCK would do, but it belongs to the open file, which is
// shared with the processes that a descriptor was inherited from.
#pragma once

#include <sys/types.h>

#include <string_view>

namespace ks::agent {

// Writes a part of `bytes`, which are not empty, and gives its size. 0: nothing could be taken within `timeout_ms` (0: look only); -1: as
// write(2), errno says why. A regular file takes all at once; anything else at most PIPE_BUF bytes, which are not mixed with those
// of other writers.
ssize_t WriteReady(int fd, std::string_view bytes, int timeout_ms);

// Of a terminal that this user may open: an open file of its own, which never waits (one that polls writable takes a byte, and waits for
// the rest). Else `fd`. The caller closes it if it is another.
int OwnTerminal(int fd);

}  // namespace ks::agent
