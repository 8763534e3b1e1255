// Work of many equal parts, by several threads.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace ks::ksc {

// Calls `work` once for each of 0 … count-1, from `jobs` threads at most, and returns when all are done. What is done
// with the results in their order comes out the same for any number of threads.
inline void InParallel(unsigned jobs, size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  auto run = [&] {
    for (size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::thread> others;
  for (unsigned i = 1; i < jobs && i < count; ++i) others.emplace_back(run);
  run();
  for (std::thread& other : others) other.join();
}

}  // namespace ks::ksc
