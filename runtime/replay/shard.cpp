#include "runtime/replay/shard.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/bundle/keys.h"
#include "compiler/ir/text.h"
#include "runtime/replay/source.h"
#include "runtime/trace/file.h"

namespace ks::replay {
namespace {

constexpr uint64_t kProgressEvents = 4096;
constexpr size_t kDigestEnds = 64 * 1024;

// Which file it is, as far as its ends and its size tell.
Result<std::string> DigestOfTrace(const std::string& path) {
  Result<trace::File> file = trace::File::OpenToRead(path);
  if (!file) return file.error();
  const size_t size = std::min<uint64_t>(file->size(), kDigestEnds);
  Result<std::string> first = file->ReadAt(0, size), last = file->ReadAt(file->size() - size, size);
  if (!first) return first.error();
  if (!last) return last.error();
  return "sha256:" + bundle::Sha256Hex(fmt::format("{}\n", file->size()) + *first + *last);
}

// All chunks of one trace that are this shard's.
Status WriteTrace(const engine::Engine& engine, Source& source, size_t trace, const ShardOptions& options, PartWriter& part,
                  Totals* all, const OnProgress& on_progress) {
  bool damaged = false;
  for (size_t chunk = 0; chunk < source.chunks(); ++chunk) {
    if (ShardOf(trace, chunk, options.shards) != options.shard) continue;
    Totals totals;
    Status written = Ok();
    const Status read = source.ForEachOf(
        chunk,
        [&](const event::Event& event) {
          if (!written) return;
          totals.CountEvent(event.time_ns);
          const auto matches = options.by_reference ? engine.DecideAllByReference(event) : engine.DecideAll(event);
          totals.alerts += matches.size();
          written = part.Add(engine, event, matches);
          if ((all->events + totals.events) % kProgressEvents == 0) {
            on_progress(all->events + totals.events, all->alerts + totals.alerts);
          }
        },
        [&](const trace::Lost& lost) { totals.CountLost(lost, engine.program()); });
    if (!written) return written;
    std::map<std::string, uint64_t> unmapped;
    if (source.report() != nullptr) unmapped = source.report()->unmapped;
    std::optional<Error> damage;
    if (!read) damage = read.error();
    if (Status ended = part.EndChunk(trace, chunk, totals, unmapped, damage); !ended) return ended;
    damaged = damaged || damage || (chunk + 1 == source.chunks() && !source.WhyNotWhole());
    all->Add(totals);
  }
  all->damaged += damaged ? 1 : 0;
  return Ok();
}

}  // namespace

Result<Totals> WriteShard(const engine::Engine& engine, const std::vector<std::string>& paths, const ShardOptions& options,
                          const std::string& part, const OnProgress& on_progress) {
  PartHead head;
  head.policy = options.policy;
  head.policy.program = ir::Print(engine.program());
  head.policy.by_reference = options.by_reference;
  head.shard = options.shard;
  head.shards = options.shards;
  for (const std::string& path : paths) {
    Result<Source> source = Source::Open(path);
    if (!source) return source.error();
    Result<std::string> digest = DigestOfTrace(path);
    if (!digest) return digest.error();
    head.traces.push_back({path, std::move(*digest), source->chunks(), source->info()});
  }
  Result<PartWriter> writer = PartWriter::Create(part, head);
  if (!writer) return writer.error();
  Totals all;
  for (size_t i = 0; i < paths.size(); ++i) {
    Result<Source> source = Source::Open(paths[i]);
    if (!source) return source.error();
    if (source->chunks() != head.traces[i].chunks) {
      return Error{"replay", paths[i], "it became longer or shorter meanwhile", "replay a copy that nobody writes to", "trace-changed"};
    }
    if (Status written = WriteTrace(engine, *source, i, options, *writer, &all, on_progress); !written) return written.error();
  }
  if (Status finished = writer->Finish(); !finished) return finished.error();
  return all;
}

Result<Parts> Parts::Open(const std::vector<std::string>& paths) {
  std::vector<PartReader> readers;
  const auto refuse = [](const std::string& on, std::string cause) {
    return Error{"merge the parts", on, std::move(cause), "merge the parts of one replay, each once", "parts-refused"};
  };
  for (const std::string& path : paths) {
    Result<PartReader> reader = PartReader::Open(path);
    if (!reader) return reader.error();
    readers.push_back(std::move(*reader));
  }
  if (readers.empty()) return refuse("", "there are none");
  std::map<unsigned, size_t> by_shard;
  const PartHead& first = readers.front().head();
  for (size_t i = 0; i < readers.size(); ++i) {
    const PartHead& head = readers[i].head();
    if (head.shards != first.shards) {
      return refuse(paths[i], fmt::format("it is one of {} shards, {} one of {}", head.shards, paths[0], first.shards));
    }
    if (!(head.policy == first.policy)) return refuse(paths[i], fmt::format("its policy is another one than that of {}", paths[0]));
    if (head.traces.size() != first.traces.size()) {
      return refuse(paths[i], fmt::format("it is of {} traces, {} of {}", head.traces.size(), paths[0], first.traces.size()));
    }
    for (size_t t = 0; t < head.traces.size(); ++t) {
      if (head.traces[t].IsSame(first.traces[t])) continue;
      return refuse(paths[i], fmt::format("its trace {} is {} ({}), in {} it is {} ({})", t + 1, head.traces[t].path,
                                          head.traces[t].digest, paths[0], first.traces[t].path, first.traces[t].digest));
    }
    const auto [other, is_new] = by_shard.emplace(head.shard, i);
    if (!is_new) return refuse(paths[i], fmt::format("it is shard {}, and so is {}", head.shard, paths[other->second]));
  }
  for (unsigned shard = 0; shard < first.shards; ++shard) {
    if (!by_shard.contains(shard)) return refuse(fmt::format("shard {} of {}", shard, first.shards), "it is not among them");
  }
  Parts parts;
  for (const auto& [shard, i] : by_shard) parts.readers_.push_back(std::move(readers[i]));
  return parts;
}

Result<Totals> Parts::Replay(const engine::Engine& engine, Observer& observer, const OnProgress& on_progress) {
  Totals all;
  uint64_t alerts = 0;
  state::Options options;
  options.late_bound_ns = head().policy.late_bound_ns;
  if (head().policy.by_reference) options.engine = state::Options::Engine::Reference;
  const auto shards = static_cast<unsigned>(readers_.size());
  for (size_t t = 0; t < head().traces.size(); ++t) {
    const PartTrace& trace = head().traces[t];
    observer.OnTrace(trace.path, trace.info);
    Run run(engine, options, [&](const event::Match& match) {
      ++alerts;
      observer.OnAlert(match);
    });
    TraceEnd end;
    for (size_t chunk = 0; chunk < trace.chunks; ++chunk) {
      // One process ends with the first damage: what other shards could read behind it is passed by.
      Run* to = end.status ? &run : nullptr;
      Result<ChunkEnd> read = readers_[ShardOf(t, chunk, shards)].ReadChunk(t, chunk, engine, to);
      if (!read) return read.error();
      if (!end.status) continue;
      end.totals.Add(read->totals);
      for (const auto& [name, number] : read->unmapped) end.unmapped[name] += number;
      if (read->damage) end.status = *read->damage;
      on_progress(all.events + end.totals.events, alerts);
    }
    end.totals.Add(run.Finish());
    end.SettleDamage(engine.program(), trace.info);
    observer.OnEnd(trace.path, end);
    all.Add(end.totals);
  }
  for (PartReader& reader : readers_) {
    if (Status ended = reader.ReadEnd(); !ended) return ended.error();
  }
  return all;
}

}  // namespace ks::replay
