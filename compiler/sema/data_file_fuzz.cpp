// Any text is read to the end as the values of each type. Mistakes name a line of it; a value's text reads back as it.
#include "compiler/sema/data_file.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "compiler/sema/literals.h"
#include "compiler/support/result.h"
#include "compiler/syntax/parser.h"
#include "compiler/syntax/tokens.h"

namespace {

using ks::sema::TypeId;

// The text of a value as a data file holds it. The schema prints what is observed, which differs in two ways.
std::string TextOf(const ks::sema::Value& value, const ks::sema::Type& type) {
  std::string text = ks::schema::ToString(value, type.scalar, type.enumeration);
  if (type.scalar == TypeId::Size) return text + "B";
  if (type.scalar == TypeId::Time) return text.substr(0, 10);  // midnight
  return text;
}

void CheckValue(const ks::sema::Value& value, const ks::sema::Type& type) {
  std::string text = TextOf(value, type);
  if (!ks::sema::IsText(type.scalar)) {
    ks::sema::ParsedText again = ks::sema::ParseText(text, type);
    KS_CHECK(again.value && *again.value == value && again.mended.empty(), "a value does not read back");
    return;
  }
  if (text.size() > ks::syntax::kMaxLiteralBytes) return;  // with its escapes
  ks::SourceFile file("value.ksp", "ksp 1\nlet a = " + text + "\n");
  ks::Diagnostics diagnostics;
  ks::syntax::Module module = ks::syntax::Parse(file, diagnostics);
  KS_CHECK(diagnostics.errors() == 0 && module.lets.size() == 1, "a text, in quotes, is no literal");
  const auto* literal = std::get_if<ks::syntax::Literal>(&module.lets[0].value->node);
  KS_CHECK(literal && literal->value == std::get<std::string>(value), "a text does not read back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  for (std::string_view name : {"cidr", "ip", "endpoint", "port", "int", "mode", "duration", "size", "time", "bool",
                                "string", "path", "errno"}) {
    std::optional<ks::sema::Type> type = ks::sema::FindType(name);
    if (!type) continue;
    ks::sema::DataValues read = ks::sema::ReadData(text, *type);
    size_t before = 0;
    for (const auto& mistake : read.mistakes) {
      KS_CHECK(mistake.line > before && mistake.line <= lines && !mistake.what.empty(), "a mistake beyond the text");
      before = mistake.line;
    }
    KS_CHECK(!read.mistakes.empty() || read.more_mistakes == 0, "mistakes that are not told");
    if (read.repeated) {
      KS_CHECK(read.repeated->first > 0 && read.repeated->first < read.repeated->line && read.repeated->line <= lines,
               "a repetition beyond the text");
    }
    KS_CHECK(read.values.size() + read.mistakes.size() <= lines, "more values than lines");
    // The first ones: each text is parsed as a whole policy.
    const size_t most = ks::sema::IsText(type->scalar) ? 4 : read.values.size();
    for (size_t i = 0; i < std::min(most, read.values.size()); ++i) CheckValue(read.values[i], *type);
  }
  return 0;
}
