#include "bpf/schema/history.h"

#include <array>

namespace ks::schema {
namespace {

struct History {
  std::array<uint32_t, kFieldCount> since;
  std::array<std::optional<Deprecation>, kFieldCount> deprecated{};
  constexpr History() {
    since.fill(1);
#define KS_SINCE(object, field, version) since[static_cast<size_t>(FieldId::object##_##field)] = version;
#define KS_DEPRECATED(object, field, version, to_object, to_field) \
  deprecated[static_cast<size_t>(FieldId::object##_##field)] = Deprecation{version, FieldId::to_object##_##to_field};
#include "bpf/schema/history.def"
  }
};
constexpr History kHistory;

constexpr bool VersionsFit() {
  for (uint32_t since : kHistory.since) {
    if (since == 0 || since > kVersion) return false;
  }
  for (const auto& one : kHistory.deprecated) {
    if (one && (one->since > kVersion || kHistory.deprecated[static_cast<size_t>(one->successor)])) return false;
  }
  return true;
}
static_assert(VersionsFit(), "a version beyond kVersion, or a successor that is deprecated itself");

}  // namespace

uint32_t Since(FieldId field) { return kHistory.since[static_cast<size_t>(field)]; }

std::optional<Deprecation> DeprecationOf(FieldId field) { return kHistory.deprecated[static_cast<size_t>(field)]; }

}  // namespace ks::schema
