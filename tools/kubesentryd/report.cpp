#include "tools/kubesentryd/report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace ks::agent {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// Members of a document that someone else wrote.
std::string Text(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "?";
}
uint64_t Number(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}
bool Flag(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}
const json& Part(const json& object, const char* name) {
  static const json kNothing = json::object();
  const auto found = object.find(name);
  return found != object.end() && found->is_structured() ? *found : kNothing;
}

std::string AttachedHooks(const kernel::Kernel& kernel) {
  std::string out;
  for (const kernel::HookStatus& hook : kernel.Hooks()) {
    if (hook.attached) out += (out.empty() ? "" : ", ") + hook.hook;
  }
  return out;
}

const char* TierName(kernel::Tier tier) { return tier == kernel::Tier::Trampoline ? "trampoline" : "tracepoint"; }

ordered_json SizeReport(const RecordSize& size) {
  return {{"records", size.records}, {"bytes", size.bytes}, {"median", size.median}, {"most", size.most}};
}

ordered_json ArgumentsReport(const kernel::ArgumentReader& reader) {
  const kernel::ArgumentCounts counts = reader.counts();
  ordered_json out{{"asked", counts.asked},     {"answered", counts.answered}, {"gone", counts.gone},
                   {"refused", counts.refused}, {"late", counts.late},         {"beyond", counts.beyond}};
  if (const std::string why = reader.why_not(); !why.empty()) out["why_not"] = why;
  return out;
}

}  // namespace

kernel::KindCounters Total(const std::vector<kernel::KindCounters>& counters) {
  kernel::KindCounters sum;
  for (const kernel::KindCounters& one : counters) {
    sum.seen += one.seen;
    sum.filtered += one.filtered;
    sum.limited += one.limited;
    sum.submitted += one.submitted;
    sum.dropped += one.dropped;
  }
  return sum;
}

uint64_t Swaps(const loader::SwapCounts& counts) { return counts.activated - std::min<uint64_t>(counts.activated, 1); }

ordered_json StatusReport(const kernel::Kernel& kernel, const loader::Loader& loader, const Pipeline& pipeline,
                          uint64_t uptime_s) {
  ordered_json out;
  out["v"] = 1;
  out["agent"] = KS_VERSION;
  out["pid"] = getpid();
  out["uptime_s"] = uptime_s;
  if (const loader::ActiveBundle* active = loader.active()) {
    const bundle::Manifest& manifest = active->bundle().manifest();
    ordered_json& bundle = out["bundle"];
    bundle["name"] = manifest.bundle;
    bundle["version"] = manifest.version;
    bundle["digest"] = active->bundle().digest();
    bundle["egress"] = active->bundle().egress_digest();
    bundle["key"] = active->bundle().key_id();
    bundle["issued_at"] = manifest.issued_at;
    bundle["expires_at"] = manifest.expires_at;
    out["generation"] = active->generation();
    out["rules"] = active->bundle().program().rules.size();
    out["programs"] = ordered_json::array();
    for (const kernel::LoadedHook& hook : active->hooks()) {
      out["programs"].push_back({{"hook", hook.hook},
                                 {"verified_instructions", hook.verified_instructions},
                                 {"jited_bytes", hook.jited_bytes}});
    }
  }
  out["hooks"] = ordered_json::array();
  for (const kernel::HookStatus& hook : kernel.Hooks()) {
    out["hooks"].push_back(
        {{"hook", hook.hook}, {"attached", hook.attached}, {"missed", hook.missed}, {"recovered", hook.recovered}});
  }
  out["tiers"] = ordered_json::object();
  for (const kernel::KindTier& one : kernel.Tiers()) out["tiers"][std::string(schema::Row(one.kind).name)] = TierName(one.tier);
  if (!kernel.WhyNoTrampolines().empty()) out["no_trampolines"] = kernel.WhyNoTrampolines();
  const std::vector<kernel::KindCounters> counters = kernel.Counters();  // once: a read takes all of scratch, and rings must add up with kinds
  out["counters"] = ordered_json::array();
  for (const kernel::KindCounters& c : counters) {
    out["counters"].push_back({{"kind", schema::Row(c.kind).name},
                               {"seen", c.seen},
                               {"filtered", c.filtered},
                               {"limited", c.limited},
                               {"submitted", c.submitted},
                               {"dropped", c.dropped}});
    if (const RecordSize size = pipeline.record_sizes().Of(c.kind); size.records > 0)
      out["counters"].back()["record_bytes"] = SizeReport(size);
  }
  out["rings"] = ordered_json::array();
  for (size_t i = 0; i < kernel::kRings; ++i) {
    const auto ring = static_cast<kernel::RingId>(i);
    const kernel::RingStatus status = kernel.Rings()[i];
    uint64_t submitted = 0, dropped = 0;
    for (const kernel::KindCounters& c : counters) {
      submitted += c.submitted_to[i];
      dropped += c.dropped_from[i];
    }
    out["rings"].push_back({{"ring", Name(ring)},
                            {"bytes", status.bytes},
                            {"submitted", submitted},
                            {"received", status.received},
                            {"dropped", dropped},
                            {"lost", pipeline.gaps().lost(ring)}});
    if (pipeline.unread(ring) > 0) out["rings"].back()["unread"] = pipeline.unread(ring);
  }
  if (pipeline.arguments() != nullptr) out["arguments"] = ArgumentsReport(*pipeline.arguments());
  out["received"] = pipeline.counts().received;
  out["malformed"] = pipeline.counts().malformed;
  out["stray"] = pipeline.counts().stray;
  out["alerts"] = pipeline.counts().alerts;
  out["record_bytes"] = SizeReport(pipeline.record_sizes().All());
  out["gaps"] = pipeline.gaps().gaps();
  out["lost"] = pipeline.gaps().lost();
  if (!pipeline.may_have_missed().empty()) out["may_have_missed"] = pipeline.may_have_missed();
  const state::Counts state = pipeline.state_counts();
  out["late"] = state.late;
  out["state"] = ordered_json::array();
  for (const state::RuleCounts& rule : state.rules) {
    out["state"].push_back({{"rule", rule.rule},
                            {"live", rule.live},
                            {"bytes", rule.bytes},
                            {"waiting", rule.waiting},
                            {"evicted", rule.evicted},
                            {"suppressed", rule.suppressed}});
  }
  out["swaps"] = Swaps(loader.counts());
  out["rolled_back"] = loader.counts().rolled_back;
  out["unchanged"] = loader.counts().unchanged;
  out["refusals"] = loader.counts().refusals;
  return out;
}

ordered_json ErrorReport(const Error& error) {
  return {{"error",
           {{"tried", error.tried}, {"on", error.on}, {"cause", error.cause}, {"advice", error.advice}, {"code", error.code}}}};
}

Error ErrorOf(const json& report) {
  const json& error = Part(report, "error");
  return {Text(error, "tried"), Text(error, "on"), Text(error, "cause"), Text(error, "advice"), Text(error, "code")};
}

std::string Readable(const json& report) {
  const json& bundle = Part(report, "bundle");
  std::string out = fmt::format("bundle      {} version {}, {}\n", Text(bundle, "name"), Number(bundle, "version"),
                                Text(bundle, "digest"));
  out += fmt::format("            issued {}, expires {}, signed by {}\n", Text(bundle, "issued_at"),
                     Text(bundle, "expires_at"), Text(bundle, "key"));
  out += fmt::format("generation  {}, {} rules, {} swaps, {} times rolled back, {} times unchanged",
                     Number(report, "generation"), Number(report, "rules"), Number(report, "swaps"),
                     Number(report, "rolled_back"), Number(report, "unchanged"));
  std::string refusals;
  for (const auto& [code, count] : Part(report, "refusals").items()) {
    refusals += fmt::format("{}{} {}", refusals.empty() ? "" : ", ", code,
                            count.is_number_unsigned() ? count.get<uint64_t>() : 0);
  }
  out += fmt::format(", refused: {}\nhooks       ", refusals.empty() ? "none" : refusals);
  for (const json& hook : Part(report, "hooks")) {
    out += fmt::format("{}{}{}", Text(hook, "hook"), Flag(hook, "attached") ? "" : " (not needed)",
                       Number(hook, "missed") > 0 ? fmt::format(" (missed {})", Number(hook, "missed")) : "");
    out += "  ";
  }
  while (out.back() == ' ') out.pop_back();
  std::string trampolines, others;
  for (const auto& [kind, tier] : Part(report, "tiers").items()) {
    std::string& list = tier == "trampoline" ? trampolines : others;
    list += (list.empty() ? "" : ", ") + kind;
  }
  out += fmt::format("\ntier        trampolines for {}", trampolines.empty() ? "none" : trampolines);
  if (!others.empty()) out += fmt::format("; not for {} ({})", others, Text(report, "no_trampolines"));
  out += fmt::format("\nuptime      {} s, pid {}, version {}\n", Number(report, "uptime_s"), Number(report, "pid"),
                     Text(report, "agent"));
  if (report.contains("pins"))
    out += fmt::format("pins        {}\n", report["pins"].is_string() ? Text(report, "pins") : "none: programs end with the agent");
  for (const json& ring : Part(report, "rings")) {
    out += fmt::format("ring        {}: {} bytes, {} submitted, {} received, {} dropped, {} lost\n", Text(ring, "ring"),
                       Number(ring, "bytes"), Number(ring, "submitted"), Number(ring, "received"),
                       Number(ring, "dropped"), Number(ring, "lost"));
  }
  out += fmt::format("loss        {} records in {} gaps, {} malformed, {} stray\n", Number(report, "lost"),
                     Number(report, "gaps"), Number(report, "malformed"), Number(report, "stray"));
  const json& arguments = Part(report, "arguments");
  if (arguments.contains("why_not")) {
    out += fmt::format("arguments   stay unknown where they are not in memory: {}\n", Text(arguments, "why_not"));
  } else if (Number(arguments, "asked") > 0) {
    out += fmt::format("arguments   {} were not in memory: {} read, {} gone, {} refused, {} late, {} beyond the bound\n",
                       Number(arguments, "asked"), Number(arguments, "answered"), Number(arguments, "gone"),
                       Number(arguments, "refused"), Number(arguments, "late"), Number(arguments, "beyond"));
  }
  std::string missed;
  for (const json& rule : Part(report, "may_have_missed")) {
    if (rule.is_string()) missed += "            " + rule.get<std::string>() + "\n";
  }
  if (!missed.empty()) out += "            rules that may have missed:\n" + missed;
  const json& sizes = Part(report, "record_bytes");
  out += fmt::format("records     {} received, {} alerts; median {} bytes, {} at most\n\n", Number(report, "received"),
                     Number(report, "alerts"), Number(sizes, "median"), Number(sizes, "most"));
  out += fmt::format("{:<10}{:>14}{:>14}{:>12}{:>12}{:>12}\n", "kind", "seen", "filtered", "limited", "submitted",
                     "dropped");
  for (const json& c : Part(report, "counters")) {
    if (Number(c, "seen") == 0) continue;
    out += fmt::format("{:<10}{:>14}{:>14}{:>12}{:>12}{:>12}\n", Text(c, "kind"), Number(c, "seen"),
                       Number(c, "filtered"), Number(c, "limited"), Number(c, "submitted"), Number(c, "dropped"));
  }
  if (Part(report, "state").empty()) return out;
  out += fmt::format("\n{:>10}{:>12}{:>10}{:>10}{:>12}  rule over several events\n", "live", "bytes", "waiting", "evicted",
                     "suppressed");
  for (const json& c : Part(report, "state")) {
    out += fmt::format("{:>10}{:>12}{:>10}{:>10}{:>12}  {}\n", Number(c, "live"), Number(c, "bytes"),
                       Number(c, "waiting"), Number(c, "evicted"), Number(c, "suppressed"), Text(c, "rule"));
  }
  if (Number(report, "late") > 0) out += fmt::format("{} events came later than the bound\n", Number(report, "late"));
  return out;
}

ordered_json ReadyFacts(const kernel::Kernel& kernel, const loader::ActiveBundle& active) {
  ordered_json facts;
  facts["rules"] = active.bundle().program().rules.size();
  facts["hooks"] = ordered_json::array();
  for (const kernel::HookStatus& hook : kernel.Hooks()) {
    if (hook.attached) facts["hooks"].push_back(hook.hook);
  }
  facts["bundle"] = active.bundle().manifest().bundle;
  facts["version"] = active.bundle().manifest().version;
  facts["digest"] = active.bundle().digest();
  facts["generation"] = active.generation();
  return facts;
}

std::string ReadyText(const kernel::Kernel& kernel, const loader::ActiveBundle& active) {
  const std::string hooks = AttachedHooks(kernel);
  return fmt::format("{} rules, hooks {}; bundle {} version {} {}", active.bundle().program().rules.size(),
                     hooks.empty() ? "none" : hooks, active.bundle().manifest().bundle,
                     active.bundle().manifest().version, active.bundle().digest());
}

}  // namespace ks::agent
