#include "compiler/ide/describe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bpf/schema/history.h"
#include "compiler/sema/operators.h"
#include "compiler/sema/scope.h"

namespace ks::ide {
namespace {

const char* Tier(const schema::FieldRow& row) {
  return row.decided == schema::Decided::Kernel ? "kernel" : "userspace";
}

std::string Guard(schema::ObjectId object) {
  const schema::ObjectRow& row = schema::Row(object);
  if (row.guard == schema::Guard::Exists) return fmt::format("{} exists", row.dotted);
  if (row.guard == schema::Guard::Socket) return fmt::format("{} is socket", row.dotted);
  return "";
}

// "every event", "exec, fork"
std::string KindsWith(schema::FieldId field) {
  std::vector<std::string_view> with;
  for (const schema::EventRow& event : schema::Events()) {
    if (schema::Has(event.kind, field)) with.push_back(event.name);
  }
  if (with.size() == schema::Events().size()) return "every event";
  return fmt::format("{}", fmt::join(with, ", "));
}

}  // namespace

std::string TypeOf(schema::FieldId field, std::string_view part) {
  if (!part.empty()) return std::string(part);
  const schema::FieldRow& row = schema::Row(field);
  std::string type(schema::Row(row.type).spelled);
  return row.enumeration.empty() ? type : fmt::format("{}<{}>", type, row.enumeration);
}

std::string Brief(schema::FieldId field, std::string_view part) {
  const schema::FieldRow& row = schema::Row(field);
  std::string out = fmt::format("{} · {} · {}", TypeOf(field, part), Tier(row),
                                row.data_class == schema::DataClass::Metadata ? "metadata" : "match-only");
  if (row.capture > 0) out += fmt::format(" · {} bytes", row.capture);
  return out;
}

std::string DescribeField(const TableName& name) {
  const schema::FieldRow& row = schema::Row(*name.field);
  std::string part = name.part ? name.symbol.id.substr(name.symbol.id.rfind('.') + 1) : "";
  std::string out = fmt::format("```ksp\n{}: {}\n```\n{}\n\n", name.symbol.id, TypeOf(*name.field, part), row.about);
  out += row.decided == schema::Decided::Kernel
             ? "- **decided in** kernel: can be tested before anything is copied out\n"
             : "- **decided in** userspace: known to the agent only\n";
  if (row.capture > 0) {
    out +=
        fmt::format("- **captured** {} bytes at most; a longer value is unknown, never silently false\n", row.capture);
  }
  out += row.data_class == schema::DataClass::Metadata
             ? "- **data class** metadata: may appear in alerts\n"
             : "- **data class** match-only: may be compared, appears in alerts only with `disclose`\n";
  if (std::string guard = Guard(row.object); !guard.empty()) out += fmt::format("- **needs** `{}`\n", guard);
  out += fmt::format("- **on** {}\n", KindsWith(*name.field));
  out += fmt::format("- **since** version {} of the table\n", schema::Since(*name.field));
  if (auto deprecation = schema::DeprecationOf(*name.field)) {
    out += fmt::format("- **deprecated** since version {}: use `{}`\n", deprecation->since,
                       schema::Row(deprecation->successor).dotted);
  }
  return out;
}

std::string DescribeRecord(schema::ObjectId object) {
  const schema::ObjectRow& row = schema::Row(object);
  std::string out = fmt::format("```ksp\n{}\n```\n{}\n\n", row.dotted, row.about);
  if (std::string guard = Guard(object); !guard.empty()) out += fmt::format("- **needs** `{}`\n", guard);
  for (const schema::FieldRow& field : schema::Fields()) {
    if (field.object == object) out += fmt::format("- `{}` {}\n", field.name, Brief(field.id));
  }
  return out;
}

std::string DescribeKind(schema::EventKind kind) {
  const schema::EventRow& row = schema::Row(kind);
  std::string out = fmt::format("```ksp\non {}\n```\n{} Seen at `{}`.\n\n", row.name, row.about, row.hook);
  for (const schema::FieldRow& field : schema::Fields()) {
    bool everywhere = true;
    for (const schema::EventRow& event : schema::Events()) everywhere = everywhere && schema::Has(event.kind, field.id);
    if (!everywhere && schema::Has(kind, field.id)) out += fmt::format("- `{}` {}\n", field.dotted, Brief(field.id));
  }
  return out;
}

std::string DescribeOperator(std::string_view spelling) {
  if (spelling == "exists") return "```ksp\nexists\n```\nThe record is there: guards the use of its fields.\n";
  std::string out;
  for (const sema::OperatorRow& row : sema::Operators()) {
    if (row.spelling != spelling) continue;
    std::vector<std::string_view> types;
    for (const schema::TypeRow& type : schema::Types()) {
      if (row.types & (1u << static_cast<unsigned>(type.id))) types.push_back(type.spelled);
    }
    if (out.empty()) out = fmt::format("```ksp\n{}\n```\n", spelling);
    out += fmt::format("{} — on {}\n\n", row.about, fmt::join(types, ", "));
  }
  return out;
}

std::string ValuesOf(const driver::Document& document, const syntax::Let& let) {
  constexpr size_t kShown = 8;
  for (const sema::Let& checked : document.checked.lets) {
    if (checked.syntax != &let) continue;
    std::string shown;
    size_t n = 0;
    for (const schema::Value& value : checked.values.values) {
      if (n++ == kShown) break;
      shown +=
          (shown.empty() ? "" : ", ") +
          schema::ToString(
              value, checked.type.scalar == schema::TypeId::StringList ? schema::TypeId::String : checked.type.scalar,
              checked.type.enumeration);
    }
    size_t count = checked.values.values.size();
    std::string type = !let.type           ? sema::ToString(checked.type)
                       : let.type->element ? fmt::format("{}<{}>", let.type->name.text, let.type->element->name.text)
                                           : let.type->name.text;
    return fmt::format("{}, {} value{}: {}{}", type, count, count == 1 ? "" : "s", shown, count > kShown ? ", …" : "");
  }
  return "";
}

}  // namespace ks::ide
