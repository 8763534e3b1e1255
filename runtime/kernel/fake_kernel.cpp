#include "runtime/kernel/fake_kernel.h"

#include <fmt/format.h>

#include <utility>

namespace ks::kernel {
namespace {

class FakeObject : public LoadedObject {
 public:
  FakeObject(uint32_t number, size_t* alive) : generation(number), alive_(alive) { ++*alive_; }
  FakeObject(const FakeObject&) = delete;
  FakeObject& operator=(const FakeObject&) = delete;
  ~FakeObject() override { --*alive_; }
  const std::vector<LoadedHook>& hooks() const override { return hooks_; }
  const uint32_t generation;

 private:
  size_t* alive_;
  std::vector<LoadedHook> hooks_ = {{.hook = "sys_exit", .verified_instructions = 100, .jited_bytes = 200}};
};

}  // namespace

Result<std::unique_ptr<LoadedObject>> FakeKernel::Load(std::string_view elf, uint32_t generation) {
  calls.push_back(fmt::format("load {}", generation));
  if (refuse_load) return *std::exchange(refuse_load, std::nullopt);
  loaded_elf = elf;
  return std::unique_ptr<LoadedObject>(std::make_unique<FakeObject>(generation, &objects_alive));
}

Status FakeKernel::Activate(LoadedObject& object) {
  uint32_t generation = static_cast<FakeObject&>(object).generation;
  calls.push_back(fmt::format("activate {}", generation));
  if (refuse_activate) return *std::exchange(refuse_activate, std::nullopt);
  active = generation;
  return Ok();
}

Status FakeKernel::SetInodes(const std::vector<NamedInode>& named) {
  calls.push_back(fmt::format("inodes {}", named.size()));
  if (refuse_inodes) return *std::exchange(refuse_inodes, std::nullopt);
  inodes = named;
  return Ok();
}

Status FakeKernel::Keep(const LoadedObject& object, uint32_t generation, int64_t since, std::string_view bundle) {
  KS_CHECK(static_cast<const FakeObject&>(object).generation == generation, "kept as what it was loaded as");
  if (!pins) return Ok();
  calls.push_back(fmt::format("keep {}", generation));
  if (refuse_keep) return *std::exchange(refuse_keep, std::nullopt);
  kept.push_back({.generation = generation, .since = since, .bytes = std::string(bundle)});
  return Ok();
}

Result<std::unique_ptr<LoadedObject>> FakeKernel::Adopt(uint32_t generation, std::string_view) {
  calls.push_back(fmt::format("adopt {}", generation));
  return std::unique_ptr<LoadedObject>(std::make_unique<FakeObject>(generation, &objects_alive));
}

Status FakeKernel::Reattach(LoadedObject& object) {
  calls.push_back(fmt::format("reattach {}", static_cast<FakeObject&>(object).generation));
  return Ok();
}

Status FakeKernel::SetRolledBack(uint32_t generation, bool rolled_back) {
  calls.push_back(fmt::format("rolled-back {} {:d}", generation, rolled_back));
  if (refuse_rolled_back) return *std::exchange(refuse_rolled_back, std::nullopt);
  return Ok();
}

Result<size_t> FakeKernel::Consume(int, const std::function<void(std::string_view)>& on_record) {
  size_t count = 0;
  for (; !ring.empty(); ++count) {
    std::string record = std::move(ring.front());
    ring.pop_front();
    on_record(record);
  }
  return count;
}

std::array<RingStatus, kRings> FakeKernel::Rings() const { return {{{1 << 20, received[0]}, {1 << 20, received[1]}}}; }

std::vector<HookStatus> FakeKernel::Hooks() const { return {{"sys_exit", active != 0, 0}}; }

}  // namespace ks::kernel
