// What must hold of the bytes of a file before anything else looks at them.
#pragma once

#include "compiler/support/diagnostics.h"
#include "compiler/support/source.h"

namespace ks::syntax {

// Size, UTF-8, NUL bytes, invisible marks that turn the direction of text. False: reported, the file is not to be read
// on.
bool CheckText(const SourceFile& file, Diagnostics& diagnostics);

// A mark of the byte order in front is no content and is skipped; this is its length, 0 or 3.
size_t ByteOrderMark(std::string_view text);

// Length of the UTF-8 sequence at text[at], or 0 if it is none: truncated, overlong, a surrogate, beyond U+10FFFF.
size_t Utf8Length(std::string_view text, size_t at);

void AppendUtf8(std::string& out, uint32_t code_point);

}  // namespace ks::syntax
