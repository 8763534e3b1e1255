// Every name of a module with what it stands for: what definition, references, rename and hover are answered from.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/workspace.h"

namespace ks::ide {

struct Symbol {
  // Operator: id is the spelling. The others: a name that is unique in the workspace.
  enum class What : uint8_t { Let, Def, Rule, Step, TestLet, Parameter, Package, Field, Record, Kind, Operator };
  What what{};
  std::string id;
  bool operator==(const Symbol&) const = default;
};

struct Occurrence {
  Span span;
  Symbol symbol;
  bool declaration = false;
  // Which let, def, rule or step, if it is known.
  const driver::Document* home = nullptr;
  const syntax::Let* let = nullptr;
  const syntax::Def* def = nullptr;
  const syntax::Rule* rule = nullptr;
  const syntax::Step* step = nullptr;
};

// In the order of the text. `module`: the document's, as it is now or as others see it.
std::vector<Occurrence> Occurrences(const driver::Workspace& workspace, const syntax::Module& module);

// A field, a part of an endpoint, or a record. Nothing if the table has none of that name.
struct TableName {
  Symbol symbol;
  std::optional<schema::FieldId> field;
  bool part = false;  // .ip, .port
  std::optional<schema::ObjectId> record;
};
std::optional<TableName> FindInTable(const std::string& dotted);

}  // namespace ks::ide
