#include "tools/kubesentryd/pipeline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "compiler/ir/passes.h"
#include "runtime/kernel/fake_kernel.h"
#include "tools/kubesentryd/arguments_testing.h"
#include "tools/kubesentryd/report.h"

namespace ks::agent {
namespace {

using schema::FieldId;

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() {
    const int fd = mkstemp(path_);
    KS_CHECK(fd >= 0, "temporary file");
    close(fd);
    auto output = Output::Open(path_, -1);
    output_.emplace(std::move(*output));
  }
  ~PipelineTest() override { unlink(path_); }

  void Activate(uint64_t version) {
    ir::Rule rule;
    rule.id = "acme.r" + std::to_string(version);
    rule.package = "acme";
    rule.name = "r" + std::to_string(version);
    rule.kinds = {schema::EventKind::setuid_};
    ir::Program program;
    program.rules.push_back(ir::Split(rule));
    const bundle::KeyPair key = *bundle::GenerateKey();
    const bundle::Contents contents{"elf", &program, {}};
    const bundle::PackOptions options{.name = "b",
                                      .version = version,
                                      .issued_at = "2026-11-01T00:00:00Z",
                                      .expires_at = "2027-11-01T00:00:00Z",
                                      .compiler_version = "0.1.0"};
    const std::string bytes = *bundle::Sign(bundle::Pack(contents, options), key.private_pem);
    auto loaded = loader_.Load(*bundle::Verify(bytes, *bundle::Trust::FromPem(key.public_pem), 1795000000));
    ASSERT_TRUE(loaded);
    ASSERT_TRUE(loader_.Activate(std::move(*loaded)));
  }

  static std::string Record(uint32_t generation, uint64_t sequence, uint16_t cpu = 0) {
    event::Event event;
    event.kind = schema::EventKind::setuid_;
    event.time_ns = 1000;
    event.sequence = sequence;
    event.generation = generation;
    event.cpu = cpu;
    event.passed = {1};
    event.record.Set(FieldId::target_uid, int64_t{7});
    return event::Encode(event);
  }

  std::vector<nlohmann::json> Alerts() {
    KS_CHECK(bool(output_->Flush()), "flush");
    std::vector<nlohmann::json> out;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) out.push_back(nlohmann::json::parse(line));
    return out;
  }

  char path_[24] = "/tmp/ks-alerts-XXXXXX";
  kernel::FakeKernel kernel_;
  loader::Loader loader_{kernel_};
  Pipeline pipeline_{loader_, "n1", "boot", false};
  std::optional<Output> output_;
  Log log_{true};
};

TEST_F(PipelineTest, ARecordIsDecidedByTheBundleThatPassedIt) {
  Activate(1);
  Activate(2);
  for (uint32_t generation : {1u, 2u, 1u}) {
    ASSERT_TRUE(pipeline_.Take(Record(generation, pipeline_.counts().received), *output_));
  }
  const auto alerts = Alerts();
  ASSERT_EQ(alerts.size(), 3u);
  EXPECT_EQ(alerts[0]["rule"], "r1");
  EXPECT_EQ(alerts[1]["rule"], "r2");
  EXPECT_EQ(alerts[1]["version"], 2);
  EXPECT_EQ(alerts[2]["rule"], "r1");
  EXPECT_EQ(alerts[2]["seq"], 3);
  EXPECT_EQ(alerts[2]["node"], "n1");
}

TEST_F(PipelineTest, TheNextAlertSaysHowManyRecordsWereLost) {
  Activate(1);
  ASSERT_TRUE(pipeline_.Take(Record(1, 0), *output_));
  ASSERT_TRUE(pipeline_.Take(Record(1, 5), *output_));
  ASSERT_TRUE(pipeline_.Take(Record(1, 2, 1), *output_));
  testing::internal::CaptureStderr();
  pipeline_.Settle(kernel_, log_);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find(R"("what":"lost","cpu":0,"records":4,"ring":"alerts")"), std::string::npos) << said;
  EXPECT_NE(said.find(R"("what":"lost","cpu":1,"records":2)"), std::string::npos) << said;
  ASSERT_TRUE(pipeline_.Take(Record(1, 6), *output_));
  ASSERT_TRUE(pipeline_.Take(Record(1, 7), *output_));
  const auto alerts = Alerts();
  ASSERT_EQ(alerts.size(), 5u);
  EXPECT_EQ(alerts[3]["lost_before"], 6);
  EXPECT_EQ(alerts[4]["lost_before"], 0);
  EXPECT_EQ(pipeline_.gaps().lost(), 6u);
}

TEST_F(PipelineTest, ALossNamesTheRulesThatAskForWhatWasDropped) {
  Activate(1);
  kernel_.counters = {{.kind = schema::EventKind::setuid_, .dropped_from = {5, 0}},
                      {.kind = schema::EventKind::open_, .dropped_from = {0, 7}}};
  constexpr uint64_t kContext = uint64_t{KS_RING_CONTEXT} << KS_SEQUENCE_BITS;
  ASSERT_TRUE(pipeline_.Take(Record(1, 5), *output_));
  ASSERT_TRUE(pipeline_.Take(Record(1, kContext | 7), *output_));
  testing::internal::CaptureStderr();
  pipeline_.Settle(kernel_, log_);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find(R"("records":5,"ring":"alerts","kinds":["setuid"],"rules":["acme.r1"],"rules_in_all":1)"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find(R"("records":7,"ring":"context","kinds":["open"],"rules":[],"rules_in_all":0)"), std::string::npos)
      << said;
  // A gap that shows when the counters say nothing new is of the same kinds.
  ASSERT_TRUE(pipeline_.Take(Record(1, 7), *output_));
  testing::internal::CaptureStderr();
  pipeline_.Settle(kernel_, log_);
  EXPECT_NE(testing::internal::GetCapturedStderr().find(R"("records":1,"ring":"alerts","kinds":["setuid"])"),
            std::string::npos);
  EXPECT_EQ(StatusReport(kernel_, loader_, pipeline_, 5)["may_have_missed"][0], "acme.r1");
}

TEST_F(PipelineTest, WhatIsLeftInTheRingsIsLostAndSaidToBe) {
  Activate(1);
  kernel_.counters = {{.kind = schema::EventKind::setuid_, .submitted_to = {5, 0}, .dropped_from = {2, 0}}};
  kernel_.received = {1, 0};
  kernel_.streams = {{.cpu = 0, .stream = KS_RING_ALERTS, .next = 7}};
  ASSERT_TRUE(pipeline_.Take(Record(1, 0), *output_));
  pipeline_.End(kernel_);
  EXPECT_EQ(pipeline_.unread(), 4u);
  EXPECT_EQ(pipeline_.unread(kernel::RingId::Alerts), 4u);
  testing::internal::CaptureStderr();
  pipeline_.Settle(kernel_, log_);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find(R"("records":6,"ring":"alerts","kinds":[],"rules":["acme.r1"])"), std::string::npos) << said;
  EXPECT_EQ(pipeline_.gaps().lost(), 2 + pipeline_.unread());
  EXPECT_EQ(StatusReport(kernel_, loader_, pipeline_, 5)["rings"][0]["unread"], 4);
  EXPECT_FALSE(StatusReport(kernel_, loader_, pipeline_, 5)["rings"][1].contains("unread"));
}

TEST_F(PipelineTest, WhatCannotBeReadOrPlacedIsCountedAndSaid) {
  Activate(1);
  ASSERT_TRUE(pipeline_.Take("junk", *output_));
  ASSERT_TRUE(pipeline_.Take("", *output_));
  ASSERT_TRUE(pipeline_.Take(Record(9, 0), *output_));
  testing::internal::CaptureStderr();
  pipeline_.Settle(kernel_, log_);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find(R"("what":"malformed","records":2)"), std::string::npos) << said;
  EXPECT_NE(said.find(R"("what":"stray","records":1)"), std::string::npos) << said;
  EXPECT_TRUE(Alerts().empty());
  testing::internal::CaptureStderr();
  pipeline_.Settle(kernel_, log_);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "said once";
}

TEST_F(PipelineTest, TheReportHoldsWhatIsLoadedAndLost) {
  Activate(3);
  kernel_.counters = {{schema::EventKind::setuid_, 10, 6, 0, 3, 1}};
  loader_.CountRefusal({"", "", "", "", "container"});
  const auto report = StatusReport(kernel_, loader_, pipeline_, 5);
  EXPECT_EQ(report["bundle"]["version"], 3);
  EXPECT_EQ(report["rules"], 1);
  EXPECT_EQ(report["swaps"], 0) << "the first activation is none";
  EXPECT_EQ(report["refusals"]["container"], 1);
  EXPECT_EQ(report["counters"][0]["kind"], "setuid");
  EXPECT_EQ(report["tiers"]["open"], "trampoline");
  EXPECT_EQ(report["tiers"]["bind"], "tracepoint");
  const std::string text = Readable(nlohmann::json::parse(report.dump()));
  EXPECT_NE(text.find("b version 3"), std::string::npos) << text;
  EXPECT_NE(text.find("refused: container 1"), std::string::npos) << text;
  EXPECT_NE(text.find("trampolines for open; not for bind (security_socket_bind: a test's reason)"), std::string::npos)
      << text;
}

TEST_F(PipelineTest, ArgumentsThatWereNotInMemoryAreAskedForBeforeAnythingIsDecided) {
  FakeArguments arguments;
  pipeline_.set_arguments(&arguments);
  event::Event event;
  event.kind = schema::EventKind::setuid_;
  event.generation = 1;
  event.time_ns = 1000;
  event.cpu = 3;
  event.passed = {1};
  event.record.SetStatus(FieldId::process_args, schema::Status::Unknown);
  pipeline_.set_boot_to_utc_ns(5'000'000'000);
  ASSERT_TRUE(pipeline_.Take(event::Encode(event), *output_)) << "of no bundle";
  EXPECT_TRUE(arguments.asked.empty()) << "nobody decides it";
  Activate(1);
  ASSERT_TRUE(pipeline_.Take(event::Encode(event), *output_));
  ASSERT_EQ(arguments.asked.size(), 1u);
  EXPECT_EQ(arguments.asked[0], std::pair(uint64_t{1000}, uint16_t{3}));
  auto report = StatusReport(kernel_, loader_, pipeline_, 5);
  EXPECT_EQ(report["arguments"]["asked"], 1);
  EXPECT_EQ(report["arguments"]["gone"], 1);
  EXPECT_NE(Readable(nlohmann::json::parse(report.dump())).find("1 were not in memory: 0 read, 1 gone"), std::string::npos);
  arguments.why = "a test's reason";
  report = StatusReport(kernel_, loader_, pipeline_, 5);
  EXPECT_NE(Readable(nlohmann::json::parse(report.dump())).find("not in memory: a test's reason"), std::string::npos);
}

TEST_F(PipelineTest, AReportOfAnotherVersionIsShownAsFarAsItGoes) {
  EXPECT_NE(Readable(nlohmann::json::object()), "");
  EXPECT_NE(
      Readable(nlohmann::json::parse(R"({"bundle":7,"hooks":{"a":1},"counters":[1,{"seen":"x"}],"refusals":[3]})")),
      "");
}

TEST_F(PipelineTest, TheNextAgentGoesOnWhereThisOneStopped) {
  Activate(1);
  pipeline_.set_boot_to_utc_ns(5'000'000'000);
  ASSERT_TRUE(pipeline_.Take(Record(1, 0), *output_));
  ASSERT_TRUE(pipeline_.Take(Record(1, 3), *output_));
  ASSERT_TRUE(pipeline_.Take("junk", *output_));
  Pipeline next(loader_, "n1", "boot", false);
  next.set_boot_to_utc_ns(5'000'000'123);
  next.Resume(pipeline_.Progress());
  EXPECT_EQ(next.boot_to_utc_ns(), 5'000'000'000) << "what is told twice has the same time";
  ASSERT_TRUE(next.Take(Record(1, 4), *output_));
  testing::internal::CaptureStderr();
  next.Settle(kernel_, log_);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "nothing is lost between the two, and nothing is said again";
  EXPECT_EQ(next.counts().received, 4u);
  EXPECT_EQ(next.counts().malformed, 1u);
  EXPECT_EQ(next.gaps().lost(), 2u);
  const auto alerts = Alerts();
  ASSERT_EQ(alerts.size(), 3u);
  EXPECT_EQ(alerts[2]["seq"], 3);
  EXPECT_EQ(alerts[2]["lost_before"], 2);
  next.set_boot_to_utc_ns(9'000'000'000);
  next.Resume(pipeline_.Progress());
  EXPECT_EQ(next.boot_to_utc_ns(), 9'000'000'000) << "the clock was set";
}

TEST_F(PipelineTest, AfterARollbackTheOlderBundleDecidesAgain) {
  Activate(1);
  Activate(2);
  ASSERT_TRUE(pipeline_.Take(Record(2, 0), *output_));
  ASSERT_TRUE(loader_.Rollback());
  ASSERT_TRUE(pipeline_.Advance(2000, *output_));
  ASSERT_TRUE(pipeline_.Take(Record(1, 1), *output_));
  ASSERT_TRUE(pipeline_.Take(Record(2, 2), *output_)) << "was in the ring";
  const auto alerts = Alerts();
  ASSERT_EQ(alerts.size(), 3u);
  EXPECT_EQ(alerts[0]["rule"], "r2");
  EXPECT_EQ(alerts[1]["rule"], "r1");
  EXPECT_EQ(alerts[2]["rule"], "r2");
  EXPECT_EQ(StatusReport(kernel_, loader_, pipeline_, 5)["rolled_back"], 1);
}

}  // namespace
}  // namespace ks::agent
