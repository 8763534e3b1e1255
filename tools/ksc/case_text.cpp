// Events and cases in the words of a policy.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/format/format.h"
#include "compiler/syntax/parser.h"
#include "tools/ksc/power_assert.h"
#include "tools/ksc/witness.h"

namespace ks::ksc {
namespace {

using schema::FieldId;
using schema::Record;
using schema::Status;
using schema::Value;

// `{ process: { name: "sh", parent: { pid: 5 } } }` from dotted names, in their order.
class Braces {
 public:
  void Set(std::string_view dotted, std::string value) {
    Node* at = &root_;
    while (true) {
      size_t dot = dotted.find('.');
      std::string name(dotted.substr(0, dot));
      auto it = std::find_if(at->inner.begin(), at->inner.end(), [&](const Node& node) { return node.name == name; });
      if (it == at->inner.end()) it = at->inner.insert(it, Node{name, "", {}});
      at = &*it;
      if (dot == std::string_view::npos) break;
      dotted.remove_prefix(dot + 1);
    }
    at->value = std::move(value);
  }
  std::string Text() const { return TextOf(root_); }

 private:
  struct Node {
    std::string name, value;
    std::vector<Node> inner;
  };
  static std::string TextOf(const Node& node) {
    if (node.inner.empty()) return node.value.empty() ? "{}" : node.value;  // what has fields is what they say
    std::string out;
    for (const Node& inner : node.inner) {
      out += fmt::format("{}{}: {}", out.empty() ? "{ " : ", ", inner.name, TextOf(inner));
    }
    return out + " }";
  }
  Node root_;
};

std::vector<schema::ObjectId> PresentIn(schema::EventKind kind, const Record& record) {
  std::vector<schema::ObjectId> out;
  for (const schema::ObjectRow& object : schema::Objects()) {
    if (object.guard != schema::Guard::Exists || schema::GuardObject(object.id) != object.id) continue;
    FieldId field = schema::PresenceField(object.id);
    if (schema::Has(kind, field) && record[field].status != Status::Absent) out.push_back(object.id);
  }
  return out;
}

}  // namespace

std::string FeedText(schema::EventKind kind, const Record& record) {
  sema::Feed given;
  given.kind = kind;
  given.present = PresentIn(kind, record);
  const Record plain = lower::CompleteRecord(given);
  for (const schema::FieldRow& row : schema::Fields()) {
    if (!schema::Has(kind, row.id) || row.id == FieldId::event_time || record[row.id].status != Status::Ok) continue;
    bool presence = schema::Row(row.object).guard == schema::Guard::Exists &&
                    schema::PresenceField(schema::GuardObject(row.object)) == row.id;
    if (presence || !(record[row.id] == plain[row.id])) given.fields.push_back({row.id, record[row.id].value});
  }
  // What follows from the others need not be said.
  for (size_t i = given.fields.size(); i-- > 0;) {
    sema::Feed less = given;
    less.fields.erase(less.fields.begin() + static_cast<ptrdiff_t>(i));
    FieldId field = given.fields[i].field;
    bool derived = field == FieldId::file_canonical || field == FieldId::process_id || field == FieldId::event_result;
    if (derived && lower::CompleteRecord(less)[field] == record[field]) given = std::move(less);
  }
  // As people write them: the call, then records, then what the event itself says.
  auto place = [](const sema::Given& one) {
    if (one.field == FieldId::event_syscall) return 0;
    return schema::Row(one.field).dotted.find('.') != std::string_view::npos ? 1 : 2;
  };
  std::stable_sort(given.fields.begin(), given.fields.end(),
                   [&](const sema::Given& a, const sema::Given& b) { return place(a) < place(b); });
  Braces braces;
  for (const sema::Given& one : given.fields) {
    const schema::FieldRow& row = schema::Row(one.field);
    std::string value = schema::ToString(one.value, row.type, row.enumeration);
    bool flag = row.type == schema::TypeId::Flags && value.find(',') == std::string::npos && value.size() > 2;
    braces.Set(row.dotted, flag ? value.substr(1, value.size() - 2) : std::move(value));
  }
  return fmt::format("{} {}", schema::Row(kind).name, braces.Text());
}

std::string TestText(const sema::Rule& rule, const std::string& environment, const std::string& name,
                     const lower::TestCase& test, uint64_t alerts) {
  std::string title = name;
  std::erase(title, '`');
  std::string text = fmt::format("ksp 1\n\ntest {}{} {{\n  case {} {{\n", rule.syntax->name.text,
                                 environment.empty() ? "" : fmt::format(" in \"{}\"", environment),
                                 schema::ToString(Value(title), schema::TypeId::String, ""));
  int64_t now = 0;
  struct Line {
    int64_t gap;
    std::string text;
  };
  std::vector<Line> lines;
  for (const auto& step : test.steps) {
    if (const auto* feed = std::get_if<lower::Feed>(&step)) {
      lines.push_back({feed->offset_ns - now, FeedText(feed->kind, feed->record)});
      now = feed->offset_ns;
    } else if (const auto* expect = std::get_if<lower::Expect>(&step)) {
      std::string wanted = alerts == 0 ? "expect quiet" : fmt::format("expect {} alert", alerts);
      lines.push_back({expect->offset_ns - now, std::move(wanted)});
      now = expect->offset_ns;
    }
  }
  auto after = [](int64_t gap) { return gap == 0 ? std::string() : "+" + SpelledTime(gap) + " "; };
  for (size_t i = 0; i < lines.size();) {
    // Equal ones: each but the first comes at the same distance from the one before.
    size_t end = i + 1;
    while (end < lines.size() && lines[end].text == lines[i].text && lines[end].gap == lines[i + 1].gap) ++end;
    if (end - i < 4) {
      text += "    " + after(lines[i].gap) + lines[i].text + "\n";
      ++i;
      continue;
    }
    text += "    " + after(lines[i].gap) + lines[i].text + "\n";
    int64_t gap = lines[i + 1].gap;
    text += fmt::format("    repeat {} {{ {}{} }}\n", end - i - 1, after(gap), lines[i].text);
    i = end;
  }
  text += "  }\n}\n";
  Diagnostics diagnostics;
  SourceFile file("test", text);
  syntax::Module module = syntax::Parse(file, diagnostics);
  if (diagnostics.errors() == 0) text = format::Format(module);
  return text.substr(text.find("test "));
}

std::optional<lower::TestCase> ReadTest(const Subject& subject, const std::string& text) {
  const std::string& package = subject.module().package;
  Diagnostics diagnostics;
  SourceFile file("test", fmt::format("ksp 1\n{}\n{}", package.empty() ? "" : "package " + package, text));
  const syntax::Module module = syntax::Parse(file, diagnostics);
  if (diagnostics.errors() > 0) return std::nullopt;
  sema::Library library;
  for (const syntax::Module& one : subject.analysis().modules) library.AddUser(one);
  library.AddUser(module);
  for (const syntax::Module& one : subject.analysis().embedded_modules) library.AddEmbedded(one);
  sema::Options options;
  options.environment = subject.analysis().environment;
  std::vector<sema::CheckedModule> checked;
  checked.push_back(sema::Check(module, library, options, diagnostics));
  if (diagnostics.errors() > 0) return std::nullopt;
  if (checked[0].tests.size() != 1) return std::nullopt;
  lower::TestCase test = lower::LowerTest(checked[0].tests[0]);
  // Its places are in a text that is gone.
  test.span = {};
  for (auto& step : test.steps) std::visit([](auto& one) { one.span = {}; }, step);
  return test;
}

}  // namespace ks::ksc
