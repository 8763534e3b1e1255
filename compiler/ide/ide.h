// What an editor asks about a place in a policy. Pure: a workspace and a place in, an answer out. Works on texts that
// are not whole; answers are then about what could be understood.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/workspace.h"

namespace ks::ide {

using driver::Document;
using driver::Workspace;

// ---- Completion

struct Completion {
  enum class Kind : uint8_t { Word, Field, Record, Kind, Let, Def, Rule, Step, Value, Type, Package, Code };
  Kind kind = Kind::Word;
  std::string label;
  std::string detail;  // one line: "path · kernel · match-only · 512 bytes"
  std::string about;   // a sentence or more
  std::string insert;  // if it is not the label; with `$0` and `${1:…}` where the cursor goes on if `snippet`
  bool snippet = false;
};
struct Completions {
  Span replace;  // what was typed of the word
  std::vector<Completion> items;
};
Completions Complete(const Workspace& workspace, const Document& document, uint32_t offset);

// ---- What stands here

struct Hovered {
  Span span;
  std::string markdown;
};
std::optional<Hovered> Hover(const Workspace& workspace, const Document& document, uint32_t offset);

// Where the name at this place is declared; empty for what the table of fields has, and for what is no name.
std::vector<Span> Definition(const Workspace& workspace, const Document& document, uint32_t offset);
std::vector<Span> References(const Workspace& workspace, const Document& document, uint32_t offset, bool declaration);

// ---- Rename

// What would be renamed, or why it cannot be: a sentence.
struct Renameable {
  Span span;
  std::string name;
  std::string refusal;
};
Renameable PrepareRename(const Workspace& workspace, const Document& document, uint32_t offset);

struct Renaming {
  std::vector<FixIt> edits;  // in all files
  std::string refusal;
};
Renaming Rename(const Workspace& workspace, const Document& document, uint32_t offset, const std::string& name);

// ---- The whole file

struct Outline {
  enum class Kind : uint8_t { Package, Let, Def, Rule, Step, Tune, Test, Case };
  Kind kind{};
  std::string name, detail;
  Span span, name_span;
  std::vector<Outline> children;
};
std::vector<Outline> Symbols(const Document& document);

// Where "run test" stands: above each test, and above each case.
struct Lens {
  Span span;
  std::string rule;       // id
  std::string test_case;  // "": all of the test
};
std::vector<Lens> Lenses(const Document& document);

}  // namespace ks::ide
