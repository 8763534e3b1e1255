// What may stand at the cursor, of what is open before it.
#include <algorithm>
#include <cctype>

#include "compiler/ide/context_finder.h"

namespace ks::ide {

void Finder::Words(std::vector<std::string_view> words) {
  out_.at = At::Words;
  out_.words = std::move(words);
}

void Finder::Decide(size_t p) {
  std::string_view prev = p > start_ ? Text(p - 1) : std::string_view();
  if (frames_.empty()) return DecideTop(p, prev);
  const Frame& top = frames_.back();
  switch (top.type) {
    case Frame::Type::Imports:
      out_.package = Joined(start_ + 1, top.open);
      if (out_.package.ends_with('.')) out_.package.pop_back();
      return Set(At::Imported);
    case Frame::Type::Record:
      return DecideRecord(p, prev, top);
    case Frame::Type::Test:
      return DecideTest(p, prev, top);
    case Frame::Type::Case:
      return DecideCase(p, prev, top);
    case Frame::Type::Rule:
    case Frame::Type::Tune:
      return DecideClause(p, prev, top);
    case Frame::Type::Sequence:
      return DecideStep(p, prev, top);
    default:
      return DecideNested(p, prev);
  }
}

std::string Finder::Joined(size_t from, size_t to) const {
  std::string out;
  for (size_t i = from; i < to; ++i) out += Text(i);
  return out;
}

void Finder::DecideTop(size_t p, std::string_view prev) {
  bool margin = out_.word.begin == 0 || file_.text()[out_.word.begin - 1] == '\n';
  if (word_.empty() || (margin && out_.path.empty())) return Set(At::Declaration);
  bool closed = std::find_if(tokens_.begin() + static_cast<ptrdiff_t>(start_),
                             tokens_.begin() + static_cast<ptrdiff_t>(p), [&](const Token& t) {
                               return t.Text(file_.text()) == "}";
                             }) != tokens_.begin() + static_cast<ptrdiff_t>(p);
  if (OneOf(word_, "rule", "test", "tune") && closed) return Set(At::Declaration);
  if (word_ == "import") {
    if (closed || (p > start_ + 1 && prev != ".")) return Set(At::Nothing);
    return Set(At::Package);
  }
  if (OneOf(word_, "test", "tune")) {
    if (p == start_ + 1) return Set(At::RuleName);
    if (prev != "in") return Words({"in"});
    return Set(At::Nothing);
  }
  if (word_ == "allow") return p == start_ + 1 ? Set(At::AllowCode) : Set(At::Nothing);
  if (word_ == "let") {
    bool has_value = Contains(start_, p, "=");
    if (has_value) return DecideExpression(p, prev);
    if (prev == ":") return Set(At::Type);
    if (prev == "<") return Set(At::Type);
    return Set(At::Nothing);
  }
  if (word_ == "def" && Contains(start_, p, "=")) return DecideExpression(p, prev);
  Set(At::Nothing);
}

bool Finder::Contains(size_t from, size_t to, std::string_view text) const {
  for (size_t i = from; i < to; ++i) {
    if (Text(i) == text) return true;
  }
  return false;
}

void Finder::DecideNested(size_t p, std::string_view prev) {
  const Frame& top = frames_.back();
  if (word_ == "def" && !Contains(start_, top.open, "=")) {
    return prev == ":" ? Set(At::ParameterType) : Set(At::Nothing);
  }
  size_t clause = 0;
  for (const Frame& frame : frames_) clause = frame.clause ? frame.clause : clause;
  if (clause && Text(clause) == "when") return Set(At::Field);
  for (const Frame& frame : frames_) {
    if (frame.type == Frame::Type::Record) return DecideRecord(p, prev, frame);
  }
  DecideExpression(p, prev);
}

void Finder::DecideExpression(size_t p, std::string_view prev) {
  size_t at = p - 1;
  // In a list: what stands before it decides.
  size_t open = at;
  if (!frames_.empty() && frames_.back().type == Frame::Type::List && OneOf(prev, "[", ",")) {
    open = frames_.back().open;
    if (open > 0) {
      at = open - 1;
      prev = Text(at);
      if (!IsOperator(prev) && !OneOf(prev, "any", "all")) return Set(At::Operand);
    }
  }
  size_t op_begin = at;
  if (OneOf(prev, "any", "all") || (prev == "not" && at > 0 && Text(at - 1) == "is")) op_begin = at - 1;
  if (IsOperator(Text(op_begin)) && op_begin > start_) {
    out_.op = std::string(Text(op_begin));
    size_t left_end = op_begin;
    if (Text(left_end - 1) == "not") --left_end;
    out_.left = PathBefore(left_end);
    return Set(At::Value);
  }
  if (OneOf(prev, "where", "and", "or", "not", "(", "[", ",", "=")) return Set(At::Operand);
  out_.left = PathBefore(p);
  Set(At::Operator);
}

std::string Finder::PathBefore(size_t end) const {
  if (end == 0) return "";
  size_t i = end;
  if (Text(i - 1) == "]") return "";
  if (tokens_[i - 1].kind != TokenKind::Word) return "";
  std::string out(Text(--i));
  while (i >= 2 && Text(i - 1) == "." && tokens_[i - 2].kind == TokenKind::Word) {
    out = std::string(Text(i - 2)) + "." + out;
    i -= 2;
  }
  return out;
}

void Finder::DecideKinds(size_t p, std::string_view prev, size_t first) {
  if (Contains(first, p, "where")) {
    DecideExpression(p, prev);
    out_.clauses = out_.at == At::Operator;
    return;
  }
  if (p == first || prev == "|") return Set(At::Kind);
  Set(At::AfterKind);
  out_.clauses = true;
}

bool Finder::DecideBy(size_t p, std::string_view prev, size_t clause) {
  size_t by = 0;
  for (size_t i = clause; i < p; ++i) {
    if (Text(i) == "by") by = i;
  }
  if (by == 0 || !(prev == "by" || prev == ",")) return false;
  Set(At::Field);
  return true;
}

void Finder::DecideClause(size_t p, std::string_view prev, const Frame& top) {
  At start = top.type == Frame::Type::Rule ? At::Clause : At::Change;
  if (top.clause == 0 || top.clause >= p) return Set(start);
  std::string_view clause = Text(top.clause);
  bool first = p == top.clause + 1;
  if (clause == "severity" && first) return Set(At::Severity);
  if (clause == "status" && first) return Set(At::Status);
  if (clause == "allow" && first) return Set(At::AllowCode);
  if (clause == "attack" && (first || prev == ",")) {
    while (out_.word.begin > 0 && (isalnum(static_cast<unsigned char>(file_.text()[out_.word.begin - 1])) ||
                                   file_.text()[out_.word.begin - 1] == '.')) {
      --out_.word.begin;
    }
    out_.path.clear();
    return Set(At::Attack);
  }
  if (clause == "on") return DecideKinds(p, prev, top.clause + 1);
  if (clause == "except" && p > top.clause + 2) {
    if (!Contains(top.clause, p, "where")) return Words({"where"});
    DecideExpression(p, prev);
    out_.clauses = out_.at == At::Operator;
    return;
  }
  if (clause == "disclose" && (first || prev == ",")) return Set(At::Field);
  if (clause == "when") {
    if (first) return Set(At::Function);
    if (DecideBy(p, prev, top.clause)) return;
    if (OneOf(prev, "within", ">=", ">", "==")) return Set(At::Nothing);
    if (!Contains(top.clause, p, "within")) {
      Words({"within"});
      if (!Contains(top.clause, p, "by")) out_.words.insert(out_.words.begin(), "by");
      if (!Contains(top.clause, p, ">=") && Text(top.clause + 1) != "first")
        out_.words.insert(out_.words.begin(), ">=");
      return;
    }
  }
  if (clause == "sequence") {
    if (DecideBy(p, prev, top.clause)) return;
    if (prev == "within") return Set(At::Nothing);
    if (tokens_[p - 1].kind != TokenKind::Punctuation || prev != "}") {
      std::vector<std::string_view> words;
      for (std::string_view word : {"unordered", "by", "within"}) {
        if (!Contains(top.clause, p, word)) words.push_back(word);
      }
      return Words(std::move(words));
    }
  }
  if (clause == "limit") {
    if (DecideBy(p, prev, top.clause)) return;
    if (first || prev == "per") return Set(At::Nothing);
    if (!Contains(top.clause, p, "per")) return Words({"per"});
    if (!Contains(top.clause, p, "by")) {
      Words({"by"});
      out_.clauses = true;
      return;
    }
  }
  if (clause == "max" && first) return Words({"keys"});
  bool wants_text = OneOf(clause, "except", "alert", "owner", "ref", "expires", "ticket") && first;
  bool wants_more = clause == "allow" && p == top.clause + 2;
  if (wants_text || wants_more || prev == "keys") return Set(At::Nothing);
  Set(start);
}

void Finder::DecideStep(size_t p, std::string_view prev, const Frame& top) {
  if (top.clause == 0 || top.clause >= p) return Set(At::Step);
  std::string_view clause = Text(top.clause);
  size_t first = top.clause;
  if (OneOf(clause, "without", "until")) {
    ++first;
  } else if (Text(top.clause + 1) == ":") {
    first += 2;
  }
  if (p < first) return Set(At::Nothing);
  DecideKinds(p, prev, first);
}

void Finder::DecideTest(size_t p, std::string_view prev, const Frame& top) {
  if (top.clause == 0 || top.clause >= p || prev == "}") return Set(At::TestItem);
  if (Text(top.clause) == "let" && prev == ":") return Set(At::ParameterType);
  Set(At::Nothing);
}

void Finder::DecideCase(size_t p, std::string_view prev, const Frame& top) {
  if (top.clause == 0 || top.clause >= p) return Set(At::TestStep);
  std::string_view clause = Text(top.clause);
  if (clause == "expect") {
    if (prev == "expect") return Set(At::Expect);
    if (prev == "from") return Set(At::RuleName);
    if (tokens_[p - 1].kind == TokenKind::Int) return Words({"alert"});
    if (prev == "alert") {
      Words({"from"});
      out_.clauses = true;
      return;
    }
  }
  if (clause == "repeat" && prev != "}") {
    return prev == "repeat" || prev == "every" ? Set(At::Nothing) : Words({"every"});
  }
  if (clause == "replay" && prev == "replay") return Set(At::Nothing);
  if (clause == "+" && p == top.clause + 1) return Set(At::Nothing);
  Set(At::TestStep);
}

void Finder::DecideRecord(size_t p, std::string_view prev, const Frame& top) {
  // The kind of the event that the outermost record is of.
  for (const Frame& frame : frames_) {
    if (frame.type == Frame::Type::Case && frame.clause) {
      for (size_t i = frame.clause; i < p && Text(i) != "{"; ++i) {
        if (auto kind = schema::FindEvent(Text(i))) out_.kinds = {*kind};
      }
    }
  }
  out_.record = top.record;
  if (top.type == Frame::Type::Record && (prev == "{" || prev == ",") && &top == &frames_.back())
    return Set(At::RecordKey);
  size_t colon = p;
  while (colon > top.open && Text(colon - 1) != ":") --colon;
  if (colon <= top.open + 1) return Set(At::Nothing);
  if (!out_.record.empty()) out_.record += '.';
  out_.record += Text(colon - 2);
  bool starts = prev == ":" || (&top != &frames_.back() && OneOf(prev, "[", ","));
  if (!starts) return prev == "with" ? Set(At::Nothing) : Words({"with"});
  Set(At::RecordValue);
}

}  // namespace ks::ide
