// A bundle's way into the kernel: file → VerifiedBundle → LoadedBundle → ActiveBundle. On any failure what was active
// stays so.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/bundle/bundle.h"
#include "runtime/engine/engine.h"
#include "runtime/kernel/kernel.h"

namespace ks::loader {

inline constexpr uint64_t kKeepAfterEndNs = 1000000000;

// Reads the file once: the bytes that are verified are those that are loaded. `now`: seconds since 1970.
Result<bundle::VerifiedBundle> ReadBundle(const std::string& path, const bundle::Trust& trust, int64_t now);

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
};

struct SwapCounts {
  uint64_t activated = 0;
  uint64_t unchanged = 0;                    // the same bundle again: nothing to do
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
  Result<LoadedBundle> Load(bundle::VerifiedBundle bundle);

  // Makes it the active one and keeps the old one's engine until Consumed forgets it.
  Status Activate(LoadedBundle loaded);

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
  // hold up the ones behind it for as long as its writer is kept from finishing it.
  void Consumed(size_t records, uint64_t now_ns);
  size_t generations() const { return previous_.size() + (active_ ? 1 : 0); }

  // Files that the policy names are replaced by rename: looks again which inodes have their names.
  Status RefreshNames();

  const SwapCounts& counts() const { return counts_; }

 private:
  Status SetNames(std::vector<kernel::NamedInode> names);

  kernel::Kernel& kernel_;
  std::unique_ptr<const ActiveBundle> active_;
  struct Previous {
    std::unique_ptr<const ActiveBundle> bundle;
    std::optional<uint64_t> read_to_end_ns;  // first time
  };
  std::vector<Previous> previous_;
  std::vector<kernel::NamedInode> names_;  // what the kernel knows
  uint32_t last_generation_ = 0;
  SwapCounts counts_;
};

}  // namespace ks::loader
