#include "runtime/enrich/metadata.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace ks::enrich {
namespace {

const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

std::string Line(const std::string& more, const std::string& id = kId) {
  return R"({"id":")" + id + "\"" + more + "}\n";
}

TEST(Metadata, ReadsLines) {
  const auto facts = Metadata::Parse("\n" + Line(R"(,"name":"web")") + "  \r\n" +
                                     Line(R"(,"pod":{"uid":"u1","labels":{}})", std::string(64, 'b')));
  ASSERT_TRUE(facts) << facts.error().ToString();
  EXPECT_EQ(facts->size(), 2u);
  EXPECT_EQ(facts->FindContainer(kId)->name, "web");
  EXPECT_FALSE(facts->FindContainer(kId)->pod);
  EXPECT_EQ(facts->FindPod("u1")->labels, "");
  EXPECT_EQ(facts->FindPod("u2"), nullptr);
  EXPECT_EQ(facts->FindContainer("c"), nullptr);
  EXPECT_EQ(Metadata::Parse("")->size(), 0u);
}

TEST(Metadata, ErrorsNameTheLine) {
  const auto why = [](const std::string& second) {
    const auto facts = Metadata::Parse(Line("") + second);
    EXPECT_FALSE(facts) << second;
    return facts ? std::string() : facts.error().cause;
  };
  const std::string other(64, 'b');
  EXPECT_EQ(why("[]\n"), "line 2: it is no object");
  EXPECT_EQ(why("{\n"), "line 2: it is not JSON from byte 2 on");
  EXPECT_EQ(why("{}\n"), "line 2: `id` is not 64 hexadecimal digits, as a container's id is");
  EXPECT_EQ(why(Line("")), "line 2: container 0123456789ab… stands in line 1 already");
  EXPECT_EQ(why(R"({"id":")" + other), "line 2: it does not end with a newline");
  EXPECT_EQ(why(Line(R"(,"imgae":{})", other)), "line 2: `imgae` is not known; there are id, name, image, pod");
  EXPECT_EQ(why(Line(R"(,"image":"nginx")", other)), "line 2: `image` is no object");
  EXPECT_EQ(why(Line(R"(,"image":{"tag":"1"})", other)), "line 2: `image.tag` is not known; there are name, digest");
  EXPECT_EQ(why(Line(R"(,"name":7)", other)), "line 2: `name` is no text");
  EXPECT_EQ(why(Line(R"(,"name":"")", other)), "line 2: `name` is empty: leave out what is not known");
  EXPECT_EQ(why(Line(R"(,"name":"a\u0000b")", other)), "line 2: `name` holds a NUL");
  EXPECT_EQ(why(Line(R"(,"pod":{"labels":["a=b"]})", other)), "line 2: `pod.labels` is no object");
  EXPECT_EQ(why(Line(R"(,"pod":{"labels":{"a":1}})", other)), "line 2: the label `a` is no text");
  EXPECT_EQ(why(Line(R"(,"name":"a","name":"b")", other)), "line 2: the key `name` occurs twice");
  EXPECT_NE(why(Line(R"(,"name":")" + std::string(70'000, 'x') + "\"", other)).find("65536 are allowed"),
            std::string::npos);
}

TEST(Metadata, IsBounded) {
  std::string text;
  char id[65];
  for (int i = 0; i <= 65536; ++i) {
    std::snprintf(id, sizeof id, "%064x", i);
    text += Line("", id);
  }
  const auto facts = Metadata::Parse(text);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().cause, "line 65537: more than 65536 containers");
}

class MetadataFileTest : public testing::Test {
 protected:
  MetadataFileTest() { KS_CHECK(mkdtemp(folder_) != nullptr, "temporary folder"); }
  ~MetadataFileTest() override { std::filesystem::remove_all(folder_); }
  std::string Path() const { return std::string(folder_) + "/containers.jsonl"; }
  void Write(const std::string& text) { ASSERT_TRUE(WriteFile(Path(), text)); }

  static constexpr uint64_t kSecond = 1'000'000'000;
  char folder_[32] = "/tmp/ks-metadata-XXXXXX";
};

TEST_F(MetadataFileTest, MustBeRightAtTheStart) {
  EXPECT_EQ(MetadataFile::Open(Path()).error().code, "metadata-open");
  Write("{}\n");
  const auto file = MetadataFile::Open(Path());
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, "metadata-format");
  EXPECT_EQ(file.error().on, Path());
}

TEST_F(MetadataFileTest, IsReadAgainWhenItChanges) {
  Write(Line(""));
  auto file = MetadataFile::Open(Path());
  ASSERT_TRUE(file);
  bool changed = true;
  ASSERT_TRUE(file->Refresh(0, &changed));
  EXPECT_FALSE(changed);
  Write(Line("") + Line("", std::string(64, 'b')));
  // At most once a second.
  ASSERT_TRUE(file->Refresh(kSecond - 1, &changed));
  EXPECT_FALSE(changed);
  ASSERT_TRUE(file->Refresh(kSecond, &changed));
  EXPECT_TRUE(changed);
  EXPECT_EQ(file->facts().size(), 2u);
  ASSERT_TRUE(file->Refresh(2 * kSecond, &changed));
  EXPECT_FALSE(changed);
}

TEST_F(MetadataFileTest, WhatIsWrongIsSaidOnceAndTheOldFactsStay) {
  Write(Line(""));
  auto file = MetadataFile::Open(Path());
  ASSERT_TRUE(file);
  bool changed = true;
  Write("nonsense\n");
  EXPECT_FALSE(file->Refresh(kSecond, &changed));
  EXPECT_FALSE(changed);
  EXPECT_TRUE(file->Refresh(2 * kSecond, &changed));  // the same file
  std::filesystem::remove(Path());
  EXPECT_FALSE(file->Refresh(3 * kSecond, &changed));
  EXPECT_TRUE(file->Refresh(4 * kSecond, &changed));
  EXPECT_EQ(file->facts().size(), 1u);
  Write("");
  ASSERT_TRUE(file->Refresh(5 * kSecond, &changed));
  EXPECT_TRUE(changed);
  EXPECT_EQ(file->facts().size(), 0u);
}

}  // namespace
}  // namespace ks::enrich
