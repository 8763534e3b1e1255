#include "runtime/loader/loader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "compiler/ir/passes.h"
#include "runtime/kernel/fake_kernel.h"
#include "runtime/loader/names.h"

namespace ks::loader {
namespace {

constexpr int64_t kNow = 1795000000;
constexpr uint64_t kSecond = 1000000000;

class LoaderTest : public testing::Test {
 protected:
  LoaderTest() {
    KS_CHECK(mkdtemp(folder_) != nullptr, "temporary folder");
    key_ = *bundle::GenerateKey();
    trust_ = *bundle::Trust::FromPem(key_.public_pem);
  }
  ~LoaderTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return std::string(folder_) + "/" + name; }

  // A rule that asks for a file by each of its names.
  std::string Bundle(uint64_t version, std::vector<std::string> names = {}) const {
    ir::Rule rule;
    rule.id = "acme.r";
    rule.package = "acme";
    rule.name = "r";
    rule.kinds = {schema::EventKind::open_};
    if (!names.empty()) {
      ir::Atom atom;
      atom.operand = {schema::FieldId::file_canonical};
      atom.test = ir::Test::In;
      atom.literals.assign(names.begin(), names.end());
      rule.when = ir::MakeAtom(atom);
    }
    ir::Program program;
    program.rules.push_back(ir::Split(rule));
    bundle::Contents contents{"elf of " + std::to_string(version), &program, {}};
    const bundle::PackOptions options{.name = "b",
                                      .version = version,
                                      .issued_at = "2026-11-01T00:00:00Z",
                                      .expires_at = "2027-11-01T00:00:00Z",
                                      .compiler_version = "0.1.0"};
    return *bundle::Sign(bundle::Pack(contents, options), key_.private_pem);
  }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
  }
  Result<bool> Swap(const std::string& bytes) {
    Write("b.kspb", bytes);
    return loader_.Swap(Path("b.kspb"), trust_, kNow);
  }
  // Tests of what stays: the version that is active, or 0.
  uint64_t ActiveVersion() const { return loader_.active() ? loader_.active()->bundle().manifest().version : 0; }

  char folder_[24] = "/tmp/ks-loader-XXXXXX";
  bundle::KeyPair key_;
  bundle::Trust trust_;
  kernel::FakeKernel kernel_;
  Loader loader_{kernel_};
};

TEST_F(LoaderTest, LoadsBesideThenActivates) {
  ASSERT_TRUE(*Swap(Bundle(1)));
  EXPECT_EQ(kernel_.calls, (std::vector<std::string>{"load 1", "activate 1"}));
  EXPECT_EQ(kernel_.loaded_elf, "elf of 1");
  EXPECT_EQ(ActiveVersion(), 1u);
  EXPECT_EQ(loader_.active()->generation(), 1u);
  EXPECT_EQ(loader_.active()->engine().program().rules.size(), 1u);
  ASSERT_TRUE(*Swap(Bundle(2)));
  EXPECT_EQ(ActiveVersion(), 2u);
  EXPECT_EQ(kernel_.active, 2u);
  EXPECT_EQ(loader_.counts().activated, 2u);
  EXPECT_TRUE(loader_.counts().refusals.empty());
}

TEST_F(LoaderTest, TheSameBundleAgainIsNothingToDo) {
  ASSERT_TRUE(*Swap(Bundle(1)));
  ASSERT_FALSE(*Swap(Bundle(1)));
  EXPECT_EQ(kernel_.calls.size(), 2u) << "the kernel was not asked again";
  EXPECT_EQ(loader_.counts().unchanged, 1u);
  EXPECT_EQ(loader_.counts().activated, 1u);
}

TEST_F(LoaderTest, RefusesAndKeepsTheOldOne) {
  ASSERT_TRUE(*Swap(Bundle(1)));
  std::string flipped = Bundle(2);
  flipped[flipped.find("elf of 2")] ^= 1;
  const bundle::KeyPair other = *bundle::GenerateKey();
  const std::pair<std::string, std::string> kBad[] = {
      {flipped, "digest"},
      {*bundle::Resign(Bundle(2), other.private_pem), "signature-wrong-key"},
      {Bundle(2).substr(0, 700), "container"},
      {"", "container"},
      {std::string(bundle::kMaxBundleBytes + 1, 'x'), "bundle-too-large"}};
  for (const auto& [bytes, code] : kBad) {
    const auto swapped = Swap(bytes);
    ASSERT_FALSE(swapped);
    EXPECT_EQ(swapped.error().code, code);
    EXPECT_NE(swapped.error().on.find(Path("b.kspb")), std::string::npos) << swapped.error().on;
    EXPECT_EQ(ActiveVersion(), 1u);
  }
  EXPECT_EQ(kernel_.calls.size(), 2u) << "nothing of them reached the kernel";
  EXPECT_EQ(loader_.counts().refusals,
            (std::map<std::string, uint64_t>{
                {"digest", 1}, {"signature-wrong-key", 1}, {"container", 2}, {"bundle-too-large", 1}}));
}

TEST_F(LoaderTest, AMissingFileIsAnError) {
  const auto swapped = loader_.Swap(Path("none.kspb"), trust_, kNow);
  ASSERT_FALSE(swapped);
  EXPECT_EQ(swapped.error().on, Path("none.kspb"));
  EXPECT_FALSE(swapped.error().advice.empty());
  EXPECT_EQ(loader_.active(), nullptr);
}

TEST_F(LoaderTest, WhatTheKernelRefusesChangesNothing) {
  const Error error{"load", "the bundle", "because", "", "kernel-load"};
  ASSERT_TRUE(*Swap(Bundle(1, {"/etc/passwd"})));
  const auto named = kernel_.inodes.size();
  kernel_.refuse_load = error;
  EXPECT_EQ(Swap(Bundle(2)).error().code, "kernel-load");
  kernel_.refuse_activate = error;
  EXPECT_EQ(Swap(Bundle(2)).error().code, "kernel-load");
  kernel_.refuse_inodes = error;
  EXPECT_EQ(Swap(Bundle(2, {"/etc/group"})).error().code, "kernel-load");
  EXPECT_EQ(ActiveVersion(), 1u);
  EXPECT_EQ(kernel_.active, 1u);
  EXPECT_EQ(loader_.counts().refusals.at("kernel-load"), 3u);
  EXPECT_EQ(kernel_.objects_alive, 1u) << "what was loaded beside is gone";
  ASSERT_TRUE(loader_.RefreshNames());
  EXPECT_EQ(kernel_.inodes.size(), named);
  ASSERT_TRUE(*Swap(Bundle(2))) << "and the next one works";
  EXPECT_EQ(loader_.active()->generation(), 5u) << "numbers are never given twice";
}

TEST_F(LoaderTest, RecordsOfTheOldOneAreDecidedByTheOldOne) {
  ASSERT_TRUE(*Swap(Bundle(1)));
  ASSERT_TRUE(*Swap(Bundle(2)));
  ASSERT_TRUE(*Swap(Bundle(3)));
  for (uint32_t generation : {1u, 2u, 3u}) {
    ASSERT_NE(loader_.OfGeneration(generation), nullptr);
    EXPECT_EQ(loader_.OfGeneration(generation)->bundle().manifest().version, generation);
  }
  EXPECT_EQ(loader_.OfGeneration(0), nullptr);
  EXPECT_EQ(loader_.OfGeneration(4), nullptr);
}

TEST_F(LoaderTest, ForgetsGenerationsWhenTheirRecordsAreRead) {
  ASSERT_TRUE(*Swap(Bundle(1)));
  ASSERT_TRUE(*Swap(Bundle(2)));
  ASSERT_TRUE(*Swap(Bundle(3)));
  loader_.Consumed(kernel::kRecordsPerConsume, 1 * kSecond);
  loader_.Consumed(kernel::kRecordsPerConsume, 9 * kSecond);
  EXPECT_EQ(loader_.generations(), 3u) << "the ring was never read to its end";
  loader_.Consumed(10, 10 * kSecond);
  loader_.Consumed(0, 11 * kSecond - 1);
  EXPECT_EQ(loader_.generations(), 3u) << "a writer may have held up others";
  loader_.Consumed(0, 11 * kSecond);
  EXPECT_EQ(loader_.generations(), 2u);
  EXPECT_EQ(loader_.OfGeneration(1), nullptr);
  EXPECT_NE(loader_.OfGeneration(2), nullptr) << "stays for a rollback";
  EXPECT_NE(loader_.OfGeneration(3), nullptr);
  EXPECT_EQ(kernel_.objects_alive, 2u);
  EXPECT_EQ(kernel_.calls.back(), "forget 1");
}

TEST_F(LoaderTest, RollsBackToTheOneBeforeAndForthAgain) {
  ASSERT_TRUE(*Swap(Bundle(1)));
  EXPECT_EQ(loader_.Rollback().error().code, "rollback-none");
  EXPECT_EQ(ActiveVersion(), 1u);
  ASSERT_TRUE(*Swap(Bundle(2)));
  const Error error{"load", "the bundle", "because", "", "kernel-map"};
  kernel_.refuse_activate = error;
  EXPECT_FALSE(loader_.Rollback());
  EXPECT_EQ(ActiveVersion(), 2u) << "what fails changes nothing";
  ASSERT_TRUE(loader_.Rollback());
  EXPECT_EQ(ActiveVersion(), 1u);
  EXPECT_EQ(kernel_.active, 1u);
  ASSERT_NE(loader_.OfGeneration(2), nullptr);
  EXPECT_EQ(loader_.Knows(loader_.OfGeneration(2)->bundle().digest()), Loader::Known::RolledBack);
  ASSERT_TRUE(loader_.Rollback());
  EXPECT_EQ(ActiveVersion(), 2u);
  EXPECT_EQ(loader_.counts().rolled_back, 2u);
  EXPECT_EQ(loader_.counts().activated, 2u);
  ASSERT_TRUE(loader_.Rollback());
  ASSERT_TRUE(*Swap(Bundle(3))) << "takes the bank of the one that was rolled back from";
  EXPECT_EQ(loader_.active()->generation(), 3u);
  ASSERT_TRUE(loader_.Rollback());
  EXPECT_EQ(ActiveVersion(), 1u);
}

TEST_F(LoaderTest, WhatAnAgentBeforePinnedIsVerifiedAgainAndGoneOnWith) {
  kernel_.pins = true;
  const bundle::KeyPair other = *bundle::GenerateKey();
  using Bank = kernel::KeptBundle::Bank;
  const int64_t long_ago = kNow - 1000;
  kernel_.kept = {{3, long_ago, Bundle(3), Bank::None, false},
                  {4, long_ago, *bundle::Resign(Bundle(4), other.private_pem), Bank::None, false},
                  {5, long_ago, Bundle(5), Bank::Idle, false},
                  {6, long_ago, Bundle(6, {"/etc/passwd"}), Bank::Active, false},
                  {7, long_ago, Bundle(7).substr(0, 700), Bank::None, false}};
  const std::vector<Error> strange = loader_.Resume(trust_);
  ASSERT_EQ(strange.size(), 2u);
  EXPECT_EQ(strange[0].code, "signature-wrong-key");
  EXPECT_EQ(strange[0].on, "the pinned bundle of generation 4");
  EXPECT_EQ(strange[1].code, "container");
  EXPECT_EQ(kernel_.calls, (std::vector<std::string>{"adopt 3", "adopt 5", "adopt 6", "reattach 6", "inodes 1"}));
  EXPECT_EQ(ActiveVersion(), 6u);
  EXPECT_EQ(loader_.Knows(loader_.active()->bundle().digest()), Loader::Known::Active);
  EXPECT_NE(loader_.OfGeneration(3), nullptr) << "its records may be in the ring";
  EXPECT_EQ(loader_.OfGeneration(4), nullptr);
  ASSERT_TRUE(*Swap(Bundle(8)));
  EXPECT_EQ(loader_.active()->generation(), 8u) << "numbers are never given twice";
  EXPECT_EQ((std::vector<std::string>(kernel_.calls.end() - 3, kernel_.calls.end())),
            (std::vector<std::string>{"activate 8", "forget 4", "forget 7"})) << "the next start may have trusted them";
  ASSERT_TRUE(loader_.Rollback());
  EXPECT_EQ(ActiveVersion(), 6u);
}

TEST_F(LoaderTest, ARolledBackBundleStaysSoOverARestart) {
  using Bank = kernel::KeptBundle::Bank;
  kernel_.kept = {{1, kNow, Bundle(1), Bank::Active, false}, {2, kNow, Bundle(2), Bank::Idle, false, true}};
  EXPECT_TRUE(loader_.Resume(trust_).empty());
  EXPECT_EQ(ActiveVersion(), 1u);
  EXPECT_EQ(loader_.Knows(loader_.OfGeneration(2)->bundle().digest()), Loader::Known::RolledBack);
  EXPECT_EQ(loader_.Knows("sha256:another"), Loader::Known::No);
}

TEST_F(LoaderTest, ASwapThatAKillCutShortIsNoRollback) {
  using Bank = kernel::KeptBundle::Bank;
  kernel_.kept = {{1, kNow, Bundle(1), Bank::Active, false}, {2, kNow, Bundle(2), Bank::Idle, false}};
  EXPECT_TRUE(loader_.Resume(trust_).empty());
  EXPECT_EQ(loader_.Knows(loader_.OfGeneration(2)->bundle().digest()), Loader::Known::No);
  ASSERT_TRUE(*Swap(Bundle(2)));
  EXPECT_EQ(ActiveVersion(), 2u);
  ASSERT_TRUE(loader_.Rollback());
  EXPECT_EQ(ActiveVersion(), 1u);
}

TEST_F(LoaderTest, WhoWentBackIsKeptBeforeTheSwitch) {
  ASSERT_TRUE(*Swap(Bundle(1)));
  ASSERT_TRUE(*Swap(Bundle(2)));
  kernel_.calls.clear();
  ASSERT_TRUE(loader_.Rollback());
  ASSERT_TRUE(loader_.Rollback());
  EXPECT_EQ(kernel_.calls, (std::vector<std::string>{"rolled-back 2 1", "activate 1", "activate 2", "rolled-back 2 0"}));
  kernel_.refuse_activate = Error{"attach", "x", "because", "", "kernel-attach"};
  EXPECT_FALSE(loader_.Rollback());
  EXPECT_EQ(kernel_.calls.back(), "rolled-back 2 0");
}

TEST_F(LoaderTest, ARollbackThatCannotBeKeptHappensAndIsSaid) {
  ASSERT_TRUE(*Swap(Bundle(1)));
  ASSERT_TRUE(*Swap(Bundle(2)));
  kernel_.refuse_rolled_back = Error{"keep", "x", "because", "", "pin"};
  ASSERT_TRUE(loader_.Rollback());
  EXPECT_EQ(ActiveVersion(), 1u);
  const std::optional<Error> not_kept = loader_.TakeNotKept();
  ASSERT_TRUE(not_kept);
  EXPECT_EQ(not_kept->code, "pin");
  EXPECT_FALSE(loader_.TakeNotKept());
}

TEST_F(LoaderTest, ANumberOfABundleThatCannotBeReadIsNotGivenAgain) {
  kernel_.last_generation = 41;
  EXPECT_TRUE(loader_.Resume(trust_).empty());
  ASSERT_TRUE(*Swap(Bundle(1)));
  EXPECT_EQ(loader_.active()->generation(), 42u);
}

TEST_F(LoaderTest, ProgramsForOtherTrampolinesAreLoadedAgain) {
  kernel_.kept = {{1, kNow, Bundle(1), kernel::KeptBundle::Bank::Active, true}};
  EXPECT_TRUE(loader_.Resume(trust_).empty());
  EXPECT_EQ(loader_.Knows(loader_.active()->bundle().digest()), Loader::Known::No);
}

TEST_F(LoaderTest, APinnedKernelKeepsWhatIsLoadedOrRefusesIt) {
  kernel_.pins = true;
  const std::string bytes = Bundle(1);
  ASSERT_TRUE(*Swap(bytes));
  EXPECT_EQ(kernel_.calls, (std::vector<std::string>{"load 1", "keep 1", "activate 1"}));
  ASSERT_EQ(kernel_.kept.size(), 1u);
  EXPECT_EQ(kernel_.kept[0].bytes, bytes);
  EXPECT_EQ(kernel_.kept[0].since, kNow);
  kernel_.refuse_keep = Error{"pin", "x", "because", "", "pin"};
  EXPECT_EQ(Swap(Bundle(2)).error().code, "pin");
  EXPECT_EQ(kernel_.calls.back(), "forget 2");
  EXPECT_EQ(ActiveVersion(), 1u);
  kernel_.refuse_activate = Error{"attach", "x", "because", "", "kernel-attach"};
  EXPECT_FALSE(Swap(Bundle(3)));
  EXPECT_EQ(kernel_.calls.back(), "forget 3");
  EXPECT_EQ(ActiveVersion(), 1u);
  EXPECT_EQ(kernel_.objects_alive, 1u);
}

TEST_F(LoaderTest, NamesAreKnownBeforeTheNewProgramsRun) {
  ASSERT_TRUE(*Swap(Bundle(1, {"/etc/passwd"})));
  EXPECT_EQ(kernel_.calls, (std::vector<std::string>{"load 1", "inodes 1", "activate 1"}));
  ASSERT_TRUE(*Swap(Bundle(2, {"/etc/group"})));
  EXPECT_EQ(kernel_.inodes.size(), 2u) << "both, while programs of both may run";
  ASSERT_TRUE(loader_.RefreshNames());
  ASSERT_EQ(kernel_.inodes.size(), 1u);
  EXPECT_EQ(kernel_.inodes[0].path, "/etc/group");
  const size_t calls = kernel_.calls.size();
  ASSERT_TRUE(loader_.RefreshNames());
  EXPECT_EQ(kernel_.calls.size(), calls) << "nothing changed, nothing is set";
}

TEST_F(LoaderTest, AFileThatIsReplacedKeepsItsName) {
  const std::string file = Path("secret");
  ASSERT_TRUE(*Swap(Bundle(1, {file})));
  EXPECT_TRUE(kernel_.inodes.empty()) << "it does not exist yet";
  Write("secret", "1");
  ASSERT_TRUE(loader_.RefreshNames());
  ASSERT_EQ(kernel_.inodes.size(), 1u);
  const uint64_t first = kernel_.inodes[0].inode;
  Write("secret.new", "2");
  std::filesystem::rename(Path("secret.new"), file);
  ASSERT_TRUE(loader_.RefreshNames());
  ASSERT_EQ(kernel_.inodes.size(), 1u);
  EXPECT_NE(kernel_.inodes[0].inode, first);
  EXPECT_EQ(kernel_.inodes[0].path, file);
}

TEST_F(LoaderTest, NamesCarryTheKernelsDeviceNumberAndFollowLinks) {
  Write("real", "x");
  std::filesystem::create_symlink(Path("real"), Path("link"));
  struct stat info{};
  ASSERT_EQ(stat(Path("real").c_str(), &info), 0);
  const auto named = ResolveNames({Path("link"), Path("real"), Path("nothing")});
  ASSERT_EQ(named.size(), 1u);
  EXPECT_EQ(named[0].inode, info.st_ino);
  EXPECT_EQ(named[0].device, uint64_t{major(info.st_dev)} << 20 | minor(info.st_dev));
  EXPECT_EQ(named[0].path, Path("link")) << "the first name given";
}

}  // namespace
}  // namespace ks::loader
