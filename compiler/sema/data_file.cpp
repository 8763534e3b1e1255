// The values of `let x: set<cidr> from "file"`: one a line, # comments.
#include <algorithm>

#include "compiler/sema/literals.h"
#include "compiler/sema/values.h"
#include "compiler/support/result.h"

namespace ks::sema {

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

  auto out = std::make_shared<ValueList>();
  std::map<Value, size_t> seen;
  size_t number = 0;
  size_t mistakes = 0;
  auto mistake = [&](const std::string& what) {
    constexpr size_t kMostMistakes = 20;
    if (++mistakes > kMostMistakes) return;
    scope.Report<Diag::DataValue>(let.from_span, path, number, what);
  };
  for (size_t at = 0; at < text->size();) {
    size_t end = std::min(text->find('\n', at), text->size());
    std::string_view line = std::string_view(*text).substr(at, end - at);
    at = end + 1;
    ++number;
    auto trim = [&] {
      while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
      while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    };
    trim();
    if (line.empty() || line.front() == '#') continue;
    // Behind a value a comment needs a space, so that a path may hold the sign itself.
    if (size_t comment = std::min(line.find(" #"), line.find("\t#")); comment != std::string_view::npos) {
      line = line.substr(0, comment);
      trim();
    }
    ParsedText parsed = ParseText(line, type);
    if (!parsed.out_of_range.empty()) {
      mistake(fmt::format("`{}` is out of range: {}", Shorten(line), parsed.out_of_range));
    } else if (!parsed.value || line.find('\0') != std::string_view::npos) {
      mistake(fmt::format("`{}` is not {}", Shorten(line), Describe(type)));
    } else if (!parsed.mended.empty()) {
      mistake(fmt::format("`{}` has bits set behind its prefix; the block is `{}`", Shorten(line), parsed.mended));
    } else if (type.scalar == TypeId::Mode && std::get<int64_t>(*parsed.value) > 07777) {
      mistake(fmt::format("`{}` is out of range: a mode is 0o0 to 0o7777", Shorten(line)));
    } else if (auto [it, fresh] = seen.emplace(*parsed.value, number); fresh) {
      out->values.push_back(std::move(*parsed.value));
      out->spans.push_back(let.from_span);
    }
    if (out->values.size() > kMaxValues) {
      scope.Report<Diag::TooManyValues>(let.from_span, kMaxValues, "in one file");
      return Broken();
    }
  }
  if (mistakes > 0) return Broken();
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
