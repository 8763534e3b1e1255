#include <gtest/gtest.h>

#include <ctime>

#include "compiler/ir/eval.h"
#include "compiler/ir/passes.h"
#include "compiler/ir/random_ir.h"

namespace ks::ir {
namespace {

using schema::TypeId;

std::vector<Value> Texts(std::initializer_list<std::string> texts) { return {texts.begin(), texts.end()}; }

int32_t RunDfa(const Dfa& dfa, std::string_view text) {
  uint32_t state = 0;
  for (char c : text) state = dfa.next[state * dfa.class_count + dfa.classes[static_cast<uint8_t>(c)]];
  return dfa.accept[state];
}

int32_t RunDfa(Test test, const std::vector<Value>& literals, std::string_view text, TypeId type = TypeId::String) {
  std::optional<Dfa> dfa = MakeDfa(test, literals, type);
  return dfa ? RunDfa(*dfa, text) : -2;
}

TEST(Dfa, LikeTakesTheFirstPatternThatFits) {
  EXPECT_EQ(RunDfa(ir::Test::Like, Texts({"/etc/*", "*shadow"}), "/etc/shadow"), 0);
  EXPECT_EQ(RunDfa(ir::Test::Like, Texts({"*shadow", "/etc/*"}), "/etc/shadow"), 0);
  EXPECT_EQ(RunDfa(ir::Test::Like, Texts({"*shadow", "/etc/*"}), "/etc/passwd"), 1);
  EXPECT_EQ(RunDfa(ir::Test::Like, Texts({"*shadow", "/etc/*"}), "/var"), -1);
  EXPECT_EQ(RunDfa(ir::Test::Like, Texts({"", "a"}), ""), 0);
  EXPECT_EQ(RunDfa(ir::Test::Like, {}, ""), -1);
}

TEST(Dfa, ContainsTakesWhatEndsFirst) {
  EXPECT_EQ(RunDfa(ir::Test::Contains, Texts({"abcd", "bc"}), "xabcd"), 1);
  EXPECT_EQ(RunDfa(ir::Test::Contains, Texts({"abc", "bc"}), "xabc"), 0);
  EXPECT_EQ(RunDfa(ir::Test::Contains, Texts({"a", ""}), "a"), 1);
  EXPECT_EQ(RunDfa(ir::Test::Contains, Texts({"aab"}), "aaab"), 0);
  EXPECT_EQ(RunDfa(ir::Test::Contains, {}, "a"), -1);
}

TEST(Dfa, ListsEndTheirElementsWithNul) {
  using namespace std::string_literals;
  EXPECT_EQ(RunDfa(ir::Test::HasElement, Texts({"-i", "sh"}), "bash\0-i\0sh\0"s, TypeId::StringList), 0);
  EXPECT_EQ(RunDfa(ir::Test::HasElement, Texts({"-i"}), "bash\0-i"s, TypeId::StringList), -1) << "a cut element";
  EXPECT_EQ(RunDfa(ir::Test::HasElement, Texts({"-i"}), "-ix\0x-i\0"s, TypeId::StringList), -1);
  EXPECT_EQ(RunDfa(ir::Test::HasElement, Texts({""}), "a\0\0"s, TypeId::StringList), 0);
  EXPECT_EQ(RunDfa(ir::Test::HasElement, Texts({""}), "", TypeId::StringList), -1);
  EXPECT_EQ(RunDfa(ir::Test::Contains, Texts({"ab"}), "a\0b\0"s, TypeId::StringList), -1);
  EXPECT_EQ(RunDfa(ir::Test::Contains, {"a\0b"s}, "a\0b\0"s, TypeId::StringList), -1) << "no element holds a NUL";
  EXPECT_EQ(RunDfa(ir::Test::Contains, Texts({"a", ""}), "\0"s, TypeId::StringList), 1);
  EXPECT_EQ(RunDfa(ir::Test::Contains, Texts({"a", ""}), "", TypeId::StringList), -1);
  EXPECT_EQ(RunDfa(ir::Test::Contains, Texts({"a", ""}), "a\0"s, TypeId::StringList), 1);
}

TEST(Dfa, LongPatternsStaySmall) {
  std::string stars;
  for (int i = 0; i < 60; ++i) stars += "*a";
  std::optional<Dfa> dfa = MakeDfa(ir::Test::Like, Texts({stars + "*"}), TypeId::Path);
  ASSERT_TRUE(dfa);
  EXPECT_LE(dfa->accept.size(), 64u);
}

TEST(Dfa, WhatBlowsUpIsGivenUpQuickly) {
  const std::clock_t begin = std::clock();  // of this process: other load does not count
  std::string questions = "*a" + std::string(400, '?');
  EXPECT_FALSE(MakeDfa(ir::Test::Like, Texts({questions}), TypeId::Path));
  std::vector<Value> pairs, many, classes;
  for (int i = 0; i < 64; ++i)
    pairs.push_back(std::string("*") + static_cast<char>('!' + i) + "*x" + std::to_string(i) + "*y");
  EXPECT_FALSE(MakeDfa(ir::Test::Like, pairs, TypeId::Path));
  for (int i = 0; i < 100'000; ++i) many.push_back("needle" + std::to_string(i));
  EXPECT_FALSE(MakeDfa(ir::Test::Contains, many, TypeId::Path));
  EXPECT_FALSE(MakeDfa(ir::Test::HasElement, many, TypeId::StringList));
  std::string text;
  for (int i = 1; i < 30'000; ++i)
    text += std::string("[") + static_cast<char>('a' + i % 26) + static_cast<char>(128 + i % 127) + "]";
  EXPECT_FALSE(MakeDfa(ir::Test::Like, Texts({text}), TypeId::Path));
  EXPECT_FALSE(MakeDfa(ir::Test::Like, Texts({std::string(60'000, 'a')}), TypeId::Path));
  EXPECT_LT(std::clock() - begin, 5 * CLOCKS_PER_SEC);
}

TEST(Dfa, IsTheSameEveryTime) {
  auto literals = Texts({"*b?[a-f]*", "/etc/*"});
  std::optional<Dfa> one = MakeDfa(ir::Test::Like, literals, TypeId::Path),
                     two = MakeDfa(ir::Test::Like, literals, TypeId::Path);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->next, two->next);
  EXPECT_EQ(one->classes, two->classes);
}

// Against the reference, for whole values and for parts.
TEST(Dfa, AgreesWithEval) {
  RandomIr random(TestSeed());
  size_t made = 0, found = 0;
  for (int round = 0; round < 20'000 && made < 400; ++round) {
    EventKind kind = random.RandomKind();
    Atom atom = random.RandomAtom(kind);
    if (atom.operand.element >= 0 || atom.operand.lower) continue;
    if (atom.test != ir::Test::Like && atom.test != ir::Test::Contains && atom.test != ir::Test::HasElement) continue;
    std::optional<Dfa> dfa = MakeDfa(atom.test, atom.literals, TypeOf(atom.operand));
    if (!dfa) continue;
    ++made;
    for (int i = 0; i < 8; ++i) {
      schema::Record record = random.RandomRecord(kind, MakeAtom(atom));
      schema::FieldValue value = record[atom.operand.field];
      if (value.status != schema::Status::Ok && value.status != schema::Status::Truncated) continue;
      if (atom.test == ir::Test::Like && value.status != schema::Status::Ok) continue;
      AtomResult expected = EvalAtom(atom, record);
      int32_t index = RunDfa(*dfa, std::get<std::string>(value.value));
      if (expected.truth == Truth::True) {
        ++found;
        ASSERT_EQ(index, static_cast<int32_t>(expected.index))
            << testing::PrintToString(std::get<std::string>(value.value));
      } else {
        ASSERT_EQ(index, -1) << testing::PrintToString(std::get<std::string>(value.value));
      }
    }
  }
  EXPECT_EQ(made, 400u);
  EXPECT_GT(found, 500u);
}

}  // namespace
}  // namespace ks::ir
