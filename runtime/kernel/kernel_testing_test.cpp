#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "everything_object.h"
#include "runtime/kernel/kernel_testing.h"

namespace ks::kernel {

std::unique_ptr<Kernel> KernelTest::kernel_;
std::unique_ptr<LoadedObject> KernelTest::everything_;
uint64_t KernelTest::received_ = 0;

const Item& Seen::At(ks_field field) const {
  static const Item kUnread;
  auto item = items.find(static_cast<uint16_t>(field));
  return item == items.end() ? kUnread : item->second;
}

std::string Seen::Text(ks_field field) const {
  const Item& item = At(field);
  return item.status == KS_OK ? item.bytes : fmt::format("(status {})", item.status);
}

int64_t Seen::Int(ks_field field) const {
  const Item& item = At(field);
  int64_t value = -1'000'000 - item.status;
  if (item.status == KS_OK && item.bytes.size() == sizeof(value)) std::memcpy(&value, item.bytes.data(), sizeof(value));
  return value;
}

std::string Seen::Endpoint(ks_field field) const {
  const Item& item = At(field);
  ks_slot_Endpoint slot{};
  if (item.status != KS_OK || item.bytes.size() != sizeof(slot)) return fmt::format("(status {})", item.status);
  std::memcpy(&slot, item.bytes.data(), sizeof(slot));
  char text[INET6_ADDRSTRLEN] = {};
  const uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::memcmp(slot.address, kMapped, sizeof(kMapped)) == 0) {
    ::inet_ntop(AF_INET, slot.address + 12, text, sizeof(text));
    return fmt::format("{}:{}", text, slot.port);
  }
  ::inet_ntop(AF_INET6, slot.address, text, sizeof(text));
  return fmt::format("[{}]:{}", text, slot.port);
}

bool ParseRecord(std::string_view bytes, Seen* out) {
  *out = {};
  if (bytes.size() < sizeof(ks_record)) return false;
  std::memcpy(&out->head, bytes.data(), sizeof(ks_record));
  size_t at = sizeof(ks_record) + out->head.words * 8u;
  if (at > bytes.size()) return false;
  while (at < bytes.size()) {
    ks_item item{};
    if (bytes.size() - at < sizeof(item)) return false;
    std::memcpy(&item, bytes.data() + at, sizeof(item));
    at += sizeof(item);
    if (item.high == KS_ITEM_SHORT) {
      if (out->items.count(item.id)) return false;
      const int64_t value = static_cast<int32_t>(item.len | static_cast<uint32_t>(item.index) << 16);
      out->items[item.id] = {item.status, std::string(reinterpret_cast<const char*>(&value), sizeof(value))};
      continue;
    }
    size_t padded = (item.len + KS_ITEM_ALIGN - 1u) / KS_ITEM_ALIGN * KS_ITEM_ALIGN;
    if (bytes.size() - at < padded || out->items.count(item.id)) return false;
    out->items[item.id] = {item.status, std::string(bytes.substr(at, item.len))};
    for (size_t i = item.len; i < padded; ++i) {
      if (bytes[at + i] != '\0') return false;
    }
    at += padded;
  }
  return true;
}

void KernelTest::SetUp() {
  ::prctl(PR_SET_NAME, "kst-test");
  if (!kernel_) {
    KernelOptions options{.arguments = {.wait_ms = 1500, .wait_ms_per_second = 5000}};
    // The tests hold in both tiers: by default in the one that this kernel grants.
    if (const char* tier = std::getenv("KS_TIER"); tier && std::string_view(tier) == "tracepoint")
      options.tiers = KernelOptions::Tiers::Tracepoint;
    if (const char* tier = std::getenv("KS_TIER"); tier && std::string_view(tier) == "trampoline")
      options.tiers = KernelOptions::Tiers::Trampoline;
    Result<std::unique_ptr<Kernel>> opened = OpenLibbpfKernel(options);
    if (!opened) {
      std::cerr << "SKIPPED, no BPF here: " << opened.error().ToString() << "\n";
      GTEST_SKIP() << opened.error().ToString();
    }
    kernel_ = std::move(*opened);
    Result<std::unique_ptr<LoadedObject>> loaded = kernel_->Load(embedded::everything_object(), 1);
    ASSERT_TRUE(loaded) << loaded.error().ToString();
    everything_ = std::move(*loaded);
    Status active = kernel_->Activate(*everything_);
    ASSERT_TRUE(active) << active.error().ToString();
    // The kernel goes before static destruction, while everything it needs is still there.
    ::atexit([] {
      everything_.reset();
      kernel_.reset();
    });
  }
  missed_before_ = Missed(*kernel_);
  char name[] = "/tmp/kst-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  folder_ = std::filesystem::canonical(name);
}

// The 48th and 49th number of /proc/self/stat.
std::pair<uintptr_t, uintptr_t> PlaceOfArguments() {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::istringstream behind_name(text.substr(text.rfind(')') + 2));
  std::string word;
  for (int number = 3; number < 48; ++number) behind_name >> word;
  std::pair<uintptr_t, uintptr_t> place;
  behind_name >> place.first >> place.second;
  return place;
}

#ifdef __x86_64__
long Call32(long number, long first, long second, long third) {
  long result = 0;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(number), "b"(first), "c"(second), "d"(third)
               : "memory", "r8", "r9", "r10", "r11");
  return result;
}

bool HasCalls32() {
  constexpr long kGetpid = 20;
  const pid_t child = ::fork();
  if (child == 0) {
    (void)std::signal(SIGSEGV, SIG_DFL);  // of the sanitizers, which would tell of it
    ::_exit(Call32(kGetpid, 0, 0, 0) == ::getpid() ? 0 : 1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
#endif

uint64_t Missed(const Kernel& kernel) {
  uint64_t sum = 0;
  for (const HookStatus& hook : kernel.Hooks()) sum += hook.missed;
  return sum;
}

bool HasTrampoline(const Kernel& kernel, schema::EventKind kind) {
  for (const KindTier& one : kernel.Tiers()) {
    if (one.kind == kind) return one.tier == Tier::Trampoline;
  }
  return false;
}

void KernelTest::TearDown() {
  if (const uint64_t missed = kernel_ ? Missed(*kernel_) - missed_before_ : 0; missed > 0 && HasFailure()) {
    const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
    std::cout << "skipped while " << test.test_suite_name() << "." << test.name() << ": " << missed << std::endl;
  }
  if (!folder_.empty()) std::filesystem::remove_all(folder_);
}

std::vector<Seen> KernelTest::Drain() {
  std::vector<Seen> all;
  while (true) {
    Result<size_t> count = kernel_->Consume(30, [&](std::string_view bytes) {
      Seen seen;
      EXPECT_TRUE(ParseRecord(bytes, &seen));
      if (seen.head.kind != KS_KIND_bpf) ++received_;
      all.push_back(std::move(seen));
    });
    if (!count) ADD_FAILURE() << count.error().ToString();
    kernel_->Commit({});
    if (!count || *count == 0) return all;
  }
}

std::vector<Seen> KernelTest::Record(ks_kind kind, const std::function<void()>& act, int pid) {
  Drain();
  act();
  std::vector<Seen> wanted;
  for (Seen& seen : Drain()) {
    if (seen.head.kind != kind) continue;
    if (pid != 0 && seen.Int(KS_FIELD_process_pid) != (pid < 0 ? ::getpid() : pid)) continue;
    wanted.push_back(std::move(seen));
  }
  return wanted;
}

Seen KernelTest::RecordOne(ks_kind kind, const std::function<void()>& act, int pid) {
  std::vector<Seen> all = Record(kind, act, pid);
  if (all.empty()) {
    ADD_FAILURE() << "no event of kind " << kind;
    return {};
  }
  return all.back();
}

std::string KernelTest::Create(const std::string& name, unsigned mode) const {
  std::string path = Path(name);
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, mode);
  EXPECT_GE(fd, 0) << path;
  ::close(fd);
  return path;
}

}  // namespace ks::kernel
