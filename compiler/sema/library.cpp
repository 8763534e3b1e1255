#include "compiler/sema/sema.h"

#include <functional>

namespace ks::sema {
namespace {

// Every name that an expression starts from, and in `package.name` the package too.
class UseCollector {
 public:
  UseCollector(const syntax::Module& module, std::set<std::string, std::less<>>* used) : used_(used) {
    package_ = PackageOf(module);
    for (const syntax::Import& import : module.imports) {
      std::string package = import.package.Dotted();
      for (const syntax::Name& name : import.names) imported_.emplace(name.text, package);
      if (import.names.empty() && !import.package.parts.empty()) {
        aliases_.emplace(import.package.parts.back().text, std::move(package));
      }
    }
  }

  void Visit(const syntax::ExprPtr& expr) {
    if (expr) Visit(*expr);
  }

  void Visit(const syntax::RecordInit& record) {
    for (const syntax::FieldInit& field : record.fields) {
      if (!field.value) continue;
      if (auto* inner = std::get_if<syntax::RecordInit>(&field.value->node)) Visit(*inner);
      if (auto* expr = std::get_if<syntax::ExprPtr>(&field.value->node)) Visit(*expr);
      if (field.value->with) Visit(*field.value->with);
    }
  }

 private:
  void Visit(const syntax::Expr& expr) {
    std::visit([this](const auto& node) { Node(node); }, expr.node);
  }
  void Node(const syntax::Path& path) {
    if (path.parts.empty()) return;
    const std::string& first = path.parts[0].text;
    used_->insert(IdOf(package_, first));
    if (auto it = imported_.find(first); it != imported_.end()) used_->insert(IdOf(it->second, first));
    if (auto it = aliases_.find(first); it != aliases_.end() && path.parts.size() > 1) {
      used_->insert(IdOf(it->second, path.parts[1].text));
    }
  }
  void Node(const syntax::Call& call) {
    Node(call.callee);
    for (const syntax::ExprPtr& argument : call.arguments) Visit(argument);
  }
  void Node(const syntax::Literal&) {}
  void Node(const syntax::Index& index) { Node(index.path); }
  void Node(const syntax::List& list) {
    for (const syntax::ExprPtr& item : list.items) Visit(item);
  }
  void Node(const syntax::Logic& logic) {
    for (const syntax::ExprPtr& operand : logic.operands) Visit(operand);
  }
  void Node(const syntax::Not& negation) { Visit(negation.operand); }
  void Node(const syntax::Compare& compare) {
    Visit(compare.left);
    Visit(compare.right);
  }

  std::string package_;
  std::map<std::string, std::string, std::less<>> imported_, aliases_;
  std::set<std::string, std::less<>>* used_;
};

}  // namespace

std::string PackageOf(const syntax::Module& module) { return module.package ? module.package->Dotted() : ""; }

std::string IdOf(std::string_view package, std::string_view name) {
  std::string id(package);
  if (!id.empty()) id += '.';
  return id.append(name);
}

void Library::Add(const syntax::Module& module, std::shared_ptr<const Mentions> mentions, bool embedded) {
  std::string name = PackageOf(module);
  Package& package = (embedded ? embedded_ : user_)[name];
  package.name = name;
  package.embedded = embedded;
  package.modules.push_back(&module);
  for (const syntax::Let& let : module.lets)
    package.names.try_emplace(let.name.text, Declaration{&module, &let, nullptr});
  for (const syntax::Def& def : module.defs)
    package.names.try_emplace(def.name.text, Declaration{&module, nullptr, &def});
  for (const syntax::Rule& rule : module.rules) package.rules.try_emplace(rule.name.text, &rule);

  for (const syntax::Import& import : module.imports) {
    for (const syntax::Name& imported : import.names) imported_.insert(IdOf(import.package.Dotted(), imported.text));
  }
  for (const auto& [rule, tested] : mentions->tested) {
    Tested& all = tested_[rule];
    all.alert = all.alert || tested.alert;
    all.quiet = all.quiet || tested.quiet;
  }
  environments_.insert(mentions->environments.begin(), mentions->environments.end());
  for (const syntax::Tune& tune : module.tunes) {
    tunes_[RuleIdOf(tune.rule, name)].push_back({&module, &tune});
    tuned_.insert(tune.environment.value);
    environments_.insert(tune.environment.value);
  }
  used_.insert(mentions->names.begin(), mentions->names.end());
  if (!embedded) named_in_[&module] = mentions.get();
  mentions_.push_back(std::move(mentions));
}

std::shared_ptr<const Mentions> MentionsOf(const syntax::Module& module) {
  auto out = std::make_shared<Mentions>();
  const std::string name = PackageOf(module);
  UseCollector uses(module, &out->names);
  for (const syntax::Let& let : module.lets) uses.Visit(let.value);
  for (const syntax::Def& def : module.defs) uses.Visit(def.body);
  for (const syntax::Rule& rule : module.rules) {
    for (const syntax::On& on : rule.ons) uses.Visit(on.where);
    for (const syntax::Sequence& sequence : rule.sequences) {
      for (const syntax::Step& step : sequence.steps) uses.Visit(step.where);
    }
    for (const syntax::Exception& exception : rule.exceptions) uses.Visit(exception.condition);
  }
  for (const syntax::Test& test : module.tests) {
    std::string id = RuleIdOf(test.rule, name);
    if (test.environment) out->environments.insert(test.environment->value);
    for (const syntax::TestLet& let : test.lets) uses.Visit(let.record);
    std::function<void(const std::vector<syntax::TestStep>&)> visit = [&](const std::vector<syntax::TestStep>& steps) {
      for (const syntax::TestStep& step : steps) {
        if (auto* feed = std::get_if<syntax::Feed>(&step.node)) uses.Visit(feed->record);
        if (auto* repeat = std::get_if<syntax::Repeat>(&step.node)) visit(repeat->steps);
        if (auto* expect = std::get_if<syntax::Expect>(&step.node)) {
          bool quiet = expect->quiet || (expect->count && *expect->count == 0);
          // What an environment changes is no test of the rule itself.
          if (test.environment) continue;
          Tested& tested = out->tested[expect->from ? RuleIdOf(*expect->from, name) : id];
          (quiet ? tested.quiet : tested.alert) = true;
        }
      }
    };
    for (const syntax::TestCase& test_case : test.cases) visit(test_case.steps);
  }
  for (const syntax::Tune& tune : module.tunes) {
    for (const syntax::Exception& exception : tune.exceptions) uses.Visit(exception.condition);
  }
  return out;
}

bool Library::IsNamedIn(const syntax::Module& module, std::string_view package, std::string_view name) const {
  auto mentions = named_in_.find(&module);
  if (mentions == named_in_.end()) return false;
  const auto& names = mentions->second->names;
  std::string id = IdOf(package, name);
  if (!name.empty()) return names.contains(id);
  auto it = names.lower_bound(id);
  return it != names.end() && it->starts_with(id);
}

std::string RuleIdOf(const syntax::Path& path, std::string_view package) {
  return path.parts.size() == 1 ? IdOf(package, path.parts[0].text) : path.Dotted();
}

const std::vector<Library::TuneAt>& Library::TunesOf(std::string_view rule_id) const {
  static const std::vector<TuneAt> kNone;
  auto it = tunes_.find(rule_id);
  return it == tunes_.end() ? kNone : it->second;
}

std::vector<std::string> Library::Environments() const { return {environments_.begin(), environments_.end()}; }

const Library::Package* Library::Find(std::string_view package) const {
  if (auto it = user_.find(package); it != user_.end()) return &it->second;
  if (auto it = embedded_.find(package); it != embedded_.end()) return &it->second;
  return nullptr;
}

std::vector<const Library::Package*> Library::Packages() const {
  std::vector<const Package*> all;
  for (const auto& [name, package] : user_) all.push_back(&package);
  for (const auto& [name, package] : embedded_) {
    if (!user_.contains(name)) all.push_back(&package);
  }
  return all;
}

const syntax::Rule* Library::FindRule(std::string_view id) const {
  size_t dot = id.rfind('.');
  const Package* package = Find(dot == std::string_view::npos ? "" : id.substr(0, dot));
  if (package == nullptr) return nullptr;
  auto it = package->rules.find(dot == std::string_view::npos ? id : id.substr(dot + 1));
  return it == package->rules.end() ? nullptr : it->second;
}

bool Library::IsUsed(std::string_view package, std::string_view name) const {
  const std::string id = IdOf(package, name);
  return used_.contains(id) || imported_.contains(id);
}

Tested Library::TestsOf(std::string_view rule_id) const {
  auto it = tested_.find(rule_id);
  return it == tested_.end() ? Tested{} : it->second;
}

}  // namespace ks::sema
