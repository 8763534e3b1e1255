// Random policies for tests: every construct of the grammar, strangely laid out, with comments anywhere.
#pragma once

#include <array>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace ks::format {

struct RandomPolicy {
  std::string text;
  std::vector<std::string> comments;  // in order, without blanks at their ends
};

class PolicyGenerator {
 public:
  explicit PolicyGenerator(unsigned seed) : random_(seed) {}

  // A comment stands before about one of so many words; 0: before none.
  RandomPolicy Make(unsigned comments) {
    made_ = {};
    comments_ = comments;
    after_except_ = false;
    Put("ksp");
    Put("1");
    if (Seldom()) Words({"package"}, &PolicyGenerator::Path);
    for (unsigned n = Below(3); n > 0; --n) Import();
    for (unsigned n = 1 + Below(3); n > 0; --n) Item();
    if (comments_ > 0 && Seldom()) Comment();
    return std::move(made_);
  }

 private:
  using Rule = void (PolicyGenerator::*)();

  unsigned Below(unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(random_); }
  bool Often() { return Below(3) > 0; }
  bool Seldom() { return Below(4) == 0; }
  template <size_t n>
  void OneOf(const std::array<std::string_view, n>& words) {
    Put(words[Below(n)]);
  }

  // ---- Words, and what stands between ----

  // Not needed before some signs, but never wrong.
  void Blanks() {
    constexpr std::array<std::string_view, 8> kBlanks = {" ", " ", " ", "  ", "\n", "\t", "\r\n  ", "\n\n\n "};
    made_.text += kBlanks[Below(kBlanks.size())];
  }
  void Comment() {
    constexpr std::array<std::string_view, 7> kComments = {"#",     "# why",          "## doc", "# \"} ] )",
                                                           "# é ü", "#no blank, {\\", "##"};
    if (Often()) Blanks();
    std::string comment(kComments[Below(kComments.size())]);
    made_.text += comment + (Seldom() ? "  \t" : "") + (Seldom() ? "\r\n" : "\n");
    made_.comments.push_back(std::move(comment));
  }
  void Put(std::string_view word) {
    bool sign = word == "," || word == "." || word == ")" || word == "]";
    if (!sign || Seldom()) Blanks();
    while (comments_ > 0 && Below(comments_) == 0) Comment();
    made_.text += word;
  }
  void Words(std::initializer_list<std::string_view> words, Rule then = nullptr) {
    for (std::string_view word : words) Put(word);
    if (then) (this->*then)();
  }
  // With a comma behind the last, sometimes, if `trailing`.
  void Commas(unsigned least, unsigned most, bool trailing, Rule item) {
    unsigned n = least + Below(most - least + 1);
    for (unsigned i = 0; i < n; ++i) {
      (this->*item)();
      if (i + 1 < n || (trailing && Seldom())) Put(",");
    }
  }
  void Block(unsigned least, unsigned most, Rule item) {
    Put("{");
    for (unsigned n = least + Below(most - least + 1); n > 0; --n) (this->*item)();
    Put("}");
  }

  void Id() {
    OneOf(std::to_array<std::string_view>(
        {"a", "process", "container", "file", "x1", "_y", "a_rather_long_name_of_something"}));
  }
  void Name() {
    if (Often()) return Id();
    OneOf(std::to_array<std::string_view>({"on", "rule", "in", "not", "by", "within", "sequence", "repeat", "with",
                                           "set", "true", "every", "quiet", "tune", "limit", "keys", "matches"}));
  }
  void Path() {
    Id();
    for (unsigned n = Below(4); n > 0; --n) Words({"."}, &PolicyGenerator::Name);
  }
  void Text() {
    OneOf(std::to_array<std::string_view>({"\"\"", "\"text\"", "\"a \\\"b\\\" \\x1b # {x} é\"", "r\"\\d+\"",
                                           "r#\"say \"no\"\"#", "r#\"two\n  lines\"#",
                                           "\"/usr/lib/systemd/systemd-something-or-other\""}));
  }
  void Int() { OneOf(std::to_array<std::string_view>({"0", "7", "25", "100000"})); }
  void Duration() { OneOf(std::to_array<std::string_view>({"30s", "10m", "150ms", "5d", "7ns"})); }
  void Literal() {
    if (Seldom()) return Text();
    OneOf(std::to_array<std::string_view>({"-5", "0", "0x1F", "0o4755", "30s", "4MiB", "10.0.0.1", "::1", "fd00::12",
                                           "10.0.0.0/8", "fd00::/8", "203.0.113.9:4444", "[fd00::1]:443", "2027-01-31",
                                           "true", "false"}));
  }

  // ---- Expressions ----

  void List() {
    Put("[");
    Commas(0, Seldom() ? 12 : 3, true, &PolicyGenerator::Operand);
    Put("]");
  }
  void Expression() {
    Unary();
    if (Often()) return;
    std::string_view word = Often() ? "and" : "or";
    for (unsigned n = 1 + Below(4); n > 0; --n) Words({word}, &PolicyGenerator::Unary);
  }
  void Unary() {
    if (Seldom()) Put("not");
    Comparison();
  }
  void Comparison() {
    Operand();
    switch (Below(6)) {
      case 0:
        OneOf(std::to_array<std::string_view>({"==", "!=", "<", "<=", ">", ">=", "matches", "descends"}));
        return Operand();
      case 1:
        if (Seldom()) Put("not");
        OneOf(std::to_array<std::string_view>({"in", "like", "under"}));
        return Operand();
      case 2:
        OneOf(std::to_array<std::string_view>({"contains", "has"}));
        if (Seldom()) OneOf(std::to_array<std::string_view>({"any", "all"}));
        return Operand();
      case 3:
        Put("is");
        if (Seldom()) Put("not");
        return Id();
      case 4:
        return Put("exists");
      default:
        return;
    }
  }
  void Operand() {
    if (depth_ > 3 || Often()) return Seldom() ? Literal() : Path();
    ++depth_;
    switch (Below(4)) {
      case 0:
        List();
        break;
      case 1:
        Put("(");
        Expression();
        Put(")");
        break;
      case 2:
        Path();
        Put("[");
        Seldom() ? Int() : Text();
        Put("]");
        break;
      default:
        Path();
        Put("(");
        Commas(0, 3, true, &PolicyGenerator::Operand);
        Put(")");
    }
    --depth_;
  }

  // ---- Declarations ----

  void Import() {
    Words({"import"}, &PolicyGenerator::Id);
    for (unsigned n = Below(3); n > 0; --n) Words({"."}, &PolicyGenerator::Name);
    if (Seldom()) return;
    Words({".", "{"});
    Commas(1, 8, true, &PolicyGenerator::Id);
    Put("}");
  }
  void Item() {
    switch (Below(8)) {
      case 0:
        return Let();
      case 1:
        return Def();
      case 2:
        return Allow();
      case 3:
        Words({"tune"}, &PolicyGenerator::Path);
        Words({"in"}, &PolicyGenerator::Text);
        after_except_ = false;
        return Block(0, 4, &PolicyGenerator::Change);
      case 4:
      case 5:
        Words({"test"}, &PolicyGenerator::Path);
        if (Seldom()) Words({"in"}, &PolicyGenerator::Text);
        return Block(0, 3, &PolicyGenerator::TestItem);
      default:
        Words({"rule"}, &PolicyGenerator::Id);
        if (Often()) Text();
        after_except_ = false;
        return Block(0, 6, &PolicyGenerator::Clause);
    }
  }
  void Let() {
    Words({"let"}, &PolicyGenerator::Id);
    if (Seldom()) {
      Words({":"}, &PolicyGenerator::Id);
      if (Often()) {
        Words({"<"}, &PolicyGenerator::Id);
        Put(">");
      }
    }
    if (Seldom()) return Words({"from"}, &PolicyGenerator::Text);
    Put("=");
    Often() ? List() : Literal();
  }
  void Def() {
    Words({"def"}, &PolicyGenerator::Id);
    if (Often()) {
      Put("(");
      Commas(1, 3, true, &PolicyGenerator::Parameter);
      Put(")");
    }
    Words({"="}, &PolicyGenerator::Expression);
  }
  void Parameter() {
    Id();
    Words({":"}, &PolicyGenerator::Id);
  }
  void Allow() { Words({"allow", "K0701"}, &PolicyGenerator::Text); }

  // ---- Clauses ----

  void Clause() {
    unsigned which = Below(14);
    bool owner = which == 11 && !after_except_;  // behind an exception it would be the exception's
    if (which != 5) after_except_ = after_except_ && which == 11;
    switch (which) {
      case 0:
        return Words({"severity"}, &PolicyGenerator::Id);
      case 1:
        Put("attack");
        return Commas(1, 3, false, &PolicyGenerator::Attack);
      case 2:
        return Words({"on"}, &PolicyGenerator::Kinds);
      case 3:
        return When();
      case 4:
        return Sequence();
      case 5:
        return Except();
      case 6:
        return Limit();
      case 7:
        return Words({"max", "keys"}, &PolicyGenerator::Int);
      case 8:
        Put("disclose");
        Commas(1, 4, false, &PolicyGenerator::Path);
        return Text();
      case 9:
        return Words({Seldom() ? "ref" : "alert"}, &PolicyGenerator::Text);
      case 10:
        return Words({"status"}, &PolicyGenerator::Id);
      case 11:
        if (owner) Words({"owner"}, &PolicyGenerator::Text);
        return;
      default:
        return Allow();
    }
  }
  void Change() {
    switch (Below(5)) {
      case 0:
        return Words({"severity"}, &PolicyGenerator::Id);
      case 1:
        return Put("disable");
      case 2:
        return Except();
      case 3:
        return Limit();
      default:
        return Words({"max", "keys"}, &PolicyGenerator::Int);
    }
  }
  void Attack() { OneOf(std::to_array<std::string_view>({"T1059", "T1059.004", "TA0001"})); }
  void Except() {
    after_except_ = true;
    Words({"except"}, &PolicyGenerator::Text);
    Words({"where"}, &PolicyGenerator::Expression);
    bool reversed = Seldom();
    if (reversed) Words({"ticket"}, &PolicyGenerator::Text);
    if (Often()) Words({"owner"}, &PolicyGenerator::Text);
    if (Often()) Words({"expires", "2027-01-31"});
    if (!reversed && Often()) Words({"ticket"}, &PolicyGenerator::Text);
  }
  void Kinds() {
    Id();
    for (unsigned n = Seldom() ? 1 + Below(8) : 0; n > 0; --n) Words({"|"}, &PolicyGenerator::Id);
    if (Often()) Words({"where"}, &PolicyGenerator::Expression);
  }
  void Key() {
    if (Often()) {
      Put("by");
      Commas(1, 3, false, &PolicyGenerator::Path);
    }
  }
  void When() {
    Put("when");
    OneOf(std::to_array<std::string_view>({"count", "distinct", "sum", "first"}));
    if (Often()) {
      Put("(");
      Commas(0, 3, true, &PolicyGenerator::Path);
      Put(")");
    }
    if (Often()) {
      OneOf(std::to_array<std::string_view>({"==", "!=", "<", "<=", ">", ">="}));
      Literal();
    }
    Key();
    if (Often()) Words({"within"}, &PolicyGenerator::Duration);
  }
  void Sequence() {
    Put("sequence");
    if (Seldom()) Put("unordered");
    Key();
    if (Often()) Words({"within"}, &PolicyGenerator::Duration);
    Block(0, 5, &PolicyGenerator::Step);
  }
  void Step() {
    if (Seldom()) return Words({Often() ? "without" : "until"}, &PolicyGenerator::Kinds);
    if (Often()) {
      Id();
      Put(":");
    }
    Kinds();
    if (Seldom()) Words({"repeat"}, &PolicyGenerator::Int);
  }
  void Limit() {
    Words({"limit"}, &PolicyGenerator::Int);
    Words({"per"}, &PolicyGenerator::Duration);
    Key();
  }

  // ---- Tests ----

  void TestItem() {
    if (Often()) {
      Words({"case"}, &PolicyGenerator::Text);
      return Block(0, 4, &PolicyGenerator::TestStep);
    }
    Words({"let"}, &PolicyGenerator::Id);
    Words({":"}, &PolicyGenerator::Id);
    Put("=");
    if (Often()) return Record();
    Id();
    if (Often()) Words({"with"}, &PolicyGenerator::Record);
  }
  void TestStep() {
    if (Seldom()) Words({"+"}, &PolicyGenerator::Duration);
    switch (depth_ > 1 ? Below(4) : Below(6)) {
      case 0:
      case 1:
        Id();
        return Record();
      case 2:
        if (Seldom()) return Words({"expect", "quiet"});
        Put("expect");
        if (Seldom()) Int();
        Put("alert");
        if (Seldom()) Text();
        if (Seldom()) Words({"from"}, &PolicyGenerator::Path);
        return;
      case 3:
        return Words({"replay"}, &PolicyGenerator::Text);
      default:
        Words({"repeat"}, &PolicyGenerator::Int);
        if (Seldom()) Words({"every"}, &PolicyGenerator::Duration);
        ++depth_;
        Block(1, 3, &PolicyGenerator::TestStep);
        --depth_;
    }
  }
  void Record() {
    Put("{");
    Commas(0, 4, true, &PolicyGenerator::Field);
    Put("}");
  }
  void Field() {
    Name();
    Put(":");
    if (depth_ > 2 || Often()) return Operand();
    ++depth_;
    if (Seldom()) {
      Id();
      Put("with");
    }
    Record();
    --depth_;
  }

  std::mt19937 random_;
  unsigned comments_ = 0;
  int depth_ = 0;
  bool after_except_ = false;
  RandomPolicy made_;
};

}  // namespace ks::format
