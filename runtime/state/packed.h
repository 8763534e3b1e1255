// Events as few bytes: only the fields that are there, and what is said of them once for all events that say the same.
#pragma once

#include <bitset>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/state/blob.h"
#include "runtime/state/machinery.h"
#include "runtime/state/saved.h"

namespace ks::state {

using FieldSet = std::bitset<schema::kFieldCount>;

// What the probe's rule reads of an event that it passed, and what its alert may show.
FieldSet NeededFields(const event::Match& match, const ir::SplitRule& probe);

class Packer {
 public:
  // Of the event's fields these.
  Blob Pack(const event::Event& event, const FieldSet& fields, const event::Match& match);
  Blob Pack(const Kept& kept);
  std::shared_ptr<const Kept> Unpack(const Blob& packed) const;

  // What is said of events; packed ones refer to it, so it is saved before them, and loaded into a new packer.
  void Save(SavedWriter* out) const;
  void Load(SavedReader* in);
  // Of packed bytes that may be anything; nothing, and `in` has failed, if they are no event.
  std::shared_ptr<const Kept> LoadEvent(SavedReader* in) const;

 private:
  // Said, whoever holds it: it is looked up without a copy.
  struct View {
    std::span<const std::string_view> matched;
    std::span<const schema::FieldId> uncertain, shown;
  };
  struct Before {
    using is_transparent = void;
    bool operator()(const Said* a, const Said* b) const { return *a < *b; }
    bool operator()(const Said* a, const View& b) const { return Compare(*a, b) < 0; }
    bool operator()(const View& a, const Said* b) const { return Compare(*b, a) > 0; }
    static int Compare(const Said& a, const View& b);
  };
  uint32_t Number(std::shared_ptr<const Said> said);
  Blob PackSaid(const event::Event& event, const FieldSet& fields, uint32_t said);
  std::shared_ptr<const Kept> Parse(SavedReader* in, bool is_own) const;

  std::map<const Said*, uint32_t, Before> numbers_;
  std::vector<std::shared_ptr<const Said>> said_;  // a handful per rule
  std::string bytes_;  // while one is packed
};

}  // namespace ks::state
