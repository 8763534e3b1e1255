#include "compiler/ide/context.h"

#include <algorithm>
#include <array>

#include "compiler/syntax/tokens.h"

namespace ks::ide {
namespace {

using At = Context::At;
using syntax::Token;
using syntax::TokenKind;

template <typename... Words>
bool OneOf(std::string_view word, Words... words) {
  return ((word == words) || ...);
}

bool IsOperator(std::string_view t) {
  return OneOf(t, "==", "!=", "<", "<=", ">", ">=", "in", "like", "under", "contains", "has", "matches", "descends", "is");
}

class Finder {
 public:
  Finder(const SourceFile& file, uint32_t offset) : file_(file), offset_(offset), tokens_(syntax::Tokenize(file)) {
    if (!tokens_.empty() && tokens_.back().kind == TokenKind::End) tokens_.pop_back();
  }

  Context Find() {
    out_.word = {&file_, offset_, offset_};
    size_t n = 0;  // tokens before the word
    while (n < tokens_.size() && tokens_[n].end <= offset_) ++n;
    if (n < tokens_.size() && tokens_[n].begin < offset_) {
      if (!InToken(n)) return out_;
    } else if (n > 0 && tokens_[n - 1].end == offset_ && IsWordLike(n - 1)) {
      --n;
      out_.word.begin = tokens_[n].begin;
    } else if (InComment(n)) {
      return out_;
    }
    if (n > 0 && tokens_[n - 1].kind == TokenKind::Doc && SameLine(n - 1)) return out_;
    size_t p = n;
    std::vector<std::string> path;
    while (p >= 2 && Text(p - 1) == "." && tokens_[p - 2].kind == TokenKind::Word) {
      path.insert(path.begin(), std::string(Text(p - 2)));
      p -= 2;
    }
    out_.path = path;
    Walk(p);
    if (in_template_) {
      out_.at = At::Field;
      return out_;
    }
    Decide(p);
    return out_;
  }

 private:
  struct Frame {
    enum class Type : uint8_t { Rule, Sequence, Tune, Test, Case, Imports, Record, Group, List, Other };
    Type type{};
    size_t open = 0;
    size_t clause = 0;  // the first token of the clause or step that is being written; 0: none
    std::string record;
  };

  std::string_view Text(size_t i) const { return i < tokens_.size() ? tokens_[i].Text(file_.text()) : std::string_view(); }
  bool IsWordLike(size_t i) const {
    return tokens_[i].kind == TokenKind::Word || (tokens_[i].kind == TokenKind::BadNumber);
  }
  bool SameLine(size_t i) const {
    std::string_view between = file_.text().substr(tokens_[i].end, offset_ - tokens_[i].end);
    return between.find('\n') == std::string_view::npos;
  }
  bool InComment(size_t n) const {
    uint32_t from = n > 0 ? tokens_[n - 1].end : 0;
    std::string_view gap = file_.text().substr(from, offset_ - from);
    size_t line = gap.rfind('\n');
    return gap.find('#', line == std::string_view::npos ? 0 : line) != std::string_view::npos;
  }

  // The cursor stands inside of tokens_[n]. True: go on.
  bool InToken(size_t n) {
    const Token& token = tokens_[n];
    if (token.kind == TokenKind::Word) {
      out_.word.begin = token.begin;
      return true;
    }
    if (token.kind != TokenKind::String && token.kind != TokenKind::OpenString) return false;
    // In an alert, between braces: a field.
    if (n == 0 || Text(n - 1) != "alert") return false;
    std::string_view text = file_.text().substr(token.begin, offset_ - token.begin);
    size_t from = text.size();
    while (from > 0 && (isalnum(static_cast<unsigned char>(text[from - 1])) || text[from - 1] == '_' || text[from - 1] == '.')) --from;
    if (from == 0 || text[from - 1] != '{' || (from > 1 && text[from - 2] == '{')) return false;
    std::string_view typed = text.substr(from);
    for (size_t dot = typed.find('.'); dot != std::string_view::npos; dot = typed.find('.')) {
      template_path_.emplace_back(typed.substr(0, dot));
      typed.remove_prefix(dot + 1);
    }
    out_.word.begin = offset_ - static_cast<uint32_t>(typed.size());
    in_template_ = true;
    return true;
  }

  // ---- What is open before tokens_[p] ----

  void Walk(size_t p) {
    // A word of a declaration at the margin starts one, whatever is open.
    size_t start = p;
    for (size_t i = 0; i < p; ++i) {
      bool margin = tokens_[i].begin == 0 || file_.text()[tokens_[i].begin - 1] == '\n';
      bool declares = syntax::IsItemWord(Text(i)) || Text(i) == "ksp";
      if (tokens_[i].kind == TokenKind::Word && declares && (margin || start == p)) start = i;
    }
    start_ = start;
    word_ = start < p ? Text(start) : std::string_view();
    for (size_t i = start; i < p; ++i) Step(i);
    // Steps and kinds, also behind the cursor: as far as the declaration goes.
    ReadDeclaration();
    if (in_template_) out_.path = template_path_;
  }

  void Step(size_t i) {
    std::string_view text = Text(i);
    if (tokens_[i].kind == TokenKind::Punctuation) {
      if (text == "{") return frames_.push_back(Opened(i));
      if (text == "(" || text == "[") {
        return frames_.push_back({text == "(" ? Frame::Type::Group : Frame::Type::List, i, 0, ""});
      }
      if (text == "}" || text == ")" || text == "]") {
        auto closes = [&](const Frame& f) {
          char open = Text(f.open).empty() ? '\0' : Text(f.open)[0];
          return (text == "}" && open == '{') || (text == ")" && open == '(') || (text == "]" && open == '[');
        };
        auto it = std::find_if(frames_.rbegin(), frames_.rend(), closes);
        if (it != frames_.rend()) frames_.erase(it.base() - 1, frames_.end());
        return;
      }
    }
    if (frames_.empty()) return;
    if (Starts(i, frames_.back().type)) frames_.back().clause = i;
  }

  bool Starts(size_t i, Frame::Type type) const {
    std::string_view text = Text(i);
    std::string_view before = i > 0 ? Text(i - 1) : std::string_view();
    if (tokens_[i].kind != TokenKind::Word) return type == Frame::Type::Case && text == "+";
    if (before == ".") return false;
    switch (type) {
      case Frame::Type::Rule:
        return !tokens_[i].name && syntax::IsClauseWord(text);
      case Frame::Type::Tune:
        return OneOf(text, "severity", "disable", "except", "limit", "max", "allow");
      case Frame::Type::Test:
        return OneOf(text, "let", "case");
      case Frame::Type::Case:
        return before != "from" && before != "+" && !(i > 1 && Text(i - 2) == "+") &&
               (OneOf(text, "expect", "repeat", "replay") || schema::FindEvent(text));
      case Frame::Type::Sequence: {
        if (OneOf(text, "without", "until")) return true;
        if (Text(i + 1) == ":") return true;
        bool behind = OneOf(before, ":", "|", ".", "without", "until", "where", "and", "or", "not") || IsOperator(before);
        return !behind && schema::FindEvent(text).has_value();
      }
      default:
        return false;
    }
  }

  Frame Opened(size_t i) const {
    using Type = Frame::Type;
    Frame made{Type::Other, i, 0, ""};
    if (frames_.empty()) {
      made.type = word_ == "rule"     ? Type::Rule
                  : word_ == "tune"   ? Type::Tune
                  : word_ == "test"   ? Type::Test
                  : word_ == "import" ? Type::Imports
                                      : Type::Other;
      return made;
    }
    const Frame& top = frames_.back();
    std::string_view clause = top.clause ? Text(top.clause) : std::string_view();
    switch (top.type) {
      case Type::Rule:
        if (clause == "sequence") made.type = Type::Sequence;
        break;
      case Type::Test:
        if (clause == "case") made.type = Type::Case;
        if (clause == "let") {
          made.type = Type::Record;
          made.record = std::string(Text(top.clause + 3));  // let NAME : OBJECT
        }
        break;
      case Type::Case:
        made.type = clause == "repeat" ? Type::Case : Type::Record;
        break;
      case Type::Record:
        made.type = Type::Record;
        made.record = top.record;
        // key: { … } · key: base with { … }
        for (size_t k = i; k > top.open + 1; --k) {
          if (Text(k) != ":") continue;
          if (!made.record.empty()) made.record += '.';
          made.record += Text(k - 1);
          break;
        }
        break;
      default:
        break;
    }
    return made;
  }

  static void AddKind(std::string_view name, std::vector<schema::EventKind>* kinds) {
    if (auto kind = schema::FindEvent(name)) kinds->push_back(*kind);
  }

  void ReadDeclaration() {
    size_t end = start_ + 1;
    while (end < tokens_.size()) {
      bool margin = file_.text()[tokens_[end].begin - 1] == '\n';
      if (margin && tokens_[end].kind == TokenKind::Word && syntax::IsItemWord(Text(end))) break;
      ++end;
    }
    if (word_ == "def") {
      for (size_t i = start_; i + 2 < end && Text(i) != "="; ++i) {
        if (Text(i + 1) == ":") out_.names.emplace(Text(i), Text(i + 2));
      }
    }
    if (word_ == "test") {
      for (size_t i = start_; i + 3 < end; ++i) {
        if (Text(i) == "let" && Text(i + 2) == ":") out_.names.emplace(Text(i + 1), Text(i + 3));
      }
    }
    if (word_ != "rule") return;
    size_t step = frames_.size() > 1 && frames_[1].type == Frame::Type::Sequence ? frames_[1].clause : 0;
    int depth = 0;
    bool in_sequence = false;
    for (size_t i = start_; i < end; ++i) {
      std::string_view text = Text(i);
      if (text == "{") ++depth;
      if (text == "}" && --depth == 1) in_sequence = false;
      if (depth == 1 && Starts(i, Frame::Type::Rule)) {
        out_.has.push_back(text);
        if (text == "sequence") in_sequence = true;
        if (text == "on") {
          for (size_t k = i + 1; k < end && Text(k) != "where"; k += 2) {
            AddKind(Text(k), &out_.kinds);
            if (Text(k + 1) != "|") break;
          }
        }
      }
      if (depth != 2 || !in_sequence || text == "{" || !Starts(i, Frame::Type::Sequence)) continue;
      bool named = Text(i + 1) == ":";
      std::vector<schema::EventKind> kinds;
      for (size_t k = i + (named ? 2 : OneOf(text, "without", "until") ? 1 : 0); k < end; k += 2) {
        AddKind(Text(k), &kinds);
        if (Text(k + 1) != "|") break;
      }
      if (step != 0 && i == step) out_.kinds = kinds;
      // In a step only those before it have happened; in clauses behind the sequence all have.
      if (named && (step == 0 || i < step)) out_.steps.emplace(text, kinds);
    }
    if (step == 0 && !out_.steps.empty()) out_.kinds.clear();
  }

  // ---- What may stand at tokens_[p] ----

  void Set(At at) { out_.at = at; }
  void Words(std::vector<std::string_view> words) {
    out_.at = At::Words;
    out_.words = std::move(words);
  }

  void Decide(size_t p) {
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

  std::string Joined(size_t from, size_t to) const {
    std::string out;
    for (size_t i = from; i < to; ++i) out += Text(i);
    return out;
  }

  void DecideTop(size_t p, std::string_view prev) {
    bool margin = out_.word.begin == 0 || file_.text()[out_.word.begin - 1] == '\n';
    if (word_.empty() || (margin && out_.path.empty())) return Set(At::Declaration);
    bool closed = std::find_if(tokens_.begin() + static_cast<ptrdiff_t>(start_), tokens_.begin() + static_cast<ptrdiff_t>(p),
                               [&](const Token& t) { return t.Text(file_.text()) == "}"; }) !=
                  tokens_.begin() + static_cast<ptrdiff_t>(p);
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

  bool Contains(size_t from, size_t to, std::string_view text) const {
    for (size_t i = from; i < to; ++i) {
      if (Text(i) == text) return true;
    }
    return false;
  }

  // In parentheses or a list.
  void DecideNested(size_t p, std::string_view prev) {
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

  void DecideExpression(size_t p, std::string_view prev) {
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

  // The path that ends before tokens_[end].
  std::string PathBefore(size_t end) const {
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

  void DecideKinds(size_t p, std::string_view prev, size_t first) {
    if (Contains(first, p, "where")) {
      DecideExpression(p, prev);
      out_.clauses = out_.at == At::Operator;
      return;
    }
    if (p == first || prev == "|") return Set(At::Kind);
    Set(At::AfterKind);
    out_.clauses = true;
  }

  bool DecideBy(size_t p, std::string_view prev, size_t clause) {
    size_t by = 0;
    for (size_t i = clause; i < p; ++i) {
      if (Text(i) == "by") by = i;
    }
    if (by == 0 || !(prev == "by" || prev == ",")) return false;
    Set(At::Field);
    return true;
  }

  void DecideClause(size_t p, std::string_view prev, const Frame& top) {
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
        if (!Contains(top.clause, p, ">=") && Text(top.clause + 1) != "first") out_.words.insert(out_.words.begin(), ">=");
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

  void DecideStep(size_t p, std::string_view prev, const Frame& top) {
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

  void DecideTest(size_t p, std::string_view prev, const Frame& top) {
    if (top.clause == 0 || top.clause >= p || prev == "}") return Set(At::TestItem);
    if (Text(top.clause) == "let" && prev == ":") return Set(At::ParameterType);
    Set(At::Nothing);
  }

  void DecideCase(size_t p, std::string_view prev, const Frame& top) {
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

  void DecideRecord(size_t p, std::string_view prev, const Frame& top) {
    // The kind of the event that the outermost record is of.
    for (const Frame& frame : frames_) {
      if (frame.type == Frame::Type::Case && frame.clause) {
        for (size_t i = frame.clause; i < p && Text(i) != "{"; ++i) {
          if (auto kind = schema::FindEvent(Text(i))) out_.kinds = {*kind};
        }
      }
    }
    out_.record = top.record;
    if (top.type == Frame::Type::Record && (prev == "{" || prev == ",") && &top == &frames_.back()) return Set(At::RecordKey);
    size_t colon = p;
    while (colon > top.open && Text(colon - 1) != ":") --colon;
    if (colon <= top.open + 1) return Set(At::Nothing);
    if (!out_.record.empty()) out_.record += '.';
    out_.record += Text(colon - 2);
    bool starts = prev == ":" || (&top != &frames_.back() && OneOf(prev, "[", ","));
    if (!starts) return prev == "with" ? Set(At::Nothing) : Words({"with"});
    Set(At::RecordValue);
  }

  const SourceFile& file_;
  uint32_t offset_;
  std::vector<Token> tokens_;
  Context out_;
  std::vector<Frame> frames_;
  size_t start_ = 0;
  std::string_view word_;
  bool in_template_ = false;
  std::vector<std::string> template_path_;
};

}  // namespace

Context ContextAt(const SourceFile& file, uint32_t offset) {
  return Finder(file, std::min(offset, static_cast<uint32_t>(file.text().size()))).Find();
}

}  // namespace ks::ide
