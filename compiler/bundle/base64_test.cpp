#include "compiler/bundle/base64.h"

#include <gtest/gtest.h>

namespace ks::bundle {
namespace {

TEST(Base64, KnowsTheVectorsOfItsStandard) {
  const std::pair<std::string_view, std::string_view> kVectors[] = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"},
                                                                    {"\xff\xfe\xfd", "//79"}};
  for (const auto& [bytes, text] : kVectors) {
    EXPECT_EQ(EncodeBase64(bytes), text);
    EXPECT_EQ(DecodeBase64(text), bytes);
  }
}

TEST(Base64, RoundTripsEveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; i++) {
    bytes += static_cast<char>(i);
    ASSERT_EQ(DecodeBase64(EncodeBase64(bytes)), bytes);
  }
}

TEST(Base64, HasOneFormPerValue) {
  for (std::string_view text : {"Zg", "Zg=", "Zg===", "Zg==\n", "\nZg==", "Zg ==", "Zh==", "Zm9=", "Zm8", "Z===",
                                "====", "=Zg=", "Zg==Zg==", "Zm-v", "Zm_v", "Zm9v=", "Z=9v", "Zm9v====", "Zm8=Zm8="}) {
    EXPECT_EQ(DecodeBase64(text), std::nullopt) << text;
  }
  EXPECT_EQ(DecodeBase64(std::string_view("Zm9\0", 4)), std::nullopt);
}

}  // namespace
}  // namespace ks::bundle
