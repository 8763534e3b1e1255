// The grammar once more, as a layout: each rule takes its words and says where lines may break.
#include "compiler/format/format.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "compiler/format/doc.h"
#include "compiler/format/words.h"
#include "compiler/support/result.h"
#include "compiler/syntax/parser.h"

namespace ks::format {
namespace {

using syntax::TokenKind;

template <size_t n>
bool OneOf(std::string_view word, const std::array<std::string_view, n>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool Opens(std::string_view text) { return text == "(" || text == "[" || text == "{"; }

// The longest name of a step that others are aligned with.
constexpr size_t kLongestLabel = 16;

class Layout {
 public:
  explicit Layout(std::vector<Word> words) : words_(std::move(words)) {}

  std::string Run() {
    std::vector<Doc> parts;
    std::string_view before;
    while (!AtEnd()) {
      std::string_view word = Peek();
      parts.push_back(NewLine(ForcesBlank(before, word)));
      parts.push_back(page_.Nest(Item(word)));
      before = word;
    }
    parts.push_back(Remarks());
    std::string out = page_.Render(page_.Concat(std::move(parts)), kColumns);
    return out.empty() ? out : out + "\n";
  }

 private:
  using Rule = Doc (Layout::*)();

  // ---- Words and what is remarked before them ----

  bool AtEnd() const { return words_[at_].kind == TokenKind::End; }
  std::string_view Peek(size_t ahead = 0) const {
    return at_ + ahead < words_.size() ? words_[at_ + ahead].text : std::string_view();
  }
  bool AtName() const { return words_[at_].kind == TokenKind::Word; }

  Doc Take() {
    KS_CHECK(!AtEnd(), "the formatter wants another word");
    Doc remarks = Remarks();
    Doc text = page_.Text(words_[at_++].text);
    return remarks == page_.Nothing() ? text : page_.Concat({remarks, text});
  }
  Doc Take(std::string_view expected) {
    KS_CHECK(Peek() == expected, "the formatter wants " + std::string(expected) + ", not " + std::string(Peek()));
    return Take();
  }

  Doc Remark(const format::Remark& remark, bool first, bool blank) {
    bool trailing = first && !remark.alone && at_ > 0;
    return trailing ? page_.Trailing(remark.text) : page_.OwnLine(remark.text, blank);
  }

  // Of the next word, unless they were taken.
  Doc Remarks() {
    std::vector<format::Remark> remarks = std::exchange(words_[at_].remarks, {});
    if (remarks.empty()) return page_.Nothing();
    std::vector<Doc> parts;
    for (size_t i = 0; i < remarks.size(); ++i) {
      parts.push_back(Remark(remarks[i], i == 0, remarks[i].blank && (i > 0 || !BehindOpening())));
    }
    return page_.Concat(std::move(parts));
  }

  bool BehindOpening() const { return at_ == 0 || Opens(words_[at_ - 1].text); }

  // The line break before a clause or the like, with its comments; empty lines are kept, but never two, and none behind
  // a brace. `force`: there must be one.
  Doc NewLine(bool force = false) {
    std::vector<format::Remark> remarks = std::exchange(words_[at_].remarks, {});
    bool blank = words_[at_].blank;
    size_t from = !remarks.empty() && !remarks[0].alone && at_ > 0 ? 1 : 0;  // the first that stands on its own line
    bool has_blank = blank;
    for (size_t i = from; i < remarks.size(); ++i) has_blank = has_blank || remarks[i].blank;
    bool add = force && !has_blank;
    bool first = BehindOpening();
    std::vector<Doc> parts;
    for (size_t i = 0; i < remarks.size(); ++i) {
      parts.push_back(Remark(remarks[i], i == 0, i >= from && !first && (remarks[i].blank || add)));
      if (i < from) continue;
      first = add = false;
    }
    parts.push_back(page_.HardLine(!first && (blank || add)));
    return page_.Concat(std::move(parts));
  }

  static bool ForcesBlank(std::string_view before, std::string_view word) {
    auto heads = std::to_array<std::string_view>({"ksp", "package", "import"});
    auto blocks = std::to_array<std::string_view>({"rule", "tune", "test"});
    if (before.empty()) return false;
    return OneOf(word, blocks) || OneOf(before, blocks) || (OneOf(before, heads) && !OneOf(word, heads));
  }

  // Words with blanks between, as long as `count`.
  Doc Words(size_t count) {
    std::vector<Doc> parts;
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) parts.push_back(page_.Space());
      parts.push_back(Take());
    }
    return page_.Concat(std::move(parts));
  }

  // ---- What stands between brackets ----

  enum class Style : uint8_t { Fill, OneEach };

  // Items with commas between. Spaced: `{ a: 1 }`, else `[1]`.
  Doc Bracketed(Style style, bool spaced, Rule item) {
    Doc open = Take();
    auto closes = [this] { return Peek() == "]" || Peek() == ")" || Peek() == "}"; };
    if (closes() && words_[at_].remarks.empty()) return page_.Concat({open, Take()});
    std::vector<Doc> items;
    while (!closes()) {
      Doc made = (this->*item)();
      if (Peek() == ",") made = page_.Concat({made, Take()});
      items.push_back(made);
    }
    auto line = [&] { return spaced ? page_.Line() : page_.SoftLine(); };
    std::vector<Doc> inside = {line()};
    bool any = !items.empty();
    if (style == Style::Fill) {
      inside.push_back(page_.Fill(std::move(items)));
    } else {
      for (size_t i = 0; i < items.size(); ++i) {
        if (i > 0) inside.push_back(page_.Line());
        inside.push_back(items[i]);
      }
    }
    if (any) inside.push_back(page_.LastComma());
    inside.push_back(Remarks());
    Doc body = page_.Inside(page_.Concat(std::move(inside)), line());
    return page_.Group(page_.Concat({open, body, Take()}));
  }

  // Clauses and the like, each on its line.
  Doc Block(Rule item) {
    Doc open = Take("{");
    if (Peek() == "}" && words_[at_].remarks.empty()) return page_.Concat({open, Take()});
    std::vector<Doc> inside;
    while (Peek() != "}") {
      inside.push_back(NewLine());
      inside.push_back(page_.Nest((this->*item)()));
    }
    inside.push_back(Remarks());
    Doc body = page_.Inside(page_.Concat(std::move(inside)), page_.HardLine(false));
    return page_.Concat({open, body, Take("}")});
  }

  // ---- Expressions ----

  Doc Path() {
    std::vector<Doc> parts = {Take()};
    while (Peek() == ".") {
      parts.push_back(Take());
      parts.push_back(Take());
    }
    return page_.Concat(std::move(parts));
  }

  // a, b, c
  Doc Series(Rule item) {
    std::vector<Doc> items;
    while (true) {
      items.push_back((this->*item)());
      if (Peek() != ",") break;
      items.back() = page_.Concat({items.back(), Take()});
    }
    return page_.Fill(std::move(items));
  }

  // Not grouped: whoever calls says where its lines are indented. `logic`: it is an `and` or an `or`.
  Doc Expression(bool* logic = nullptr) {
    Doc first = Unary();
    bool joined = Peek() == "and" || Peek() == "or";
    if (logic) *logic = joined;
    if (!joined) return first;
    std::vector<Doc> parts = {first};
    while (Peek() == "and" || Peek() == "or") {
      parts.push_back(page_.Line());
      parts.push_back(Take());
      parts.push_back(page_.Space());
      parts.push_back(Unary());
    }
    return page_.Concat(std::move(parts));
  }
  Doc Where() { return page_.Concat({Take("where"), page_.Space(), page_.Group(Expression())}); }

  Doc Unary() {
    if (Peek() != "not") return Comparison();
    Doc word = Take();
    return page_.Concat({word, page_.Space(), Unary()});
  }

  Doc Comparison() {
    std::vector<Doc> parts = {Operand()};
    auto word = [&] {
      parts.push_back(page_.Space());
      parts.push_back(Take());
    };
    auto binary = std::to_array<std::string_view>(
        {"==", "!=", "<", "<=", ">", ">=", "in", "like", "under", "matches", "descends", "contains", "has"});
    bool negated = Peek() == "not" && OneOf(Peek(1), std::to_array<std::string_view>({"in", "like", "under"}));
    if (negated) word();
    if (Peek() == "exists") {
      word();
    } else if (Peek() == "is") {
      word();
      if (Peek() == "not") word();
      word();
    } else if (OneOf(Peek(), binary)) {
      word();
      if (Peek() == "any" || Peek() == "all") word();
      parts.push_back(page_.Space());
      parts.push_back(Operand());
    }
    return page_.Concat(std::move(parts));
  }

  Doc Operand() {
    if (Peek() == "[" && words_[at_].kind == TokenKind::Punctuation)
      return Bracketed(Style::Fill, false, &Layout::Operand);
    if (Peek() == "(") {
      Doc open = Take();
      Doc inner = Expression();
      Doc body = page_.Inside(page_.Concat({page_.SoftLine(), inner, Remarks()}), page_.SoftLine());
      return page_.Group(page_.Concat({open, body, Take(")")}));
    }
    if (!AtName()) return Take();
    Doc path = Path();
    if (Peek() == "[") {
      Doc open = Take();
      Doc at = Take();
      path = page_.Concat({path, open, at, Take("]")});
    }
    return Peek() == "(" ? page_.Concat({path, Bracketed(Style::Fill, false, &Layout::Operand)}) : path;
  }

  // ---- Declarations ----

  Doc Item(std::string_view word) {
    if (word == "import") return Import();
    if (word == "let") return Let();
    if (word == "def") return Def();
    if (word == "rule" || word == "tune" || word == "test") return Body(word);
    if (word == "package") {
      Doc package = Take();
      return page_.Concat({package, page_.Space(), Path()});
    }
    return Words(word == "allow" ? 3 : 2);
  }

  Doc Import() {
    std::vector<Doc> parts = {Words(2)};
    while (Peek() == ".") {
      parts.push_back(Take());
      parts.push_back(Peek() == "{" ? Bracketed(Style::Fill, false, &Layout::TakeOne) : Take());
    }
    return page_.Concat(std::move(parts));
  }
  Doc TakeOne() { return Take(); }

  Doc Let() {
    std::vector<Doc> parts = {Words(2)};
    if (Peek() == ":") {
      parts.push_back(Take());
      parts.push_back(page_.Space());
      parts.push_back(Take());
      for (int i = 0; i < 3 && (i > 0 || Peek() == "<"); ++i) parts.push_back(Take());  // < type >
    }
    parts.push_back(page_.Space());
    parts.push_back(Take());  // = or from
    parts.push_back(page_.Space());
    parts.push_back(Expression());
    return page_.Concat(std::move(parts));
  }

  Doc Def() {
    std::vector<Doc> parts = {Words(2)};
    if (Peek() == "(") parts.push_back(Bracketed(Style::Fill, false, &Layout::Parameter));
    parts.push_back(page_.Space());
    parts.push_back(Take("="));
    bool logic = false;
    Doc body = Expression(&logic);
    parts.push_back(logic ? page_.Line() : page_.Space());
    parts.push_back(body);
    return page_.Group(page_.Concat(std::move(parts)));
  }

  Doc Parameter() {
    Doc name = Take();
    Doc colon = Take(":");
    return page_.Concat({name, colon, page_.Space(), Take()});
  }

  // rule name "title" { … } · tune path in "environment" { … } · test path in "environment" { … }
  Doc Body(std::string_view word) {
    Doc head = Take();
    std::vector<Doc> parts = {head, page_.Space(), Path()};
    while (Peek() != "{") {
      parts.push_back(page_.Space());
      parts.push_back(Take());
    }
    parts.push_back(page_.Space());
    parts.push_back(Block(word == "test" ? &Layout::TestItem : &Layout::Clause));
    return page_.Concat(std::move(parts));
  }

  // ---- Clauses ----

  Doc Clause() {
    std::string_view word = Peek();
    if (word == "attack") {
      Doc head = Take();
      return page_.Concat(
          {head, page_.Space(std::string_view("severity ").size() - word.size()), Series(&Layout::TakeOne)});
    }
    if (word == "on") {
      Doc head = Take();
      return page_.Concat({head, page_.Space(), Kinds()});
    }
    if (word == "when") return When();
    if (word == "sequence") return Sequence();
    if (word == "except") return Except();
    if (word == "limit") return Limit();
    if (word == "disclose") {
      Doc head = Take();
      Doc fields = Series(&Layout::Path);
      return page_.Group(page_.Concat({head, page_.Space(), fields, page_.Line(), Take()}));
    }
    return Words(word == "disable" ? 1 : word == "max" || word == "allow" ? 3 : 2);
  }

  // exec | open where …
  Doc Kinds() {
    std::vector<Doc> kinds = {Take()};
    while (Peek() == "|") kinds.push_back(Words(2));
    Doc made = page_.Fill(std::move(kinds));
    return Peek() == "where" ? page_.Concat({made, page_.Space(), Where()}) : made;
  }

  Doc By() {
    Doc head = Take("by");
    return page_.Concat({head, page_.Space(), Series(&Layout::Path)});
  }

  // by …, within …, each on a line of its own if the clause is too long.
  void AddKey(std::vector<Doc>& parts) {
    if (Peek() == "by") {
      parts.push_back(page_.Line());
      parts.push_back(By());
    }
    if (Peek() == "within") {
      parts.push_back(page_.Line());
      parts.push_back(Words(2));
    }
  }

  Doc When() {
    std::vector<Doc> parts = {Words(2)};
    if (Peek() == "(") parts.push_back(Bracketed(Style::Fill, false, &Layout::Path));
    auto comparisons = std::to_array<std::string_view>({"==", "!=", "<", "<=", ">", ">="});
    if (OneOf(Peek(), comparisons)) {
      parts.push_back(page_.Space());
      parts.push_back(Take());
      parts.push_back(page_.Space());
      parts.push_back(Operand());
    }
    AddKey(parts);
    return page_.Group(page_.Concat(std::move(parts)));
  }

  Doc Sequence() {
    std::vector<Doc> parts = {Words(Peek(1) == "unordered" ? 2 : 1)};
    AddKey(parts);
    Doc head = page_.Group(page_.Concat(std::move(parts)));
    size_t before = std::exchange(label_, 0);
    int depth = 0;  // colons stand behind the names of steps only
    for (size_t i = at_; i == at_ || depth > 0; ++i) {
      if (words_[i].text == "{") ++depth;
      if (words_[i].text == "}") --depth;
      size_t length = words_[i].text.size();
      bool label = words_[i + 1].text == ":";
      if (label && length <= kLongestLabel) label_ = std::max(label_, length);
    }
    Doc steps = Block(&Layout::Step);
    label_ = before;
    return page_.Concat({head, page_.Space(), steps});
  }

  Doc Step() {
    if (Peek() == "without" || Peek() == "until") {
      Doc head = Take();
      return page_.Concat({head, page_.Space(), Kinds()});
    }
    std::vector<Doc> parts;
    if (Peek(1) == ":") {
      size_t length = Peek().size();
      parts.push_back(Take());
      parts.push_back(Take());
      parts.push_back(page_.Space(1 + (length < label_ ? label_ - length : 0)));
    }
    parts.push_back(Kinds());
    if (Peek() == "repeat") {
      parts.push_back(page_.Line());
      parts.push_back(Words(2));
    }
    return page_.Group(page_.Concat(std::move(parts)));
  }

  Doc Except() {
    std::vector<Doc> parts = {Words(2), page_.Space(), Where()};
    auto words = std::to_array<std::string_view>({"owner", "expires", "ticket"});
    std::vector<Doc> meta;
    while (OneOf(Peek(), words)) meta.push_back(Words(2));
    if (!meta.empty()) {
      parts.push_back(page_.Line());
      parts.push_back(page_.Fill(std::move(meta)));
    }
    return page_.Group(page_.Concat(std::move(parts)));
  }

  Doc Limit() {
    std::vector<Doc> parts = {Words(4)};
    AddKey(parts);
    return page_.Group(page_.Concat(std::move(parts)));
  }

  // ---- Tests ----

  Doc TestItem() {
    if (Peek() == "case") {
      Doc head = Words(2);
      return page_.Concat({head, page_.Space(), Block(&Layout::TestStep)});
    }
    std::vector<Doc> parts = {Words(2), Take(":"), page_.Space(), Words(2), page_.Space(), Value()};
    return page_.Concat(std::move(parts));
  }

  Doc TestStep() {
    std::vector<Doc> parts;
    if (Peek() == "+") {
      parts.push_back(Take());
      parts.push_back(Take());
      parts.push_back(page_.Space());
    }
    if (Peek() == "expect") {
      size_t words = 2;
      if (Peek(1) != "quiet" && Peek(1) != "alert") ++words;
      bool alert = Peek(words - 1) == "alert";
      TokenKind next = words_[std::min(at_ + words, words_.size() - 1)].kind;
      if (alert && (next == TokenKind::String || next == TokenKind::RawString)) ++words;
      parts.push_back(Words(words));
      if (Peek() == "from") {
        parts.push_back(page_.Space());
        parts.push_back(Take());
        parts.push_back(page_.Space());
        parts.push_back(Path());
      }
    } else if (Peek() == "repeat") {
      parts.push_back(Words(Peek(2) == "every" ? 4 : 2));
      parts.push_back(page_.Space());
      parts.push_back(Block(&Layout::TestStep));
    } else if (Peek() == "replay") {
      parts.push_back(Words(2));
    } else {
      parts.push_back(Take());
      parts.push_back(page_.Space());
      parts.push_back(Record());
    }
    return page_.Concat(std::move(parts));
  }

  Doc Record() { return Bracketed(Style::OneEach, true, &Layout::Field); }

  Doc Field() {
    Doc name = Take();
    Doc colon = Take(":");
    return page_.Concat({name, colon, page_.Space(), Value()});
  }

  Doc Value() {
    if (Peek() == "{") return Record();
    Doc value = Operand();
    if (Peek() != "with") return value;
    Doc with = Take();
    return page_.Concat({value, page_.Space(), with, page_.Space(), Record()});
  }

  std::vector<Word> words_;
  size_t at_ = 0;
  size_t label_ = 0;  // of the steps of the sequence at hand: the longest
  Page page_;
};

// Nothing but blanks has changed: what a formatter must never get wrong, as it writes over what people wrote.
void CheckSame(const std::vector<Word>& before, std::string_view text) {
  SourceFile file("formatted.ksp", std::string(text));
  Diagnostics diagnostics;
  syntax::Module module = syntax::Parse(file, diagnostics);
  KS_CHECK(diagnostics.errors() == 0,
           "formatting made a mistake of what was none: " + RenderHuman(diagnostics.all()[0], false));
  std::vector<Word> after = WordsOf(module);
  KS_CHECK(before.size() == after.size(), "formatting changed the number of words");
  auto differs = std::mismatch(before.begin(), before.end(), after.begin(), [](const Word& a, const Word& b) {
    return a.text == b.text && std::equal(a.remarks.begin(), a.remarks.end(), b.remarks.begin(), b.remarks.end(),
                                          [](const Remark& x, const Remark& y) { return x.text == y.text; });
  });
  KS_CHECK(differs.first == before.end(), "formatting changed " + std::string(differs.first->text));
}

}  // namespace

std::string Format(const syntax::Module& module) {
  std::vector<Word> words = WordsOf(module);
  std::string text = Layout(words).Run();
  CheckSame(words, text);
  return text;
}

}  // namespace ks::format
