#include "compiler/lint/domains.h"

#include <array>

namespace ks::lint {
namespace {

using schema::FieldId;
using schema::TypeId;

struct Facts {
  std::array<Intervals, schema::kFieldCount> domains;
  std::array<bool, schema::kFieldCount> always{};

  // Enumerations whose accessor gives nothing but their names.
  static bool IsClosed(std::string_view enumeration) {
    return enumeration == "result" || enumeration == "descriptor" || enumeration == "transport";
  }

  Facts() {
    for (const schema::FieldRow& row : schema::Fields()) {
      Intervals& domain = domains[static_cast<size_t>(row.id)];
      domain = {Biased(INT64_MIN), Biased(INT64_MAX)};
      if (row.type == TypeId::Bool) domain = {Biased(0), Biased(1)};
      if (row.type == TypeId::Port) domain = {Biased(0), Biased(65535)};
      if (IsClosed(row.enumeration)) {
        domain = {};
        for (const schema::Enumerator& name : schema::Enumerators(row.enumeration)) {
          domain.Add(Biased(name.value), Biased(name.value));
        }
        domain.Normalise();
      }
    }
#define KS_DOMAIN(field, least, most) domains[static_cast<size_t>(FieldId::field)] = {Biased(least), Biased(most)};
#define KS_ALWAYS(field) always[static_cast<size_t>(FieldId::field)] = true;
#include "compiler/lint/domains.def"
  }
};

const Facts& TheFacts() {
  static const Facts facts;
  return facts;
}

}  // namespace

Intervals DomainOf(FieldId field) { return TheFacts().domains[static_cast<size_t>(field)]; }

bool MayBeAbsent(FieldId field) { return !TheFacts().always[static_cast<size_t>(field)]; }

bool IsInDomain(FieldId field, const schema::Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    Intervals one(Biased(*number), Biased(*number));
    one.Intersect(TheFacts().domains[static_cast<size_t>(field)]);
    return !one.empty();
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || schema::Row(field).type == TypeId::StringList) return true;
  if (text->find('\0') != std::string::npos) return false;
  return schema::Row(field).type != TypeId::Path || text->starts_with('/');
}

}  // namespace ks::lint
