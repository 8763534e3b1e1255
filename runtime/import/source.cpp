#include "runtime/import/source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace ks::import {
namespace {

constexpr size_t kBuffer = 256 * 1024;
constexpr size_t kAtOnce = 1 << 20;  // memory follows what is there, not what the file claims
constexpr int kGzip = 15 + 16;       // zlib's word for: with gzip's head and check

}  // namespace

// inflate and not gzread, which takes whatever follows a member and does not begin as one for the end of the file.
struct Source::State {
  State(std::string name, int opened) : path(std::move(name)), fd(opened) {}
  ~State() {
    if (gzip) inflateEnd(&stream);
    ::close(fd);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // More of the file, if what was read of it is used up. False if there is none.
  bool Fill();
  // Up to `size` bytes; 0 at the end, and where it is damaged.
  size_t Give(char* out, size_t size);
  // False if no member of a gzip file begins behind the last one.
  bool FindMember();
  uint64_t InFile() const { return read - stream.avail_in; }

  std::string path;
  int fd;
  std::vector<char> buffer = std::vector<char>(kBuffer);
  z_stream stream{};  // of a plain file only its input
  bool begun = false, gzip = false;
  bool inside = false;  // of a member
  uint64_t members = 0;
  uint64_t read = 0;  // of the file
  std::string ahead;  // read by Peek
  uint64_t offset = 0;
  std::string damage;
};

bool Source::State::Fill() {
  if (stream.avail_in > 0) return true;
  // The first two bytes say what it is; a pipe may give them one by one.
  size_t size = 0;
  while (size < (begun ? 1 : 2)) {
    const ssize_t got = ::read(fd, buffer.data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) damage = fmt::format("it cannot be read behind byte {}: {}", read + size, std::strerror(errno));
    if (got <= 0) break;
    size += static_cast<size_t>(got);
  }
  read += size;
  stream.next_in = reinterpret_cast<Bytef*>(buffer.data());
  stream.avail_in = static_cast<uInt>(size);
  return size > 0;
}

bool Source::State::FindMember() {
  const bool is_first = members == 0;
  // Tapes and some tools pad with zeros.
  while (Fill() && !is_first && *stream.next_in == 0) ++stream.next_in, --stream.avail_in;
  if (stream.avail_in == 0) return false;
  if (*stream.next_in != 0x1f) {
    damage = fmt::format("the compressed file is damaged: at byte {} neither it ends nor does a gzip member begin", InFile());
    return false;
  }
  if (!is_first) inflateReset(&stream);
  ++members;
  return inside = true;
}

size_t Source::State::Give(char* out, size_t size) {
  const bool more = Fill();
  if (!begun && more) {
    begun = true;
    gzip = stream.avail_in > 1 && stream.next_in[0] == 0x1f && stream.next_in[1] == 0x8b;
    if (gzip && inflateInit2(&stream, kGzip) != Z_OK) {
      gzip = false;
      damage = "there is no memory to decompress it";
      return 0;
    }
  }
  if (!gzip) {
    const size_t some = std::min<size_t>(size, stream.avail_in);
    std::memcpy(out, stream.next_in, some);
    stream.next_in += some, stream.avail_in -= static_cast<uInt>(some);
    return some;
  }
  stream.next_out = reinterpret_cast<Bytef*>(out);
  stream.avail_out = static_cast<uInt>(size);
  while (stream.avail_out > 0) {
    if (!inside && !FindMember()) break;
    // It may have more to give when the file has not.
    Fill();
    if (!damage.empty()) break;
    const int error = inflate(&stream, Z_NO_FLUSH);
    if (error == Z_OK) continue;
    inside = false;
    if (error == Z_STREAM_END) continue;
    damage = error == Z_BUF_ERROR ? "the compressed file is cut"
                                  : fmt::format("the compressed file is damaged before byte {}: {}", InFile(),
                                                stream.msg ? stream.msg : zError(error));
    break;
  }
  return size - stream.avail_out;
}

Source::Source(std::unique_ptr<State> state) : state_(std::move(state)) {}
Source::Source(Source&&) noexcept = default;
Source& Source::operator=(Source&&) noexcept = default;
Source::~Source() = default;

Result<Source> Source::Open(const std::string& path) {
  const auto refused = [&](int error) { return Error{"open the recording", path, std::strerror(error), "", "import-file"}; };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return refused(errno);
  struct stat info{};
  if (::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
    ::close(fd);
    return refused(EISDIR);
  }
  return Source(std::make_unique<State>(path, fd));
}

const std::string& Source::path() const { return state_->path; }
uint64_t Source::offset() const { return state_->offset; }
std::string Source::Damage() const { return state_->damage; }

std::string Source::Peek(size_t size) {
  std::string begin;
  Read(size, &begin);
  state_->ahead = begin + state_->ahead;
  state_->offset -= begin.size();
  return begin;
}

void Source::Read(size_t size, std::string* out) {
  const size_t known = std::min(size, state_->ahead.size());
  out->append(state_->ahead, 0, known);
  state_->ahead.erase(0, known);
  state_->offset += known;
  size -= known;
  while (size > 0 && state_->damage.empty()) {
    const size_t before = out->size(), now = std::min(size, kAtOnce);
    out->resize(before + now);
    const size_t got = state_->Give(out->data() + before, now);
    out->resize(before + got);
    state_->offset += got;
    size -= got;
    if (got == 0) return;
  }
}

}  // namespace ks::import
