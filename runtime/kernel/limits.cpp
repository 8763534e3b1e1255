#include "runtime/kernel/limits.h"

#include <atomic>
#include <cerrno>
#include <random>

#include "bpf/schema/siphash.h"
#include "runtime/kernel/libbpf.h"

namespace ks::kernel {
namespace {

constexpr size_t kBytes = size_t{KS_LIMIT_HOLDS} * sizeof(ks_limit_hold);

template <typename T>
std::atomic_ref<T> Atomic(T& value) {
  return std::atomic_ref<T>(value);
}

}  // namespace

Result<LimitHolds> LimitHolds::Open(int limits, int holds, int secret) {
  LimitHolds all;
  all.limits_ = limits;
  all.mapping_ = Mapping(holds, kBytes);
  if (!all.mapping_.get()) return WorldError("map the spans of", "limited rules", errno, "kernel-map");
  const uint32_t zero = 0;
  if (bpf_map_lookup_elem(secret, &zero, all.secret_) != 0) return WorldError("read the secret of", "limited rules", errno, "kernel-map");
  if (all.secret_[0] == 0 && all.secret_[1] == 0) {
    std::random_device device;
    for (uint64_t& word : all.secret_) word = uint64_t{device()} << 32 | device();
    if (bpf_map_update_elem(secret, &zero, all.secret_, BPF_ANY) != 0)
      return WorldError("write the secret of", "limited rules", errno, "kernel-map");
  }
  if (Status adopted = all.Adopt(); !adopted) return adopted.error();
  return all;
}

// What is there already: places of an agent before this one, with what they counted. What cannot be is taken away. Its spans end: they
// followed from alerts that it may not have told, and that this one may not know.
Status LimitHolds::Adopt() {
  std::vector<bool> used(KS_LIMIT_HOLDS);
  std::vector<ks_limit_key> wrong;
  ks_limit_key key{}, next{};
  for (uint32_t i = 0; i < KS_LIMIT_HOLDS && bpf_map_get_next_key(limits_, i == 0 ? nullptr : &key, &next) == 0; ++i) {
    key = next;
    uint32_t place = 0;
    if (bpf_map_lookup_elem(limits_, &key, &place) != 0) continue;
    if (place >= KS_LIMIT_HOLDS || used[place]) {
      wrong.push_back(key);
      continue;
    }
    used[place] = true;
    places_[{key.rule, key.hash[0], key.hash[1]}] = place;
    keys_[place] = {key.rule, key.hash[0], key.hash[1]};
    unclaimed_.insert(place);
    Hold(place, 0, 0);
    if (told(place) > held(place)) Tell(place, held(place));
  }
  for (const ks_limit_key& one : wrong) {
    if (bpf_map_delete_elem(limits_, &one) != 0 && errno != ENOENT)
      return WorldError("forget a key of", "limited rules", errno, "kernel-map");
  }
  for (uint32_t place = KS_LIMIT_HOLDS; place-- > 0;) {
    if (!used[place]) free_.push_back(place);
  }
  return Ok();
}

std::optional<uint32_t> LimitHolds::Place(uint64_t rule, std::span<const uint64_t> words) {
  ks_sip sip{};
  ks_sip_begin(&sip, reinterpret_cast<const __u64*>(secret_));
  for (uint64_t word : words) ks_sip_add(&sip, word);
  ks_limit_key key{};
  key.rule = rule;
  ks_sip_end(&sip, words.size(), key.hash);
  const Key by{key.rule, key.hash[0], key.hash[1]};
  if (const auto known = places_.find(by); known != places_.end()) {
    unclaimed_.erase(known->second);
    return known->second;
  }
  if (free_.empty()) return std::nullopt;
  const uint32_t place = free_.back();
  Hold(place, 0, 0);
  Tell(place, held(place));
  if (bpf_map_update_elem(limits_, &key, &place, BPF_ANY) != 0) return std::nullopt;
  free_.pop_back();
  places_[by] = place;
  keys_[place] = by;
  return place;
}

void LimitHolds::Free(uint32_t place) {
  const auto known = keys_.find(place);
  if (known == keys_.end()) return;
  Hold(place, 0, 0);
  const auto& [rule, first, second] = known->second;
  const ks_limit_key key{rule, {first, second}};
  bpf_map_delete_elem(limits_, &key);
  places_.erase(known->second);
  keys_.erase(known);
  unclaimed_.erase(place);
  freed_.push_back(place);
}

void LimitHolds::FreeUnclaimed() {
  for (const uint32_t place : std::set<uint32_t>(std::move(unclaimed_))) Free(place);
  unclaimed_.clear();
}

void LimitHolds::Keep(const std::set<uint64_t>& rules) {
  std::vector<uint32_t> others;
  for (const auto& [key, place] : places_) {
    if (!rules.contains(std::get<0>(key))) others.push_back(place);
  }
  for (uint32_t place : others) Free(place);
}

void LimitHolds::Settle() {
  free_.insert(free_.end(), freed_.begin(), freed_.end());
  freed_.clear();
}

void LimitHolds::Hold(uint32_t place, uint64_t from_ns, uint64_t until_ns) {
  ks_limit_hold& hold = At(place);
  if (until_ns == 0) {
    Atomic(hold.until).store(0);
    return;
  }
  Atomic(hold.from).store(from_ns);
  Atomic(hold.until).store(until_ns);
}

uint64_t LimitHolds::until_ns(uint32_t place) const { return Atomic(At(place).until).load(); }
uint64_t LimitHolds::held(uint32_t place) const { return Atomic(At(place).held).load(); }
uint64_t LimitHolds::told(uint32_t place) const { return Atomic(At(place).told).load(); }
void LimitHolds::Tell(uint32_t place, uint64_t told) { Atomic(At(place).told).store(told); }

}  // namespace ks::kernel
