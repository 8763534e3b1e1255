#include "compiler/sema/scope.h"

#include <algorithm>

namespace ks::sema {

using schema::Row;

void Scope::FixByRemoving(Diagnostic& diagnostic, Span gone) const {
  if (InCall() || gone.file == nullptr || gone.text().find('#') != std::string_view::npos) return;
  diagnostic.fixes.push_back({gone, ""});
  diagnostic.machine_applicable = true;
}

void Scope::FixByRemovingBehind(Diagnostic& diagnostic, Span before, Span gone) const {
  if (before.file == nullptr || before.file != gone.file || before.end > gone.begin) return;
  std::string_view between = Span{gone.file, before.end, gone.begin}.text();
  // Else they stand in two clauses, or a comment stands between them.
  if (between.find_first_not_of(" \t\r\n,|") != std::string_view::npos) return;
  if (InCall()) return;
  diagnostic.fixes.push_back({{gone.file, before.end, gone.end}, ""});
  diagnostic.machine_applicable = true;
}

Span SpanOf(const syntax::Path& path, size_t first, size_t count) {
  if (first >= path.parts.size()) return {};
  size_t last = count > path.parts.size() - first ? path.parts.size() - 1 : first + count - 1;
  return Join(path.parts[first].span, path.parts[last].span);
}

Type One(TypeId scalar, std::string_view enumeration) { return {Type::Shape::One, scalar, enumeration, {}}; }
Type Many(TypeId scalar, std::string_view enumeration) { return {Type::Shape::Many, scalar, enumeration, {}}; }

Type TypeOf(const FieldRef& field) {
  if (field.part == Part::Ip) return One(TypeId::Ip);
  if (field.part == Part::Port) return One(TypeId::Port);
  if (field.element >= 0) return One(TypeId::String);
  return One(Row(field.field).type, Row(field.field).enumeration);
}

std::string NameOf(const FieldRef& field) {
  std::string name(Row(field.field).dotted);
  if (field.part == Part::Ip) name += ".ip";
  if (field.part == Part::Port) name += ".port";
  if (field.element >= 0) name += fmt::format("[{}]", field.element);
  return field.lower ? fmt::format("lower({})", name) : name;
}

std::optional<Type> FindType(std::string_view name) {
  for (const schema::TypeRow& row : schema::Types()) {
    // An enum or flags without saying which is no type; list<string> is spelled with its element.
    bool nameable = row.id != TypeId::Enum && row.id != TypeId::Flags && row.id != TypeId::StringList;
    if (nameable && row.spelled == name) return One(row.id);
  }
  for (const schema::FieldRow& row : schema::Fields()) {
    if (!row.enumeration.empty() && row.enumeration == name) return One(row.type, row.enumeration);
  }
  if (auto object = schema::FindObject(name); object && !name.empty()) {
    return Type{Type::Shape::Record, {}, {}, *object};
  }
  return std::nullopt;
}

std::vector<std::string_view> TypeNames() {
  std::vector<std::string_view> names;
  for (const schema::TypeRow& row : schema::Types()) {
    if (FindType(row.spelled)) names.push_back(row.spelled);
  }
  for (const schema::FieldRow& row : schema::Fields()) {
    if (!row.enumeration.empty() && std::find(names.begin(), names.end(), row.enumeration) == names.end()) {
      names.push_back(row.enumeration);
    }
  }
  for (const schema::ObjectRow& row : schema::Objects()) {
    if (!row.dotted.empty()) names.push_back(row.dotted);
  }
  return names;
}

std::string ElementName(const Type& type) {
  if (type.shape == Type::Shape::Record) return std::string(Row(type.object).dotted);
  return std::string(type.enumeration.empty() ? Row(type.scalar).spelled : type.enumeration);
}

std::string ToString(const Type& type) {
  switch (type.shape) {
    case Type::Shape::Error:
      return "error";
    case Type::Shape::Condition:
      return "condition";
    case Type::Shape::One:
    case Type::Shape::Record:
      return ElementName(type);
    case Type::Shape::Many:
      return "list<" + ElementName(type) + ">";
  }
  return "";
}

std::string Phrase(const Type& type) {
  if (type.shape == Type::Shape::One && type.scalar == TypeId::Enum)
    return fmt::format("a name of `{}`", type.enumeration);
  if (type.shape == Type::Shape::One && type.scalar == TypeId::Flags)
    return fmt::format("flags of `{}`", type.enumeration);
  std::string noun = ToString(type);
  bool vowel = std::string_view("aeiou").find(noun[0]) != std::string_view::npos;
  return fmt::format("{} {}", vowel ? "an" : "a", noun);
}

}  // namespace ks::sema
