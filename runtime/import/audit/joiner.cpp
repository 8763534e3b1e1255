#include "runtime/import/audit/joiner.h"

#include <algorithm>

namespace ks::import::audit {
namespace {

constexpr uint64_t kWait = 2'000'000'000;  // what is that much newer ends an event; ausearch waits as long
constexpr uint64_t kMostBetween = 1000;    // records of others between two of an event
constexpr size_t kMostOpen = 4096;
constexpr size_t kMostOpenBytes = 64 << 20, kMostEventBytes = 4 << 20;

// No record of the event comes after it. Those of the daemon and of programs stand alone.
bool IsLast(const Record& record) {
  constexpr std::string_view kAlone[] = {"USER", "SERVICE_", "DAEMON_", "CRED_", "AUOMS_", "CRYPTO_", "ADD_", "DEL_", "GRP_", "SYSTEM_"};
  return record.type == "EOE" || record.type == "PROCTITLE" || std::ranges::any_of(kAlone, [&](std::string_view begin) { return record.type.starts_with(begin); });
}

}  // namespace

void Joiner::Add(Record record) {
  ++count_;
  newest_ns_ = std::max(newest_ns_, record.id.time_ns);
  const auto [found, is_new] = open_.try_emplace(Key(record.id, record.node));
  Open& event = found->second;
  if (is_new) event.opened_ns = newest_ns_;
  event.last = count_;
  event.whole |= IsLast(record);
  const size_t size = record.body.size() + record.node.size() + sizeof(Record);
  if (event.bytes + size > kMostEventBytes) {
    if (!event.full) on_damage_(record.id, "more than 4 MiB: its further records are skipped");
    event.full = true;
  } else {
    event.bytes += size;
    bytes_ += size;
    event.records.push_back(std::move(record));
  }
  while (!open_.empty()) {
    const auto oldest = open_.begin();
    const Open& first = oldest->second;
    const uint64_t since = first.whole ? oldest->first.first.time_ns : first.opened_ns;
    const bool ended = newest_ns_ > since + kWait || count_ - first.last > kMostBetween;
    const bool full = open_.size() > kMostOpen || bytes_ > kMostOpenBytes;
    if (!ended && !full) break;
    if (!ended && !first.whole) on_damage_(oldest->first.first, "given before its end was seen, for too many are open");
    Give(oldest);
  }
}

void Joiner::Finish() {
  while (!open_.empty()) Give(open_.begin());
}

void Joiner::Give(std::map<Key, Open>::iterator event) {
  on_event_(event->second.records);
  bytes_ -= event->second.bytes;
  open_.erase(event);
}

}  // namespace ks::import::audit
