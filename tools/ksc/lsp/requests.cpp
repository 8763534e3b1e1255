// The requests of an editor that is looking at a text: each one question to compiler/ide.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "compiler/format/format.h"
#include "compiler/support/result.h"
#include "tools/ksc/lsp/server.h"

namespace ks::lsp {
namespace {

constexpr int kInvalidParams = -32602, kRequestFailed = -32803;

int ItemKind(ide::Completion::Kind kind) {
  using Kind = ide::Completion::Kind;
  switch (kind) {  // the protocol's CompletionItemKind
    case Kind::Word:
      return 14;
    case Kind::Field:
      return 5;
    case Kind::Record:
      return 22;
    case Kind::Kind:
      return 23;
    case Kind::Let:
      return 21;
    case Kind::Def:
      return 3;
    case Kind::Rule:
      return 7;
    case Kind::Step:
      return 6;
    case Kind::Value:
      return 20;
    case Kind::Type:
      return 25;
    case Kind::Package:
      return 9;
    case Kind::Code:
      return 12;
  }
  return 1;
}

int SymbolKind(ide::Outline::Kind kind) {
  using Kind = ide::Outline::Kind;
  switch (kind) {  // the protocol's SymbolKind
    case Kind::Package:
      return 4;
    case Kind::Let:
      return 14;
    case Kind::Def:
      return 12;
    case Kind::Rule:
      return 5;
    case Kind::Step:
      return 24;
    case Kind::Tune:
      return 3;
    case Kind::Test:
    case Kind::Case:
      return 6;
  }
  return 13;
}

}  // namespace

const ide::Document& Server::DocumentOf(const json& params) {
  std::string name = NameOf(TextMember(Member(params, "textDocument"), "uri"));
  const ide::Document* document = workspace_.Find(name);
  if (document == nullptr)
    throw Failure{kInvalidParams, fmt::format("`{}` is not open, and in no folder of the workspace", name)};
  return *document;
}

Server::Asked Server::Ask(const json& params) {
  const ide::Document& document = DocumentOf(params);
  const json& position = Member(params, "position");
  auto line = NumberMember(position, "line"), character = NumberMember(position, "character");
  if (!line || !character) throw Failure{kInvalidParams, "a position has a line and a character, both from 0"};
  return {&document, OffsetOf(document.file(), *line, *character, encoding_)};
}

json Server::Completion(const json& params) {
  auto [document, offset] = Ask(params);
  ide::Completions found = ide::Complete(workspace_, *document, offset);
  json items = json::array();
  json range = RangeOf(found.replace, encoding_);
  size_t order = 0;
  for (const ide::Completion& item : found.items) {
    json made = {{"label", item.label},
                 {"kind", ItemKind(item.kind)},
                 {"sortText", fmt::format("{:04}", order++)},
                 {"insertTextFormat", item.snippet ? 2 : 1},
                 {"textEdit", {{"range", range}, {"newText", item.insert.empty() ? item.label : item.insert}}}};
    if (!item.detail.empty()) made["detail"] = item.detail;
    if (!item.about.empty()) made["documentation"] = {{"kind", "markdown"}, {"value", item.about}};
    items.push_back(std::move(made));
  }
  return {{"isIncomplete", false}, {"items", std::move(items)}};
}

json Server::Hover(const json& params) {
  auto [document, offset] = Ask(params);
  auto found = ide::Hover(workspace_, *document, offset);
  if (!found) return nullptr;
  return {{"contents", {{"kind", "markdown"}, {"value", found->markdown}}}, {"range", RangeOf(found->span, encoding_)}};
}

// The standard library is inside of ksc. Editors open files, so the file is written for them, read-only; any editor can
// then go there, also one that knows nothing of us.
std::string Server::Materialise(const ide::Document& embedded) {
  if (host_.cache_folder.empty()) return "";
  std::string path = host_.cache_folder + "/" + embedded.name;
  std::error_code error;
  Result<std::string> there = ReadFile(path, kMaxSourceBytes);
  if (!there || *there != embedded.file().text()) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    if (error || !WriteFile(path, embedded.file().text(), 0444)) return "";
  }
  read_only_[path] = embedded.name;
  return path;
}

json Server::LocationOf(const Span& span) {
  std::string name = span.file->name();
  const ide::Document* document = workspace_.Find(name);
  if (document != nullptr && document->embedded) {
    std::string path = Materialise(*document);
    if (path.empty()) return nullptr;
    name = path;
  }
  return {{"uri", UriFor(name)}, {"range", RangeOf(span, encoding_)}};
}

json Server::Definition(const json& params) {
  auto [document, offset] = Ask(params);
  json out = json::array();
  for (const Span& span : ide::Definition(workspace_, *document, offset)) {
    if (json location = LocationOf(span); !location.is_null()) out.push_back(std::move(location));
  }
  return out;
}

json Server::References(const json& params) {
  auto [document, offset] = Ask(params);
  const json& wanted = Member(Member(params, "context"), "includeDeclaration");
  json out = json::array();
  for (const Span& span : ide::References(workspace_, *document, offset, wanted.is_boolean() && wanted.get<bool>())) {
    if (json location = LocationOf(span); !location.is_null()) out.push_back(std::move(location));
  }
  return out;
}

json Server::PrepareRename(const json& params) {
  auto [document, offset] = Ask(params);
  ide::Renameable what = ide::PrepareRename(workspace_, *document, offset);
  if (!what.refusal.empty()) throw Failure{kRequestFailed, what.refusal};
  return {{"range", RangeOf(what.span, encoding_)}, {"placeholder", what.name}};
}

json Server::EditsOf(const std::vector<FixIt>& edits) {
  json changes = json::object();
  for (const FixIt& edit : edits) {
    changes[UriFor(edit.span.file->name())].push_back(
        {{"range", RangeOf(edit.span, encoding_)}, {"newText", edit.text}});
  }
  return {{"changes", std::move(changes)}};
}

json Server::Rename(const json& params) {
  auto [document, offset] = Ask(params);
  ide::Renaming renaming = ide::Rename(workspace_, *document, offset, TextMember(params, "newName"));
  if (!renaming.refusal.empty()) throw Failure{kRequestFailed, renaming.refusal};
  return EditsOf(renaming.edits);
}

json Server::Symbols(const json& params) {
  const ide::Document& document = DocumentOf(params);
  auto make = [&](const auto& self, const std::vector<ide::Outline>& list) -> json {
    json out = json::array();
    for (const ide::Outline& item : list) {
      json made = {{"name", item.name},
                   {"kind", SymbolKind(item.kind)},
                   {"range", RangeOf(item.span, encoding_)},
                   {"selectionRange", RangeOf(item.name_span, encoding_)}};
      if (!item.detail.empty()) made["detail"] = item.detail;
      if (!item.children.empty()) made["children"] = self(self, item.children);
      out.push_back(std::move(made));
    }
    return out;
  };
  return make(make, ide::Symbols(document));
}

json Server::Formatting(const json& params) {
  const ide::Document& document = DocumentOf(params);
  if (!document.now->ok()) throw Failure{kRequestFailed, "a text with syntax errors is not formatted; mend them first"};
  std::string text = format::Format(document.now->module);
  json edits = json::array();
  if (text != document.file().text()) {
    Span all{&document.file(), 0, static_cast<uint32_t>(document.file().text().size())};
    edits.push_back({{"range", RangeOf(all, encoding_)}, {"newText", std::move(text)}});
  }
  return edits;
}

// Mistakes that say how they are mended, at the range that is looked at.
json Server::CodeActions(const json& params) {
  const ide::Document& document = DocumentOf(params);
  const json& range = Member(params, "range");
  auto place = [&](const char* end) {
    const json& at = Member(range, end);
    return OffsetOf(document.file(), NumberMember(at, "line").value_or(0), NumberMember(at, "character").value_or(0),
                    encoding_);
  };
  uint32_t begin = place("start"), end = place("end");
  json out = json::array();
  for (const Diagnostic& diagnostic : document.Everything()) {
    if (diagnostic.fixes.empty() || diagnostic.span.begin > end || diagnostic.span.end < begin) continue;
    std::string title = diagnostic.help.empty() ? "mend: " + diagnostic.message : diagnostic.help;
    if (diagnostic.fixes.size() == 1) {
      const FixIt& fix = diagnostic.fixes[0];
      std::string_view text = fix.text;
      while (text.starts_with('\n') || text.starts_with(' ')) text.remove_prefix(1);
      title = fmt::format("{} `{}`",
                          text.empty()                     ? "remove"
                          : fix.span.begin == fix.span.end ? "insert"
                                                           : "change to",
                          text.empty() ? fix.span.text() : text.substr(0, text.find('\n')));
    }
    out.push_back({{"title", title},
                   {"kind", "quickfix"},
                   {"isPreferred", true},
                   {"diagnostics", json::array({DiagnosticOf(diagnostic)})},
                   {"edit", EditsOf(diagnostic.fixes)}});
  }
  return out;
}

json Server::CodeLenses(const json& params) {
  const ide::Document& document = DocumentOf(params);
  json out = json::array();
  for (const ide::Lens& lens : ide::Lenses(document)) {
    json arguments = {UriFor(document.name), lens.rule};
    if (!lens.test_case.empty()) arguments.push_back(lens.test_case);
    out.push_back({{"range", RangeOf(lens.span, encoding_)},
                   {"command",
                    {{"title", lens.test_case.empty() ? "run test" : "run case"},
                     {"command", "ksc.runTest"},
                     {"arguments", std::move(arguments)}}}});
  }
  return out;
}

}  // namespace ks::lsp
