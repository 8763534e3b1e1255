#include "bpf/schema/schema.h"

#include <array>
#include <bitset>
#include <map>

namespace ks::schema {
namespace {

constexpr auto kTypes = std::to_array<TypeRow>({
#define KS_TYPE(id, spelled, slot, about) {TypeId::id, spelled, Slot::slot, about},
#include "bpf/schema/types.def"
});

constexpr auto kObjects = std::to_array<ObjectRow>({
#define KS_OBJECT(object, dotted, guard, about) {ObjectId::object##_, dotted, Guard::guard, about},
#include "bpf/schema/events.def"
});

constexpr auto kEvents = std::to_array<EventRow>({
#define KS_EVENT(kind, hook, about) {EventKind::kind##_, #kind, #hook, about},
#include "bpf/schema/events.def"
});

// Arguments are only pasted or quoted, never passed on: `errno` is a macro of the C library.
constexpr auto kBareFields = std::to_array<FieldRow>({
#define KS_FIELD(object, field, type, decided, dataclass, about) \
  {FieldId::object##_##field,                                    \
   ObjectId::object##_,                                          \
   #field,                                                       \
   "",                                                           \
   "ks_get_" #object "_" #field,                                 \
   TypeId::type,                                                 \
   "",                                                           \
   0,                                                            \
   Decided::decided,                                             \
   DataClass::dataclass,                                         \
   about,                                                        \
   offsetof(ks_fields, object##_##field)},
#define KS_TEXT(object, field, type, capture, decided, dataclass, about) \
  {FieldId::object##_##field,                                            \
   ObjectId::object##_,                                                  \
   #field,                                                               \
   "",                                                                   \
   "ks_get_" #object "_" #field,                                         \
   TypeId::type,                                                         \
   "",                                                                   \
   capture,                                                              \
   Decided::decided,                                                     \
   DataClass::dataclass,                                                 \
   about,                                                                \
   offsetof(ks_fields, object##_##field)},
#define KS_NAMED(object, field, type, enumeration, decided, dataclass, about) \
  {FieldId::object##_##field,                                                 \
   ObjectId::object##_,                                                       \
   #field,                                                                    \
   "",                                                                        \
   "ks_get_" #object "_" #field,                                              \
   TypeId::type,                                                              \
   #enumeration,                                                              \
   0,                                                                         \
   Decided::decided,                                                          \
   DataClass::dataclass,                                                      \
   about,                                                                     \
   offsetof(ks_fields, object##_##field)},
#include "bpf/schema/events.def"
});
static_assert(kBareFields.size() == kFieldCount);

// Dotted names are joined once, into storage of their own, as views must outlive everything.
struct FieldTable {
  std::array<FieldRow, kFieldCount> rows = kBareFields;
  std::array<std::array<char, 48>, kFieldCount> names{};
  constexpr FieldTable() {
    for (size_t i = 0; i < rows.size(); ++i) {
      std::string_view object = kObjects[static_cast<size_t>(rows[i].object)].dotted;
      size_t n = 0;
      for (char c : object) names[i][n++] = c;
      if (!object.empty()) names[i][n++] = '.';
      for (char c : rows[i].name) names[i][n++] = c;
    }
  }
};
constexpr FieldTable kTable;

struct NamedTable {
  std::array<FieldRow, kFieldCount> rows = kTable.rows;
  constexpr NamedTable() {
    for (size_t i = 0; i < rows.size(); ++i) {
      size_t n = 0;
      while (kTable.names[i][n] != 0) ++n;
      rows[i].dotted = {kTable.names[i].data(), n};
    }
  }
};
constexpr NamedTable kFields;

struct Derivation {
  FieldId field, from;
};
constexpr auto kDerivations = std::to_array<Derivation>({
#define KS_DERIVE(object, field, from_object, from_field) \
  {FieldId::object##_##field, FieldId::from_object##_##from_field},
#include "bpf/schema/events.def"
});

// Every kind carries the fields of these.
constexpr bool InEveryKind(ObjectId object) {
  std::string_view dotted = kObjects[static_cast<size_t>(object)].dotted;
  return dotted == "process" || dotted.starts_with("process.") || dotted == "container" ||
         dotted.starts_with("container.") || dotted == "pod";
}

struct Membership {
  std::array<std::bitset<kFieldCount>, kKindCount> fields;
  Membership() {
    for (size_t kind = 0; kind < kKindCount; ++kind) {
      for (const FieldRow& row : kFields.rows) {
        if (InEveryKind(row.object) || row.id == FieldId::event_time) fields[kind].set(static_cast<size_t>(row.id));
      }
    }
#define KS_HAS(kind, object) AddObject(EventKind::kind##_, ObjectId::object##_);
#define KS_HAS_FIELD(kind, object, field) \
  fields[static_cast<size_t>(EventKind::kind##_)].set(static_cast<size_t>(FieldId::object##_##field));
#include "bpf/schema/events.def"
  }
  void AddObject(EventKind kind, ObjectId object) {
    for (const FieldRow& row : kFields.rows) {
      if (row.object == object) fields[static_cast<size_t>(kind)].set(static_cast<size_t>(row.id));
    }
  }
};

struct NamedEnumerator {
  std::string_view enumeration;
  Enumerator enumerator;
};
constexpr auto kEnumerators = std::to_array<NamedEnumerator>({
#define KS_ENUM(enumeration, enumerator, value) {#enumeration, {#enumerator, value}},
#include "bpf/schema/types.def"
});

constexpr auto kSyscalls64 = std::to_array<Enumerator>({
#define KS_SYSCALL(name, number) {#name, number},
#include "syscalls_64.def"
#undef KS_SYSCALL
});
constexpr auto kSyscalls32 = std::to_array<Enumerator>({
#define KS_SYSCALL(name, number) {#name, number},
#include "syscalls_32.def"
#undef KS_SYSCALL
});

constexpr uint64_t Fnv(uint64_t hash, std::string_view text) {
  for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
  return (hash ^ 0xff) * 0x100000001b3ull;
}

constexpr std::array<char, 16> ComputeHash() {
  uint64_t hash = 0xcbf29ce484222325ull;
  auto number = [&hash](uint64_t value) {
    for (int i = 0; i < 8; ++i) hash = (hash ^ (value >> (8 * i) & 0xff)) * 0x100000001b3ull;
  };
  for (const FieldRow& row : kFields.rows) {
    hash = Fnv(Fnv(hash, row.dotted), row.enumeration);
    number(static_cast<uint64_t>(row.type));
    number(row.capture);
    number(row.offset);
    number(static_cast<uint64_t>(row.decided));
  }
  for (const EventRow& row : kEvents) hash = Fnv(Fnv(hash, row.name), row.hook);
  for (const NamedEnumerator& row : kEnumerators) {
    hash = Fnv(Fnv(hash, row.enumeration), row.enumerator.name);
    number(static_cast<uint64_t>(row.enumerator.value));
  }
  number(sizeof(ks_scratch));
  number(sizeof(ks_record));
  number(KS_RECORD_LAYOUT);
  std::array<char, 16> hex{};
  for (int i = 0; i < 16; ++i) hex[static_cast<size_t>(i)] = "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
  return hex;
}
constexpr std::array<char, 16> kHash = ComputeHash();

}  // namespace

std::span<const TypeRow> Types() { return kTypes; }
std::span<const ObjectRow> Objects() { return kObjects; }
std::span<const FieldRow> Fields() { return kFields.rows; }
std::span<const EventRow> Events() { return kEvents; }

const TypeRow& Row(TypeId id) { return kTypes[static_cast<size_t>(id)]; }
const ObjectRow& Row(ObjectId id) { return kObjects[static_cast<size_t>(id)]; }
const FieldRow& Row(FieldId id) { return kFields.rows[static_cast<size_t>(id)]; }
const EventRow& Row(EventKind kind) { return kEvents[static_cast<size_t>(kind)]; }

std::optional<FieldId> FindField(std::string_view dotted) {
  for (const FieldRow& row : kFields.rows) {
    if (row.dotted == dotted) return row.id;
  }
  return std::nullopt;
}

std::optional<ObjectId> FindObject(std::string_view dotted) {
  for (const ObjectRow& row : kObjects) {
    if (row.dotted == dotted) return row.id;
  }
  return std::nullopt;
}

std::optional<EventKind> FindEvent(std::string_view name) {
  for (const EventRow& row : kEvents) {
    if (row.name == name) return row.kind;
  }
  return std::nullopt;
}

bool Has(EventKind kind, FieldId field) {
  static const Membership membership;
  return membership.fields[static_cast<size_t>(kind)].test(static_cast<size_t>(field));
}

std::span<const FieldId> DerivedFrom(FieldId field) {
  // Sources of one field stand together in the table.
  static const auto sources = [] {
    std::array<FieldId, kDerivations.size()> from{};
    for (size_t i = 0; i < from.size(); ++i) from[i] = kDerivations[i].from;
    return from;
  }();
  size_t begin = 0;
  while (begin < kDerivations.size() && kDerivations[begin].field != field) ++begin;
  size_t end = begin;
  while (end < kDerivations.size() && kDerivations[end].field == field) ++end;
  return std::span(sources).subspan(begin, end - begin);
}

ObjectId GuardObject(ObjectId object) {
  const ObjectRow& inner = Row(object);
  for (const ObjectRow& row : kObjects) {
    bool around = inner.dotted.size() > row.dotted.size() && inner.dotted.starts_with(row.dotted) &&
                  inner.dotted[row.dotted.size()] == '.';
    if (inner.guard == Guard::Exists && row.guard == Guard::Exists && around) return row.id;
  }
  return object;
}

FieldId PresenceField(ObjectId object) {
  for (const FieldRow& row : kFields.rows) {
    if (row.object == object) return row.id;
  }
  return FieldId{};
}

FieldId GuardField(ObjectId object) { return FindField(Row(object).dotted).value_or(FieldId{}); }

std::span<const Enumerator> Enumerators(std::string_view enumeration) {
  if (enumeration == "syscall") return kSyscalls64;
  static const auto flat = [] {
    std::array<Enumerator, kEnumerators.size()> rows{};
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = kEnumerators[i].enumerator;
    return rows;
  }();
  // Enumerators of one enumeration stand together in the table.
  static const auto all = [] {
    std::map<std::string_view, std::span<const Enumerator>> spans;
    for (size_t begin = 0, end = 0; begin < flat.size(); begin = end) {
      while (end < flat.size() && kEnumerators[end].enumeration == kEnumerators[begin].enumeration) ++end;
      spans[kEnumerators[begin].enumeration] = std::span(flat).subspan(begin, end - begin);
    }
    return spans;
  }();
  const auto found = all.find(enumeration);
  return found == all.end() ? std::span<const Enumerator>() : found->second;
}

std::optional<int64_t> EnumeratorValue(std::string_view enumeration, std::string_view name) {
  for (const Enumerator& row : Enumerators(enumeration)) {
    if (row.name == name) return row.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> EnumeratorName(std::string_view enumeration, int64_t value) {
  for (const Enumerator& row : Enumerators(enumeration)) {
    if (row.value == value) return row.name;
  }
  return std::nullopt;
}

std::optional<int64_t> SyscallFromI386(int64_t nr) {
  for (const Enumerator& row : kSyscalls32) {
    if (row.value == nr) return EnumeratorValue("syscall", row.name);
  }
  return std::nullopt;
}

std::string_view Hash() { return {kHash.data(), kHash.size()}; }

}  // namespace ks::schema
