#include "compiler/ide/symbols.h"

#include <algorithm>
#include <map>

#include "bpf/schema/schema.h"

namespace ks::ide {
namespace {

using What = Symbol::What;

Span Join(Span a, Span b) { return {a.file, a.begin, b.end}; }

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

class Collector {
 public:
  Collector(const driver::Workspace& workspace, const syntax::Module& module)
      : workspace_(workspace), library_(workspace.library()), module_(module), package_(sema::PackageOf(module)) {
    for (const syntax::Import& import : module.imports) {
      std::string from = import.package.Dotted();
      for (const syntax::Name& name : import.names) imported_.emplace(name.text, from);
      if (import.names.empty() && !import.package.parts.empty())
        aliases_.emplace(import.package.parts.back().text, from);
    }
  }

  std::vector<Occurrence> Collect() {
    if (module_.package) Add(module_.package_span, {What::Package, package_}, true);
    for (const syntax::Import& import : module_.imports) ImportNames(import);
    for (const syntax::Let& let : module_.lets) {
      AddDeclared(let.name.span, package_, let.name.text, true);
      Visit(let.value);
    }
    for (const syntax::Def& def : module_.defs) VisitDef(def);
    for (const syntax::Rule& rule : module_.rules) VisitRule(rule);
    for (const syntax::Tune& tune : module_.tunes) VisitTune(tune);
    for (const syntax::Test& test : module_.tests) VisitTest(test);
    std::stable_sort(out_.begin(), out_.end(),
                     [](const Occurrence& a, const Occurrence& b) { return a.span.begin < b.span.begin; });
    return std::move(out_);
  }

 private:
  Occurrence& Add(Span span, Symbol symbol, bool declaration = false) {
    Occurrence made;
    made.span = span;
    made.symbol = std::move(symbol);
    made.declaration = declaration;
    out_.push_back(std::move(made));
    return out_.back();
  }

  // A let or def by its package and name; false if there is none.
  bool AddDeclared(Span span, const std::string& package, std::string_view name, bool declaration) {
    const sema::Library::Package* found = library_.Find(package);
    if (found == nullptr) return false;
    auto it = found->names.find(name);
    if (it == found->names.end()) return false;
    const sema::Library::Declaration& declared = it->second;
    Occurrence& made = Add(span, {declared.let ? What::Let : What::Def, sema::IdOf(package, name)}, declaration);
    made.let = declared.let;
    made.def = declared.def;
    made.home = workspace_.Of(declared.module->file);
    return true;
  }

  void AddRule(Span span, const std::string& id, bool declaration) {
    Occurrence& made = Add(span, {What::Rule, id}, declaration);
    made.rule = library_.FindRule(id);
    if (made.rule) made.home = workspace_.Of(made.rule->name.span.file);
  }

  void ImportNames(const syntax::Import& import) {
    if (import.package.parts.empty()) return;
    std::string package = import.package.Dotted();
    Add(Join(import.package.parts.front().span, import.package.parts.back().span), {What::Package, package});
    for (const syntax::Name& name : import.names) AddDeclared(name.span, package, name.text, false);
  }

  void VisitDef(const syntax::Def& def) {
    std::string id = sema::IdOf(package_, def.name.text);
    AddDeclared(def.name.span, package_, def.name.text, true);
    for (const syntax::Parameter& parameter : def.parameters) {
      Add(parameter.name.span, {What::Parameter, id + "/" + parameter.name.text}, true);
      if (schema::FindObject(parameter.type.text)) Add(parameter.type.span, {What::Record, parameter.type.text});
      parameters_.emplace(parameter.name.text, std::pair(id, parameter.type.text));
    }
    Visit(def.body);
    parameters_.clear();
  }

  void VisitKinds(const std::vector<syntax::Name>& kinds) {
    for (const syntax::Name& kind : kinds) {
      if (schema::FindEvent(kind.text)) Add(kind.span, {What::Kind, kind.text});
    }
  }

  void VisitPaths(const std::vector<syntax::Path>& paths) {
    for (const syntax::Path& path : paths) VisitPath(path);
  }
  void VisitKey(const std::optional<syntax::Key>& key) {
    if (key) VisitPaths(key->paths);
  }
  void VisitExceptions(const std::vector<syntax::Exception>& exceptions) {
    for (const syntax::Exception& exception : exceptions) Visit(exception.condition);
  }

  void NameSteps(const syntax::Rule& rule) {
    steps_.clear();
    rule_id_ = sema::IdOf(package_, rule.name.text);
    for (const syntax::Sequence& sequence : rule.sequences) {
      for (const syntax::Step& step : sequence.steps) {
        if (step.name) steps_.emplace(step.name->text, &step);
      }
    }
  }

  void VisitRule(const syntax::Rule& rule) {
    NameSteps(rule);
    AddRule(rule.name.span, rule_id_, true);
    for (const syntax::On& on : rule.ons) {
      VisitKinds(on.kinds);
      Visit(on.where);
    }
    for (const syntax::Sequence& sequence : rule.sequences) {
      VisitKey(sequence.by);
      for (const syntax::Step& step : sequence.steps) {
        if (step.name) {
          Occurrence& made = Add(step.name->span, {What::Step, rule_id_ + "/" + step.name->text}, true);
          made.step = &step;
        }
        VisitKinds(step.kinds);
        Visit(step.where);
      }
    }
    for (const syntax::When& when : rule.whens) {
      VisitPaths(when.of);
      VisitKey(when.by);
    }
    for (const syntax::Limit& limit : rule.limits) VisitKey(limit.by);
    VisitExceptions(rule.exceptions);
    for (const syntax::Disclose& disclose : rule.disclosures) VisitPaths(disclose.fields);
    for (const syntax::Text& alert : rule.alerts) VisitTemplate(alert);
    steps_.clear();
  }

  void VisitRuleName(const syntax::Path& path) {
    if (path.parts.empty()) return;
    bool own = path.parts.size() == 1;
    if (!own) {
      std::string dotted = path.Dotted();
      Add(Join(path.parts.front().span, path.parts[path.parts.size() - 2].span),
          {What::Package, dotted.substr(0, dotted.rfind('.'))});
    }
    AddRule(path.parts.back().span, own ? sema::IdOf(package_, path.parts[0].text) : path.Dotted(), false);
  }

  void VisitTune(const syntax::Tune& tune) {
    VisitRuleName(tune.rule);
    const syntax::Rule* rule =
        library_.FindRule(tune.rule.parts.size() == 1 ? sema::IdOf(package_, tune.rule.Dotted()) : tune.rule.Dotted());
    if (rule != nullptr) NameSteps(*rule);
    if (tune.rule.parts.size() > 1) rule_id_ = tune.rule.Dotted();
    VisitExceptions(tune.exceptions);
    for (const syntax::Limit& limit : tune.limits) VisitKey(limit.by);
    steps_.clear();
  }

  // ---- Tests ----

  void VisitTest(const syntax::Test& test) {
    VisitRuleName(test.rule);
    test_ = fmt::format("{}#{}", module_.file->name(), test.span.begin);
    for (const syntax::TestLet& let : test.lets) {
      Add(let.name.span, {What::TestLet, test_ + "/" + let.name.text}, true);
      test_lets_.insert(let.name.text);
    }
    for (const syntax::TestLet& let : test.lets) {
      if (schema::FindObject(let.object.text)) Add(let.object.span, {What::Record, let.object.text});
      if (let.base && test_lets_.contains(let.base->text)) {
        Add(let.base->span, {What::TestLet, test_ + "/" + let.base->text});
      }
      VisitRecord(let.record, let.object.text);
    }
    for (const syntax::TestCase& test_case : test.cases) VisitSteps(test_case.steps);
    test_lets_.clear();
  }

  void VisitSteps(const std::vector<syntax::TestStep>& steps) {
    for (const syntax::TestStep& step : steps) {
      if (auto* feed = std::get_if<syntax::Feed>(&step.node)) {
        VisitKinds({feed->kind});
        VisitRecord(feed->record, "");
      } else if (auto* expect = std::get_if<syntax::Expect>(&step.node)) {
        if (expect->from) VisitRuleName(*expect->from);
      } else if (auto* repeat = std::get_if<syntax::Repeat>(&step.node)) {
        VisitSteps(repeat->steps);
      }
    }
  }

  void VisitRecord(const syntax::RecordInit& record, const std::string& prefix) {
    for (const syntax::FieldInit& field : record.fields) {
      std::string dotted = sema::IdOf(prefix, field.name.text);
      if (auto found = FindInTable(dotted)) Add(field.name.span, found->symbol);
      if (!field.value) continue;
      if (auto* inner = std::get_if<syntax::RecordInit>(&field.value->node)) VisitRecord(*inner, dotted);
      if (auto* expr = std::get_if<syntax::ExprPtr>(&field.value->node)) Visit(*expr);
      if (field.value->with) VisitRecord(*field.value->with, dotted);
    }
  }

  // ---- Expressions ----

  void Visit(const syntax::ExprPtr& expr) {
    if (expr) std::visit([this](const auto& node) { Node(node); }, expr->node);
  }
  void Node(const syntax::Path& path) { VisitPath(path); }
  void Node(const syntax::Call& call) {
    VisitPath(call.callee);
    for (const syntax::ExprPtr& argument : call.arguments) Visit(argument);
  }
  void Node(const syntax::Literal&) {}
  void Node(const syntax::List& list) {
    for (const syntax::ExprPtr& item : list.items) Visit(item);
  }
  void Node(const syntax::Index& index) { VisitPath(index.path); }
  void Node(const syntax::Logic& logic) {
    for (const syntax::ExprPtr& operand : logic.operands) Visit(operand);
  }
  void Node(const syntax::Not& negation) { Visit(negation.operand); }
  void Node(const syntax::Compare& compare) {
    Visit(compare.left);
    if (compare.op_span.file) Add(compare.op_span, {What::Operator, compare.op});
    Visit(compare.right);
  }

  // As sema::Names::Find, with the places of the parts.
  void VisitPath(const syntax::Path& path) {
    if (path.parts.empty()) return;
    const syntax::Name& first = path.parts[0];
    std::string dotted = path.Dotted();
    std::string rest = path.parts.size() > 1 ? dotted.substr(first.text.size() + 1) : "";
    Span rest_span = path.parts.size() > 1 ? Join(path.parts[1].span, path.parts.back().span) : Span();
    if (auto it = parameters_.find(first.text); it != parameters_.end()) {
      Add(first.span, {What::Parameter, it->second.first + "/" + first.text});
      if (rest.empty()) return;
      if (auto found = FindInTable(it->second.second + "." + rest)) Add(rest_span, found->symbol);
      return;
    }
    if (auto it = steps_.find(first.text); it != steps_.end()) {
      Add(first.span, {What::Step, rule_id_ + "/" + first.text}).step = it->second;
      if (rest.empty()) return;
      if (auto found = FindInTable(rest)) Add(rest_span, found->symbol);
      return;
    }
    if (auto found = FindInTable(dotted)) {
      Add(Join(first.span, path.parts.back().span), found->symbol);
      return;
    }
    if (path.parts.size() == 1) {
      if (test_lets_.contains(first.text)) {
        Add(first.span, {What::TestLet, test_ + "/" + first.text});
      } else if (!AddDeclared(first.span, package_, first.text, false)) {
        if (auto it = imported_.find(first.text); it != imported_.end()) {
          AddDeclared(first.span, it->second, first.text, false);
        }
      }
    } else if (auto it = aliases_.find(first.text); it != aliases_.end()) {
      Add(first.span, {What::Package, it->second});
      AddDeclared(path.parts[1].span, it->second, path.parts[1].text, false);
    }
  }

  // {process.name ?? "…"} in the text of an alert, as written: names hold no escapes.
  void VisitTemplate(const syntax::Text& text) {
    std::string_view source = text.span.text();
    for (size_t at = 0; at < source.size(); ++at) {
      if (source[at] != '{') continue;
      if (at + 1 < source.size() && source[at + 1] == '{') {
        ++at;
        continue;
      }
      syntax::Path path;
      size_t from = at + 1;
      while (from < source.size()) {
        while (from < source.size() && source[from] == ' ') ++from;
        size_t to = from;
        while (to < source.size() && IsNameByte(source[to])) ++to;
        if (to == from) break;
        auto begin = text.span.begin + static_cast<uint32_t>(from);
        path.parts.push_back({std::string(source.substr(from, to - from)),
                              {text.span.file, begin, text.span.begin + static_cast<uint32_t>(to)}});
        if (to >= source.size() || source[to] != '.') break;
        from = to + 1;
      }
      VisitPath(path);
    }
  }

  const driver::Workspace& workspace_;
  const sema::Library& library_;
  const syntax::Module& module_;
  std::string package_;
  std::map<std::string, std::string, std::less<>> imported_, aliases_;
  std::map<std::string, std::pair<std::string, std::string>, std::less<>> parameters_;  // name → id of the def, type
  std::map<std::string, const syntax::Step*, std::less<>> steps_;
  std::string rule_id_, test_;
  std::set<std::string, std::less<>> test_lets_;
  std::vector<Occurrence> out_;
};

}  // namespace

std::optional<TableName> FindInTable(const std::string& dotted) {
  TableName out;
  if (auto field = schema::FindField(dotted)) {
    out.symbol = {What::Field, dotted};
    out.field = *field;
    return out;
  }
  size_t dot = dotted.rfind('.');
  if (dot != std::string::npos) {
    std::string last = dotted.substr(dot + 1);
    auto field = schema::FindField(std::string_view(dotted).substr(0, dot));
    if (field && schema::Row(*field).type == schema::TypeId::Endpoint && (last == "ip" || last == "port")) {
      out.symbol = {What::Field, dotted};
      out.field = *field;
      out.part = true;
      return out;
    }
  }
  if (auto object = schema::FindObject(dotted); object && !dotted.empty()) {
    out.symbol = {What::Record, dotted};
    out.record = *object;
    return out;
  }
  return std::nullopt;
}

std::vector<Occurrence> Occurrences(const driver::Workspace& workspace, const syntax::Module& module) {
  return Collector(workspace, module).Collect();
}

}  // namespace ks::ide
