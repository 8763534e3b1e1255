// Events as few bytes: only the fields that are there, and what is said of them once for all events that say the same.
#pragma once

#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "runtime/state/blob.h"
#include "runtime/state/machinery.h"
#include "runtime/state/saved.h"

namespace ks::state {

class Packer {
 public:
  Blob Pack(const Kept& kept);
  std::shared_ptr<const Kept> Unpack(const Blob& packed) const;

  // What is said of events; packed ones refer to it, so it is saved before them, and loaded into a new packer.
  void Save(SavedWriter* out) const;
  void Load(SavedReader* in);
  // Of packed bytes that may be anything; nothing, and `in` has failed, if they are no event.
  std::shared_ptr<const Kept> LoadEvent(SavedReader* in) const;

 private:
  std::shared_ptr<const Kept> Parse(SavedReader* in, bool is_own) const;

  // Words, uncertain fields, shown fields: a handful per rule.
  using Said = std::tuple<std::vector<std::string>, std::vector<schema::FieldId>, std::vector<schema::FieldId>>;
  std::map<Said, uint32_t> numbers_;
  std::vector<const Said*> said_;
};

}  // namespace ks::state
