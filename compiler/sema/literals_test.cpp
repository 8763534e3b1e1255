#include "compiler/sema/literals.h"

#include <gtest/gtest.h>

#include "compiler/sema/operators.h"

namespace ks::sema {
namespace {

Value Number(int64_t value) { return value; }

TEST(Literals, Numbers) {
  EXPECT_EQ(ParseText("0", One(TypeId::Int)).value, Number(0));
  EXPECT_EQ(ParseText("-12", One(TypeId::Int)).value, Number(-12));
  EXPECT_EQ(ParseText("0xff", One(TypeId::Int)).value, Number(255));
  EXPECT_EQ(ParseText("9223372036854775807", One(TypeId::Int)).value, Number(INT64_MAX));
  EXPECT_FALSE(ParseText("9223372036854775808", One(TypeId::Int)).out_of_range.empty());
  EXPECT_FALSE(ParseText("99999999999999999999999", One(TypeId::Int)).out_of_range.empty());
  for (std::string_view text : {"", "-", "--1", "1x", "x", "0o", "0o8", "0x", "1.5", " 1"}) {
    ParsedText parsed = ParseText(text, One(TypeId::Int));
    EXPECT_FALSE(parsed.value || !parsed.out_of_range.empty()) << text;
  }
  EXPECT_EQ(ParseText("65535", One(TypeId::Port)).value, Number(65535));
  EXPECT_FALSE(ParseText("65536", One(TypeId::Port)).out_of_range.empty());
  EXPECT_FALSE(ParseText("-1", One(TypeId::Port)).out_of_range.empty());
  EXPECT_EQ(ParseText("0o4755", One(TypeId::Mode)).value, Number(04755));
}

TEST(Literals, Units) {
  EXPECT_EQ(ParseText("30s", One(TypeId::Duration)).value, Number(30'000'000'000));
  EXPECT_EQ(ParseText("2m", One(TypeId::Duration)).value, Number(120'000'000'000));
  EXPECT_EQ(ParseText("2ms", One(TypeId::Duration)).value, Number(2'000'000));
  EXPECT_EQ(ParseText("106751d", One(TypeId::Duration)).value, Number(106'751 * int64_t{86'400'000'000'000}));
  EXPECT_FALSE(ParseText("106752d", One(TypeId::Duration)).out_of_range.empty());
  EXPECT_EQ(ParseText("4MiB", One(TypeId::Size)).value, Number(4 << 20));
  EXPECT_FALSE(ParseText("9223372036854775807GiB", One(TypeId::Size)).out_of_range.empty());
  for (std::string_view text : {"30", "s", "30 s", "30S", "3MB"}) {
    EXPECT_FALSE(ParseText(text, One(TypeId::Duration)).value || ParseText(text, One(TypeId::Size)).value) << text;
  }
}

TEST(Literals, Dates) {
  EXPECT_EQ(ParseText("1970-01-02", One(TypeId::Time)).value, Number(86'400'000'000'000));
  EXPECT_EQ(ParseText("2027-01-31", One(TypeId::Time)).value, Number(int64_t{1801353600} * 1'000'000'000));
  EXPECT_TRUE(ParseText("2028-02-29", One(TypeId::Time)).value.has_value());
  for (std::string_view text : {"2027-02-29", "2027-13-01", "2027-00-01", "2027-1-1", "27-01-01", "2027/01/01", ""}) {
    EXPECT_FALSE(ParseText(text, One(TypeId::Time)).value.has_value()) << text;
  }
  EXPECT_FALSE(ParseText("9999-01-01", One(TypeId::Time)).out_of_range.empty());
}

TEST(Literals, AddressesAndNames) {
  schema::Cidr block;
  bool host_bits = false;
  ASSERT_TRUE(schema::ParseCidr("10.0.0.0/8", &block, &host_bits));
  EXPECT_EQ(ParseText("10.0.0.0/8", One(TypeId::Cidr)).value, Value(block));
  EXPECT_EQ(ParseText("10.1.2.3/8", One(TypeId::Cidr)).mended, "10.0.0.0/8");
  ASSERT_TRUE(schema::ParseCidr("10.1.2.3/32", &block, &host_bits));
  EXPECT_EQ(ParseText("10.1.2.3", One(TypeId::Cidr)).value, Value(block));
  EXPECT_FALSE(ParseText("10.0.0.1:70000", One(TypeId::Endpoint)).out_of_range.empty());
  EXPECT_TRUE(ParseText("10.0.0.1:x", One(TypeId::Endpoint)).out_of_range.empty());
  EXPECT_EQ(ParseText("EACCES", One(TypeId::Enum, "errno")).value, Number(13));
  EXPECT_FALSE(ParseText("13", One(TypeId::Enum, "errno")).value.has_value());
  EXPECT_EQ(ParseText("WRITE", One(TypeId::Flags, "access")).value, Number(2));
}

TEST(Literals, PathsInNormalForm) {
  std::string mended;
  for (std::string_view path : {"/", "/a", "/a/b.c/..d/...", "/memfd:x"}) {
    EXPECT_EQ(WhyNotNormal(path, &mended), "") << path;
    EXPECT_EQ(mended, path);
  }
  for (auto [path, normal] : {std::pair{"/a/", "/a"},
                              {"//", "/"},
                              {"/a//b", "/a/b"},
                              {"/./a", "/a"},
                              {"/a/.", "/a"},
                              {"/a/../b", "/b"},
                              {"/..", "/"},
                              {"/a/b/..", "/a"}}) {
    EXPECT_NE(WhyNotNormal(path, &mended), "") << path;
    EXPECT_EQ(mended, normal) << path;
  }
  EXPECT_EQ(WhyNotNormal("a/b", &mended), "relative");
  EXPECT_EQ(WhyNotNormal("", &mended), "relative");
}

TEST(Literals, Globs) {
  size_t least = 0;
  for (auto [glob, bytes] : {std::pair{"", 0u},
                             {"*", 0u},
                             {"a*b", 2u},
                             {"??", 2u},
                             {"[a-z]x", 2u},
                             {"[]]", 1u},
                             {"[!]]", 1u},
                             {"[a-]", 1u},
                             {"\\*", 1u},
                             {"[\\]]x", 2u},
                             {"]", 1u}}) {
    EXPECT_EQ(WhyMalformedGlob(glob, &least), "") << glob;
    EXPECT_EQ(least, bytes) << glob;
  }
  for (std::string_view glob : {"[", "[]", "[!", "[!]", "[a", "[a-", "[a\\]", "\\", "a*\\", "[z-a]"}) {
    EXPECT_NE(WhyMalformedGlob(glob, &least), "") << glob;
  }
}

TEST(Literals, ShownOnOneShortLine) {
  EXPECT_EQ(Shorten("a\nb"), "a b");
  EXPECT_EQ(Shorten(std::string(100, 'x')), std::string(40, 'x') + "…");
  EXPECT_EQ(Shorten(std::string(39, 'x') + "äy"), std::string(39, 'x') + "ä…");
}

// Every comparable type has an operator, and a spelling finds one row for a type.
TEST(Operators, Table) {
  for (const schema::FieldRow& row : schema::Fields()) EXPECT_NE(OperatorsOn(row.type), "") << row.dotted;
  for (const OperatorRow& a : Operators()) {
    for (const OperatorRow& b : Operators()) {
      EXPECT_TRUE(&a == &b || a.spelling != b.spelling || (a.types & b.types) == 0) << a.spelling;
    }
  }
  EXPECT_EQ(FindOperator("<", TypeId::String), nullptr);
  EXPECT_EQ(FindOperator("has", TypeId::StringList)->id, OperatorId::HasElement);
  EXPECT_EQ(FindOperator("has", TypeId::Flags)->id, OperatorId::HasBits);
}

}  // namespace
}  // namespace ks::sema
