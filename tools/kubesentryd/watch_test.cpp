#include "tools/kubesentryd/watch.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ks::agent {
namespace {

class WatchTest : public testing::Test {
 protected:
  WatchTest() { KS_CHECK(mkdtemp(folder_) != nullptr, "temporary folder"); }
  ~WatchTest() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return std::string(folder_) + "/" + name; }
  void Write(const std::string& name) const { std::ofstream(Path(name)) << "x"; }

  char folder_[24] = "/tmp/ks-watch-XXXXXX";
};

TEST_F(WatchTest, SeesRenamesAndRewritesOfItsFileOnly) {
  Write("b.kspb");
  auto watch = FileWatch::Create(Path("b.kspb"));
  ASSERT_TRUE(watch);
  EXPECT_FALSE(watch->Changed());
  Write("other");
  EXPECT_FALSE(watch->Changed());
  Write("b.kspb");
  EXPECT_TRUE(watch->Changed());
  EXPECT_FALSE(watch->Changed()) << "told once";
  std::filesystem::rename(Path("other"), Path("b.kspb"));
  EXPECT_TRUE(watch->Changed());
  std::filesystem::remove(Path("b.kspb"));
  EXPECT_FALSE(watch->Changed()) << "nothing to load";
  Write("b.kspb");
  EXPECT_TRUE(watch->Changed()) << "and it is there again";
}

TEST_F(WatchTest, SeesTheVolumesOfKubernetes) {
  std::filesystem::create_directory(Path("..1"));
  std::filesystem::create_directory_symlink("..1", Path("..data"));
  Write("..1/b.kspb");
  std::filesystem::create_symlink("..data/b.kspb", Path("b.kspb"));
  auto watch = FileWatch::Create(Path("b.kspb"));
  ASSERT_TRUE(watch);
  std::filesystem::create_directory_symlink("..2", Path("..data_tmp"));
  EXPECT_FALSE(watch->Changed());
  std::filesystem::rename(Path("..data_tmp"), Path("..data"));
  EXPECT_TRUE(watch->Changed());
}

TEST_F(WatchTest, SaysWhatItCannotWatch) {
  const auto watch = FileWatch::Create(Path("none/b.kspb"));
  ASSERT_FALSE(watch);
  EXPECT_EQ(watch.error().on, Path("none"));
}

TEST_F(WatchTest, TheFolderMayComeLaterAndGo) {
  auto watch = FileWatch::Create(Path("folder/b.kspb"), /*folder_may_be_missing=*/true);
  ASSERT_TRUE(watch);
  EXPECT_FALSE(watch->watches());
  EXPECT_FALSE(watch->Changed());
  std::filesystem::create_directory(Path("folder"));
  Write("folder/b.kspb");
  EXPECT_TRUE(watch->Changed()) << "written before it was watched";
  EXPECT_FALSE(watch->Changed());
  std::filesystem::rename(Path("folder"), Path("aside"));
  EXPECT_FALSE(watch->Changed());
  EXPECT_FALSE(watch->watches());
  Write("aside/b.kspb");
  EXPECT_FALSE(watch->Changed()) << "that is another folder now";
  std::filesystem::create_directory(Path("folder"));
  EXPECT_TRUE(watch->Changed());
  std::filesystem::remove_all(Path("folder"));
  EXPECT_FALSE(watch->Changed());
  EXPECT_FALSE(watch->watches());
  std::filesystem::create_directory(Path("folder"));
  EXPECT_TRUE(watch->Changed());
  Write("folder/b.kspb");
  EXPECT_TRUE(watch->Changed());
}

}  // namespace
}  // namespace ks::agent
