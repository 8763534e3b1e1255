// For kernel_test.cpp: the running kernel with the "everything" object active, and its records in a form to look at.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bpf/schema/record.h"
#include "runtime/kernel/kernel.h"

namespace ks::kernel {

struct Item {
  uint8_t status = KS_UNREAD;
  std::string bytes;
};

struct Seen {
  ks_record head{};
  std::map<uint16_t, Item> items;  // by field

  const Item& At(ks_field field) const;
  uint8_t StatusOf(ks_field field) const { return At(field).status; }
  std::string Text(ks_field field) const;      // only if the status is Ok
  int64_t Int(ks_field field) const;           // only if the status is Ok
  std::string Endpoint(ks_field field) const;  // "127.0.0.1:80", "[::1]:80"; only if the status is Ok
};

// Nothing if the record's sizes do not add up.
bool ParseRecord(std::string_view bytes, Seen* out);

// Where the kernel says that this process's arguments begin and end; zeros if it does not say it.
std::pair<uintptr_t, uintptr_t> PlaceOfArguments();

#ifdef __x86_64__
// Whether the gate of the i386 calls is open: some kernels are built without, and under some hypervisors `int $0x80` faults.
bool HasCalls32();
// A call by that gate: its answer, or -errno. Its pointers have 32 bits.
long Call32(long number, long first, long second, long third);
#endif

// What the kernel skipped because a program was already running on that CPU.
uint64_t Missed(const Kernel& kernel);

// Whether events of the kind are of the trampoline tier.
bool HasTrampoline(const Kernel& kernel, schema::EventKind kind);

class KernelTest : public ::testing::Test {
 protected:
  void SetUp() override;
  // Of a test that failed while the kernel skipped runs of programs, it says so: "skipped while TEST: N".
  void TearDown() override;

  // What the ring holds after `act`, of the kind and of this process (pid 0: of any).
  std::vector<Seen> Record(ks_kind kind, const std::function<void()>& act, int pid = -1);
  // The last of them; fails the test if there is none.
  Seen RecordOne(ks_kind kind, const std::function<void()>& act, int pid = -1);
  std::vector<Seen> Drain();
  static uint64_t received_;  // records since the kernel was opened, but those of kind `bpf`
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string Create(const std::string& name, unsigned mode = 0644) const;

  // One for all tests: loading takes a while under sanitizers.
  static std::unique_ptr<Kernel> kernel_;
  static std::unique_ptr<LoadedObject> everything_;
  std::string folder_;

 private:
  uint64_t missed_before_ = 0;
};

}  // namespace ks::kernel
