#include "runtime/kernel/refusal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <map>
#include <tuple>
#include <vector>

namespace ks::kernel {
namespace {

constexpr size_t kMaxWords = 3;  // lines of the verifier's final words
constexpr size_t kMaxLine = 300;
constexpr std::string_view kRuleMark = "  # rule ";
constexpr std::string_view kGenerated = "(generated) ";

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string_view Trim(std::string_view line) {
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.front()))) line.remove_prefix(1);
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.remove_suffix(1);
  return line;
}

bool Has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }
bool IsDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// "12: (85) call …" → 12.
std::optional<uint32_t> InstructionOf(std::string_view line) {
  uint32_t number = 0;
  const auto [stop, failure] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (failure != std::errc()) return std::nullopt;
  const auto rest = line.substr(static_cast<size_t>(stop - line.data()));
  return rest.starts_with(": (") ? std::optional(number) : std::nullopt;
}

// How the verifier got there, not what it objects to: instructions, states of registers, source, statistics.
bool IsTrail(std::string_view line) {
  if (line.empty() || line.front() == ';') return true;
  if (IsDigit(line.front())) {
    const size_t digits = line.find_first_not_of("0123456789");
    if (digits != std::string_view::npos && line[digits] == ':') return true;
  }
  for (std::string_view start :
       {"processed ",   "from ",      "verification time", "stack depth", "max_states", "arg#",
        "reg type",     "Live regs",  "mark_precise",      "last_idx",    "regs=",      "parent ",
        "Validating ",  "cur state:", "old state:",        "caller:",     "callee:",    "frame",
        "propagating ", "func#",      "insns processed ",  "(cut)"}) {
    if (line.starts_with(start)) return true;
  }
  // "R1=scalar() R10=fp0", "R1_w=inv0", not "R2 unbounded memory access" nor "R1 type=scalar expected=fp".
  if (line.front() != 'R' || line.size() < 2 || !IsDigit(line[1])) return false;
  const size_t end = line.find_first_of("=_ ", 1);
  return end != std::string_view::npos && line[end] != ' ';
}

struct Pattern {
  std::string_view words;
  Why why;
};
// The first that the verifier's words hold.
constexpr Pattern kPatterns[] = {
    {"infinite loop detected", Why::EndlessLoop},
    {"back-edge from insn", Why::EndlessLoop},
    {"too large. Processed", Why::TooComplex},
    {"program is too large", Why::TooComplex},
    {"jumps is too complex", Why::TooComplex},
    {"too complex", Why::TooComplex},
    {"combined stack size", Why::Stack},
    {"stack frames is too deep", Why::Stack},
    {"unknown func", Why::Helper},
    {"invalid func", Why::Helper},
    {"cannot use helper", Why::Helper},
    {"helper call is not allowed", Why::Helper},
    {"calling kernel function", Why::Helper},
    {"_or_null", Why::NullPointer},
    {"or_null_", Why::NullPointer},
    {"invalid indirect read from stack", Why::Uninitialised},
    {"invalid read from stack", Why::Uninitialised},
    {"uninitialized", Why::Uninitialised},
    {"!read_ok", Why::Uninitialised},
    {"unbounded memory access", Why::OutOfBounds},
    {"outside of the allowed memory range", Why::OutOfBounds},
    {"invalid access to map value", Why::OutOfBounds},
    {"invalid access to memory", Why::OutOfBounds},
    {"min value is negative", Why::OutOfBounds},
    {"invalid mem access", Why::NullPointer},
};

// "file.path under secrets" of "  and file.path under secrets) or …" at its column: to the next word that joins, or a
// bracket that it did not open.
std::string ConditionAt(std::string_view text, uint32_t column) {
  if (column == 0) return "";
  size_t begin = 0;
  for (uint32_t characters = 1; characters < column && begin < text.size(); characters++) {
    do begin++;
    while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80);
  }
  text.remove_prefix(begin);
  int depth = 0;
  bool quoted = false;
  size_t end = 0;
  for (; end < text.size(); end++) {
    const char c = text[end];
    if (quoted) {
      if (c == '\\') end++;
      quoted = c != '"';
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '[' || c == '(') depth++;
    if ((c == ']' || c == ')') && --depth < 0) break;
    if (depth > 0 || c != ' ') continue;
    const std::string_view rest = text.substr(end);
    if (rest.starts_with(" and ") || rest.starts_with(" or ") || rest.starts_with(" {")) break;
  }
  return std::string(Trim(text.substr(0, std::min(end, text.size()))));
}

// What a line of source says of where we are. False if it is code of ours, called from there.
bool TakeSource(const SourceLine& source, Refusal* refusal) {
  std::string_view text = source.text;
  if (text.starts_with(kGenerated)) {
    refusal->doing = text.substr(kGenerated.size());
    return true;
  }
  const size_t mark = text.rfind(kRuleMark);
  if (mark == std::string_view::npos && !text.starts_with("rule ")) return false;
  refusal->file = source.file;
  refusal->line = source.line;
  if (mark == std::string_view::npos) {
    refusal->rule = text.substr(5);
    return true;
  }
  refusal->rule = text.substr(mark + kRuleMark.size());
  refusal->text = text.substr(0, mark);
  refusal->column = source.column;
  refusal->condition = ConditionAt(refusal->text, source.column);
  return true;
}

std::string Spell(const SourceLine& source) {
  std::string out = source.file;
  if (source.line > 0) out += fmt::format(":{}", source.line);
  if (const auto text = Trim(source.text); !text.empty()) out += fmt::format(": {}", text);
  return out;
}

// Backwards on the path that the verifier followed; from code of ours to the rule for which it runs.
void Locate(const std::vector<uint32_t>& path, const ProgramLines& program, Refusal* refusal) {
  const uint32_t last = path.back();
  refusal->instruction = last;
  refusal->function = FunctionOf(program, last);
  if (const SourceLine* line = LineOf(program, last); line && !TakeSource(*line, refusal)) {
    refusal->inside = Spell(*line);
  }
  for (size_t i = path.size(); i-- > 0 && refusal->rule.empty() && refusal->doing.empty();) {
    if (const SourceLine* line = LineOf(program, path[i])) TakeSource(*line, refusal);
  }
  // The path was not printed from its beginning: what stands before in the program.
  for (size_t i = program.lines.size(); i-- > 0 && refusal->rule.empty() && refusal->doing.empty();) {
    const SourceLine& line = program.lines[i];
    if (line.instruction <= last && FunctionOf(program, line.instruction) == refusal->function) {
      TakeSource(line, refusal);
    }
  }
}

// Who has most of the program: what is too large is not the mistake of the place where it became so.
void NameHeaviest(const ProgramLines& program, Refusal* refusal) {
  std::map<std::tuple<std::string, uint32_t, uint32_t>, std::pair<uint32_t, const SourceLine*>> weights;
  const SourceLine* of = nullptr;
  uint32_t total = 0;
  for (size_t i = 0; i < program.lines.size(); i++) {
    const SourceLine& line = program.lines[i];
    const bool begins =
        std::ranges::any_of(program.functions, [&](const auto& f) { return f.first == line.instruction; });
    Refusal ignored;
    if (begins || TakeSource(line, &ignored)) of = ignored.rule.empty() ? nullptr : &line;
    const uint32_t end = i + 1 < program.lines.size() ? program.lines[i + 1].instruction : line.instruction + 1;
    total += end - line.instruction;
    if (of == nullptr) continue;
    auto& [weight, source] = weights[{of->file, of->line, of->column}];
    weight += end - line.instruction;
    source = of;
  }
  const auto most = std::ranges::max_element(weights, {}, [](const auto& one) { return one.second.first; });
  if (most == weights.end()) return;
  TakeSource(*most->second.second, refusal);
  refusal->share = 100 * most->second.first / std::max(total, 1U);
}

// Of "; on open where … @ shell.ksp:14", as the log quotes it.
SourceLine ReadQuote(std::string_view line) {
  SourceLine source;
  line = Trim(line.substr(1));
  if (const size_t at = line.rfind(" @ "); at != std::string_view::npos) {
    const std::string_view place = line.substr(at + 3);
    if (const size_t colon = place.rfind(':'); colon != std::string_view::npos) {
      std::from_chars(place.data() + colon + 1, place.data() + place.size(), source.line);
      source.file = place.substr(0, colon);
      line = line.substr(0, at);
    }
  }
  source.text = line;
  return source;
}

}  // namespace

std::string_view Name(Why why) {
  static constexpr std::string_view kNames[] = {"other",        "endless-loop",  "too-complex", "out-of-bounds",
                                                "null-pointer", "uninitialised", "helper",      "stack"};
  return kNames[static_cast<size_t>(why)];
}

const SourceLine* LineOf(const ProgramLines& program, uint32_t instruction) {
  const auto after = std::upper_bound(program.lines.begin(), program.lines.end(), instruction,
                                      [](uint32_t at, const SourceLine& line) { return at < line.instruction; });
  return after == program.lines.begin() ? nullptr : &*std::prev(after);
}

std::string FunctionOf(const ProgramLines& program, uint32_t instruction) {
  std::string name;
  for (const auto& [begin, function] : program.functions) {
    if (begin <= instruction) name = function;
  }
  return name;
}

Refusal ReadRefusal(const VerifierLog& log, int error, const ProgramLines* lines) {
  Refusal refusal;
  refusal.program = log.program;
  const std::vector<std::string_view> all = Lines(log.trace), words = Lines(log.words);
  std::vector<std::string_view> last;
  for (size_t i = words.size(); i-- > 0 && last.size() < kMaxWords;) {
    const std::string_view line = Trim(words[i]);
    if (!IsTrail(line)) {
      last.insert(last.begin(), line.substr(0, kMaxLine));
    } else if (!last.empty() && InstructionOf(line)) {
      break;
    }
  }
  refusal.said = fmt::format("{}", fmt::join(last, "; "));
  for (const Pattern& pattern : kPatterns) {
    if (!Has(refusal.said, pattern.words)) continue;
    refusal.why = pattern.why;
    break;
  }
  if (refusal.why == Why::Other && error == E2BIG) refusal.why = Why::TooComplex;
  if (refusal.why == Why::Stack) return refusal;  // said of the whole; the path before is another matter's
  if (refusal.why == Why::TooComplex) {
    if (lines) NameHeaviest(*lines, &refusal);
    return refusal;
  }

  std::vector<uint32_t> path;
  for (std::string_view line : all) {
    if (const auto instruction = InstructionOf(Trim(line))) path.push_back(*instruction);
  }
  if (!path.empty()) refusal.instruction = path.back();
  if (lines && !path.empty()) Locate(path, *lines, &refusal);
  for (size_t i = all.size(); i-- > 0 && refusal.rule.empty() && refusal.doing.empty();) {
    const std::string_view line = Trim(all[i]);
    if (!line.starts_with(";")) continue;
    const SourceLine quote = ReadQuote(line);
    if (!TakeSource(quote, &refusal) && refusal.inside.empty()) refusal.inside = Spell(quote);
  }
  return refusal;
}

std::string Meaning(const Refusal& refusal) {
  switch (refusal.why) {
    case Why::EndlessLoop:
      return "it sees a loop that may never end";
    case Why::TooComplex:
      return "following every way through the program takes it more than the 1,000,000 instructions that a program may "
             "cost";
    case Why::OutOfBounds:
      return "it cannot prove that the program reads inside of a map's value";
    case Why::NullPointer:
      return "the program uses what may be no pointer: a map's value that may not be there";
    case Why::Uninitialised:
      return "the program reads what it has not written; newer kernels may allow it";
    case Why::Helper:
      return "this kernel does not let a program of this kind call that function of the kernel";
    case Why::Stack:
      return "the program and what it calls need more than the 512 bytes of stack that there are";
    case Why::Other:
      break;
  }
  return "";
}

std::string Advice(const Refusal& refusal) {
  const std::string log = "please report it with the kernel's log";
  switch (refusal.why) {
    case Why::TooComplex:
      return fmt::format(
          "{}, or move some of the rules on this event into a bundle of their own: fewer or simpler rules "
          "make the program smaller; `ksc compile --explain` shows how each test is decided",
          refusal.condition.empty() ? "ask for less in these rules" : "ask for less in this condition");
    case Why::Stack:
      return "move some of the rules on this event into a bundle of their own; `ksc compile` shows each hook's stack";
    case Why::Helper:
      return fmt::format(
          "leave {} out of the bundle for nodes with this kernel, or run a newer kernel there; if it is one "
          "that docs/agent.md promises, {}",
          refusal.rule.empty() ? "what asks for it" : "this condition", log);
    default:
      break;
  }
  return fmt::format(
      "this is a mistake of the compiler, not of the policy: {}{}", log,
      refusal.rule.empty() ? "" : "; until it is mended, write the condition in another way or leave it out");
}

std::string Render(const Refusal& refusal) {
  std::string out;
  if (!refusal.rule.empty()) {
    if (refusal.share > 0) out += fmt::format("  most of its instructions, {} %, are for\n", refusal.share);
    out += fmt::format("  rule {}{}\n", refusal.rule,
                       refusal.condition.empty() ? "" : fmt::format(", condition `{}`", refusal.condition));
    const std::string number = refusal.line == 0 ? "" : std::to_string(refusal.line);
    const std::string gutter(number.size(), ' ');
    if (!refusal.file.empty()) {
      out += fmt::format("  {}--> {}{}{}\n", gutter, refusal.file, number.empty() ? "" : ":" + number,
                         refusal.column == 0 ? "" : fmt::format(":{}", refusal.column));
    }
    if (!refusal.text.empty()) {
      out += fmt::format("  {} |\n  {} | {}\n", gutter, number, refusal.text);
      const auto width = static_cast<size_t>(std::ranges::count_if(
          refusal.condition, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
      if (refusal.column > 0) {
        out += fmt::format("  {} | {}{}\n", gutter, std::string(refusal.column - 1, ' '),
                           std::string(std::max<size_t>(width, 1), '^'));
      }
    }
  }
  if (!refusal.doing.empty()) out += fmt::format("  in code of no single rule: {}\n", refusal.doing);
  if (!refusal.inside.empty()) out += fmt::format("  inside of {}\n", refusal.inside);
  out += fmt::format("  the verifier: {}\n", refusal.said);
  if (const std::string meaning = Meaning(refusal); !meaning.empty())
    out += fmt::format("  which means: {}\n", meaning);
  if (refusal.instruction) {
    out +=
        fmt::format("  at instruction {} of {}{}\n", *refusal.instruction, refusal.program,
                    refusal.function.empty() || refusal.function == refusal.program ? "" : ", in " + refusal.function);
  }
  return out;
}

}  // namespace ks::kernel
