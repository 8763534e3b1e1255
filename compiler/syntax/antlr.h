// What the files of this folder share that know ANTLR: lexer.cpp, recovery.cpp, parser.cpp and the makers. No exception
// of ANTLR leaves this folder.
#pragma once

#include <antlr4-runtime.h>

#include <vector>

#include "compiler/syntax/ast.h"
#include "compiler/syntax/tokens.h"
#include "grammar/KspLexer.h"
#include "grammar/KspParser.h"

namespace ks::syntax {

using grammar::KspLexer;
using grammar::KspParser;
using ParserContext = antlr4::ParserRuleContext;

// Bytes to tokens, docs among them; comments of both kinds to `comments`. False: there are more than kMaxTokens.
bool Lex(const SourceFile& file, std::vector<Token>& out, std::vector<Comment>* comments);

// What the grammar calls a token, also if it stands for another text.
size_t TypeOf(const Token& token);

}  // namespace ks::syntax
