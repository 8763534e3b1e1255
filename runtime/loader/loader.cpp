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

Result<bundle::VerifiedBundle> ReadBundle(const std::string& path, const bundle::Trust& trust, int64_t now,
                                          std::string* bytes_out) {
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
  if (bytes_out) *bytes_out = std::move(*bytes);
  return verified;
}

Result<LoadedBundle> Loader::Load(bundle::VerifiedBundle verified, std::string_view bytes, int64_t now) {
  last_generation_ = std::max(last_generation_, kernel_.LastGeneration()) + 1;
  const uint32_t generation = last_generation_;
  auto object = kernel_.Load(verified.bpf_object(), generation);
  if (!object) return object.error();
  if (Status kept = kernel_.Keep(**object, generation, now, bytes); !kept) {
    kernel_.Forget(generation);
    return kept.error();
  }
  auto engine = std::make_unique<engine::Engine>(verified.program());
  return LoadedBundle{std::move(verified), std::move(engine), std::move(*object), generation};
}

Result<std::optional<LoadedBundle>> Loader::Prepare(const std::string& path, const bundle::Trust& trust, int64_t now) {
  std::string bytes;
  auto verified = ReadBundle(path, trust, now, &bytes);
  if (!verified) return verified.error();
  if (active_ && active_->bundle().digest() == verified->digest()) return std::optional<LoadedBundle>();
  auto loaded = Load(std::move(*verified), bytes, now);
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

// `next`: what is to be active.
Status Loader::Switch(ActiveBundle& next) {
  // Both bundles' names until the old one's programs have run out; the next refresh forgets the old ones.
  std::vector<std::string> both = next.engine().plan().names;
  if (active_) both.insert(both.end(), active_->engine().plan().names.begin(), active_->engine().plan().names.end());
  if (Status named = SetNames(ResolveNames(both)); !named) return named;
  return kernel_.Activate(*next.loaded_.object);
}

Status Loader::Activate(LoadedBundle loaded) {
  std::unique_ptr<ActiveBundle> next(new ActiveBundle(std::move(loaded)));
  if (Status switched = Switch(*next); !switched) {
    kernel_.Forget(next->generation());
    return switched;
  }
  // Its programs have made room; its records may still be in the rings.
  if (standby_) previous_.push_back({std::move(standby_), std::nullopt});
  standby_ = std::move(active_);
  active_ = std::move(next);
  outdated_ = false;
  counts_.activated++;
  for (const uint32_t refused : std::exchange(refused_, {})) kernel_.Forget(refused);
  return Ok();
}

Status Loader::Rollback() {
  if (!standby_) {
    return Error{"roll back", "to the bundle before", "there is none: no other bundle was active since the start", "",
                 "rollback-none"};
  }
  // First: an agent that is killed in between must not go forth again by itself.
  const bool back = standby_->generation() < active_->generation();
  SetRolledBack(*active_, back);
  if (Status switched = Switch(*standby_); !switched) {
    SetRolledBack(*active_, false);
    return switched;
  }
  std::swap(active_, standby_);
  SetRolledBack(*active_, false);
  counts_.rolled_back++;
  return Ok();
}

std::vector<Error> Loader::Resume(const bundle::Trust& trust) {
  std::vector<Error> strange;
  for (const kernel::KeptBundle& kept : kernel_.TakeKept()) {
    last_generation_ = std::max(last_generation_, kept.generation);
    const auto refuse = [&](Error error) {
      error.on = fmt::format("the pinned bundle of generation {}", kept.generation);
      strange.push_back(std::move(error));
      // The next start may trust it: it stays until something else is active.
      refused_.push_back(kept.generation);
    };
    // What was good once decides what it passed; whether it is to go on is asked of the file.
    auto verified = bundle::Verify(kept.bytes, trust, kept.since);
    if (!verified) {
      refuse(verified.error());
      continue;
    }
    auto object = kernel_.Adopt(kept.generation, verified->bpf_object());
    if (!object) {
      refuse(object.error());
      continue;
    }
    auto engine = std::make_unique<engine::Engine>(verified->program());
    std::unique_ptr<ActiveBundle> bundle(
        new ActiveBundle({std::move(*verified), std::move(engine), std::move(*object), kept.generation}));
    bundle->rolled_back_ = kept.rolled_back;
    switch (kept.bank) {
      case kernel::KeptBundle::Bank::Active:
        active_ = std::move(bundle);
        outdated_ = kept.outdated;
        counts_.activated++;
        break;
      case kernel::KeptBundle::Bank::Idle: standby_ = std::move(bundle); break;
      case kernel::KeptBundle::Bank::None: previous_.push_back({std::move(bundle), std::nullopt}); break;
    }
  }
  if (active_) {
    SetRolledBack(*active_, false);
    if (std::optional<Error> not_kept = TakeNotKept()) strange.push_back(std::move(*not_kept));
    if (Status attached = kernel_.Reattach(*active_->loaded_.object); !attached) {
      strange.push_back(attached.error());
      outdated_ = true;  // loading the same bundle at the start attaches it, or says why it cannot
    }
    names_ = ResolveNames(active_->engine().plan().names);
    if (Status named = kernel_.SetInodes(names_); !named) strange.push_back(named.error());
  }
  return strange;
}

Loader::Known Loader::Knows(const std::string& digest) const {
  if (active_ && !outdated_ && active_->bundle().digest() == digest) return Known::Active;
  const bool from = active_ && standby_ && standby_->rolled_back_;
  return from && standby_->bundle().digest() == digest ? Known::RolledBack : Known::No;
}

void Loader::SetRolledBack(ActiveBundle& bundle, bool rolled_back) {
  if (bundle.rolled_back_ == rolled_back) return;
  bundle.rolled_back_ = rolled_back;
  if (Status kept = kernel_.SetRolledBack(bundle.generation(), rolled_back); !kept) not_kept_ = kept.error();
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
  if (standby_ && standby_->generation() == generation) return standby_.get();
  for (const auto& old : previous_) {
    if (old.bundle->generation() == generation) return old.bundle.get();
  }
  return nullptr;
}

void Loader::Consumed(size_t records, uint64_t now_ns) {
  if (records >= kernel::kRecordsPerConsume) return;  // there may be more
  std::erase_if(previous_, [&](Previous& old) {
    if (!old.read_to_end_ns) old.read_to_end_ns = now_ns;
    if (now_ns - *old.read_to_end_ns < kKeepAfterEndNs) return false;
    kernel_.Forget(old.bundle->generation());
    return true;
  });
}

Status Loader::RefreshNames() {
  if (!active_) return Ok();
  return SetNames(ResolveNames(active_->engine().plan().names));
}

}  // namespace ks::loader
