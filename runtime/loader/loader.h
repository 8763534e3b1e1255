// A bundle's way into the kernel: file → VerifiedBundle → LoadedBundle → ActiveBundle. On any failure what was active
// stays so.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/bundle/bundle.h"
#include "runtime/engine/engine.h"
#include "runtime/kernel/kernel.h"

namespace ks::loader {

inline constexpr uint64_t kKeepAfterEndNs = 1000000000;

// Reads the file once: the bytes that are verified are those that are loaded. `now`: seconds since 1970. `bytes`: if not null, gets
// them.
Result<bundle::VerifiedBundle> ReadBundle(const std::string& path, const bundle::Trust& trust, int64_t now,
                                          std::string* bytes = nullptr);

// The kernel's verifier took its programs; none of them runs yet.
struct LoadedBundle {
  bundle::VerifiedBundle bundle;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<kernel::LoadedObject> object;
  uint32_t generation = 0;  // in every record that its programs make
};

// Its programs run, or ran until a moment ago. Only Loader::Activate makes one.
class ActiveBundle {
 public:
  const bundle::VerifiedBundle& bundle() const { return loaded_.bundle; }
  const engine::Engine& engine() const { return *loaded_.engine; }
  const std::vector<kernel::LoadedHook>& hooks() const { return loaded_.object->hooks(); }
  uint32_t generation() const { return loaded_.generation; }

 private:
  friend class Loader;
  explicit ActiveBundle(LoadedBundle loaded) : loaded_(std::move(loaded)) {}
  LoadedBundle loaded_;
  bool rolled_back_ = false;  // somebody went back from it
};

struct SwapCounts {
  uint64_t activated = 0;
  uint64_t unchanged = 0;                    // the same bundle again: nothing to do
  uint64_t rolled_back = 0;
  std::map<std::string, uint64_t> refusals;  // by Error::code
};

class Loader {
 public:
  explicit Loader(kernel::Kernel& kernel) : kernel_(kernel) {}
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Everything that can be slow: read, verify, take the programs through the kernel's verifier beside what runs.
  // Nothing if the bundle is the active one. May run on another thread while this one consumes the ring, one at a time.
  Result<std::optional<LoadedBundle>> Prepare(const std::string& path, const bundle::Trust& trust, int64_t now);
  // `bytes`, `now`: the signed file and when it was verified, for the next agent; for kernels that are pinned.
  Result<LoadedBundle> Load(bundle::VerifiedBundle bundle, std::string_view bytes = {}, int64_t now = 0);

  // Makes it the active one. The old one's programs stay in the other bank, and its engine here, for Rollback.
  Status Activate(LoadedBundle loaded);
  // Makes the one active again that was so before, as Activate does; a second time, forth again.
  Status Rollback();
  // Why the next agent will not know of a Rollback, if so: it may go forth again by itself. Only the first call gives it.
  std::optional<Error> TakeNotKept() { return std::exchange(not_kept_, std::nullopt); }

  // Goes on with what an agent before this one pinned: its bundles are verified again, as of when they were first. Gives what
  // cannot be gone on with.
  std::vector<Error> Resume(const bundle::Trust& trust);
  // Whether a bundle has nothing to do at the start: it is the active one, or the one that was rolled back from.
  enum class Known : uint8_t { No, Active, RolledBack };
  Known Knows(const std::string& digest) const;

  // Prepare, then Activate; counts the outcome. True if another bundle is active now.
  Result<bool> Swap(const std::string& path, const bundle::Trust& trust, int64_t now);
  // For a caller that does the two steps of Swap itself.
  void CountRefusal(const Error& error) { counts_.refusals[error.code]++; }
  void CountUnchanged() { counts_.unchanged++; }

  // Null before the first activation.
  const ActiveBundle* active() const { return active_.get(); }
  // Who decided a record of that generation; null for a generation that no record in the ring can have.
  const ActiveBundle* OfGeneration(uint32_t generation) const;
  // To be told after each Kernel::Consume: forgets generations of which no record can be in the ring any more. These
  // are the ones whose ring was read to its end twice, a second apart, since their programs have run out: a record can
  // hold up the ones behind it for as long as its writer is kept from finishing it. The one for Rollback stays.
  void Consumed(size_t records, uint64_t now_ns);
  size_t generations() const { return previous_.size() + (standby_ ? 1 : 0) + (active_ ? 1 : 0); }

  // Files that the policy names are replaced by rename: looks again which inodes have their names.
  Status RefreshNames();

  const SwapCounts& counts() const { return counts_; }

 private:
  Status Switch(ActiveBundle& next);
  Status SetNames(std::vector<kernel::NamedInode> names);
  void SetRolledBack(ActiveBundle& bundle, bool rolled_back);

  kernel::Kernel& kernel_;
  std::unique_ptr<ActiveBundle> active_;
  std::unique_ptr<ActiveBundle> standby_;  // that was active before it; its programs are in the other bank
  bool outdated_ = false;                  // the active one is to be loaded again
  struct Previous {
    std::unique_ptr<ActiveBundle> bundle;
    std::optional<uint64_t> read_to_end_ns;  // first time
  };
  std::vector<Previous> previous_;
  std::vector<uint32_t> refused_;  // generations of pinned bundles that were not gone on with
  std::optional<Error> not_kept_;
  std::vector<kernel::NamedInode> names_;  // what the kernel knows
  uint32_t last_generation_ = 0;
  SwapCounts counts_;
};

}  // namespace ks::loader
