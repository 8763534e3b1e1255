#include "tools/ksc/html_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>

namespace ks::ksc {
namespace {

using schema::FieldId;
using schema::Status;

constexpr uint64_t kMaxTextBytes = uint64_t{256} << 20;
constexpr size_t kMaxListItems = size_t{64} << 20;
constexpr size_t kShownBytes = 4096;
constexpr uint32_t kNear = 8;  // events before and after an alert's

HtmlEvents::Place PlaceOf(uint32_t trace, uint64_t number) { return uint64_t{trace} << 32 | number; }

// Of the process and where it runs: what rarely changes from one of its events to the next.
bool IsContext(const schema::FieldRow& row) {
  return row.dotted.starts_with("process.") || row.dotted.starts_with("container.") || row.dotted.starts_with("pod.");
}

// The fields of a kind: of the process, or of the event.
const std::vector<FieldId>& FieldsOf(schema::EventKind kind, bool context) {
  using Fields = std::array<std::vector<FieldId>, schema::kKindCount>;
  static const std::array<Fields, 2> kFields = [] {
    std::array<Fields, 2> all;
    for (const schema::EventRow& event : schema::Events()) {
      for (const schema::FieldRow& row : schema::Fields()) {
        // The event's time is a column; its thread is of the event.
        if (row.id == FieldId::event_time || !schema::Has(event.kind, row.id)) continue;
        all[IsContext(row) && row.id != FieldId::process_tid][static_cast<size_t>(event.kind)].push_back(row.id);
      }
    }
    return all;
  }();
  return kFields[context][static_cast<size_t>(kind)];
}

const std::string* TextOf(const event::Event& event, FieldId field) {
  const schema::FieldValue& value = event.record[field];
  return value.status == Status::Ok || value.status == Status::Truncated ? std::get_if<std::string>(&value.value) : nullptr;
}

int64_t NumberOf(const event::Event& event, FieldId field) {
  const schema::FieldValue& value = event.record[field];
  const auto* number = std::get_if<int64_t>(&value.value);
  return value.status == Status::Ok && number != nullptr ? *number : -1;
}

std::vector<std::string_view> Elements(const std::string* list) {
  std::vector<std::string_view> out;
  if (list == nullptr) return out;
  for (size_t at = 0; at < list->size();) {
    size_t end = std::min(list->find('\0', at), list->size());
    out.push_back(std::string_view(*list).substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// The pid in a process.id: hexadecimal, up to the colon.
int64_t PidOf(std::string_view id) {
  int64_t pid = -1;
  std::from_chars(id.data(), id.data() + id.size(), pid, 16);
  return pid;
}

}  // namespace

std::string HtmlValue(FieldId field, const schema::FieldValue& value) {
  if (value.status != Status::Ok && value.status != Status::Truncated) return "";
  const schema::FieldRow& row = schema::Row(field);
  std::string text = event::Printable(schema::ToString(value.value, row.type, row.enumeration));
  if (text.size() <= kShownBytes) return text;
  size_t end = kShownBytes;  // not within a character
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

Texts::Texts() {
  Of("");
  remark_ = Of("(not kept: the report has too many different texts)");
}

uint32_t Texts::Of(std::string_view text) {
  auto [found, is_new] = numbers_.try_emplace(std::string(text), static_cast<uint32_t>(texts_.size()));
  if (!is_new) return found->second;
  if (bytes_ + text.size() > kMaxTextBytes) {
    numbers_.erase(found);
    ++left_out_;
    return remark_;
  }
  bytes_ += text.size();
  texts_.push_back(&found->first);
  return found->second;
}

void Texts::AddTo(PageData* data) const {
  std::vector<uint8_t> bytes;
  std::vector<uint32_t> begin = {0};
  bytes.reserve(bytes_);
  for (const std::string* text : texts_) {
    bytes.insert(bytes.end(), text->begin(), text->end());
    begin.push_back(static_cast<uint32_t>(bytes.size()));
  }
  data->Add("text_bytes", bytes);
  data->Add("text_begin", begin);
}

uint64_t HtmlEvents::IdentityOf(uint32_t trace, const event::Event& event) {
  return std::hash<std::string>{}(fmt::format("{}/{}/{}/{}/{}", trace, event.sequence, event.time_ns, event.cpu,
                                              static_cast<int>(event.kind)));
}

void HtmlEvents::Begin(uint32_t trace) {
  trace_ = trace;
  now_ = {};
}

void HtmlEvents::Take(const event::Event& event) {
  ++total_;
  const Place place = PlaceOf(trace_, ++now_.number);
  if (now_.number % stride_ == 0 || now_.pin_next > 0) {
    Row& row = Keep(place, event);
    if (now_.pin_next > 0) {
      --now_.pin_next;
      PinRow(row);
    }
    while (rows_.size() - pinned_ > max_events_) Thin();
    return;
  }
  if (now_.recent.size() == kNear) now_.recent.pop_front();
  now_.recent.emplace_back(place, event);
}

HtmlEvents::Place HtmlEvents::Pin(const event::Event& event) {
  const bool near = pinned_ < max_events_;
  if (near) {
    for (const auto& [place, one] : now_.recent) PinRow(Keep(place, one));
    now_.recent.clear();
  }
  const uint64_t identity = IdentityOf(trace_, event);
  auto found = places_.find(identity);
  if (found == places_.end()) {
    const Place place = PlaceOf(trace_, kNoNumber + now_.unnumbered++);
    PinRow(Keep(place, event));
    return place;
  }
  const Place place = found->second;
  PinRow(rows_.at(place));
  const auto number = static_cast<uint32_t>(place);
  if (!near || number >= kNoNumber) return place;
  const Place first = PlaceOf(trace_, number > kNear ? number - kNear : 1);
  for (auto row = rows_.lower_bound(first); row != rows_.end() && row->first <= place + kNear; ++row) PinRow(row->second);
  if (number + kNear > now_.number) now_.pin_next = std::max(now_.pin_next, static_cast<uint32_t>(number + kNear - now_.number));
  return place;
}

void HtmlEvents::PinRow(Row& row) {
  pinned_ += row.pinned ? 0 : 1;
  row.pinned = true;
}

HtmlEvents::Row& HtmlEvents::Keep(Place place, const event::Event& event) {
  auto [at, is_new] = rows_.try_emplace(place);
  Row& row = at->second;
  if (!is_new) return row;
  row.time_ns = event.time_ns;
  row.identity = IdentityOf(trace_, event);
  row.kind = event.kind;
  row.process = ProcessOf(event);
  row.context = ListOf(event, true);
  row.own = ListOf(event, false);
  places_.try_emplace(row.identity, place);
  return row;
}

void HtmlEvents::Thin() {
  stride_ *= 2;
  for (auto row = rows_.begin(); row != rows_.end();) {
    if (row->second.pinned || static_cast<uint32_t>(row->first) % stride_ == 0) {
      ++row;
      continue;
    }
    places_.erase(row->second.identity);
    row = rows_.erase(row);
  }
}

// Field and status, and the text, of every field that was asked for when it was recorded.
uint32_t HtmlEvents::ListOf(const event::Event& event, bool context) {
  std::vector<uint32_t> items;
  for (FieldId field : FieldsOf(event.kind, context)) {
    const schema::FieldValue& value = event.record[field];
    if (value.status == Status::Unread) continue;
    items.push_back(static_cast<uint32_t>(field) | static_cast<uint32_t>(value.status) << 16);
    items.push_back(texts_.Of(HtmlValue(field, value)));
  }
  if (items.empty() || list_items_.size() + items.size() > kMaxListItems) return 0;
  std::string key(reinterpret_cast<const char*>(items.data()), items.size() * sizeof(uint32_t));
  auto [found, is_new] = lists_.try_emplace(std::move(key), static_cast<uint32_t>(list_begin_.size() - 1));
  if (is_new) {
    list_items_.insert(list_items_.end(), items.begin(), items.end());
    list_begin_.push_back(static_cast<uint32_t>(list_items_.size()));
  }
  return found->second;
}

uint32_t HtmlEvents::Add(std::string_view id, int64_t pid, std::string_view name, int32_t parent) {
  auto [found, is_new] =
      process_numbers_.try_emplace(fmt::format("{}/{}", trace_, id), static_cast<uint32_t>(processes_.size()));
  if (is_new) {
    processes_.push_back({trace_, texts_.Of(event::Printable(id)), 0, pid, parent});
    newest_[{trace_, pid}] = found->second;
  }
  if (!name.empty()) processes_[found->second].name = texts_.Of(event::Printable(name));
  return found->second;
}

// Its ancestors are made before it, the farthest first: so there is no circle, whatever a recording says.
uint32_t HtmlEvents::ProcessOf(const event::Event& event) {
  const int64_t pid = NumberOf(event, FieldId::process_pid);
  const std::string* known = TextOf(event, FieldId::process_id);
  const std::string id = known != nullptr ? *known : pid >= 0 ? fmt::format("pid {}", pid) : "not known";
  const std::string* name = TextOf(event, FieldId::process_name);
  const std::string_view called = name != nullptr ? *name : std::string_view();
  if (process_numbers_.contains(fmt::format("{}/{}", trace_, id))) return Add(id, pid, called, -1);
  const auto ids = Elements(TextOf(event, FieldId::process_ancestor_ids));
  const auto names = Elements(TextOf(event, FieldId::process_ancestors));
  int32_t parent = -1;
  for (size_t i = ids.size(); i-- > 0;) {
    const bool is_known = process_numbers_.contains(fmt::format("{}/{}", trace_, ids[i]));
    const std::string_view ancestor = !is_known && i < names.size() ? names[i] : std::string_view();
    parent = static_cast<int32_t>(Add(ids[i], PidOf(ids[i]), ancestor, parent));
  }
  if (ids.empty()) {
    const int64_t parent_pid = NumberOf(event, FieldId::process_parent_pid);
    const std::string* parent_name = TextOf(event, FieldId::process_parent_name);
    if (parent_pid > 0 && parent_pid != pid) {
      const auto newest = newest_.find({trace_, parent_pid});
      parent = newest != newest_.end()
                   ? static_cast<int32_t>(newest->second)
                   : static_cast<int32_t>(Add(fmt::format("pid {}", parent_pid), parent_pid,
                                              parent_name != nullptr ? *parent_name : std::string_view(), -1));
    }
  }
  return Add(id, pid, called, parent);
}

HtmlEvents::Added HtmlEvents::AddTo(PageData* data) const {
  std::vector<std::pair<uint64_t, Place>> order;
  order.reserve(rows_.size());
  for (const auto& [place, row] : rows_) order.emplace_back(row.time_ns, place);
  std::sort(order.begin(), order.end());
  const uint64_t first = order.empty() ? 0 : order.front().first;
  std::vector<double> time;  // ns since the first; exact below 104 days
  std::vector<uint32_t> number, process, context, own;
  std::vector<uint16_t> trace;
  std::vector<uint8_t> kind, pinned;
  std::unordered_map<Place, uint32_t> where;
  for (const auto& [time_ns, place] : order) {
    const Row& row = rows_.at(place);
    where.emplace(place, static_cast<uint32_t>(time.size()));
    time.push_back(static_cast<double>(time_ns - first));
    const auto counted = static_cast<uint32_t>(place);
    number.push_back(counted < kNoNumber ? counted : 0);
    trace.push_back(static_cast<uint16_t>(place >> 32));
    kind.push_back(static_cast<uint8_t>(row.kind));
    pinned.push_back(row.pinned);
    process.push_back(row.process);
    context.push_back(row.context);
    own.push_back(row.own);
  }
  data->Add("time", time);
  data->Add("number", number);
  data->Add("trace", trace);
  data->Add("kind", kind);
  data->Add("pinned", pinned);
  data->Add("process", process);
  data->Add("context", context);
  data->Add("own", own);
  data->Add("list_begin", list_begin_);
  data->Add("list_items", list_items_);
  std::vector<uint32_t> process_trace, process_id, process_name;
  std::vector<int32_t> process_pid, process_parent;
  for (const Process& one : processes_) {
    process_trace.push_back(one.trace);
    process_id.push_back(one.id);
    process_name.push_back(one.name);
    process_pid.push_back(static_cast<int32_t>(one.pid));
    process_parent.push_back(one.parent);
  }
  data->Add("process_trace", process_trace);
  data->Add("process_id", process_id);
  data->Add("process_name", process_name);
  data->Add("process_pid", process_pid);
  data->Add("process_parent", process_parent);
  texts_.AddTo(data);
  return {first, std::move(where)};
}

}  // namespace ks::ksc
