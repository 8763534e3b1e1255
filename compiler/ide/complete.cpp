#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/ide/context.h"
#include "compiler/ide/describe.h"
#include "compiler/ide/ide.h"
#include "compiler/ide/words.h"
#include "compiler/sema/operators.h"
#include "compiler/sema/scope.h"

namespace ks::ide {
namespace {

using At = Context::At;
using Kind = Completion::Kind;

class Completer {
 public:
  Completer(const Workspace& workspace, const Document& document, uint32_t offset)
      : workspace_(workspace), module_(document.now->module), at_(ContextAt(document.now->file, offset)) {
    // What the text at hand does not give (a mistake in the imports, say), the last whole text does.
    const syntax::Module& whole = document.module();
    package_ = module_.package ? sema::PackageOf(module_) : sema::PackageOf(whole);
    imports_ = module_.imports.empty() ? &whole.imports : &module_.imports;
  }

  Completions Complete() {
    Fill();
    if (at_.clauses) Starts();
    Completions out{at_.word, {}};
    std::set<std::string> seen;
    for (Completion& item : items_) {
      if (seen.insert(item.label).second) out.items.push_back(std::move(item));
    }
    return out;
  }

 private:
  Completion& Add(Kind kind, std::string_view label, std::string detail = "", std::string_view about = "") {
    items_.push_back({kind, std::string(label), std::move(detail), std::string(about), "", false});
    return items_.back();
  }
  void AddWord(const Word& word) {
    Completion& made = Add(Kind::Word, word.word, std::string(word.about));
    made.snippet = !word.snippet.empty();
    made.insert = word.snippet;
  }

  // What begins anew where a clause or step has just come to a possible end.
  void Starts() {
    for (const Word& word : kClauses) {
      bool once = std::find(std::begin(kOnce), std::end(kOnce), word.word) != std::end(kOnce);
      if (once && std::find(at_.has.begin(), at_.has.end(), word.word) != at_.has.end()) continue;
      AddWord(word);
    }
  }

  void Fill() {
    switch (at_.at) {
      case At::Nothing:
        return;
      case At::Declaration:
        for (const Word& word : kDeclarations) AddWord(word);
        return;
      case At::Clause:
        return Starts();
      case At::Change:
        for (const Word& word : kClauses) {
          if (std::find(std::begin(kChanges), std::end(kChanges), word.word) != std::end(kChanges)) AddWord(word);
        }
        Add(Kind::Word, "disable", "the rule does not run in this environment");
        return;
      case At::Step:
        AddWord({"without", "if this happens, it is no match", "without ${1:exit} where $0"});
        AddWord({"until", "this ends a partial match", "until $0"});
        return Kinds();
      case At::TestItem:
        AddWord({"case", "events, and what is expected of them", "case \"${1:name}\" {\n  $0\n}"});
        AddWord({"let", "a record with a name", "let ${1:c}: ${2:container} = { $0 }"});
        return;
      case At::TestStep:
        AddWord({"expect", "what must have been alerted since the last expectation", "expect $0"});
        AddWord({"repeat", "the same several times", "repeat ${1:10} every ${2:1s} {\n  $0\n}"});
        AddWord({"replay", "a recorded trace beside this file", "replay \"$0\""});
        for (Completion& kind : KindItems()) {
          kind.insert = kind.label + " { $0 }";
          kind.snippet = true;
          items_.push_back(std::move(kind));
        }
        return;
      case At::Expect:
        Add(Kind::Word, "quiet", "no alert");
        Add(Kind::Word, "alert", "one alert; with a text: of that text");
        AddWord({"1 alert", "so many alerts", "${1:1} alert"});
        return;
      case At::Severity:
        for (std::string_view name : {"info", "low", "medium", "high", "critical"}) Add(Kind::Value, name, "severity");
        return;
      case At::Status:
        for (std::string_view name : {"experimental", "stable", "deprecated"}) Add(Kind::Value, name, "status");
        return;
      case At::Attack:
        return Attack();
      case At::AllowCode:
        for (const DiagRow& row : kDiagRows) {
          if (row.severity != Severity::Error) Add(Kind::Code, row.code, std::string(row.text));
        }
        return;
      case At::Kind:
        return Kinds();
      case At::AfterKind:
        Add(Kind::Word, "where", "the condition");
        Add(Kind::Word, "|", "or another kind of event");
        return;
      case At::Operand:
        return Operand(true);
      case At::Field:
        return Operand(false);
      case At::Value:
        return Values(at_.left, at_.op);
      case At::Operator:
        return Operators();
      case At::Function:
        AddWord({"count", "how many events", "count >= $0"});
        AddWord({"distinct", "how many different values", "distinct(${1:dst.ip}) >= $0"});
        AddWord({"sum", "of the values of a field", "sum(${1:field}) >= $0"});
        AddWord({"first", "a value not seen before", "first(${1:process.name}) $0"});
        return;
      case At::RuleName:
        return Rules();
      case At::Package:
        return Packages();
      case At::Imported:
        if (const auto* package = workspace_.library().Find(at_.package)) Declared(*package);
        return;
      case At::Type:
        Add(Kind::Type, "set", "of values").insert = "set<$0>";
        items_.back().snippet = true;
        Add(Kind::Type, "list", "of values").insert = "list<$0>";
        items_.back().snippet = true;
        for (std::string_view name : sema::TypeNames()) {
          if (!schema::FindObject(name)) Add(Kind::Type, name, "type");
        }
        return;
      case At::ParameterType:
        for (std::string_view name : sema::TypeNames())
          Add(Kind::Type, name, schema::FindObject(name) ? "record" : "type");
        return;
      case At::RecordKey:
        return Below(at_.record, at_.kinds, true);
      case At::RecordValue:
        return RecordValue();
      case At::Words:
        for (std::string_view word : at_.words) Add(Kind::Word, word);
        return;
    }
  }

  std::vector<Completion> KindItems() const {
    std::vector<Completion> out;
    for (const schema::EventRow& event : schema::Events()) {
      out.push_back({Kind::Kind, std::string(event.name), "event", std::string(event.about), "", false});
    }
    return out;
  }
  void Kinds() {
    for (Completion& kind : KindItems()) items_.push_back(std::move(kind));
  }

  static bool HasAll(const std::vector<schema::EventKind>& kinds, schema::FieldId field) {
    return std::all_of(kinds.begin(), kinds.end(), [&](schema::EventKind kind) { return schema::Has(kind, field); });
  }

  // Fields and records directly below a dotted name; "": those of the event itself.
  void Below(const std::string& prefix, const std::vector<schema::EventKind>& kinds, bool keys) {
    auto child = [&](std::string_view dotted) -> std::string_view {
      if (!prefix.empty()) {
        if (dotted.size() <= prefix.size() || !dotted.starts_with(prefix) || dotted[prefix.size()] != '.') return {};
        dotted.remove_prefix(prefix.size() + 1);
      }
      return dotted.substr(0, dotted.find('.'));
    };
    std::string dot = prefix.empty() ? "" : prefix + ".";
    for (const schema::FieldRow& row : schema::Fields()) {
      std::string_view name = child(row.dotted);
      if (name.empty() || !HasAll(kinds, row.id)) continue;
      bool direct = row.dotted.size() == dot.size() + name.size();
      if (direct) {
        Completion& made = Add(Kind::Field, name, Brief(row.id), row.about);
        if (keys) made.insert = std::string(name) + ": ";
      } else if (auto object = schema::FindObject(dot + std::string(name))) {
        if (schema::FindField(dot + std::string(name))) continue;  // both: `process.stdin` is the field
        Completion& made = Add(Kind::Record, name, "record", schema::Row(*object).about);
        if (keys) {
          made.insert = std::string(name) + ": { $0 }";
          made.snippet = true;
        }
      }
    }
    auto field = prefix.empty() ? std::nullopt : schema::FindField(prefix);
    if (field && schema::Row(*field).type == schema::TypeId::Endpoint && HasAll(kinds, *field)) {
      Add(Kind::Field, "ip", Brief(*field, "ip"), "its address");
      Add(Kind::Field, "port", Brief(*field, "port"), "its port");
    }
  }

  void Declared(const sema::Library::Package& package) {
    for (const auto& [name, declared] : package.names) Declare(declared);
  }
  void Declare(const sema::Library::Declaration& declared) {
    const std::string& name = declared.name().text;
    if (declared.def) {
      std::string signature;
      for (const syntax::Parameter& p : declared.def->parameters) {
        signature += fmt::format("{}{}: {}", signature.empty() ? "" : ", ", p.name.text, p.type.text);
      }
      Completion& made = Add(Kind::Def, name, fmt::format("def({})", signature), declared.def->doc);
      if (at_.at != At::Imported && !declared.def->parameters.empty()) {
        made.insert = name + "(${1:" + declared.def->parameters[0].name.text + "})";
        made.snippet = true;
      }
      return;
    }
    const Document* home = workspace_.Of(declared.module->file);
    if (wanted_ && home && !Fits(*home, *declared.let, *wanted_)) return;
    std::string values = home ? ValuesOf(*home, *declared.let) : "";
    Add(Kind::Let, name, values.empty() ? "let" : "let " + values, declared.let->doc);
  }

  static schema::TypeId TypeIdOf(schema::FieldId field, const std::string& part) {
    return part.empty() ? schema::Row(field).type : part == "ip" ? schema::TypeId::Ip : schema::TypeId::Port;
  }

  // Whether a let may stand on the right of something of this type; one with a mistake may.
  static bool Fits(const Document& home, const syntax::Let& let, schema::TypeId wanted) {
    using schema::TypeId;
    for (const sema::Let& checked : home.checked.lets) {
      if (checked.syntax != &let) continue;
      TypeId type = checked.type.scalar;
      bool text = sema::IsText(type) && sema::IsText(wanted);
      return text || type == wanted || (type == TypeId::Cidr && wanted == TypeId::Ip);
    }
    return true;
  }

  // A dotted name of the table with step and parameter resolved, and the kinds that its event is of.
  std::string Resolve(const std::vector<std::string>& path, std::vector<schema::EventKind>* kinds) const {
    std::string out;
    for (size_t i = 0; i < path.size(); ++i) {
      std::string part = path[i];
      if (i == 0) {
        if (auto it = at_.steps.find(part); it != at_.steps.end()) {
          *kinds = it->second;
          continue;
        }
        if (auto it = at_.names.find(part); it != at_.names.end()) part = it->second;
      }
      out = sema::IdOf(out, part);
    }
    return out;
  }

  void Operand(bool conditions) {
    std::vector<schema::EventKind> kinds = at_.kinds;
    if (!at_.path.empty()) {
      for (const syntax::Import& import : *imports_) {
        if (!import.names.empty() || import.package.parts.empty() || at_.path.size() != 1) continue;
        if (import.package.parts.back().text != at_.path[0]) continue;
        if (const auto* package = workspace_.library().Find(import.package.Dotted())) Declared(*package);
      }
      return Below(Resolve(at_.path, &kinds), kinds, false);
    }
    for (const auto& [name, type] : at_.names) Add(Kind::Record, name, type);
    for (const auto& [name, step_kinds] : at_.steps) Add(Kind::Step, name, "step");
    // Behind a sequence, names need a step in front.
    bool stepless = at_.steps.empty() || !at_.kinds.empty();
    if (stepless && at_.names.empty()) Below("", kinds, false);
    if (!conditions) {
      if (!stepless) Below("", kinds, false);
      return;
    }
    Names();
    Add(Kind::Word, "not", "the contrary");
  }

  void Names() {
    if (const auto* package = workspace_.library().Find(package_)) Declared(*package);
    for (const syntax::Import& import : *imports_) {
      const auto* package = workspace_.library().Find(import.package.Dotted());
      if (package == nullptr) continue;
      if (import.names.empty()) Add(Kind::Package, import.package.parts.back().text, "package " + package->name);
      for (const syntax::Name& name : import.names) {
        if (auto it = package->names.find(name.text); it != package->names.end()) Declare(it->second);
      }
    }
  }

  std::optional<schema::FieldId> LeftField(const std::string& left, std::string* part) const {
    std::vector<std::string> path;
    for (size_t at = 0; at <= left.size();) {
      size_t dot = std::min(left.find('.', at), left.size());
      path.push_back(left.substr(at, dot - at));
      at = dot + 1;
    }
    std::vector<schema::EventKind> kinds;
    auto found = FindInTable(Resolve(path, &kinds));
    if (!found || !found->field) return std::nullopt;
    if (found->part) *part = found->symbol.id.substr(found->symbol.id.rfind('.') + 1);
    return found->field;
  }

  void Enumerators(schema::FieldId field) {
    const schema::FieldRow& row = schema::Row(field);
    for (const schema::Enumerator& e : schema::Enumerators(row.enumeration)) {
      Add(Kind::Value, e.name, fmt::format("{} = {}", row.enumeration, e.value));
    }
    if (row.type == schema::TypeId::Bool) {
      Add(Kind::Value, "true");
      Add(Kind::Value, "false");
    }
  }

  void Values(const std::string& left, const std::string& op) {
    if (!at_.path.empty()) return Operand(true);
    std::string part;
    if (auto field = LeftField(left, &part)) {
      wanted_ = TypeIdOf(*field, part);
      if (part.empty()) Enumerators(*field);
      if (wanted_ == schema::TypeId::Enum || wanted_ == schema::TypeId::Flags) return;
    }
    size_t before = items_.size();
    Names();
    std::erase_if(items_, [](const Completion& item) { return item.kind == Kind::Def; });
    if (items_.size() == before || op != "in") {
      if (op == "==" || op == "!=" || op == "<" || op == ">" || op == "<=" || op == ">=" || op == "descends") {
        for (const auto& [name, kinds] : at_.steps) Add(Kind::Step, name, "step");
        Below("", at_.kinds, false);
      }
    }
  }

  void Operators() {
    std::string part;
    std::optional<schema::FieldId> field;
    if (!at_.left.empty()) field = LeftField(at_.left, &part);
    if (field) {
      schema::TypeId type = TypeIdOf(*field, part);
      for (const sema::OperatorRow& row : sema::Operators()) {
        if (row.types & (1u << static_cast<unsigned>(type))) Add(Kind::Word, row.spelling, std::string(row.about));
      }
    } else if (!at_.left.empty() && schema::FindObject(at_.left)) {
      Add(Kind::Word, "exists", "it is there");
    }
    Add(Kind::Word, "and", "both");
    Add(Kind::Word, "or", "one or both");
  }

  void RecordValue() {
    for (const auto& [name, type] : at_.names) {
      if (type == at_.record) Add(Kind::Record, name, type);
    }
    if (auto field = schema::FindField(at_.record)) Enumerators(*field);
  }

  void Attack() {
    std::set<std::string> ids;  // those that the workspace speaks of already
    for (const Document* document : workspace_.Documents()) {
      for (const syntax::Rule& rule : document->module().rules) {
        for (const syntax::Name& id : rule.attack) ids.insert(id.text);
      }
    }
    for (const std::string& id : ids) Add(Kind::Code, id, "used by other rules");
    struct Technique {
      int number;
      std::string_view name;
    };
    static constexpr Technique kTechniques[] = {
#define KS_TECHNIQUE(number, name, subs) {number, name},
#include "compiler/lint/attack.def"
    };
    for (const Technique& t : kTechniques) Add(Kind::Code, fmt::format("T{:04}", t.number), std::string(t.name));
  }

  void Rules() {
    for (const sema::Library::Package* package : workspace_.library().Packages()) {
      for (const auto& [name, rule] : package->rules) {
        Add(Kind::Rule, package->name == package_ ? name : sema::IdOf(package->name, name),
            rule->title ? rule->title->value : "");
      }
    }
  }

  void Packages() {
    std::string prefix;
    for (const std::string& part : at_.path) prefix += part + ".";
    for (const sema::Library::Package* package : workspace_.library().Packages()) {
      if (package->name.empty() || package->name == package_ || !package->name.starts_with(prefix)) continue;
      std::string rest = package->name.substr(prefix.size());
      Add(Kind::Package, rest.substr(0, rest.find('.')), "package " + package->name);
    }
    if (prefix.empty()) return;
    prefix.pop_back();
    if (const auto* package = workspace_.library().Find(prefix); package && !package->names.empty()) {
      Completion& made = Add(Kind::Package, "{ }", "names of " + prefix);
      made.insert = "{$0}";
      made.snippet = true;
    }
  }

  const Workspace& workspace_;
  const syntax::Module& module_;
  Context at_;
  std::string package_;
  const std::vector<syntax::Import>* imports_ = nullptr;
  std::optional<schema::TypeId> wanted_;  // of a value
  std::vector<Completion> items_;
};

}  // namespace

Completions Complete(const Workspace& workspace, const Document& document, uint32_t offset) {
  return Completer(workspace, document, offset).Complete();
}

}  // namespace ks::ide
