#include "compiler/lint/intervals.h"

#include <algorithm>

namespace ks::lint {

void Intervals::Normalise() {
  std::sort(parts_.begin(), parts_.end());
  std::vector<Interval> joined;
  for (const Interval& part : parts_) {
    if (!joined.empty() && (part.first <= joined.back().second || part.first - 1 == joined.back().second)) {
      joined.back().second = std::max(joined.back().second, part.second);
    } else {
      joined.push_back(part);
    }
  }
  parts_ = std::move(joined);
}

void Intervals::Intersect(const Intervals& other) {
  std::vector<Interval> both;
  for (size_t i = 0, j = 0; i < parts_.size() && j < other.parts_.size();) {
    Wide least = std::max(parts_[i].first, other.parts_[j].first);
    Wide most = std::min(parts_[i].second, other.parts_[j].second);
    if (least <= most) both.emplace_back(least, most);
    if (parts_[i].second < other.parts_[j].second) {
      ++i;
    } else {
      ++j;
    }
  }
  parts_ = std::move(both);
}

void Intervals::Subtract(const Intervals& other) {
  std::vector<Interval> rest;
  size_t j = 0;
  for (Interval part : parts_) {
    while (j < other.parts_.size() && other.parts_[j].second < part.first) ++j;
    bool gone = false;
    for (size_t k = j; k < other.parts_.size() && other.parts_[k].first <= part.second; ++k) {
      if (other.parts_[k].first > part.first) rest.emplace_back(part.first, other.parts_[k].first - 1);
      if (other.parts_[k].second >= part.second) {
        gone = true;
        break;
      }
      part.first = other.parts_[k].second + 1;
    }
    if (!gone) rest.push_back(part);
  }
  parts_ = std::move(rest);
}

uint64_t Intervals::Count(uint64_t most) const {
  uint64_t count = 0;
  for (const Interval& part : parts_) {
    Wide size = part.second - part.first;  // one less than its size, so that it cannot overflow
    if (size >= most - count) return most;
    count += static_cast<uint64_t>(size) + 1;
    if (count >= most) return most;
  }
  return count;
}

}  // namespace ks::lint
