#include "runtime/import/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ks::import {
namespace {

constexpr unsigned kBuffer = 256 * 1024;
constexpr size_t kAtOnce = 1 << 20;  // memory follows what is there, not what the file claims

}  // namespace

struct Source::State {
  std::string path;
  gzFile file = nullptr;
  std::string ahead;  // read by Peek
  uint64_t offset = 0;
  std::string damage;
  ~State() {
    if (file) gzclose(file);
  }
};

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
  auto state = std::make_unique<State>();
  state->path = path;
  state->file = gzdopen(fd, "rb");
  if (!state->file) {
    ::close(fd);
    return refused(ENOMEM);
  }
  gzbuffer(state->file, kBuffer);
  return Source(std::move(state));
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
    const int read = gzread(state_->file, out->data() + before, static_cast<unsigned>(now));
    const size_t got = read > 0 ? static_cast<size_t>(read) : 0;
    out->resize(before + got);
    state_->offset += got;
    size -= got;
    if (got == now) continue;
    int error = Z_OK;
    const char* why = gzerror(state_->file, &error);
    // Z_BUF_ERROR: the file ends within a compressed stream.
    if (error == Z_BUF_ERROR) {
      state_->damage = "the compressed file is cut";
    } else if (error != Z_OK && error != Z_STREAM_END) {
      state_->damage = std::string("the compressed file is damaged: ") + (error == Z_ERRNO ? std::strerror(errno) : why);
    }
    return;
  }
}

}  // namespace ks::import
