#include <gtest/gtest.h>

#include "runtime/event/event.h"

namespace ks::event {
namespace {

TEST(NormalizePath, IsLexical) {
  EXPECT_EQ(NormalizePath("/a/./b//../c"), "/a/c");
  EXPECT_EQ(NormalizePath("/"), "/");
  EXPECT_EQ(NormalizePath(""), "/");
  EXPECT_EQ(NormalizePath("/.."), "/");
  EXPECT_EQ(NormalizePath("/../../etc/../.."), "/");
  EXPECT_EQ(NormalizePath("/tmp/../etc/shadow/"), "/etc/shadow");
  EXPECT_EQ(NormalizePath("/a/...//.b/..c"), "/a/.../.b/..c");
  EXPECT_EQ(NormalizePath("/already/clean"), "/already/clean");
}

TEST(Printable, LeavesTextAlone) {
  EXPECT_EQ(Printable("nginx: worker"), "nginx: worker");
  EXPECT_EQ(Printable("/home/\xc3\xa9t\xc3\xa9/\xe6\x97\xa5\xe6\x9c\xac/\xf0\x9f\x90\x9f"),
            "/home/\xc3\xa9t\xc3\xa9/\xe6\x97\xa5\xe6\x9c\xac/\xf0\x9f\x90\x9f");
}

TEST(Printable, EscapesWhatCouldFakeALine) {
  EXPECT_EQ(Printable("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(Printable("\x1b[31mred\x7f"), "\\x1b[31mred\\x7f");
  EXPECT_EQ(Printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(Printable("gpj\xe2\x80\xae.exe"), "gpj\\u{202e}.exe");  // right-to-left override
  EXPECT_EQ(Printable("\xc2\x9b"), "\\u{9b}");                      // C1: CSI
  EXPECT_EQ(Printable("a\xe2\x80\x8b"), "a\\u{200b}");              // zero width
  EXPECT_EQ(Printable("\\n"), "\\\\n");                             // a real backslash is no escape
}

TEST(Printable, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(Printable("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(Printable("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(Printable("\xe0\x80\x80"), "\\xe0\\x80\\x80");           // overlong
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(Printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
  EXPECT_EQ(Printable("a\xe6\x97"), "a\\xe6\\x97");                  // cut
}

}  // namespace
}  // namespace ks::event
