#include "compiler/bundle/archive.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

#include "compiler/bundle/bundle.h"

namespace ks::bundle {
namespace {

std::string Small() { return WriteArchive({{"a.json", "hello"}, {"b.o", std::string_view("\0\1\2", 3)}}, 1700000000); }

std::string CodeOf(std::string_view bytes) {
  const auto read = ReadArchive(bytes);
  return read ? "accepted" : read.error().code;
}

// Sets bytes of the first header and mends its checksum, as someone who attacks would.
std::string WithHeader(size_t at, std::string_view bytes) {
  std::string out = Small();
  std::memcpy(out.data() + at, bytes.data(), bytes.size());
  std::memset(out.data() + 148, ' ', 8);
  unsigned sum = 0;
  for (size_t i = 0; i < 512; i++) sum += static_cast<unsigned char>(out[i]);
  std::snprintf(out.data() + 148, 8, "%06o", sum);
  return out;
}

TEST(Archive, ReadsWhatItWrites) {
  const std::string bytes = Small();
  const auto archive = ReadArchive(bytes);
  ASSERT_TRUE(archive) << archive.error().ToString();
  EXPECT_EQ(archive->mtime, 1700000000u);
  ASSERT_EQ(archive->members.size(), 2u);
  EXPECT_EQ(archive->members[0].name, "a.json");
  EXPECT_EQ(archive->members[0].bytes, "hello");
  EXPECT_EQ(archive->members[1].bytes, std::string_view("\0\1\2", 3));
  EXPECT_EQ(bytes.size(), 6u * 512);
}

TEST(Archive, KeepsMembersOfEverySizeAroundABlock) {
  for (size_t size : {0, 1, 511, 512, 513, 1024}) {
    const std::string content(size, 'x');
    const std::string bytes = WriteArchive({{"m", content}}, 0);
    const auto archive = ReadArchive(bytes);
    ASSERT_TRUE(archive) << size;
    EXPECT_EQ(archive->members[0].bytes, content);
  }
}

TEST(Archive, RefusesTruncationAtEveryByte) {
  const std::string bytes = Small();
  for (size_t size = 0; size < bytes.size(); size++) ASSERT_EQ(CodeOf(bytes.substr(0, size)), "container") << size;
}

TEST(Archive, RefusesEveryBitOutsideContents) {
  const std::string bytes = Small();
  for (size_t bit = 0; bit < bytes.size() * 8; bit++) {
    const size_t at = bit / 8;
    if ((at >= 512 && at < 517) || (at >= 1536 && at < 1539)) continue;  // what the digests of the manifest protect
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 1 << bit % 8);
    ASSERT_EQ(CodeOf(flipped), "container") << "bit " << bit;
  }
}

TEST(Archive, RefusesWhatFollowsTheEnd) {
  EXPECT_EQ(CodeOf(Small() + std::string(1, '\0')), "container");
  EXPECT_EQ(CodeOf(Small() + std::string(512, '\0')), "container");
  EXPECT_EQ(CodeOf(Small() + "x"), "container");
  EXPECT_EQ(CodeOf(Small() + Small()), "container");
}

TEST(Archive, RefusesNames) {
  using std::string_view;
  for (string_view name : {string_view("../etc"), string_view("/etc/pw"), string_view("./a"), string_view("a/b.js"),
                           string_view("A.json"), string_view("\xc3\xa4.jso"), string_view(".a.jso"),
                           string_view("-a.jso"), string_view("a json"), string_view("a\njson")}) {
    EXPECT_EQ(CodeOf(WithHeader(0, std::string(name) + std::string(1, '\0'))), "container") << name;
  }
  EXPECT_EQ(CodeOf(WithHeader(0, std::string(100, 'a'))), "container");
  EXPECT_EQ(CodeOf(WithHeader(0, std::string(65, 'a'))), "container");
  EXPECT_EQ(CodeOf(WithHeader(0, std::string("b.o\0\0\0\0", 7))), "container") << "the second member's name";
  EXPECT_EQ(CodeOf(WithHeader(0, std::string("a\0json", 6))), "container") << "something behind the name's end";
  EXPECT_EQ(CodeOf(WithHeader(345, "up")), "container") << "a prefix";
}

TEST(Archive, RefusesEveryOtherKindOfMember) {
  for (char type = 1; type < 127; type++) {
    if (type == '0') continue;
    ASSERT_EQ(CodeOf(WithHeader(156, std::string(1, type))), "container") << "type " << type;
  }
  EXPECT_EQ(CodeOf(WithHeader(156, std::string(1, '\0'))), "container") << "the old form of a regular file";
  EXPECT_EQ(CodeOf(WithHeader(157, "/etc/shadow")), "container") << "a link's target";
  EXPECT_EQ(CodeOf(WithHeader(257, "ustar  ")), "container") << "GNU";
  EXPECT_EQ(CodeOf(WithHeader(100, "0000755")), "container");
  EXPECT_EQ(CodeOf(WithHeader(108, "0001750")), "container");
  EXPECT_EQ(CodeOf(WithHeader(265, "root")), "container");
  EXPECT_EQ(CodeOf(WithHeader(329, "0000001")), "container");
}

TEST(Archive, RefusesSizesThatLie) {
  for (std::string_view size : {"00000000004", "00000001005", "77777777777", "00100000000", "-0000000005",
                                "          5", "0000000005 ", "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05"}) {
    EXPECT_EQ(CodeOf(WithHeader(124, size)), "container") << size;
  }
}

TEST(Archive, RefusesTimesThatDiffer) {
  EXPECT_EQ(CodeOf(WithHeader(136, "00000000000")), "container") << "the second member has another";
}

TEST(Archive, IsBounded) {
  std::vector<ArchiveMember> members;
  for (size_t i = 0; i < kMaxMembers; i++) members.push_back({"m" + std::to_string(i), ""});
  const std::string full = WriteArchive(members, 0);
  EXPECT_EQ(CodeOf(full), "accepted");
  const std::string more = WriteArchive({{"last", ""}}, 0);
  EXPECT_EQ(CodeOf(full.substr(0, full.size() - 1024) + more), "container");
  EXPECT_EQ(CodeOf(std::string(kMaxBundleBytes + 1, '\0')), "bundle-too-large");
  EXPECT_EQ(CodeOf(std::string(1024, '\0')), "container") << "no members";
  EXPECT_EQ(CodeOf(""), "container");
}

TEST(Archive, SaysWhatIsWrongInAHeader) {
  EXPECT_NE(ReadArchive(WithHeader(156, "2")).error().cause.find("only regular files"), std::string::npos);
  EXPECT_NE(ReadArchive(WithHeader(100, "0000755")).error().cause.find("mode"), std::string::npos);
  std::string sum = Small();
  sum[149] ^= 1;
  EXPECT_NE(ReadArchive(sum).error().cause.find("checksum"), std::string::npos);
}

}  // namespace
}  // namespace ks::bundle
