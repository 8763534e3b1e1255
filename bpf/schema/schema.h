// The C++ view of THE TABLE (events.def, types.def). Everything that the language can name comes from here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "bpf/schema/record.h"

namespace ks::schema {

// Generated from the table; numbers are those of records (ks_field, ks_kind).
enum class FieldId : uint16_t {
#define KS_FIELD(object, field, type, decided, dataclass, about) object##_##field,
#define KS_TEXT(object, field, type, capture, decided, dataclass, about) object##_##field,
#define KS_NAMED(object, field, type, enumeration, decided, dataclass, about) object##_##field,
#include "bpf/schema/events.def"
};
inline constexpr size_t kFieldCount = KS_FIELD_COUNT;

enum class EventKind : uint8_t {
#define KS_EVENT(kind, hook, about) kind##_,
#include "bpf/schema/events.def"
};
inline constexpr size_t kKindCount = KS_KIND_COUNT;

enum class ObjectId : uint8_t {
#define KS_OBJECT(object, dotted, guard, about) object##_,
#include "bpf/schema/events.def"
};

enum class TypeId : uint8_t {
#define KS_TYPE(id, spelled, slot, about) id,
#include "bpf/schema/types.def"
};

enum class Slot : uint8_t { None, Int, Ip, Endpoint, Text };
enum class Guard : uint8_t { Always, Exists, Socket };
enum class Decided : uint8_t { Kernel, User };
enum class DataClass : uint8_t { Metadata, MatchOnly };

struct TypeRow {
  TypeId id;
  std::string_view spelled;
  Slot slot;
  std::string_view about;
};

struct ObjectRow {
  ObjectId id;
  std::string_view dotted;  // "" for the event itself
  Guard guard;
  std::string_view about;
};

struct FieldRow {
  FieldId id;
  ObjectId object;
  std::string_view name;      // last component
  std::string_view dotted;    // what the user types: "process.exe", "result"
  std::string_view accessor;  // BPF function "ks_get_process_exe"; also the record's member after "ks_get_"
  TypeId type;
  std::string_view enumeration;  // of Enum and Flags, else ""
  uint32_t capture;              // bytes at most, of texts; else 0
  Decided decided;
  DataClass data_class;
  std::string_view about;
  uint32_t offset;  // in struct ks_fields
};

struct EventRow {
  EventKind kind;
  std::string_view name;
  std::string_view hook;  // a raw tracepoint, and bpf/hooks/<hook>.bpf.c
  std::string_view about;
};

struct Enumerator {
  std::string_view name;
  int64_t value;
};

std::span<const TypeRow> Types();
std::span<const ObjectRow> Objects();
std::span<const FieldRow> Fields();
std::span<const EventRow> Events();

const TypeRow& Row(TypeId id);
const ObjectRow& Row(ObjectId id);
const FieldRow& Row(FieldId id);
const EventRow& Row(EventKind kind);

std::optional<FieldId> FindField(std::string_view dotted);
std::optional<ObjectId> FindObject(std::string_view dotted);
std::optional<EventKind> FindEvent(std::string_view name);

// Whether events of the kind carry the field.
bool Has(EventKind kind, FieldId field);

// The kernel fields that a User field is computed from; empty for Kernel fields.
std::span<const FieldId> DerivedFrom(FieldId field);

// The object whose guard covers this one: itself, or the one around it (container, of container.image).
ObjectId GuardObject(ObjectId object);
// The field whose status says whether an Exists object is there: its first one.
FieldId PresenceField(ObjectId object);
// The enum field that `is socket` tests for a Socket-guarded object: the one with the object's dotted name.
FieldId GuardField(ObjectId object);

// Enumerators in the order of the table; empty if there is no such enumeration. "syscall" lists the x86-64 calls.
std::span<const Enumerator> Enumerators(std::string_view enumeration);
std::optional<int64_t> EnumeratorValue(std::string_view enumeration, std::string_view name);
std::optional<std::string_view> EnumeratorName(std::string_view enumeration, int64_t value);

// The x86-64 number of a call by its i386 number; nothing if x86-64 has no call of that name.
std::optional<int64_t> SyscallFromI386(int64_t nr);

// Changes whenever a name, type, capture, order or layout of the table changes. 16 hex digits.
std::string_view Hash();

}  // namespace ks::schema
