// Joins the records of an event, which come interleaved with those of others, and gives events in the order of their time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/import/audit/record.h"

namespace ks::import::audit {

class Joiner {
 public:
  using OnEvent = std::function<void(const std::vector<Record>&)>;
  // `on_damage`: what an event lacks, for there was too much of it or of others.
  using OnDamage = std::function<void(const Id&, std::string_view what)>;
  Joiner(OnEvent on_event, OnDamage on_damage) : on_event_(std::move(on_event)), on_damage_(std::move(on_damage)) {}

  void Add(Record record);
  // What is still open.
  void Finish();

 private:
  struct Open {
    std::vector<Record> records;
    uint64_t opened_ns = 0;  // by the time of the newest record then
    uint64_t last = 0;       // number of the record that came last
    size_t bytes = 0;
    bool whole = false, full = false;
  };
  using Key = std::pair<Id, std::string>;  // with the node
  void Give(std::map<Key, Open>::iterator event);

  OnEvent on_event_;
  OnDamage on_damage_;
  std::map<Key, Open> open_;
  size_t bytes_ = 0;
  uint64_t newest_ns_ = 0, count_ = 0;
};

}  // namespace ks::import::audit
