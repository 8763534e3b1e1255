#include "runtime/alert/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace ks::alert {
namespace {

TEST(JsonString, Escapes) {
  EXPECT_EQ(JsonString("bash"), "\"bash\"");
  EXPECT_EQ(JsonString("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
  EXPECT_EQ(JsonString("\n\x1b\x7f"), "\"\\u000a\\u001b\\u007f\"");
  EXPECT_EQ(JsonString(std::string_view("\0", 1)), "\"\\u0000\"");
  EXPECT_EQ(JsonString("\xc3\xa9\xe6\x97\xa5\xf0\x9f\x90\x9f"), "\"\xc3\xa9\xe6\x97\xa5\xf0\x9f\x90\x9f\"");
  EXPECT_EQ(JsonString("\xe2\x80\xae"), "\"\\u202e\"");
  EXPECT_EQ(JsonString("\xf3\xa0\x80\xa1"), "\"\\udb40\\udc21\"");  // U+E0021, invisible
  EXPECT_EQ(JsonString("a\xff\xc3"), "\"a\\ufffd\\ufffd\"");
}

TEST(JsonString, AnyBytesAreJson) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (size_t n = random() % 12; n > 0; --n)
      text += static_cast<char>(random() % 3 ? 0xc0 + random() % 64 : random());
    const auto parsed = nlohmann::json::parse(JsonString(text), nullptr, false);
    ASSERT_TRUE(parsed.is_string());
    if (parsed.get<std::string>().find("\xef\xbf\xbd") == std::string::npos) {
      ASSERT_EQ(parsed.get<std::string>(), text);
    }
  }
}

TEST(JsonObject, KeepsTheOrder) {
  JsonObject object;
  object.Set("z", "1");
  object.Object("o").Set("b", "true");
  object.Set("a", "[]");
  object.Object("o").Object("p").Set("q", "\"\"");
  object.Object("empty");
  EXPECT_EQ(object.ToString(), R"({"z":1,"o":{"b":true,"p":{"q":""}},"a":[],"empty":{}})");
}

}  // namespace
}  // namespace ks::alert
