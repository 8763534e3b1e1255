#include "runtime/replay/part_head.h"

#include <algorithm>

namespace ks::replay {
namespace {

constexpr size_t kMaxTraces = 100'000, kMaxColumns = 4096;
// What a head's traces say together of their columns: most say the same, which takes a byte there and a list here.
constexpr size_t kMaxColumnsInAll = 16'000'000;

// Names of columns and kinds.
std::vector<std::string> GetNames(state::SavedReader* in) {
  std::vector<std::string> names;
  for (size_t i = 0, n = in->Count(kMaxColumns); i < n && in->ok(); ++i) names.push_back(GetSafe(in));
  return names;
}

}  // namespace

void PutTexts(const std::vector<std::string>& texts, state::SavedWriter* out) {
  out->Number(texts.size());
  for (const std::string& text : texts) out->Text(text);
}

std::string GetSafe(state::SavedReader* in) {
  const std::string_view text = in->Text();
  for (size_t at = 0; at < text.size();) {
    size_t length = 1;
    in->Require(!event::IsDeceptive(event::DecodeUtf8(text.substr(at), &length)));
    at += std::max<size_t>(length, 1);
  }
  return std::string(text);
}

std::string EncodeHead(const PartHead& head) {
  state::SavedWriter out;
  const PartPolicy& policy = head.policy;
  out.Text(schema::Hash());
  out.Text(policy.program);
  out.Text(policy.bundle_digest);
  out.Text(policy.egress_digest);
  out.Number(policy.bundle_version);
  out.Number(policy.by_reference ? 1 : 0);
  out.Number(static_cast<uint64_t>(policy.late_bound_ns));
  out.Number(head.traces.size());
  const std::vector<std::string>* columns = nullptr;  // most often those of the trace before
  for (const PartTrace& one : head.traces) {
    out.Text(event::Printable(one.path));
    out.Text(one.digest);
    out.Number(one.chunks);
    out.Text(one.info.host.node);
    out.Text(one.info.host.boot);
    const bool same = columns != nullptr && *columns == one.info.columns;
    out.Number(same ? 1 : 0);
    if (!same) PutTexts(one.info.columns, &out);
    columns = &one.info.columns;
    PutTexts(one.info.unknown_columns, &out);
    PutTexts(one.info.unknown_kinds, &out);
    out.Number(one.info.index_rebuilt ? 1 : 0);
  }
  out.Number(head.shard);
  out.Number(head.shards);
  return out.bytes();
}

std::optional<PartHead> DecodeHead(std::string_view bytes, bool* other_schema) {
  state::SavedReader in(bytes, UINT64_MAX);
  PartHead head;
  PartPolicy& policy = head.policy;
  *other_schema = in.Text() != schema::Hash() && in.ok();
  if (*other_schema) return std::nullopt;
  policy.program = in.Text();
  policy.bundle_digest = in.Text();
  policy.egress_digest = in.Text();
  policy.bundle_version = in.Number();
  policy.by_reference = in.Number(1) == 1;
  policy.late_bound_ns = static_cast<int64_t>(in.Number(INT64_MAX));
  size_t columns = 0;
  for (size_t i = 0, n = in.Count(kMaxTraces); i < n && in.ok(); ++i) {
    PartTrace one;
    one.path = GetSafe(&in);
    one.digest = in.Text();
    one.chunks = in.Number(UINT32_MAX);
    one.info.host.node = in.Text();
    one.info.host.boot = in.Text();
    if (in.Number(1) == 1) {
      in.Require(!head.traces.empty());
      if (in.ok()) columns += head.traces.back().info.columns.size();
      in.Require(columns <= kMaxColumnsInAll);
      if (in.ok()) one.info.columns = head.traces.back().info.columns;
    } else {
      one.info.columns = GetNames(&in);
    }
    one.info.unknown_columns = GetNames(&in);
    one.info.unknown_kinds = GetNames(&in);
    one.info.index_rebuilt = in.Number(1) == 1;
    in.Require(one.chunks > 0);
    head.traces.push_back(std::move(one));
  }
  head.shard = static_cast<unsigned>(in.Number(kMaxShards - 1));
  head.shards = static_cast<unsigned>(in.Number(kMaxShards));
  in.Require(head.shards > head.shard);
  if (!in.at_end()) return std::nullopt;
  return head;
}

}  // namespace ks::replay
