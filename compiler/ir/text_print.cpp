#include <fmt/format.h>

#include "compiler/ir/text.h"
#include "compiler/ir/text_names.h"

namespace ks::ir {

std::optional<std::string_view> WordOfInt(int64_t value, const Operand& operand) {
  if (operand.part != Part::Whole) return std::nullopt;
  std::string_view enumeration = schema::Row(operand.field).enumeration;
  if (enumeration.empty()) return std::nullopt;
  std::optional<std::string_view> name = schema::EnumeratorName(enumeration, value);
  if (!name || schema::EnumeratorValue(enumeration, *name) != value) return std::nullopt;
  return name;
}

namespace {

constexpr size_t kWidth = 110;

// ---- Tokens
// --------------------------------------------------------------------------------------------------------------

// Length of the UTF-8 sequence of a printable character beyond ASCII at the begin of `text`, or 0.
size_t PrintableUtf8(std::string_view text) {
  auto byte = [&](size_t i) -> uint32_t { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  uint32_t lead = byte(0);
  size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  uint32_t point = lead & (0x7fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte(i) & 0x3f);
  }
  if ((size == 3 && point < 0x800) || (size == 4 && point < 0x10000) || point > 0x10ffff) return 0;
  if (point < 0xa0 || (point >= 0xd800 && point < 0xe000)) return 0;
  // Line and paragraph separators and marks of writing direction would let a text show what it does not say.
  if ((point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
      (point >= 0x2066 && point <= 0x2069)) {
    return 0;
  }
  return size;
}

std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else if (size_t size = PrintableUtf8(text.substr(i)); size > 0) {
      out += text.substr(i, size);
      i += size - 1;
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  return out + '"';
}

std::string Hex(const schema::IpAddress& ip) {
  std::string out;
  for (uint8_t byte : ip.bytes) out += fmt::format("{:02x}", byte);
  return out;
}

// step:2:lower:process.args[0]
std::string Word(const Operand& operand) {
  std::string word;
  if (operand.step != kThisEvent) word += fmt::format("{}{}:", kStepPrefix, operand.step);
  if (operand.lower) word += kLowerPrefix;
  word += schema::Row(operand.field).dotted;
  if (operand.part == Part::Ip) word += ".ip";
  if (operand.part == Part::Port) word += ".port";
  if (operand.element >= 0) word += fmt::format("[{}]", operand.element);
  return word;
}

struct LiteralWord {
  const Operand& operand;

  std::string operator()(int64_t value) const {
    if (auto name = WordOfInt(value, operand)) return std::string(*name);
    if (TypeOf(operand) == schema::TypeId::Mode && value >= 0) return fmt::format("0o{:o}", value);
    return fmt::format("{}", value);
  }
  std::string operator()(const std::string& value) const { return Quote(value); }
  std::string operator()(const schema::IpAddress& value) const {
    schema::IpAddress back;
    std::string word = schema::ToString(value);
    if (schema::ParseIp(word, &back) && back == value) return word;
    return fmt::format("{}{}", kRawIp, Hex(value));
  }
  std::string operator()(const schema::Cidr& value) const {
    schema::Cidr back;
    bool host_bits = false;
    std::string word = schema::ToString(value);
    if (schema::ParseCidr(word, &back, &host_bits) && back == value) return word;
    return fmt::format("{}{}/{}", kRawCidr, Hex(value.base), value.bits);
  }
  std::string operator()(const schema::Endpoint& value) const {
    schema::Endpoint back;
    std::string word = schema::ToString(value);
    if (schema::ParseEndpoint(word, &back) && back == value) return word;
    return fmt::format("{}{}:{}", kRawEndpoint, Hex(value.ip), value.port);
  }
};

// ---- Layout
// --------------------------------------------------------------------------------------------------------------

// A word, or (head items…).
struct Doc {
  std::string head;
  std::vector<Doc> items;
  bool list = false;
  bool fill = false;  // when it does not fit: as many items a line as fit, else one
  size_t width = 0;   // on one line
};

Doc MakeWord(std::string word) {
  Doc doc;
  doc.width = word.size();
  doc.head = std::move(word);
  return doc;
}

Doc MakeList(std::string head, std::vector<Doc> items = {}, bool fill = false) {
  Doc doc;
  doc.list = true;
  doc.fill = fill;
  doc.width = head.size() + 2;
  for (const Doc& item : items) doc.width += item.width + 1;
  doc.head = std::move(head);
  doc.items = std::move(items);
  return doc;
}

void AppendFlat(const Doc& doc, std::string* out) {
  if (doc.list) *out += '(';
  *out += doc.head;
  for (const Doc& item : doc.items) {
    *out += ' ';
    AppendFlat(item, out);
  }
  if (doc.list) *out += ')';
}

void Append(const Doc& doc, size_t indent, std::string* out) {
  if (!doc.list || indent + doc.width <= kWidth) return AppendFlat(doc, out);
  *out += '(';
  *out += doc.head;
  size_t column = doc.fill ? indent + 1 + doc.head.size() : kWidth;
  for (const Doc& item : doc.items) {
    if (column + 1 + item.width <= kWidth) {
      *out += ' ';
      column += 1;
    } else {
      *out += '\n';
      out->append(indent + 2, ' ');
      column = indent + 2;
    }
    Append(item, indent + 2, out);
    column = doc.fill ? column + item.width : kWidth;
  }
  *out += ')';
}

std::string Flat(const Doc& doc) {
  std::string out;
  AppendFlat(doc, &out);
  return out;
}

// ---- Predicates and rules
// --------------------------------------------------------------------------------------------------

Doc MakeDoc(const Atom& atom) {
  std::string head;
  for (const TestWord& row : kTestWords) {
    if (row.test == atom.test) head = row.word;
  }
  std::vector<Doc> items;
  if (!atom.label.empty()) items.push_back(MakeList("label", {MakeWord(Quote(atom.label))}));
  items.push_back(MakeWord(Word(atom.operand)));
  if (atom.other) items.push_back(MakeWord(Word(*atom.other)));
  for (const Value& literal : atom.literals) items.push_back(MakeWord(std::visit(LiteralWord{atom.operand}, literal)));
  return MakeList(std::move(head), std::move(items), true);
}

Doc MakeDoc(const Pred& pred) {
  std::string_view head;
  switch (pred.op) {
    case Pred::Op::True:
      return MakeWord("true");
    case Pred::Op::False:
      return MakeWord("false");
    case Pred::Op::Atom:
      return MakeDoc(*pred.atom);
    case Pred::Op::Not:
      head = "not";
      break;
    case Pred::Op::And:
      head = "and";
      break;
    case Pred::Op::Or:
      head = "or";
      break;
  }
  std::vector<Doc> items;
  items.reserve(pred.operands.size());
  for (const Pred& operand : pred.operands) items.push_back(MakeDoc(operand));
  return MakeList(std::string(head), std::move(items));
}

Doc Texts(std::string_view head, const std::vector<std::string>& texts) {
  std::vector<Doc> items;
  items.reserve(texts.size());
  for (const std::string& text : texts) items.push_back(MakeWord(Quote(text)));
  return MakeList(std::string(head), std::move(items), true);
}

Doc Operands(std::string_view head, const std::vector<Operand>& operands) {
  std::vector<Doc> items;
  items.reserve(operands.size());
  for (const Operand& operand : operands) items.push_back(MakeWord(Word(operand)));
  return MakeList(std::string(head), std::move(items), true);
}
Doc Number(std::string_view head, uint64_t number) {
  return MakeList(std::string(head), {MakeWord(std::to_string(number))});
}
Doc Kinds(const std::vector<EventKind>& kinds) {
  std::vector<Doc> items;
  items.reserve(kinds.size());
  for (EventKind kind : kinds) items.push_back(MakeWord(std::string(schema::Row(kind).name)));
  return MakeList("on", std::move(items), true);
}
Doc Window(std::string_view head, int64_t ns) { return Number(head, static_cast<uint64_t>(ns)); }

Doc MakeDoc(const Step& step) {
  std::vector<Doc> items = {MakeWord(std::string(kRoleWords[static_cast<size_t>(step.role)])),
                            MakeWord(Quote(step.name)), Kinds(step.kinds), MakeList("when", {MakeDoc(step.when)})};
  for (const Join& join : step.joins) items.push_back(Operands("join", {join.own, join.other}));
  if (step.cross.op != Pred::Op::True) items.push_back(MakeList("cross", {MakeDoc(step.cross)}));
  if (step.repeat != 1) items.push_back(Number("repeat", step.repeat));
  return MakeList("step", std::move(items));
}

void AddState(const Rule& rule, std::vector<Doc>* items) {
  if (rule.sequence) {
    std::vector<Doc> parts = {MakeWord(rule.sequence->unordered ? "unordered" : "ordered"),
                              Operands("by", rule.sequence->by), Window("within", rule.sequence->within_ns)};
    for (const Step& step : rule.sequence->steps) parts.push_back(MakeDoc(step));
    items->push_back(MakeList("sequence", std::move(parts)));
  }
  if (rule.aggregate) {
    const Aggregate& aggregate = *rule.aggregate;
    items->push_back(MakeList(
        "aggregate",
        {MakeWord(std::string(kFunctionWords[static_cast<size_t>(aggregate.function)])), Operands("of", aggregate.of),
         Number("at-least", aggregate.at_least), Operands("by", aggregate.by), Window("within", aggregate.within_ns)}));
  }
  if (rule.limit) {
    items->push_back(MakeList("limit", {MakeWord(std::to_string(rule.limit->count)), Window("per", rule.limit->per_ns),
                                        Operands("by", rule.limit->by)}));
  }
  if (rule.IsStateful()) items->push_back(Number("max-keys", rule.max_keys));
}

Doc MakeDoc(const TemplatePart& part) {
  if (part.measure) return MakeWord("measure");
  if (!part.operand) return MakeWord(Quote(part.text));
  if (!part.fallback) return MakeWord(Word(*part.operand));
  return MakeList("or", {MakeWord(Word(*part.operand)), MakeWord(Quote(*part.fallback))});
}

Doc MakeDoc(const Rule& rule) {
  std::vector<Doc> items;
  items.push_back(Texts("package", {rule.package}));
  items.push_back(Texts("name", {rule.name}));
  if (!rule.title.empty()) items.push_back(Texts("title", {rule.title}));
  items.push_back(MakeList("severity", {MakeWord(std::string(Name(rule.severity)))}));
  if (!rule.attack.empty()) items.push_back(Texts("attack", rule.attack));
  // What names steps comes behind them.
  if (rule.sequence) AddState(rule, &items);
  if (!rule.sequence) items.push_back(Kinds(rule.kinds));
  items.push_back(MakeList("when", {MakeDoc(rule.when)}));
  if (!rule.sequence) AddState(rule, &items);
  for (const ExceptionInfo& info : rule.exceptions) {
    items.push_back(Texts("except", {info.why, info.owner, info.expires, info.ticket}));
  }
  if (!rule.alert.empty()) {
    std::vector<Doc> parts;
    parts.reserve(rule.alert.size());
    for (const TemplatePart& part : rule.alert) parts.push_back(MakeDoc(part));
    items.push_back(MakeList("alert", std::move(parts), true));
  }
  for (const Disclosure& disclosure : rule.disclosures) {
    items.push_back(
        MakeList("disclose", {MakeWord(Word({disclosure.field})), MakeWord(Quote(disclosure.reason))}, true));
  }
  if (!rule.source.empty()) items.push_back(Texts("source", {rule.source}));
  return MakeList(fmt::format("rule {}", Quote(rule.id)), std::move(items));
}

void AddHalves(const SplitRule& split, std::vector<Doc>* items) {
  items->push_back(MakeList("kernel", {MakeDoc(split.kernel)}));
  items->push_back(MakeList("residual", {MakeDoc(split.residual)}));
  for (const std::string& reason : split.reasons) items->push_back(Texts("reason", {reason}));
}

Doc MakeDoc(const SplitRule& split) {
  Doc doc = MakeDoc(split.rule);
  std::vector<Doc> items = std::move(doc.items);
  if (!split.needs.empty()) items.push_back(Operands("needs", split.needs));
  AddHalves(split, &items);
  return MakeList(std::move(doc.head), std::move(items));
}

// The whole rule, and the halves of each of its probes.
Doc MakeDoc(const Program& program, const Machine& machine) {
  Doc doc = MakeDoc(machine.rule);
  std::vector<Doc> items = std::move(doc.items);
  for (uint32_t probe : machine.probes) {
    std::vector<Doc> halves;
    AddHalves(program.rules[probe], machine.rule.sequence ? &halves : &items);
    if (machine.rule.sequence) items.push_back(MakeList("probe", std::move(halves)));
  }
  return MakeList(std::move(doc.head), std::move(items));
}

// A rule is shown with a clause a line, even if it would fit on one.
std::string PrintRule(const Doc& rule, size_t indent) {
  std::string out(indent, ' ');
  out += '(';
  out += rule.head;
  for (const Doc& item : rule.items) {
    out += '\n';
    out.append(indent + 2, ' ');
    Append(item, indent + 2, &out);
  }
  return out + ")\n";
}

}  // namespace

std::string Print(const Pred& pred) { return Flat(MakeDoc(pred)); }
std::string Print(const Rule& rule) { return PrintRule(MakeDoc(rule), 0); }
std::string Print(const SplitRule& rule) { return PrintRule(MakeDoc(rule), 0); }

std::string Print(const Program& program) {
  std::string out = "(program 2\n";
  for (const SplitRule& rule : program.rules) {
    if (!rule.machine) {
      out += PrintRule(MakeDoc(rule), 2);
    } else if (rule.step == 0) {
      out += PrintRule(MakeDoc(program, program.machines[*rule.machine]), 2);
    }
  }
  return out + ")\n";
}

}  // namespace ks::ir
