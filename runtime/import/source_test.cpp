#include "runtime/import/source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

namespace ks::import {
namespace {

std::string Packed(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  return packed;
}

struct Got {
  std::string bytes, damage;
  bool operator==(const Got&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Got& got) { return out << got.bytes.size() << " bytes, " << got.damage; }

// In pieces of that size, after a look at the beginning.
Got ReadAll(std::string_view file, size_t piece = 100'000) {
  const int fd = ::memfd_create("source", MFD_CLOEXEC);
  EXPECT_EQ(::pwrite(fd, file.data(), file.size(), 0), static_cast<ssize_t>(file.size()));
  Result<Source> source = Source::Open("/proc/self/fd/" + std::to_string(fd));
  ::close(fd);
  Got got;
  const std::string begin = source->Peek(5);
  for (size_t before = 1; before != got.bytes.size();) {
    before = got.bytes.size();
    source->Read(piece, &got.bytes);
    EXPECT_EQ(source->offset(), got.bytes.size());
  }
  EXPECT_EQ(begin, got.bytes.substr(0, 5));
  got.damage = source->Damage();
  return got;
}

std::string Text(size_t size) {
  std::string text;
  for (size_t i = 0; text.size() < size; ++i) text += std::to_string(i * i) + "\n";
  return text.substr(0, size);
}

TEST(SourceTest, PlainFilesAreReadAsTheyAre) {
  for (const std::string& text : {std::string(), std::string("\x1f"), std::string("\x1fx\x8b"), std::string("\0\0", 2), Text(700'000)}) {
    EXPECT_EQ(ReadAll(text), (Got{text, ""}));
  }
}

TEST(SourceTest, MembersFollowEachOther) {
  const std::string text = Text(700'000);
  EXPECT_EQ(ReadAll(Packed(text)), (Got{text, ""}));
  EXPECT_EQ(ReadAll(Packed("abc"), 1), (Got{"abc", ""}));
  EXPECT_EQ(ReadAll(Packed("")), (Got{"", ""}));
  EXPECT_EQ(ReadAll(Packed("a") + Packed("") + Packed(text) + Packed("b")), (Got{"a" + text + "b", ""}));
  // Padding.
  EXPECT_EQ(ReadAll(Packed("a") + std::string(600'000, '\0')), (Got{"a", ""}));
  EXPECT_EQ(ReadAll(Packed("a") + std::string(512, '\0') + Packed("b")), (Got{"ab", ""}));
}

TEST(SourceTest, WhatIsNoMemberIsDamage) {
  const std::string a = Packed("a"), b = Packed("b");
  std::string damaged = b;
  damaged[0] ^= 1;
  const std::string where = std::to_string(a.size());
  EXPECT_EQ(ReadAll(a + damaged), (Got{"a", "the compressed file is damaged: at byte " + where + " neither it ends nor does a gzip member begin"}));
  damaged = b;
  damaged[1] ^= 1;
  EXPECT_EQ(ReadAll(a + damaged).damage.find("the compressed file is damaged before byte "), 0u);
  damaged = a;
  damaged[damaged.size() - 8] ^= 1;  // its check
  EXPECT_EQ(ReadAll(damaged + b), (Got{"a", "the compressed file is damaged before byte " + std::to_string(a.size() - 4) + ": incorrect data check"}));
}

TEST(SourceTest, OfACutFileThereIsWhatComesBefore) {
  const std::string text = Text(3000), a = Packed(text), b = Packed("b");
  for (size_t size = 2; size < a.size(); ++size) {
    const Got got = ReadAll(a.substr(0, size));
    EXPECT_EQ(got.damage, "the compressed file is cut") << size;
    EXPECT_EQ(got.bytes, text.substr(0, got.bytes.size()));
  }
  EXPECT_GT(ReadAll(a.substr(0, a.size() / 2)).bytes.size(), 500u);
  for (size_t size = 1; size < b.size(); ++size) EXPECT_EQ(ReadAll(a + b.substr(0, size)).damage, "the compressed file is cut") << size;
}

}  // namespace
}  // namespace ks::import
