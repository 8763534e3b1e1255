// Definition, references and rename: queries over the occurrences of names.
#include <algorithm>

#include "bpf/schema/schema.h"
#include "compiler/ide/find.h"
#include "compiler/ide/ide.h"
#include "compiler/syntax/tokens.h"

namespace ks::ide {
namespace {

using What = Symbol::What;

// As others see them, but this one as it is now.
std::vector<std::pair<const Document*, std::vector<Occurrence>>> Everywhere(const Workspace& workspace,
                                                                            const Document& here) {
  std::vector<std::pair<const Document*, std::vector<Occurrence>>> out;
  for (const Document* document : workspace.All()) {
    const syntax::Module& module = document == &here ? document->now->module : document->module();
    out.emplace_back(document, Occurrences(workspace, module));
  }
  return out;
}

bool IsLocal(What what) { return what == What::Step || what == What::TestLet || what == What::Parameter; }

std::string_view Called(What what) {
  switch (what) {
    case What::Let:
      return "let";
    case What::Def:
      return "def";
    case What::Rule:
      return "rule";
    case What::Step:
      return "step";
    case What::TestLet:
      return "let of a test";
    case What::Parameter:
      return "parameter";
    default:
      return "name";
  }
}

// Why nothing can be called so; "" if something can.
std::string WhyNoName(const std::string& name) {
  SourceFile file("", name);
  std::vector<syntax::Token> tokens = syntax::Tokenize(file);
  if (tokens.size() != 2 || tokens[0].begin != 0 || tokens[0].end != name.size() ||
      tokens[0].kind != syntax::TokenKind::Word) {
    return fmt::format("`{}` is no name: names are letters, digits and `_`, and start with no digit", name);
  }
  if (!tokens[0].name) return fmt::format("`{}` is a word of the language", name);
  return "";
}

std::string WhyTaken(const Symbol& symbol, const std::string& name,
                     const std::vector<std::pair<const Document*, std::vector<Occurrence>>>& all) {
  if (symbol.what != What::Rule && (schema::FindField(name) || schema::FindObject(name))) {
    return fmt::format("`{}` is a field", name);
  }
  if (IsLocal(symbol.what)) {
    std::string other = symbol.id.substr(0, symbol.id.rfind('/') + 1) + name;
    for (const auto& [document, occurrences] : all) {
      bool uses = std::any_of(occurrences.begin(), occurrences.end(), [&](auto& o) { return o.symbol == symbol; });
      if (!uses) continue;
      for (const Occurrence& occurrence : occurrences) {
        bool local = IsLocal(occurrence.symbol.what) && occurrence.symbol.id == other;
        bool shared = (occurrence.symbol.what == What::Let || occurrence.symbol.what == What::Def) &&
                      occurrence.span.text() == name;
        if (local || shared) {
          return fmt::format("`{}` is taken: it is a {} in line {} of {}", name, Called(occurrence.symbol.what),
                             document->file().At(occurrence.span.begin).line, document->name);
        }
      }
    }
    return "";
  }
  size_t dot = symbol.id.rfind('.');
  std::string home = dot == std::string::npos ? "" : symbol.id.substr(0, dot);
  for (const auto& [document, occurrences] : all) {
    bool uses = std::any_of(occurrences.begin(), occurrences.end(), [&](auto& o) { return o.symbol == symbol; });
    std::string package = sema::PackageOf(document->module());
    if (!uses && package != home) continue;
    auto taken = [&](std::string_view what) {
      return fmt::format("`{}` is taken: {} has a {} of that name", name, document->name, what);
    };
    if (symbol.what == What::Rule) {
      for (const syntax::Rule& rule : document->module().rules) {
        if (package == home && rule.name.text == name) return taken("rule");
      }
      continue;
    }
    for (const syntax::Let& let : document->module().lets) {
      if (let.name.text == name) return taken("let");
    }
    for (const syntax::Def& def : document->module().defs) {
      if (def.name.text == name) return taken("def");
    }
    for (const syntax::Import& import : document->module().imports) {
      for (const syntax::Name& imported : import.names) {
        if (imported.text == name) return taken("import");
      }
    }
    // A parameter, step or test's let would hide the new name where the old one is used.
    for (const Occurrence& occurrence : occurrences) {
      if (uses && IsLocal(occurrence.symbol.what) && occurrence.span.text() == name)
        return taken(Called(occurrence.symbol.what));
    }
  }
  return "";
}

}  // namespace

std::optional<Occurrence> OccurrenceAt(const Workspace& workspace, const Document& document, uint32_t offset) {
  std::optional<Occurrence> best;
  for (Occurrence& occurrence : Occurrences(workspace, document.now->module)) {
    if (occurrence.span.begin > offset || offset > occurrence.span.end) continue;
    // At the seam of two, the one that starts here.
    if (!best || occurrence.span.begin >= best->span.begin) best = std::move(occurrence);
  }
  return best;
}

std::vector<Span> Definition(const Workspace& workspace, const Document& document, uint32_t offset) {
  std::vector<Span> out;
  auto at = OccurrenceAt(workspace, document, offset);
  if (!at) return out;
  for (const auto& [other, occurrences] : Everywhere(workspace, document)) {
    for (const Occurrence& occurrence : occurrences) {
      if (occurrence.declaration && occurrence.symbol == at->symbol) out.push_back(occurrence.span);
    }
  }
  return out;
}

std::vector<Span> References(const Workspace& workspace, const Document& document, uint32_t offset, bool declaration) {
  std::vector<Span> out;
  auto at = OccurrenceAt(workspace, document, offset);
  if (!at || at->symbol.what == What::Operator) return out;
  for (const auto& [other, occurrences] : Everywhere(workspace, document)) {
    for (const Occurrence& occurrence : occurrences) {
      if (occurrence.symbol == at->symbol && (declaration || !occurrence.declaration)) out.push_back(occurrence.span);
    }
  }
  return out;
}

Renameable PrepareRename(const Workspace& workspace, const Document& document, uint32_t offset) {
  Renameable out;
  auto at = OccurrenceAt(workspace, document, offset);
  if (!at) {
    out.refusal = "there is no name here that could be changed";
    return out;
  }
  out.span = at->span;
  out.name = std::string(at->span.text());
  switch (at->symbol.what) {
    case What::Field:
    case What::Record:
    case What::Kind:
    case What::Operator:
      out.refusal = fmt::format("`{}` belongs to the language", out.name);
      return out;
    case What::Package:
      out.refusal = "packages are renamed by hand: their name is part of the ids that alerts carry";
      return out;
    default:
      break;
  }
  for (const auto& [other, occurrences] : Everywhere(workspace, document)) {
    for (const Occurrence& occurrence : occurrences) {
      if (occurrence.symbol == at->symbol && other->embedded) {
        out.refusal = fmt::format("`{}` is part of the standard library", out.name);
        return out;
      }
    }
  }
  for (const Document* other : workspace.Documents()) {
    if (!other->now->ok()) {
      out.refusal =
          fmt::format("{} has syntax errors, so uses of the name in it cannot be found; mend them first", other->name);
      return out;
    }
  }
  return out;
}

Renaming Rename(const Workspace& workspace, const Document& document, uint32_t offset, const std::string& name) {
  Renaming out;
  Renameable what = PrepareRename(workspace, document, offset);
  out.refusal = what.refusal;
  if (!out.refusal.empty() || name == what.name) return out;
  if (out.refusal = WhyNoName(name); !out.refusal.empty()) return out;
  Symbol symbol = OccurrenceAt(workspace, document, offset)->symbol;
  auto all = Everywhere(workspace, document);
  if (out.refusal = WhyTaken(symbol, name, all); !out.refusal.empty()) return out;
  for (const auto& [other, occurrences] : all) {
    for (const Occurrence& occurrence : occurrences) {
      if (occurrence.symbol == symbol) out.edits.push_back({occurrence.span, name});
    }
  }
  return out;
}

}  // namespace ks::ide
