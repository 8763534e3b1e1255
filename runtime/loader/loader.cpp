#include "runtime/loader/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/loader/names.h"

namespace ks::loader {
namespace {

bool Same(const std::vector<kernel::NamedInode>& a, const std::vector<kernel::NamedInode>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.device == y.device && x.inode == y.inode && x.path == y.path;
  });
}

}  // namespace

Result<bundle::VerifiedBundle> ReadBundle(const std::string& path, const bundle::Trust& trust, int64_t now) {
  auto bytes = ReadFile(path, bundle::kMaxBundleBytes);
  if (!bytes) {
    Error error = bytes.error();
    error.tried = "read the bundle";
    if (error.advice.empty()) error.advice = "`ksc compile` writes bundles; give the path of one";
    // Too large is too large, whether the file says so or its contents.
    if (error.code == "file-too-large") error.code = "bundle-too-large";
    return error;
  }
  auto verified = bundle::Verify(*bytes, trust, now);
  if (!verified) {
    Error error = verified.error();
    // Keep the place within the bundle ("byte 512", "manifest.dsse.json") that the step names.
    error.on = error.on == "the bundle" ? path : fmt::format("{} ({})", path, error.on);
    return error;
  }
  return verified;
}

Result<LoadedBundle> Loader::Load(bundle::VerifiedBundle verified) {
  const uint32_t generation = ++last_generation_;
  auto object = kernel_.Load(verified.bpf_object(), generation);
  if (!object) return object.error();
  auto engine = std::make_unique<engine::Engine>(verified.program());
  return LoadedBundle{std::move(verified), std::move(engine), std::move(*object), generation};
}

Result<std::optional<LoadedBundle>> Loader::Prepare(const std::string& path, const bundle::Trust& trust, int64_t now) {
  auto verified = ReadBundle(path, trust, now);
  if (!verified) return verified.error();
  if (active_ && active_->bundle().digest() == verified->digest()) return std::optional<LoadedBundle>();
  auto loaded = Load(std::move(*verified));
  if (!loaded) {
    Error error = loaded.error();
    if (error.on == "the bundle") error.on = path;
    return error;
  }
  return std::optional<LoadedBundle>(std::move(*loaded));
}

Status Loader::SetNames(std::vector<kernel::NamedInode> names) {
  if (Same(names, names_)) return Ok();
  if (Status set = kernel_.SetInodes(names); !set) return set.error();
  names_ = std::move(names);
  return Ok();
}

Status Loader::Activate(LoadedBundle loaded) {
  // Both bundles' names until the old one's programs have run out; the next refresh forgets the old ones.
  std::vector<std::string> both = loaded.engine->plan().names;
  if (active_) both.insert(both.end(), active_->engine().plan().names.begin(), active_->engine().plan().names.end());
  if (Status named = SetNames(ResolveNames(both)); !named) return named.error();
  if (Status activated = kernel_.Activate(*loaded.object); !activated) return activated.error();
  if (active_) previous_.push_back({std::move(active_), std::nullopt});
  active_.reset(new ActiveBundle(std::move(loaded)));
  counts_.activated++;
  return Ok();
}

Result<bool> Loader::Swap(const std::string& path, const bundle::Trust& trust, int64_t now) {
  auto prepared = Prepare(path, trust, now);
  if (!prepared) {
    CountRefusal(prepared.error());
    return prepared.error();
  }
  if (!prepared->has_value()) {
    CountUnchanged();
    return false;
  }
  if (Status activated = Activate(std::move(**prepared)); !activated) {
    CountRefusal(activated.error());
    return activated.error();
  }
  return true;
}

const ActiveBundle* Loader::OfGeneration(uint32_t generation) const {
  if (active_ && active_->generation() == generation) return active_.get();
  for (const auto& old : previous_) {
    if (old.bundle->generation() == generation) return old.bundle.get();
  }
  return nullptr;
}

void Loader::Consumed(size_t records, uint64_t now_ns) {
  if (records >= kernel::kRecordsPerConsume) return;  // there may be more
  std::erase_if(previous_, [&](Previous& old) {
    if (!old.read_to_end_ns) old.read_to_end_ns = now_ns;
    return now_ns - *old.read_to_end_ns >= kKeepAfterEndNs;
  });
}

Status Loader::RefreshNames() {
  if (!active_) return Ok();
  return SetNames(ResolveNames(active_->engine().plan().names));
}

}  // namespace ks::loader
