// The whole of it: text to tokens, tokens to a parse tree, declaration by declaration, and the parse tree to ours.
#include "compiler/syntax/parser.h"

#include <algorithm>
#include <memory>

#include "compiler/support/result.h"
#include "compiler/syntax/antlr.h"
#include "compiler/syntax/maker.h"
#include "compiler/syntax/recovery.h"
#include "compiler/syntax/text.h"
#include "compiler/syntax/token_stream.h"

namespace ks::syntax {
namespace {

// `ksp 1`. Returns the index of the token after it.
size_t Version(const SourceFile& file, const std::vector<Token>& tokens, Module* module, Diagnostics& diagnostics) {
  const Token& first = tokens[0];
  std::string_view text = first.Text(file.text());
  bool word = text == "ksp";
  Span span{&file, first.begin, first.end};
  if (!word || tokens[1].kind != TokenKind::Int) {
    bool almost = text.starts_with("ksp");
    Diagnostic& d = diagnostics.Report<Diag::MissingVersion>(span);
    d.help = "the number is the version of the language";
    if (almost) {
      d.fixes.push_back({span, "ksp 1"});
    } else {
      uint32_t start = static_cast<uint32_t>(ByteOrderMark(file.text()));
      d.fixes.push_back({{&file, start, start}, "ksp 1\n"});
    }
    return almost ? 1 : 0;
  }
  module->version_span = {&file, first.begin, tokens[1].end};
  std::string_view number = tokens[1].Text(file.text());
  if (number != "1" && tokens[1].instead.empty()) {
    Diagnostic& d = diagnostics.Report<Diag::UnknownVersion>({&file, tokens[1].begin, tokens[1].end}, number);
    d.help = "this compiler knows version 1";
  }
  return 2;
}

void ParseTokens(const SourceFile& file, std::vector<Token>& tokens, const std::vector<DocLine>& docs, Module* module,
                 Diagnostics& diagnostics) {
  TokenStream stream(tokens);
  KspParser parser(&stream);
  parser.removeErrorListeners();
  auto recovery = std::make_shared<Recovery>(file, tokens, diagnostics);
  parser.setErrorHandler(recovery);

  Maker maker(file, tokens, docs, diagnostics);
  size_t from = Version(file, tokens, module, diagnostics);
  stream.seek(from);
  if (from < 2 && tokens[from].kind != TokenKind::End && !IsItemWord(tokens[from].Text(file.text()))) {
    recovery->SkipQuietly(&parser);
  }
  while (stream.LA(1) != antlr4::Token::EOF) {
    const Token& token = tokens[stream.index()];
    if (token.kind != TokenKind::Word || !IsItemWord(token.Text(file.text()))) {
      recovery->SkipToDeclaration(&parser);
      continue;
    }
    recovery->Forget();
    parser.getTreeTracker().reset();  // of the declaration before
    maker.Add(parser.item(), module);
  }
}

// The first kMaxTokens of a file may already say what is wrong with it: brackets that only open.
void TooManyTokens(const SourceFile& file, std::vector<Token>& tokens, Diagnostics& diagnostics) {
  Span last{&file, tokens.back().begin, tokens.back().end};
  Diagnostics of_part;
  CheckTokens(file, tokens, of_part);
  const std::vector<Diagnostic>& all = of_part.all();
  auto deep = std::find_if(all.begin(), all.end(), [](const auto& d) { return d.id == Diag::NestingTooDeep; });
  if (deep != all.end()) {
    diagnostics.Report<Diag::NestingTooDeep>(deep->span, kMaxNesting).help = deep->help;
  } else {
    diagnostics.Report<Diag::TooManyTokens>(last, kMaxTokens).help =
        "long lists of values belong into files of their own: `let name from \"file\"`";
  }
}

}  // namespace

std::vector<Token> Tokenize(const SourceFile& file) {
  std::vector<Token> tokens;
  std::vector<Comment> comments;
  if (file.text().size() <= kMaxSourceBytes) Lex(file, tokens, &comments);
  return tokens;
}

Module Parse(const SourceFile& file, Diagnostics& diagnostics) {
  Module module;
  module.file = &file;
  if (!CheckText(file, diagnostics)) return module;
  std::vector<Token> tokens;
  try {
    if (!Lex(file, tokens, &module.comments)) {
      TooManyTokens(file, tokens, diagnostics);
      return module;
    }
    std::vector<DocLine> docs = TakeDocs(tokens);
    if (!CheckTokens(file, tokens, diagnostics)) return module;
    ParseTokens(file, tokens, docs, &module, diagnostics);
  } catch (const antlr4::ParseCancellationException&) {
    KS_CHECK(diagnostics.errors() > 0, "parsing was given up without a word");
  }
  return module;
}

}  // namespace ks::syntax
