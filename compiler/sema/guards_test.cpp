#include "compiler/sema/guards.h"

#include <gtest/gtest.h>

#include <random>

#include "compiler/sema/operators.h"

namespace ks::sema {
namespace {

// Conditions over: container exists, container.id == "c", pod exists, pod.uid == "p", process.uid == 0.
Condition RandomCondition(std::mt19937& random, int depth) {
  Condition out;
  uint32_t choice = random() % (depth > 0 ? 9 : 5);
  if (choice >= 5) {
    out.op = choice == 5 ? Condition::Op::Not : choice <= 7 ? Condition::Op::And : Condition::Op::Or;
    size_t count = out.op == Condition::Op::Not ? 1 : 2 + random() % 2;
    for (size_t i = 0; i < count; ++i) out.operands.push_back(RandomCondition(random, depth - 1));
    return out;
  }
  if (choice == 0 || choice == 1) {
    out.op = Condition::Op::Exists;
    out.object = choice == 0 ? ObjectId::container_ : ObjectId::pod_;
    return out;
  }
  out.op = Condition::Op::Compare;
  out.compare = OperatorId::Equal;
  out.left.field = choice == 2 ? FieldId::container_id : choice == 3 ? FieldId::pod_uid : FieldId::process_uid;
  out.right = Values{choice == 4 ? std::vector<Value>{int64_t{0}} : std::vector<Value>{std::string("x")}, ""};
  return out;
}

struct World {
  bool container, pod, root;  // what there is
  bool in_container, in_pod;  // what the tests of their fields say, also if there is none
};

bool Holds(const Condition& condition, const World& world) {
  switch (condition.op) {
    case Condition::Op::True:
      return true;
    case Condition::Op::False:
      return false;
    case Condition::Op::Not:
      return !Holds(condition.operands[0], world);
    case Condition::Op::And:
      for (const Condition& operand : condition.operands) {
        if (!Holds(operand, world)) return false;
      }
      return true;
    case Condition::Op::Or:
      for (const Condition& operand : condition.operands) {
        if (Holds(operand, world)) return true;
      }
      return false;
    case Condition::Op::Exists:
      return condition.object == ObjectId::container_ ? world.container : world.pod;
    case Condition::Op::Compare:
      if (condition.left.field == FieldId::container_id) return world.in_container;
      return condition.left.field == FieldId::pod_uid ? world.in_pod : world.root;
  }
  return false;
}

// A condition whose guards hold must not depend on what a test of an absent field says.
TEST(Guards, WhatIsAbsentDecidesNothing) {
  std::mt19937 random(7);
  size_t guarded = 0, refused = 0;
  for (int i = 0; i < 40'000; ++i) {
    Condition condition = RandomCondition(random, 4);
    Diagnostics diagnostics;
    CheckGuards(condition, {}, diagnostics);
    if (diagnostics.errors() > 0) {
      ++refused;
      continue;
    }
    ++guarded;
    for (unsigned bits = 0; bits < 32; ++bits) {
      World world{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, (bits & 16) != 0};
      World other = world;
      if (!world.container) other.in_container = !other.in_container;
      if (!world.pod) other.in_pod = !other.in_pod;
      ASSERT_EQ(Holds(condition, world), Holds(condition, other));
    }
  }
  EXPECT_GT(guarded, 5'000u);
  EXPECT_GT(refused, 5'000u);
}

// What is said to be there when a condition is true is there.
TEST(Guards, FactsAreSound) {
  std::mt19937 random(8);
  size_t useful = 0;
  for (int i = 0; i < 20'000; ++i) {
    Condition condition = RandomCondition(random, 4);
    Facts facts = FactsOf(condition);
    bool container = facts.Has(ObjectId::container_);
    bool pod = facts.Has(ObjectId::pod_);
    useful += container || pod;
    for (unsigned bits = 0; bits < 32; ++bits) {
      World world{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, (bits & 16) != 0};
      if (!Holds(condition, world)) continue;
      ASSERT_TRUE(world.container || !container);
      ASSERT_TRUE(world.pod || !pod);
    }
  }
  EXPECT_GT(useful, 500u);
}

// A guard of one step says nothing about another, unless the key makes them the same.
TEST(Guards, AreOfOneStep) {
  Facts facts = Facts::Of(ObjectId::container_).AsStep(2);
  EXPECT_TRUE(facts.Has(ObjectId::container_, 2));
  EXPECT_FALSE(facts.Has(ObjectId::container_, 1));
  EXPECT_FALSE(facts.Has(ObjectId::container_));
  facts.Share(ObjectId::pod_, 3);
  EXPECT_FALSE(facts.Has(ObjectId::pod_, 1));
  facts.Share(ObjectId::container_, 3);
  for (uint8_t step = 0; step <= 3; ++step) EXPECT_TRUE(facts.Has(ObjectId::container_, step));
  EXPECT_FALSE(facts.Has(ObjectId::container_, 4));
}

TEST(Guards, SpelledAsTheUserWould) {
  EXPECT_EQ(GuardOf(ObjectId::container_), "container exists");
  EXPECT_EQ(GuardOf(ObjectId::process_stdin_), "process.stdin is socket");
}

}  // namespace
}  // namespace ks::sema
