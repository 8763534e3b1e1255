// The folder on a bpffs in which a kernel half outlives its agent:
//
//   DIR/ks_<layout>/maps/<map>                 shared maps, and the agent's progress
//                   links/<hook>               that its resident programs hang on
//                   programs/<hook>            these programs
//                   bundles/<generation>/…     `bundle`: the signed file; its programs by hook
//
// The layout is a number that differs wherever maps, records or resident programs do: what another version of the agent pinned stands
// beside, and is not read.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/support/result.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/kernel.h"
#include "runtime/kernel/libbpf.h"

namespace ks::kernel {

// A resident program and what it hangs on.
struct Attachment {
  LinkPtr link;  // null: not attached
  Fd program;
};

struct PinnedBundle {
  KeptBundle kept;
  uint32_t captures = 0;              // that its programs were loaded for, a bit per enum ks_capture
  uint64_t maps = 0;                  // that they use: a number of them; 0 if an older agent pinned it
  std::map<std::string, Fd> programs;  // by hook
};

class Pins {
 public:
  // Pins nothing.
  Pins() = default;
  enum class Purpose : uint8_t { Use, Remove };
  // Makes the folder if it is missing, and locks it. An Error if another agent has it, if it is on no bpffs, or if it is to be used
  // and others may read it (who can, can lock it) or write to it.
  static Result<Pins> Open(const std::string& folder, Purpose purpose = Purpose::Use);
  explicit operator bool() const { return bool(lock_); }

  // From now on the set of that layout is meant. What an agent set aside that was killed before its own programs ran is taken back,
  // which is said. An Error if the set is another user's.
  Status Use(const std::string& layout, std::vector<std::string>* notices);
  std::string Map(const std::string& name) const { return set_ + "/maps/" + name; }

  // A resident program's attachment, if there is one. `maps`: ids of maps, of which its program must use each.
  Result<Attachment> Attached(const std::string& hook, const std::set<uint32_t>& maps) const;
  Status Attach(const std::string& hook, const Attachment& attachment) const;
  void Detach(const std::string& hook) const;

  // `programs`: by hook. `maps`: see PinnedBundle.
  Status Keep(const KeptBundle& bundle, uint32_t captures, uint64_t maps, const std::map<std::string, int>& programs) const;
  void Forget(uint32_t generation) const;
  // See Kernel::SetRolledBack. An Error if the bundle's map is not there any more.
  Status SetRolledBack(uint32_t generation, bool rolled_back) const;
  // By generation. What cannot be read is said, and stays: its number must not be given again while its records may wait.
  std::vector<PinnedBundle> Bundles(std::vector<std::string>* notices);
  // The highest number of a bundle, readable or not; 0: there is none.
  uint32_t LastGeneration() const;
  // Removes those that Bundles could not read.
  void RemoveUnreadable();

  // Renames the set, so that it counts as another's, until it is taken back or others are removed.
  Status SetAside();
  // What the set that stood in its place held is gone.
  void TakeBack();
  // Detaches and removes all sets but ours.
  RemovedPins RemoveOthers() const;
  // All of them.
  RemovedPins RemoveAll() const;

 private:
  RemovedPins RemoveSets(const std::string& but) const;
  std::string BundleFolder(uint32_t generation) const { return set_ + "/bundles/" + std::to_string(generation); }

  std::string folder_;
  Fd lock_;          // the folder itself
  std::string set_;  // path
  bool is_aside_ = false;  // by this agent
  std::vector<std::string> unreadable_;  // paths of bundles
};

// Ids are the kernel's; 0 if it does not say.
uint32_t MapId(int fd);
uint32_t ProgramId(int fd);

}  // namespace ks::kernel
