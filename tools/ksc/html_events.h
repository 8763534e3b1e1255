// The events of an HTML report, in columns: texts once, what a process is once until it changes, and of each event the rest.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/event/event.h"
#include "tools/ksc/html_page.h"

namespace ks::ksc {

// Texts → numbers; 0 is "". Beyond its bound (bytes) every new text is the number of a remark that says so.
class Texts {
 public:
  Texts();
  uint32_t Of(std::string_view text);
  uint64_t left_out() const { return left_out_; }  // how often that remark stands for a text
  // text_bytes, and text_begin with one more number than there are texts.
  void AddTo(PageData* data) const;

 private:
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<const std::string*> texts_;
  uint64_t bytes_ = 0, left_out_ = 0;
  uint32_t remark_ = 0;
};

class HtmlEvents {
 public:
  // An event's place: its trace, and its number there, from 1. An alert's event that was sampled away before, and of which only
  // a copy is left, has none: it gets a number from kNoNumber on.
  using Place = uint64_t;
  static constexpr uint32_t kNoNumber = 0xf000'0000;

  explicit HtmlEvents(uint64_t max_events) : max_events_(max_events) {}

  // The same for an event and its copies.
  static uint64_t IdentityOf(uint32_t trace, const event::Event& event);

  void Begin(uint32_t trace);  // the next trace, and its number
  void Take(const event::Event& event);
  // An event of this trace, or a copy of it. Keeps it for good, and some around it if it is among the last.
  Place Pin(const event::Event& event);

  Texts& texts() { return texts_; }
  uint64_t total() const { return total_; }
  uint64_t kept() const { return rows_.size(); }
  uint64_t stride() const { return stride_; }
  struct Added {
    uint64_t first_ns;                         // since 1970: what the column `time` counts from
    std::unordered_map<Place, uint32_t> rows;  // where each place is among the rows, which are in the order of time
  };
  // All columns of events, lists, processes and texts.
  Added AddTo(PageData* data) const;

 private:
  struct Row {
    uint64_t time_ns = 0, identity = 0;
    uint32_t process = 0, context = 0, own = 0;
    schema::EventKind kind{};
    bool pinned = false;
  };
  struct Process {
    uint32_t trace = 0, id = 0, name = 0;
    int64_t pid = -1;
    int32_t parent = -1;  // always before it
  };
  struct Trace {
    uint64_t number = 0;
    uint32_t unnumbered = 0;
    uint32_t pin_next = 0;  // so many to come are near an alert
    // The last ones that were not kept: an alert may want them.
    std::deque<std::pair<Place, event::Event>> recent;
  };

  Row& Keep(Place place, const event::Event& event);
  void PinRow(Row& row);
  void Thin();
  uint32_t ListOf(const event::Event& event, bool context);
  uint32_t ProcessOf(const event::Event& event);
  uint32_t Add(std::string_view id, int64_t pid, std::string_view name, int32_t parent);

  uint64_t max_events_, stride_ = 1, total_ = 0, pinned_ = 0;
  uint32_t trace_ = 0;
  Trace now_;  // of the trace
  std::map<Place, Row> rows_;
  std::unordered_map<uint64_t, Place> places_;  // by identity
  Texts texts_;
  std::unordered_map<std::string, uint32_t> lists_;  // by their bytes
  std::vector<uint32_t> list_begin_ = {0, 0}, list_items_;
  std::vector<Process> processes_;
  std::unordered_map<std::string, uint32_t> process_numbers_;
  std::map<std::pair<uint32_t, int64_t>, uint32_t> newest_;  // of a trace and a pid
};

// A value as the language spells it, cut where it is very long; "" if there is none.
std::string HtmlValue(schema::FieldId field, const schema::FieldValue& value);

}  // namespace ks::ksc
