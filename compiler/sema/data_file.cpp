// The values of `let x: set<cidr> from "file"`: one a line, # comments.
#include "compiler/sema/data_file.h"

#include <algorithm>

#include "compiler/sema/literals.h"
#include "compiler/sema/values.h"
#include "compiler/support/result.h"
#include "compiler/syntax/text.h"
#include "compiler/syntax/tokens.h"

namespace ks::sema {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string_view Trim(std::string_view line) {
  while (!line.empty() && IsBlank(line.back())) line.remove_suffix(1);
  while (!line.empty() && IsBlank(line.front())) line.remove_prefix(1);
  return line;
}

// "" for a line that holds a value of this type.
std::string Mistake(std::string_view line, const Type& type, const ParsedText& parsed) {
  if (!parsed.out_of_range.empty()) return fmt::format("`{}` is out of range: {}", Shorten(line), parsed.out_of_range);
  if (!parsed.value) return fmt::format("`{}` is not {}", Shorten(line), Describe(type));
  if (!parsed.mended.empty()) {
    return fmt::format("`{}` has bits set behind its prefix; the block is `{}`", Shorten(line), parsed.mended);
  }
  if (type.scalar == TypeId::Mode && std::get<int64_t>(*parsed.value) > 07777) {
    return fmt::format("`{}` is out of range: a mode is 0o0 to 0o7777", Shorten(line));
  }
  return {};
}

// What no value is, whatever its type.
std::string Unreadable(std::string_view line) {
  if (line.find('\0') != std::string_view::npos) return "the line holds a NUL byte";
  if (!std::all_of(line.begin(), line.end(), [](char c) { return c > 0 && c < 0x7f; })) {
    // As for the text of a policy: what reviewers see is what is meant. The bytes are not shown, which may be no text.
    SourceFile text("line", std::string(line));
    Diagnostics found;
    if (!syntax::CheckText(text, found)) return found.all().front().message;
  }
  if (line.size() > syntax::kMaxLiteralBytes) {
    return fmt::format("`{}` has {} bytes; a value has at most {}", Shorten(line), line.size(),
                       syntax::kMaxLiteralBytes);
  }
  return {};
}

}  // namespace

DataValues ReadData(std::string_view text, const Type& type) {
  DataValues out;
  std::map<Value, size_t> seen;
  size_t number = 0;
  for (size_t at = syntax::ByteOrderMark(text); at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = Trim(text.substr(at, end - at));
    at = end + 1;
    ++number;
    if (line.empty() || line.front() == '#') continue;
    // Behind a value a comment needs a space, so that a path may hold the sign itself.
    line = Trim(line.substr(0, std::min(line.find(" #"), line.find("\t#"))));
    ParsedText parsed;
    std::string mistake = Unreadable(line);
    if (mistake.empty()) {
      parsed = ParseText(line, type);
      mistake = Mistake(line, type, parsed);
    }
    if (!mistake.empty()) {
      constexpr size_t kMostMistakes = 20;
      if (out.mistakes.size() < kMostMistakes) {
        out.mistakes.push_back({number, std::move(mistake)});
      } else {
        ++out.more_mistakes;
      }
      continue;
    }
    auto [it, fresh] = seen.emplace(*parsed.value, number);
    if (fresh) {
      out.values.push_back(std::move(*parsed.value));
    } else if (!out.repeated) {
      out.repeated = {number, it->second, std::string(line)};
    } else {
      ++out.more_repeated;
    }
    if (out.values.size() > kMaxValues) {
      out.too_many = true;
      break;
    }
  }
  return out;
}

bool IsBelow(std::string_view name) {
  bool outside = name.empty() || name.starts_with('/') || name.find('\0') != std::string_view::npos;
  for (size_t at = 0; at <= name.size();) {
    size_t end = std::min(name.find('/', at), name.size());
    outside = outside || name.substr(at, end - at) == "..";
    at = end + 1;
  }
  return !outside;
}

std::string Beside(const SourceFile& source, const std::string& name) {
  size_t slash = source.name().rfind('/');
  return slash == std::string::npos ? name : source.name().substr(0, slash + 1) + name;
}

ValuesPtr Evaluator::FromFile(const syntax::Let& let, const Type& type, const Scope& scope, bool embedded) {
  const std::string& name = let.from->value;
  auto fail = [&](std::string_view why, std::string help) {
    scope.Report<Diag::DataFile>(let.from_span, Shorten(name), why).help = std::move(help);
    return Broken();
  };
  if (embedded) return fail("an embedded package has no folder", "write the values into the package");
  if (!IsBelow(name)) return fail("it is not below the folder of this file", "move the file beside the policy");
  std::string path = Beside(*scope.module->file, name);
  Result<std::string> text = ReadFile(path, kMaxDataBytes);
  if (!text) return fail(text.error().cause, fmt::format("the path is relative to this file: {}", path));

  DataValues read = ReadData(*text, type);
  for (const DataValues::Mistake& mistake : read.mistakes) {
    Diagnostic& d = scope.Report<Diag::DataValue>(let.from_span, path, mistake.line, mistake.what);
    bool last = &mistake == &read.mistakes.back();
    if (last && read.more_mistakes > 0) d.help = fmt::format("{} more lines have mistakes", read.more_mistakes);
  }
  if (read.repeated) {
    const DataValues::Repeated& repeated = *read.repeated;
    Diagnostic& d = scope.Report<Diag::Repeated>(let.from_span, Shorten(repeated.text));
    d.help = fmt::format("{}:{} says the same as line {}: remove one of the two", path, repeated.line, repeated.first);
    if (read.more_repeated > 0) d.help += fmt::format("; {} more lines are repeated", read.more_repeated);
  }
  if (read.too_many) {
    scope.Report<Diag::TooManyValues>(let.from_span, kMaxValues, "in one file");
    return Broken();
  }
  if (!read.mistakes.empty()) return Broken();
  auto out = std::make_shared<ValueList>();
  out->values = std::move(read.values);
  out->spans.assign(out->values.size(), let.from_span);
  total_values_ += out->values.size();
  if (total_values_ > kMaxValuesPerModule) {
    scope.Report<Diag::TooManyValues>(let.from_span, kMaxValuesPerModule, "in the lists of this file");
    return Broken();
  }
  if (out->values.empty()) return fail("there is no value in it", "write one value per line");
  out->type = type;
  out->type.shape = Type::Shape::Many;
  return out;
}

}  // namespace ks::sema
