#include "compiler/bundle/strict_json.h"

#include <gtest/gtest.h>

namespace ks::bundle {
namespace {

std::string WhyNot(std::string_view text, const JsonLimits& limits = {}) {
  const auto parsed = ParseStrictJson(text, limits);
  return parsed ? "" : parsed.error().cause;
}

TEST(StrictJson, BuildsTheValue) {
  const auto parsed = ParseStrictJson(R"( {"a":[1,{"b":null},true,"x\u00e4"],"c":18446744073709551615,"d":-3} )");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->at("a").size(), 4u);
  EXPECT_EQ(parsed->at("a")[1]["b"], nullptr);
  EXPECT_EQ(parsed->at("a")[3], "x\xc3\xa4");
  EXPECT_EQ(parsed->at("c").get<uint64_t>(), UINT64_MAX);
  EXPECT_EQ(parsed->at("d").get<int64_t>(), -3);
}

TEST(StrictJson, RefusesDuplicateKeysAtEveryDepth) {
  EXPECT_EQ(WhyNot(R"({"a":1,"a":1})"), "the key `a` occurs twice");
  EXPECT_NE(WhyNot(R"({"x":[{"a":1,"b":2,"a":3}]})"), "");
  EXPECT_NE(WhyNot(R"({"a":1,"\u0061":1})"), "") << "the same key, escaped";
  EXPECT_EQ(WhyNot(R"({"a":{"a":1}})"), "") << "not a duplicate";
}

TEST(StrictJson, RefusesWhatHidesBytes) {
  EXPECT_NE(WhyNot("\xef\xbb\xbf{}"), "");
  EXPECT_NE(WhyNot("{}{}"), "");
  EXPECT_NE(WhyNot("{} x"), "");
  EXPECT_NE(WhyNot(std::string_view("{}\0{\"a\":1}", 10)), "");
  EXPECT_NE(WhyNot(std::string_view("{}\0", 3)), "");
  EXPECT_NE(WhyNot("// hello\n{}"), "");
  EXPECT_NE(WhyNot("{\"a\":1,}"), "");
  EXPECT_NE(WhyNot("{'a':1}"), "");
  EXPECT_NE(WhyNot("\"\xff\""), "");
  EXPECT_NE(WhyNot("\"\xc0\x80\""), "") << "an overlong NUL";
  EXPECT_NE(WhyNot(R"("\ud800")"), "") << "half a surrogate pair";
  EXPECT_NE(WhyNot("\"\n\""), "");
  EXPECT_NE(WhyNot(""), "");
  EXPECT_NE(WhyNot("[1"), "");
}

TEST(StrictJson, RefusesNumbersThatAreNotWhole) {
  for (std::string_view text :
       {"1.0", "1e3", "18446744073709551616", "-9223372036854775809", "01", "+1", "NaN", "0x1"}) {
    EXPECT_NE(WhyNot(text), "") << text;
  }
}

TEST(StrictJson, IsBounded) {
  const std::string deep = std::string(16, '[') + std::string(16, ']');
  EXPECT_EQ(WhyNot(deep), "");
  EXPECT_EQ(WhyNot("[" + deep + "]"), "nested deeper than 16");
  EXPECT_NE(WhyNot(std::string(200000, '[')), "");
  std::string objects;
  for (int i = 0; i < 20000; i++) objects += "{\"a\":";
  EXPECT_NE(WhyNot(objects), "");
  EXPECT_NE(WhyNot("\"" + std::string(100, 'x') + "\"", {.bytes = 50}), "");
  EXPECT_EQ(WhyNot("[1,2,3]", {.values = 4}), "");
  EXPECT_NE(WhyNot("[1,2,3,4]", {.values = 4}), "");
}

}  // namespace
}  // namespace ks::bundle
