// Swaps between two loaded bundles, as often as the kernel allows, and writes down every event that either of them passed.
//
//   swap_flip FLIPS TRUST.pub A.kspb B.kspb EVENTS
//
// Says {"what":"ready"}, flips after a line on standard input, says {"what":"flipped"}, and after the next line stops: reads what is
// in the ring and says its counters. EVENTS gets a line for each event: kind, target.uid or -, pid, start time, parent's pid, generation.
#include <fmt/format.h>
#include <fmt/os.h>

#include <chrono>
#include <ctime>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/event/event.h"
#include "runtime/loader/loader.h"

namespace ks {
namespace {

using Clock = std::chrono::steady_clock;

int Fail(const Error& error) {
  fmt::print("{{\"what\":\"failed\",\"code\":\"{}\"}}\n", error.code);
  fmt::print(stderr, "{}\n", error.ToString());
  return 3;
}

std::string Number(const event::Event& event, schema::FieldId field) {
  const auto* number = std::get_if<int64_t>(&event.record[field].value);
  return event.record[field].status == schema::Status::Ok && number != nullptr ? std::to_string(*number) : "-";
}

class Flipper {
 public:
  explicit Flipper(const char* events) : events_(fmt::output_file(events)) {}

  Status Open(const char* trust_path, const char* a, const char* b) {
    std::ifstream file(trust_path);
    std::stringstream keys;
    keys << file.rdbuf();
    Result<bundle::Trust> trust = bundle::Trust::FromPem(keys.str());
    if (!trust) return trust.error();
    Result<std::unique_ptr<kernel::Kernel>> opened = kernel::OpenLibbpfKernel();
    if (!opened) return opened.error();
    kernel_ = std::move(*opened);
    loader::Loader loader(*kernel_);
    for (const char* path : {a, b}) {
      Result<bundle::VerifiedBundle> verified = loader::ReadBundle(path, *trust, std::time(nullptr));
      if (!verified) return verified.error();
      Result<loader::LoadedBundle> loaded = loader.Load(std::move(*verified));
      if (!loaded) return loaded.error();
      bundles_.push_back(std::move(*loaded));
    }
    return kernel_->Activate(*bundles_[0].object);
  }

  Status Flip(uint64_t flips) {
    for (uint64_t i = 1; i <= flips; ++i) {
      if (Status done = kernel_->Activate(*bundles_[i % 2].object); !done) return done;
      if (Status read = Read(); !read) return read;
    }
    return Ok();
  }

  Status Stop() {
    kernel_->Detach();
    return Read();
  }

  void SayCounters() const {
    uint64_t seen = 0, accounted = 0, submitted = 0, dropped = 0, missed = 0;
    for (const kernel::KindCounters& one : kernel_->Counters()) {
      seen += one.seen, submitted += one.submitted, dropped += one.dropped;
      accounted += one.filtered + one.limited + one.submitted + one.dropped;
    }
    for (const kernel::HookStatus& hook : kernel_->Hooks()) missed += hook.missed;
    fmt::print("{{\"what\":\"stopped\",\"seen\":{},\"accounted\":{},\"submitted\":{},\"received\":{},\"dropped\":{},"
               "\"malformed\":{},\"missed_runs\":{}}}\n",
               seen, accounted, submitted, received_, dropped, malformed_, missed);
  }

 private:
  Status Read() {
    for (;;) {
      Result<size_t> count = kernel_->Consume(0, [&](std::string_view record) { Write(record); });
      if (!count) return count.error();
      kernel_->Commit({});
      if (*count < kernel::kRecordsPerConsume) return Ok();
    }
  }

  void Write(std::string_view record) {
    using schema::FieldId;
    ++received_;
    Result<event::Event> event = event::Decode(record, 0);
    if (!event) {
      ++malformed_;
      return;
    }
    events_.print("{} {} {} {} {} {}\n", schema::Row(event->kind).name, Number(*event, FieldId::target_uid),
                  Number(*event, FieldId::process_pid), Number(*event, FieldId::process_start_time),
                  Number(*event, FieldId::process_parent_pid), event->generation);
  }

  fmt::ostream events_;
  std::unique_ptr<kernel::Kernel> kernel_;
  std::vector<loader::LoadedBundle> bundles_;
  uint64_t received_ = 0, malformed_ = 0;
};

int Main(int argc, char** argv) {
  if (argc != 6) return fmt::print(stderr, "usage: swap_flip FLIPS TRUST.pub A.kspb B.kspb EVENTS\n"), 2;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Flipper flipper(argv[5]);
  if (Status opened = flipper.Open(argv[2], argv[3], argv[4]); !opened) return Fail(opened.error());
  std::string line;
  fmt::print("{{\"what\":\"ready\"}}\n");
  std::getline(std::cin, line);
  const auto begin = Clock::now();
  if (Status flipped = flipper.Flip(std::strtoull(argv[1], nullptr, 10)); !flipped) return Fail(flipped.error());
  fmt::print("{{\"what\":\"flipped\",\"seconds\":{:.3f}}}\n", std::chrono::duration<double>(Clock::now() - begin).count());
  std::getline(std::cin, line);
  if (Status stopped = flipper.Stop(); !stopped) return Fail(stopped.error());
  flipper.SayCounters();
  return 0;
}

}  // namespace
}  // namespace ks

int main(int argc, char** argv) { return ks::Main(argc, argv); }
