#include "runtime/kernel/pins.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <utility>

#include "runtime/kernel/ring.h"

namespace ks::kernel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSetPrefix = "ks_";
constexpr std::string_view kAside = "_unusable", kEnded = "_ended";  // behind a set's name
constexpr const char* kBundle = "bundle";  // no hook is called so
constexpr size_t kMostBundles = 1024;
constexpr uint32_t kMostGeneration = 1u << 31;  // there is room for those that follow

// A bundle's map: an array of pages, the first of which begins with this.
constexpr uint32_t kPage = 4096;
constexpr uint64_t kMostBytes = 64 << 20;  // bundle::kMaxBundleBytes
struct BundleHead {
  uint64_t magic = 0x314c444e42534bULL;  // "KSBNDL1"
  uint64_t size = 0;
  int64_t since = 0;
  uint32_t generation = 0;
  uint32_t captures = 0;
  uint64_t maps = 0;
  uint32_t rolled_back = 0;
};

Error PinError(const char* tried, const std::string& on, int error) {
  Error failed = WorldError(tried, on, error, "pin");
  if (error == EACCES || error == EPERM)
    failed.advice = "the folder must belong to the user that runs the agent, who needs to reach it: a bpffs may be mounted with mode 0700";
  if (error == ENOENT) failed.advice = "make the folder that it is to be in";
  return failed;
}

// Nothing but what this user wrote may lie there.
Status CheckOwn(const char* tried, const std::string& path, const struct stat& info, mode_t others) {
  if (S_ISDIR(info.st_mode) && info.st_uid == ::geteuid() && (info.st_mode & others) == 0) return Ok();
  return Error{tried, path, "others than this user may write to it, or lock it: programs that lie there are run",
               "give a folder of its own, empty: `chown` it to the agent's user, `chmod 700`", "pin"};
}

Status MakeFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return PinError("make the folder", path, errno);
  return Ok();
}

// Of sets: the number of a layout, and what was appended. Folders of others may be called anything.
bool IsSet(std::string_view name) {
  if (!name.starts_with(kSetPrefix)) return false;
  name.remove_prefix(kSetPrefix.size());
  for (const std::string_view end : {kAside, kEnded}) {
    if (name.ends_with(end)) name.remove_suffix(end.size());
  }
  return name.size() == 16 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The number of a bundle's folder; 0 if it is none.
uint32_t GenerationOf(const std::string& name) {
  uint32_t generation = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), generation);
  return error == std::errc() && generation <= kMostGeneration && std::to_string(generation) == name ? generation : 0;
}

// Names in a folder, none if there is no such.
std::vector<std::string> Names(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

void RemoveTree(const std::string& folder) {
  std::error_code ignored;  // what stays is found again by the next who looks
  fs::remove_all(folder, ignored);
}

template <typename Info>
bool ReadInfo(int fd, Info* info) {
  uint32_t size = sizeof(*info);
  return bpf_obj_get_info_by_fd(fd, info, &size) == 0;
}

// A pinned map of that type, nothing if it is none.
Fd OpenMap(const std::string& path, bpf_map_type type, bpf_map_info* info) {
  Fd map(bpf_obj_get(path.c_str()));
  *info = {};
  // Another kind of object fills other members.
  bpf_map_info probe{};
  uint32_t size = sizeof(probe);
  if (!map || bpf_obj_get_info_by_fd(map.get(), &probe, &size) != 0 || probe.type != static_cast<uint32_t>(type)) return {};
  *info = probe;
  return map;
}

// "7 bytes of records that nobody read", or "".
std::string Unread(const std::string& set) {
  uint64_t bytes = 0;
  bool known = true;
  for (const char* name : {"ks_ring", "ks_ring_context"}) {
    bpf_map_info info{};
    const Fd map = OpenMap(set + "/maps/" + name, BPF_MAP_TYPE_RINGBUF, &info);
    Ring ring;
    const bool read = map && ring.Open(map.get(), info.max_entries);
    known = known && read;
    if (read) bytes += ring.unread();
  }
  if (!known) return "its rings cannot be read";
  return bytes > 0 ? fmt::format("{} bytes of records in its rings were not read", bytes) : "";
}

Result<PinnedBundle> ReadBundle(const std::string& folder, uint32_t generation) {
  const auto refused = [&](std::string cause) { return Error{"read the pinned bundle", folder, std::move(cause), "", "pin"}; };
  bpf_map_info info{};
  const Fd map = OpenMap(folder + "/" + kBundle, BPF_MAP_TYPE_ARRAY, &info);
  if (!map) return refused("it is not a map of bytes, or its writer was killed");
  const uint64_t bytes = uint64_t{info.max_entries} * info.value_size;
  if (info.value_size != kPage || !(info.map_flags & BPF_F_MMAPABLE) || bytes > kMostBytes + kPage)
    return refused("the map has another shape");
  const Mapping pages(map.get(), bytes, PROT_READ);
  if (!pages.get()) return refused(std::strerror(errno));
  BundleHead head;
  std::memcpy(&head, pages.get(), sizeof(head));
  if (head.magic != BundleHead{}.magic || head.generation != generation || head.size > bytes - kPage)
    return refused("its head is not that of this bundle");
  PinnedBundle bundle;
  bundle.kept.generation = generation;
  bundle.kept.since = head.since;
  bundle.kept.bytes.assign(static_cast<const char*>(pages.get()) + kPage, head.size);
  bundle.kept.rolled_back = head.rolled_back != 0;
  bundle.captures = head.captures;
  bundle.maps = head.maps;
  for (const std::string& hook : Names(folder)) {
    if (hook == kBundle) continue;
    Fd program(bpf_obj_get((folder + "/" + hook).c_str()));
    bpf_prog_info program_info{};
    if (!program || !ReadInfo(program.get(), &program_info) || program_info.type != BPF_PROG_TYPE_RAW_TRACEPOINT)
      return refused(fmt::format("`{}` is no program for a tracepoint", hook));
    bundle.programs[hook] = std::move(program);
  }
  return bundle;
}

}  // namespace

uint32_t MapId(int fd) {
  bpf_map_info info{};
  return ReadInfo(fd, &info) ? info.id : 0;
}

uint32_t ProgramId(int fd) {
  bpf_prog_info info{};
  return ReadInfo(fd, &info) ? info.id : 0;
}

Result<Pins> Pins::Open(const std::string& folder, Purpose purpose) {
  Pins pins;
  pins.folder_ = folder;
  const char* kTried = "pin to";
  if (Status made = MakeFolder(folder); !made) return made.error();
  pins.lock_ = Fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct statfs system{};
  struct stat info{};
  if (!pins.lock_ || ::fstatfs(pins.lock_.get(), &system) != 0 || ::fstat(pins.lock_.get(), &info) != 0)
    return PinError(kTried, folder, errno);
  if (static_cast<uint32_t>(system.f_type) != BPF_FS_MAGIC) {
    return Error{kTried, folder, "it is not on a bpffs",
                 "mount one (`mount -t bpf bpf /sys/fs/bpf`) and give a folder in it, which belongs to the agent's user", "pin"};
  }
  if (purpose == Purpose::Use) {
    constexpr mode_t kReadOrWrite = S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH;
    if (Status own = CheckOwn(kTried, folder, info, kReadOrWrite); !own) return own.error();
  }
  if (::flock(pins.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return PinError("lock", folder, errno);
    return Error{kTried, folder, "another kubesentryd uses it", "stop that one first, or give another folder", "pin-locked"};
  }
  return pins;
}

Status Pins::Use(const std::string& layout, std::vector<std::string>* notices) {
  set_ = fmt::format("{}/{}{}", folder_, kSetPrefix, layout);
  if (!is_aside_ && ::access((set_ + std::string(kAside)).c_str(), F_OK) == 0) {
    const std::string unread = ::access(set_.c_str(), F_OK) == 0 ? Unread(set_) : "";
    TakeBack();
    notices->push_back(fmt::format("{} was set aside by an agent that was ended before it was ready, and is gone on with{}{}", set_,
                                   unread.empty() ? "" : "; of what that agent pinned ", unread));
  }
  for (const char* part : {"", "/maps", "/links", "/programs", "/bundles"}) {
    const std::string path = set_ + part;
    if (Status made = MakeFolder(path); !made) return made;
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0) return PinError("pin to", path, errno);
    if (Status own = CheckOwn("pin to", path, info, S_IWGRP | S_IWOTH); !own) return own;
  }
  return Ok();
}

Result<Attachment> Pins::Attached(const std::string& hook, const std::set<uint32_t>& maps) const {
  const std::string path = set_ + "/links/" + hook;
  Attachment attachment;
  LibbpfLog quiet;
  attachment.link.reset(bpf_link__open(path.c_str()));
  if (!attachment.link) {
    if (errno == ENOENT) return attachment;
    return PinError("open the pinned link", path, errno);
  }
  attachment.program = Fd(bpf_obj_get((set_ + "/programs/" + hook).c_str()));
  bpf_link_info link{};
  std::vector<uint32_t> used(64);
  bpf_prog_info program{};
  program.nr_map_ids = static_cast<uint32_t>(used.size());
  program.map_ids = reinterpret_cast<uint64_t>(used.data());
  const bool read = attachment.program && ReadInfo(bpf_link__fd(attachment.link.get()), &link) &&
                    ReadInfo(attachment.program.get(), &program);
  used.resize(std::min<size_t>(used.size(), read ? program.nr_map_ids : 0));
  const bool ours = read && (link.type == BPF_LINK_TYPE_RAW_TRACEPOINT || link.type == BPF_LINK_TYPE_TRACING) &&
                    link.prog_id == program.id &&
                    std::ranges::all_of(maps, [&](uint32_t map) { return std::ranges::count(used, map) > 0; });
  if (!ours) return Error{"go on with the pinned link", path, "it does not hold the resident program of this hook", "", "pin"};
  return attachment;
}

Status Pins::Attach(const std::string& hook, const Attachment& attachment) const {
  const std::string program = set_ + "/programs/" + hook, link = set_ + "/links/" + hook;
  // Of an agent that was killed between the two.
  ::unlink(program.c_str());
  if (bpf_obj_pin(attachment.program.get(), program.c_str()) != 0) return PinError("pin", program, errno);
  if (bpf_obj_pin(bpf_link__fd(attachment.link.get()), link.c_str()) != 0) return PinError("pin", link, errno);
  return Ok();
}

void Pins::Detach(const std::string& hook) const {
  ::unlink((set_ + "/links/" + hook).c_str());
  ::unlink((set_ + "/programs/" + hook).c_str());
}

Status Pins::Keep(const KeptBundle& bundle, uint32_t captures, uint64_t maps, const std::map<std::string, int>& programs) const {
  const std::string folder = BundleFolder(bundle.generation);
  const uint32_t pages = 1 + static_cast<uint32_t>((bundle.bytes.size() + kPage - 1) / kPage);
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
  const Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ks_bundle", sizeof(uint32_t), kPage, pages, &options));
  if (!map) return PinError("keep the bundle's bytes in", folder, errno);
  {
    const Mapping to(map.get(), size_t{pages} * kPage);
    if (!to.get()) return PinError("keep the bundle's bytes in", folder, errno);
    const BundleHead head{.size = bundle.bytes.size(),
                          .since = bundle.since,
                          .generation = bundle.generation,
                          .captures = captures,
                          .maps = maps};
    std::memcpy(to.get(), &head, sizeof(head));
    std::memcpy(static_cast<char*>(to.get()) + kPage, bundle.bytes.data(), bundle.bytes.size());
  }
  RemoveTree(folder);
  if (Status made = MakeFolder(folder); !made) return made;
  for (const auto& [hook, program] : programs) {
    if (bpf_obj_pin(program, (folder + "/" + hook).c_str()) != 0) return PinError("pin", folder + "/" + hook, errno);
  }
  // Last: a folder with it is whole.
  if (bpf_obj_pin(map.get(), (folder + "/" + kBundle).c_str()) != 0) return PinError("pin", folder + "/" + kBundle, errno);
  return Ok();
}

void Pins::Forget(uint32_t generation) const { RemoveTree(BundleFolder(generation)); }

Status Pins::SetRolledBack(uint32_t generation, bool rolled_back) const {
  const std::string path = BundleFolder(generation) + "/" + kBundle;
  const auto refused = [&](std::string cause) {
    return Error{"keep whether it was rolled back", path, std::move(cause),
                 "others took the pins away: start the agent anew, which says what it finds", "pin"};
  };
  bpf_map_info info{};
  const Fd map = OpenMap(path, BPF_MAP_TYPE_ARRAY, &info);
  if (!map || info.value_size != kPage || !(info.map_flags & BPF_F_MMAPABLE)) return refused("it is not the bundle's map any more");
  const Mapping head(map.get(), kPage);
  if (!head.get()) return refused(std::strerror(errno));
  const uint32_t value = rolled_back ? 1 : 0;
  std::memcpy(static_cast<char*>(head.get()) + offsetof(BundleHead, rolled_back), &value, sizeof(value));
  return Ok();
}

std::vector<PinnedBundle> Pins::Bundles(std::vector<std::string>* notices) {
  std::vector<PinnedBundle> bundles;
  for (const std::string& name : Names(set_ + "/bundles")) {
    const std::string path = set_ + "/bundles/" + name;
    const uint32_t generation = GenerationOf(name);
    if (generation == 0 || bundles.size() >= kMostBundles) {
      notices->push_back(fmt::format("{} is no bundle's folder", path));
      unreadable_.push_back(path);
      continue;
    }
    Result<PinnedBundle> bundle = ReadBundle(path, generation);
    if (bundle) {
      bundles.push_back(std::move(*bundle));
    } else {
      notices->push_back(bundle.error().ToString());
      unreadable_.push_back(path);
    }
  }
  std::ranges::sort(bundles, {}, [](const PinnedBundle& bundle) { return bundle.kept.generation; });
  return bundles;
}

uint32_t Pins::LastGeneration() const {
  uint32_t last = 0;
  for (const std::string& name : Names(set_ + "/bundles")) last = std::max(last, GenerationOf(name));
  return last;
}

void Pins::RemoveUnreadable() {
  for (const std::string& path : std::exchange(unreadable_, {})) RemoveTree(path);
}

Status Pins::SetAside() {
  const std::string aside = set_ + std::string(kAside);
  RemoveTree(aside);
  if (::rename(set_.c_str(), aside.c_str()) != 0) return PinError("set aside", set_, errno);
  is_aside_ = true;
  return Ok();
}

void Pins::TakeBack() {
  is_aside_ = false;
  RemoveTree(set_);
  ::rename((set_ + std::string(kAside)).c_str(), set_.c_str());
}

RemovedPins Pins::RemoveSets(const std::string& but) const {
  RemovedPins pins;
  struct stat owner{};
  ::fstat(lock_.get(), &owner);
  // By descriptors: whoever owns the folder may put links to elsewhere in the place of sets.
  const std::string in = fmt::format("/proc/self/fd/{}/", lock_.get());
  for (const std::string& name : Names(folder_)) {
    const std::string path = folder_ + "/" + name;
    if (!IsSet(name) || path == but) continue;
    const Fd set(::openat(lock_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat info{};
    if (!set || ::fstat(set.get(), &info) != 0 || (info.st_uid != owner.st_uid && info.st_uid != ::geteuid())) {
      pins.left.push_back(fmt::format("{} was left: it is no folder of the user that pins here", path));
      continue;
    }
    const std::string inside = fmt::format("/proc/self/fd/{}", set.get());
    RemoveTree(inside + "/links");
    std::string unread = Unread(inside);
    RemoveTree(in + name);
    if (::faccessat(lock_.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
      pins.left.push_back(fmt::format("{} could not be removed: its programs may still run", path));
    } else {
      pins.removed.push_back(fmt::format("{} was removed{}{}", path, unread.empty() ? "" : "; ", unread));
    }
  }
  return pins;
}

RemovedPins Pins::RemoveOthers() const {
  // First that what was set aside is not to be taken back: ours goes on.
  const std::string aside = set_ + std::string(kAside), ended = set_ + std::string(kEnded);
  if (::access(aside.c_str(), F_OK) == 0) {
    RemoveTree(ended);
    ::rename(aside.c_str(), ended.c_str());
  }
  return RemoveSets(set_);
}
RemovedPins Pins::RemoveAll() const { return RemoveSets(""); }

Result<RemovedPins> RemovePins(const std::string& folder) {
  struct stat info{};
  if (::stat(folder.c_str(), &info) != 0) return PinError("remove the pins in", folder, errno);
  Result<Pins> pins = Pins::Open(folder, Pins::Purpose::Remove);
  if (!pins) return pins.error();
  return pins->RemoveAll();
}

}  // namespace ks::kernel
