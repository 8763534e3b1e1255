// Events made for a purpose: a recorded or a written one, changed until it is what a test still lacks.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "compiler/ir/eval.h"

namespace ks::mutate {

// Values that fields have in the events of tests: of lists their elements, of flags their bits.
class Observed {
 public:
  void Add(schema::EventKind kind, const schema::Record& record);
  // Distinct, in the order in which they were seen; at most kMostObserved.
  const std::vector<schema::Value>& Of(schema::FieldId field) const;

 private:
  std::map<schema::FieldId, std::vector<schema::Value>> values_;
};
inline constexpr size_t kMostObserved = 64;

struct Forced {
  schema::Record record;
  std::vector<schema::FieldId> changed;
};
// Changes fields of an event of this kind until all of `goals` are true of it, `steps` being the events of earlier
// steps. Nothing if no way was found: that is no proof that there is none.
std::optional<Forced> Force(schema::EventKind kind, const schema::Record& from, const std::vector<ir::Pred>& goals,
                            const Observed& observed, std::span<const schema::Record* const> steps = {});

// Gives a field another value, and what follows from it: what a guard covers, errno beside result, process.id beside
// pid.
void SetField(schema::EventKind kind, schema::FieldId field, schema::Value value, schema::Record* record);

// A value of the field's type, other than this one: of an address, a number, a text.
std::vector<schema::Value> OthersThan(schema::FieldId field, const schema::Value& value);

}  // namespace ks::mutate
