#include "compiler/ide/context.h"

#include <algorithm>
#include <cctype>

#include "compiler/ide/context_finder.h"

namespace ks::ide {

Context Finder::Find() {
  out_.word = {&file_, offset_, offset_};
  size_t n = 0;  // tokens before the word
  // A string that is not closed goes on to the end of its line: at its end the cursor is still inside.
  auto open = [&](const Token& t) { return t.kind == TokenKind::OpenString || t.kind == TokenKind::OpenRawString; };
  while (n < tokens_.size() && (tokens_[n].end < offset_ || (tokens_[n].end == offset_ && !open(tokens_[n])))) ++n;
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

bool Finder::IsWordLike(size_t i) const {
  return tokens_[i].kind == TokenKind::Word || (tokens_[i].kind == TokenKind::BadNumber);
}

bool Finder::SameLine(size_t i) const {
  std::string_view between = file_.text().substr(tokens_[i].end, offset_ - tokens_[i].end);
  return between.find('\n') == std::string_view::npos;
}

bool Finder::InComment(size_t n) const {
  uint32_t from = n > 0 ? tokens_[n - 1].end : 0;
  std::string_view gap = file_.text().substr(from, offset_ - from);
  size_t line = gap.rfind('\n');
  return gap.find('#', line == std::string_view::npos ? 0 : line) != std::string_view::npos;
}

bool Finder::InToken(size_t n) {
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
  while (from > 0 &&
         (isalnum(static_cast<unsigned char>(text[from - 1])) || text[from - 1] == '_' || text[from - 1] == '.'))
    --from;
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

void Finder::Walk(size_t p) {
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

void Finder::Step(size_t i) {
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

bool Finder::Starts(size_t i, Frame::Type type) const {
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

Finder::Frame Finder::Opened(size_t i) const {
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

void Finder::AddKind(std::string_view name, std::vector<schema::EventKind>* kinds) {
  if (auto kind = schema::FindEvent(name)) kinds->push_back(*kind);
}

void Finder::ReadDeclaration() {
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

Context ContextAt(const SourceFile& file, uint32_t offset) {
  return Finder(file, std::min(offset, static_cast<uint32_t>(file.text().size()))).Find();
}

}  // namespace ks::ide
