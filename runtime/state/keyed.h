// Entries by key, from the least to the most recently used.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

#include "runtime/state/hash.h"

namespace ks::state {

template <typename Entry>
class Keyed {
 public:
  struct Node {
    Entry entry;
    uint64_t used_ns = 0;
    typename std::list<Node*>::iterator place;
    const std::string* key = nullptr;
  };
  Node* Find(const std::string& key) {
    const auto found = nodes_.find(key);
    return found == nodes_.end() ? nullptr : &found->second;
  }
  // The entry of this key, made if there is none, now the most recently used.
  Node* Use(const std::string& key, uint64_t now, bool* is_new = nullptr) {
    const auto [found, made] = nodes_.try_emplace(key);
    Node* node = &found->second;
    if (made) {
      node->key = &found->first;
      node->place = order_.insert(order_.end(), node);
    } else {
      order_.splice(order_.end(), order_, node->place);
    }
    node->used_ns = now;
    if (is_new != nullptr) *is_new = made;
    return node;
  }
  Node* oldest() { return order_.empty() ? nullptr : order_.front(); }
  void Erase(Node* node) {
    order_.erase(node->place);
    nodes_.erase(nodes_.find(*node->key));
  }
  size_t size() const { return nodes_.size(); }
  const std::list<Node*>& order() const { return order_; }

 private:
  std::unordered_map<std::string, Node, SeededHasher> nodes_;
  std::list<Node*> order_;
};

}  // namespace ks::state
