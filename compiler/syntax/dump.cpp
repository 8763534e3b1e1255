// --dump=ast
#include "compiler/syntax/parser.h"

namespace ks::syntax {

std::string Path::Dotted() const {
  std::string out;
  for (const Name& part : parts) out += (out.empty() ? "" : ".") + part.text;
  return out;
}

namespace {

const char* KindName(LiteralKind kind) {
  switch (kind) {
    case LiteralKind::String:
    case LiteralKind::RawString:
      return "string";
    case LiteralKind::Int:
    case LiteralKind::Hex:
      return "int";
    case LiteralKind::Octal:
      return "octal";
    case LiteralKind::Duration:
      return "duration";
    case LiteralKind::Size:
      return "size";
    case LiteralKind::Ip:
      return "ip";
    case LiteralKind::Cidr:
      return "cidr";
    case LiteralKind::Endpoint:
      return "endpoint";
    case LiteralKind::Bool:
      return "bool";
    default:
      return "date";
  }
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

class Dumper {
 public:
  std::string Run(const Module& module) {
    Line("module {}", module.package ? module.package->Dotted() : "");
    Indent in(this);
    for (const Allow& allow : module.allows) Dump(allow);
    for (const Import& import : module.imports) {
      std::string names;
      for (const Name& name : import.names) names += (names.empty() ? "" : ", ") + name.text;
      Line("import {}{}", import.package.Dotted(), names.empty() ? "" : " {" + names + "}");
    }
    for (const Let& let : module.lets) Dump(let);
    for (const Def& def : module.defs) Dump(def);
    for (const Rule& rule : module.rules) Dump(rule);
    for (const Tune& tune : module.tunes) Dump(tune);
    for (const Test& test : module.tests) Dump(test);
    return std::move(out_);
  }

 private:
  struct Indent {
    explicit Indent(Dumper* dumper) : dumper_(dumper) { ++dumper_->depth_; }
    ~Indent() { --dumper_->depth_; }
    Indent(const Indent&) = delete;
    Indent& operator=(const Indent&) = delete;
    Dumper* dumper_;
  };

  template <typename... Args>
  void Line(fmt::format_string<Args...> format, Args&&... args) {
    std::string text = fmt::format(format, std::forward<Args>(args)...);
    while (text.ends_with(' ')) text.pop_back();
    out_ += std::string(static_cast<size_t>(depth_) * 2, ' ') + text + '\n';
  }

  void Doc(const std::string& doc) {
    if (!doc.empty()) Line("doc {}", Quoted(doc));
  }

  void Dump(const Let& let) {
    std::string type = let.type ? ": " + let.type->name.text : "";
    if (let.type && let.type->element) type += "<" + let.type->element->name.text + ">";
    Line("let {}{}{}", let.name.text, type, let.from ? " from " + Quoted(let.from->value) : "");
    Indent in(this);
    Doc(let.doc);
    if (let.value) Dump(*let.value);
  }

  void Dump(const Def& def) {
    std::string parameters;
    for (const Parameter& p : def.parameters) {
      parameters += (parameters.empty() ? "" : ", ") + p.name.text + ": " + p.type.text;
    }
    Line("def {}({})", def.name.text, parameters);
    Indent in(this);
    Doc(def.doc);
    Dump(*def.body);
  }

  void Dump(const Rule& rule) {
    Line("rule {} {}", rule.name.text, rule.title ? Quoted(rule.title->value) : "");
    Indent in(this);
    Doc(rule.doc);
    for (const Name& severity : rule.severities) Line("severity {}", severity.text);
    for (const Name& id : rule.attack) Line("attack {}", id.text);
    for (const Text& owner : rule.owners) Line("owner {}", Quoted(owner.value));
    for (const Text& ref : rule.refs) Line("ref {}", Quoted(ref.value));
    for (const Name& status : rule.statuses) Line("status {}", status.text);
    for (const Allow& allow : rule.allows) Dump(allow);
    for (const On& on : rule.ons) {
      Line("on {}", Joined(on.kinds, " | "));
      Indent inner(this);
      if (on.where) Dump(*on.where);
    }
    for (const When& when : rule.whens) Dump(when);
    for (const Sequence& sequence : rule.sequences) Dump(sequence);
    for (const Exception& exception : rule.exceptions) Dump(exception);
    for (const Limit& limit : rule.limits) Dump(limit);
    for (const Quantity& keys : rule.max_keys) Line("max keys {}", keys.literal.value);
    for (const Disclose& disclose : rule.disclosures) {
      Line("disclose {} {}", Joined(disclose.fields), Quoted(disclose.reason));
    }
    for (const Text& alert : rule.alerts) Line("alert {}", Quoted(alert.value));
  }

  void Dump(const Tune& tune) {
    Line("tune {} in {}", tune.rule.Dotted(), Quoted(tune.environment.value));
    Indent in(this);
    Doc(tune.doc);
    for (const Name& severity : tune.severities) Line("severity {}", severity.text);
    for (size_t i = 0; i < tune.disables.size(); ++i) Line("disable");
    for (const Exception& exception : tune.exceptions) Dump(exception);
    for (const Limit& limit : tune.limits) Dump(limit);
    for (const Quantity& keys : tune.max_keys) Line("max keys {}", keys.literal.value);
  }

  void Dump(const Allow& allow) { Line("allow {} {}", allow.code.text, Quoted(allow.reason.value)); }

  void Dump(const Exception& exception) {
    std::string meta;
    if (exception.owner) meta += " owner " + Quoted(exception.owner->text);
    if (exception.expires) meta += " expires " + exception.expires->text;
    if (exception.ticket) meta += " ticket " + Quoted(exception.ticket->text);
    Line("except {}{}", Quoted(exception.why), meta);
    Indent in(this);
    Dump(*exception.condition);
  }

  void Dump(const When& when) {
    std::string threshold = when.threshold ? " " + when.op + " " + when.threshold->literal.value : "";
    std::string of = when.of.empty() ? "" : "(" + Joined(when.of) + ")";
    Line("when {}{}{}{}{}", when.function.text, of, threshold, By(when.by), Within(when.within));
  }

  void Dump(const Sequence& sequence) {
    Line("sequence{}{}{}", sequence.unordered ? " unordered" : "", By(sequence.by), Within(sequence.within));
    Indent in(this);
    for (const Step& step : sequence.steps) {
      std::string name = step.name ? step.name->text + ": " : "";
      std::string repeat = step.repeat ? " repeat " + step.repeat->literal.value : "";
      const char* role = step.role == Step::Role::Without ? "without" : "until";
      Line("{} {}{}{}", step.role == Step::Role::Match ? "step" : role, name, Joined(step.kinds, " | "), repeat);
      Indent inner(this);
      if (step.where) Dump(*step.where);
    }
  }

  void Dump(const Limit& limit) {
    Line("limit {} per {}{}", limit.count.literal.value, limit.per.literal.value, By(limit.by));
  }

  static std::string By(const std::optional<Key>& key) { return key ? " by " + Joined(key->paths) : ""; }
  static std::string Within(const std::optional<Quantity>& span) {
    return span ? " within " + span->literal.value : "";
  }
  static std::string Joined(const std::vector<Path>& paths) {
    std::string out;
    for (const Path& path : paths) out += (out.empty() ? "" : ", ") + path.Dotted();
    return out;
  }
  static std::string Joined(const std::vector<Name>& names, std::string_view separator) {
    std::string out;
    for (const Name& name : names) out += (out.empty() ? "" : std::string(separator)) + name.text;
    return out;
  }

  void Dump(const Test& test) {
    Line("test {}{}", test.rule.Dotted(), test.environment ? " in " + Quoted(test.environment->value) : "");
    Indent in(this);
    for (const TestLet& let : test.lets) {
      Line("let {}: {}{}", let.name.text, let.object.text, let.base ? " with " + let.base->text : "");
      Dump(let.record);
    }
    for (const TestCase& test_case : test.cases) {
      Line("case {}", Quoted(test_case.name.value));
      Indent inner(this);
      Dump(test_case.steps);
    }
  }

  void Dump(const std::vector<TestStep>& steps) {
    for (const TestStep& step : steps) std::visit([this](const auto& s) { Dump(s); }, step.node);
  }

  static std::string After(const std::string& after) { return after.empty() ? "" : " after " + after; }

  void Dump(const Feed& feed) {
    Line("feed {}{}", feed.kind.text, After(feed.after));
    Dump(feed.record);
  }

  void Dump(const Repeat& repeat) {
    std::string every = repeat.every ? " every " + repeat.every->literal.value : "";
    Line("repeat {}{}{}", repeat.count.literal.value, every, After(repeat.after));
    Indent in(this);
    Dump(repeat.steps);
  }

  void Dump(const ReplayTrace& replay) { Line("replay {}{}", Quoted(replay.path.value), After(replay.after)); }

  void Dump(const Expect& expect) {
    if (expect.quiet) {
      Line("expect quiet{}", After(expect.after));
    } else {
      Line("expect alert{}{}{}{}", expect.count ? fmt::format(" count {}", *expect.count) : "",
           expect.text ? " " + Quoted(expect.text->value) : "", expect.from ? " from " + expect.from->Dotted() : "",
           After(expect.after));
    }
  }

  void Dump(const RecordInit& record) {
    Indent in(this);
    for (const FieldInit& field : record.fields) {
      Line("field {}", field.name.text);
      if (const auto* inner = std::get_if<RecordInit>(&field.value->node)) {
        Dump(*inner);
      } else {
        Indent deeper(this);
        Dump(*std::get<ExprPtr>(field.value->node));
        if (field.value->with) Line("with");
        if (field.value->with) Dump(*field.value->with);
      }
    }
  }

  void Dump(const std::vector<ExprPtr>& expressions) {
    Indent in(this);
    for (const ExprPtr& expression : expressions) Dump(*expression);
  }

  void Dump(const Expr& expression) {
    std::visit([this](const auto& node) { Node(node); }, expression.node);
  }
  void Node(const Path& path) { Line("path {}", path.Dotted()); }
  void Node(const Call& call) {
    Line("call {}", call.callee.Dotted());
    Dump(call.arguments);
  }
  void Node(const Literal& literal) {
    bool text = literal.kind == LiteralKind::String || literal.kind == LiteralKind::RawString;
    Line("{} {}", KindName(literal.kind), text ? Quoted(literal.value) : literal.value);
  }
  void Node(const List& list) {
    Line("list");
    Dump(list.items);
  }
  void Node(const Index& index) {
    bool number = index.at.kind == LiteralKind::Int;
    Line("index {} {}", index.path.Dotted(), number ? index.at.value : Quoted(index.at.value));
  }
  void Node(const Logic& logic) {
    Line("{}", logic.op == LogicOp::And ? "and" : "or");
    Dump(logic.operands);
  }
  void Node(const Not& negation) {
    Line("not");
    Indent in(this);
    Dump(*negation.operand);
  }
  void Node(const Compare& compare) {
    Line("compare {}{}", compare.negated ? "not " : "", compare.op);
    Indent in(this);
    Dump(*compare.left);
    if (compare.right) Dump(*compare.right);
  }

  std::string out_;
  int depth_ = 0;
};

}  // namespace

std::string Dump(const Module& module) { return Dumper().Run(module); }

}  // namespace ks::syntax
