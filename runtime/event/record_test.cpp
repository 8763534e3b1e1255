#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "runtime/event/event_testing.h"

namespace ks::event {
namespace {

using schema::EventKind;
using schema::FieldId;
using FieldStatus = schema::Status;

// A record by hand: head, words, then items as given, with no check of ours in between.
struct RawRecord {
  ks_record head{};
  std::vector<uint64_t> words;
  std::string items;

  RawRecord() {
    head.kind = static_cast<__u8>(EventKind::unlink_);
    head.time_ns = 5;
  }
  RawRecord& Item(uint16_t id, uint8_t status, std::string data, uint16_t index = 0) {
    const ks_item item{id, status, 0, static_cast<__u16>(data.size()), index};
    items.append(reinterpret_cast<const char*>(&item), sizeof(item));
    data.resize((data.size() + KS_ITEM_ALIGN - 1) / KS_ITEM_ALIGN * KS_ITEM_ALIGN);
    items += data;
    return *this;
  }
  RawRecord& Item(FieldId field, uint8_t status, std::string data) {
    return Item(static_cast<uint16_t>(field), status, std::move(data));
  }
  RawRecord& Short(uint16_t id, uint8_t status, int32_t value, uint8_t high = KS_ITEM_SHORT) {
    const auto bits = static_cast<uint32_t>(value);
    const ks_item item{id, status, high, static_cast<__u16>(bits), static_cast<__u16>(bits >> 16)};
    items.append(reinterpret_cast<const char*>(&item), sizeof(item));
    return *this;
  }
  std::string Bytes() {
    head.words = static_cast<__u8>(words.size());
    std::string out(reinterpret_cast<const char*>(&head), sizeof(head));
    out.append(reinterpret_cast<const char*>(words.data()), words.size() * 8);
    return out + items;
  }
};

std::string Number(int64_t value) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &value, 8);
  return bytes;
}

void ExpectRefused(std::string_view bytes, const std::string& cause) {
  const auto event = Decode(bytes, 0);
  ASSERT_FALSE(event) << cause;
  EXPECT_EQ(event.error().code, "event-malformed");
  EXPECT_NE(event.error().cause.find(cause), std::string::npos) << event.error().cause;
}

TEST(Decode, ANumberOf32BitsIsInTheItemsHead) {
  const auto pid = static_cast<uint16_t>(FieldId::process_pid);
  for (int32_t value : {0, 1, -1, 65535, 65536, -65536, INT32_MAX, INT32_MIN}) {
    RawRecord raw;
    raw.Short(pid, KS_OK, value);
    const auto event = Decode(raw.Bytes(), 0);
    ASSERT_TRUE(event) << event.error().ToString();
    EXPECT_EQ(event->record[FieldId::process_pid].value, schema::Value(int64_t{value}));
    EXPECT_EQ(Encode(*event).size(), sizeof(ks_record) + sizeof(ks_item));
  }
  RawRecord form, atom, twice, text, state;
  ExpectRefused(form.Short(pid, KS_OK, 1, 2).Bytes(), "an item of an unknown form, 2");
  ExpectRefused(atom.Short(KS_ITEM_ATOM | 1, KS_OK, 1).Bytes(), "an item of an unknown form, 1");
  ExpectRefused(twice.Short(pid, KS_OK, 1).Short(pid, KS_OK, 1).Bytes(), "comes twice");
  ExpectRefused(text.Short(static_cast<uint16_t>(FieldId::process_name), KS_OK, 1).Bytes(),
                "holds a number where none can be");
  ExpectRefused(state.Short(pid, KS_UNKNOWN, 1).Bytes(), "holds a number where none can be");
}

TEST(Decode, ReadsHeadWordsFieldsAndAtoms) {
  RawRecord raw;
  raw.head.sequence = 812;
  raw.head.generation = 3;
  raw.head.cpu = 7;
  raw.words = {5, 1};
  raw.Item(FieldId::process_pid, KS_OK, Number(4711))
      .Item(FieldId::file_path, KS_TRUNCATED, "tail")
      .Item(FieldId::process_exe, KS_UNKNOWN, "")
      .Item(KS_ITEM_ATOM | 4, KS_OK, "", 2);
  const auto event = Decode(raw.Bytes(), 1000);
  ASSERT_TRUE(event) << event.error().ToString();
  EXPECT_EQ(event->kind, EventKind::unlink_);
  EXPECT_EQ(event->time_ns, 1005u);
  EXPECT_EQ(std::get<int64_t>(event->record[FieldId::event_time].value), 1005);
  EXPECT_EQ(event->sequence, 812u);
  EXPECT_EQ(event->generation, 3u);
  EXPECT_EQ(event->cpu, 7);
  EXPECT_EQ(event->passed, (std::vector<uint64_t>{5, 1}));
  EXPECT_EQ(event->atoms, (std::vector<AtomMatch>{{4, 2}}));
  EXPECT_EQ(event->record[FieldId::process_pid], (schema::FieldValue{FieldStatus::Ok, int64_t{4711}}));
  EXPECT_EQ(event->record[FieldId::file_path], (schema::FieldValue{FieldStatus::Truncated, std::string("tail")}));
  EXPECT_EQ(event->record[FieldId::process_exe].status, FieldStatus::Unknown);
  EXPECT_EQ(event->record[FieldId::process_tid].status, FieldStatus::Unread);
}

TEST(Decode, ReadsWhichClausesPassed) {
  RawRecord raw;
  raw.head.summary = 2;
  raw.words = {uint64_t{1} << 3, 1, 7, 9};
  raw.Item(KS_ITEM_ATOM | 4, KS_OK, "", 2).Item(KS_ITEM_ATOM | 4, KS_OK, "", 3);
  const auto event = Decode(raw.Bytes(), 0);
  ASSERT_TRUE(event) << event.error().ToString();
  EXPECT_TRUE(event->by_clause);
  std::vector<uint64_t> expected(128);
  expected[3] = 7;
  expected[64] = 9;
  EXPECT_EQ(event->passed, expected);
  EXPECT_EQ(event->atoms, (std::vector<AtomMatch>{{4, 2}, {4, 3}}));
  for (const std::vector<uint64_t>& words : std::vector<std::vector<uint64_t>>{{1}, {1, 0}, {1, 0, 5, 6}, {3, 0, 5}}) {
    raw.words = words;  // fewer or more than the summary says
    EXPECT_FALSE(Decode(raw.Bytes(), 0)) << words.size();
  }
  raw.head.summary = KS_ROWS_SUMMARY + 1;
  raw.words.assign(KS_ROWS_SUMMARY + 1, 0);
  EXPECT_FALSE(Decode(raw.Bytes(), 0));
}

TEST(Decode, NormalisesRawPaths) {
  RawRecord raw;
  raw.Item(FieldId::file_path, KS_RAW, "/tmp/../etc//./shadow").Item(FieldId::process_cwd, KS_RAW, "no/root");
  const auto event = Decode(raw.Bytes(), 0);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->record[FieldId::file_path], (schema::FieldValue{FieldStatus::Ok, std::string("/etc/shadow")}));
  EXPECT_EQ(event->record[FieldId::process_cwd].status, FieldStatus::Unknown);
}

TEST(Decode, NormalisesForeignSystemCalls) {
  // i386: 10 is unlink, which x86-64 numbers 87; 17 (break) has no twin.
  for (const auto& [number, expected] : {std::pair{10, 87}, std::pair{17, -1}, std::pair{-5, -1}}) {
    RawRecord raw;
    raw.Item(FieldId::event_syscall, KS_FOREIGN, Number(number));
    const auto event = Decode(raw.Bytes(), 0);
    ASSERT_TRUE(event);
    const schema::FieldValue& field = event->record[FieldId::event_syscall];
    EXPECT_EQ(field.status, expected < 0 ? FieldStatus::Unknown : FieldStatus::Ok) << number;
    if (expected >= 0) {
      EXPECT_EQ(std::get<int64_t>(field.value), expected);
    }
  }
}

TEST(Decode, RawAndForeignWithoutTheirValueAreUnknown) {
  RawRecord raw;
  raw.Item(FieldId::file_path, KS_RAW, "")
      .Item(FieldId::event_syscall, KS_FOREIGN, "")
      .Item(FieldId::process_cwd, KS_TRUNCATED, "");
  const auto event = Decode(raw.Bytes(), 0);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->record[FieldId::file_path].status, FieldStatus::Unknown);
  EXPECT_EQ(event->record[FieldId::event_syscall].status, FieldStatus::Unknown);
  EXPECT_EQ(event->record[FieldId::process_cwd].status, FieldStatus::Truncated);
}

TEST(Decode, ArgumentsWithoutTheirLastNulWereCut) {
  RawRecord raw;
  raw.Item(FieldId::process_args, KS_OK, "nginx: worker");
  const auto event = Decode(raw.Bytes(), 0);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->record[FieldId::process_args].status, FieldStatus::Truncated);
}

TEST(Decode, RefusesLiesAboutSizes) {
  RawRecord good;
  good.words = {1};
  good.Item(FieldId::process_pid, KS_OK, Number(1)).Item(FieldId::process_name, KS_OK, "bash");
  const std::string bytes = good.Bytes();
  ASSERT_TRUE(Decode(bytes, 0));
  // The ring keeps a record's length, so that one that ends with an item is whole.
  const size_t none = sizeof(ks_record) + sizeof(uint64_t), one = none + sizeof(ks_item) + sizeof(int64_t);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(bool(Decode(bytes.substr(0, size), 0)), size == none || size == one) << size;
  }
  ExpectRefused("", "shorter than its head");
  ExpectRefused(bytes + std::string(8, '\0'), "is no field of this kind");
  ExpectRefused(std::string(KS_RECORD_MAX + 1, '\0'), "longer than");

  RawRecord words = good;
  std::string lie = words.Bytes();
  lie[offsetof(ks_record, words)] = 16;
  ExpectRefused(lie, "within its words");
  lie[offsetof(ks_record, words)] = 17;
  ExpectRefused(lie, "17 words");

  RawRecord cut = good;
  cut.items.resize(cut.items.size() - KS_ITEM_ALIGN);
  ExpectRefused(cut.Bytes(), "more than there are");
  RawRecord torn = good;
  torn.items += std::string(4, '\0');
  ExpectRefused(torn.Bytes(), "within an item");
}

TEST(Decode, RefusesWhatTheTableRulesOut) {
  const auto refused = [](auto&& make, const std::string& cause) {
    RawRecord raw;
    make(raw);
    ExpectRefused(raw.Bytes(), cause);
  };
  refused([](RawRecord& r) { r.head.kind = KS_KIND_COUNT; }, "unknown kind");
  refused([](RawRecord& r) { r.head.time_ns = UINT64_MAX; }, "time is out of range");
  refused([](RawRecord& r) { r.Item(KS_FIELD_COUNT, KS_OK, Number(1)); }, "does not exist");
  refused([](RawRecord& r) { r.Item(+KS_ITEM_ATOM | +KS_MAX_ATOMS, KS_OK, ""); }, "atom 1024 does not exist");
  refused([](RawRecord& r) { r.Item(KS_ITEM_ATOM | 1, KS_OK, Number(1)); }, "atom 1 holds a value");
  refused([](RawRecord& r) { r.Item(KS_ITEM_ATOM | 1, KS_OK, "").Item(KS_ITEM_ATOM | 1, KS_OK, ""); }, "comes twice");
  refused(
      [](RawRecord& r) { r.Item(FieldId::process_pid, KS_OK, Number(1)).Item(FieldId::process_pid, KS_ABSENT, ""); },
      "process.pid comes twice");
  refused([](RawRecord& r) { r.Item(FieldId::container_id, KS_OK, "a"); }, "no field of this kind");
  refused([](RawRecord& r) { r.Item(FieldId::event_exit_code, KS_OK, Number(1)); }, "no field of this kind");
  refused([](RawRecord& r) { r.Item(FieldId::process_pid, 7, Number(1)); }, "cannot have state 7");
  refused([](RawRecord& r) { r.Item(FieldId::process_pid, KS_UNREAD, ""); }, "cannot have state 0");
  refused([](RawRecord& r) { r.Item(FieldId::process_pid, KS_TRUNCATED, ""); }, "cannot have state 3");
  refused([](RawRecord& r) { r.Item(FieldId::process_name, KS_RAW, "a"); }, "cannot have state 5");
  refused([](RawRecord& r) { r.Item(FieldId::process_pid, KS_FOREIGN, Number(1)); }, "cannot have state 6");
  refused([](RawRecord& r) { r.Item(FieldId::process_pid, KS_OK, "1234"); }, "4 bytes where 8 are right");
  refused([](RawRecord& r) { r.Item(FieldId::process_pid, KS_OK, ""); }, "0 bytes where 8 are right");
  refused([](RawRecord& r) { r.Item(FieldId::process_pid, KS_UNKNOWN, Number(1)); }, "8 bytes where 0 are right");
  refused([](RawRecord& r) { r.Item(FieldId::process_name, KS_ABSENT, "a"); }, "1 bytes where 0 are right");
  refused([](RawRecord& r) { r.Item(FieldId::process_name, KS_OK, std::string(17, 'a')); },
          "17 bytes where 15 are right");
  refused([](RawRecord& r) { r.Item(FieldId::process_stdin_peer, KS_OK, std::string(18, 'a')); },
          "18 bytes where 24 are right");
}

TEST(Decode, UndoesEncode) {
  RandomEvents random(1);
  for (int i = 0; i < 3000; ++i) {
    Event event = random.Next(/*derived=*/false);
    event.by_clause = random.OneIn(2);
    if (event.by_clause) {
      event.passed.resize(64 * (1 + random.Below(8)));
      for (uint64_t& word : event.passed) word = random.OneIn(16) ? random.Word() : 0;
    } else {
      for (size_t word = random.Below(4); word > 0; --word) event.passed.push_back(random.Word());
    }
    for (uint16_t atom = 0; atom < 8; ++atom) {
      if (random.OneIn(3)) event.atoms.push_back({atom, static_cast<uint16_t>(random.Below(100))});
    }
    const auto decoded = Decode(Encode(event), 0);
    ASSERT_TRUE(decoded) << decoded.error().ToString();
    ASSERT_EQ(*decoded, event) << i;
  }
}

TEST(Decode, SurvivesDamage) {
  RandomEvents random(2);
  size_t refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = Encode(random.Next(false));
    for (size_t n = 1 + random.Below(4); n > 0; --n)
      bytes[random.Below(bytes.size())] = static_cast<char>(random.Word());
    const auto event = Decode(bytes, static_cast<int64_t>(random.Word()));
    if (!event) {
      ++refused;
      continue;
    }
    for (const schema::FieldRow& row : schema::Fields()) {
      const schema::FieldValue& field = event->record[row.id];
      EXPECT_NE(field.status, FieldStatus::Raw);
      EXPECT_NE(field.status, FieldStatus::Foreign);
      if (const auto* text = std::get_if<std::string>(&field.value)) {
        EXPECT_LE(text->size(), row.capture);
      }
    }
  }
  EXPECT_GT(refused, 100u);
}

}  // namespace
}  // namespace ks::event
