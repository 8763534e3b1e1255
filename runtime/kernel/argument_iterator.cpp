#include "runtime/kernel/argument_iterator.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "arguments_object.h"
#include "bpf/schema/arguments.h"
#include "runtime/kernel/libbpf.h"

namespace ks::kernel {
namespace {

constexpr const char* kOn = "the program that reads arguments";

// Lets the iterator go through the threads of the process that `desk` asks for. A positive errno if the kernel refuses.
int Iterate(int program, int map, ks_arguments_desk* desk) {
  const uint32_t zero = 0;
  if (bpf_map_update_elem(map, &zero, desk, BPF_ANY) != 0) return errno;
  bpf_iter_link_info info{};
  info.task.pid = static_cast<uint32_t>(desk->of.process.pid);
  LIBBPF_OPTS(bpf_link_create_opts, options, .iter_info = &info, .iter_info_len = sizeof(info));
  const Fd link(bpf_link_create(program, 0, BPF_TRACE_ITER, &options));
  if (!link) return errno;
  const Fd iterator(bpf_iter_create(link.get()));
  if (!iterator) return errno;
  char nothing = 0;
  // EAGAIN: it has run for long, and goes on at the next reading.
  while (::read(iterator.get(), &nothing, sizeof(nothing)) < 0) {
    if (errno != EAGAIN && errno != EINTR) return errno;
  }
  return bpf_map_lookup_elem(map, &zero, desk) == 0 ? 0 : errno;
}

// The descriptors of this thread are its own, and no more than these two: should it never come back, it holds nothing that others wait for.
bool KeepOnly(int a, int b) {
  if (::unshare(CLONE_FILES) != 0) return false;
  const auto [low, high] = std::minmax({static_cast<unsigned>(a), static_cast<unsigned>(b)});
  const auto close = [](unsigned first, unsigned last) { return first > last || ::close_range(first, last, 0) == 0; };
  return (low == 0 || close(0, low - 1)) && close(low + 1, high - 1) && close(high + 1, std::numeric_limits<unsigned>::max());
}

}  // namespace

// One question at a time; the thread is the only one that uses the map.
struct ArgumentIterator::Desk {
  std::mutex mutex;
  std::condition_variable asked, answered;
  bool open = true;
  bool begun = false;  // the thread; `error` says whether it can work
  bool busy = false;  // from a question until its answer, even if nobody waits for it any more
  ks_arguments_desk paper{};
  int error = 0;  // why there is no answer: a positive errno

  void Work(int program, int map) {
    const int alone = KeepOnly(program, map) ? 0 : errno;
    std::unique_lock lock(mutex);
    begun = true;
    error = alone;
    answered.notify_all();
    while (alone == 0) {
      asked.wait(lock, [&] { return busy || !open; });
      if (!open) return;
      ks_arguments_desk own = paper;
      lock.unlock();
      const int failed = Iterate(program, map, &own);
      lock.lock();
      paper = own;
      error = failed;
      busy = false;
      answered.notify_all();
    }
  }

  // False if no answer came in time. `paper` holds it until the next question.
  bool Ask(std::unique_lock<std::mutex>& lock, const ks_unread_args& of, std::chrono::milliseconds longest) {
    paper = {};
    paper.of = of;
    busy = true;
    asked.notify_all();
    return answered.wait_for(lock, longest, [&] { return !busy; });
  }
};

ArgumentIterator::~ArgumentIterator() {
  if (!desk_) return;
  const std::lock_guard lock(desk_->mutex);
  desk_->open = false;
  desk_->asked.notify_all();
}

void ArgumentIterator::Begin(int unread) {
  if (std::exchange(begun_, true)) return;
  if (bounds_.per_second == 0) {
    why_not_ = "it is switched off";
    return;
  }
  unread_ = unread;
  const Status loaded = Load();
  why_not_ = loaded ? "" : loaded.error().cause;
}

Status ArgumentIterator::Load() {
  const auto refused = [](const char* tried, int error) { return WorldError(tried, kOn, error, "kernel-arguments"); };
  if (!InFirstPidNamespace()) {
    return Error{"use", kOn, "this process is in a PID namespace of its own, where the kernel's numbers of processes are others",
                 "run it in the first PID namespace (hostPID)", "kernel-arguments"};
  }
  Result<ObjectPtr> opened = OpenObject(embedded::arguments_object(), "ks_arguments", kOn);
  if (!opened) return opened.error();
  LibbpfLog log;
  if (const int error = bpf_object__load(opened->get()); error != 0) {
    Error failed = refused("load", -error);
    failed.cause = fmt::format("the kernel has no iterator over tasks that may sleep: {}", failed.cause);
    return failed;
  }
  const bpf_program* program = bpf_object__find_program_by_name(opened->get(), "ks_arguments_task");
  const bpf_map* map = bpf_object__find_map_by_name(opened->get(), "ks_arguments_desk");
  KS_CHECK(program != nullptr && map != nullptr, "the object has an iterator and its desk");
  program_ = Fd(::dup(bpf_program__fd(program)));
  map_ = Fd(::dup(bpf_map__fd(map)));
  if (!program_ || !map_) return refused("keep", errno);
  // Older ones go through all processes whatever is asked.
  ks_arguments_desk trial{};
  trial.of.process.pid = static_cast<uint64_t>(::getpid());
  if (const int error = Iterate(program_.get(), map_.get(), &trial); error != 0) {
    Error failed = refused("try", error);
    failed.cause = fmt::format("the kernel's iterator over tasks takes no process: {}", failed.cause);
    return failed;
  }
  if (trial.strangers > 0) {
    return Error{"try", kOn, "the kernel's iterator over tasks goes through all of them", "", "kernel-arguments"};
  }
  auto desk = std::make_shared<Desk>();
  // Signals are for the others.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  try {
    std::thread([desk, program_fd = program_.get(), map_fd = map_.get()] { desk->Work(program_fd, map_fd); }).detach();
  } catch (const std::system_error& failed) {
    error = failed.code().value();
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return refused("start a thread for", error);
  std::unique_lock lock(desk->mutex);
  desk->answered.wait(lock, [&] { return desk->begun; });
  if (desk->error != 0) return refused("give descriptors of its own to", desk->error);
  desk_ = desk;
  return Ok();
}

std::chrono::milliseconds ArgumentIterator::Allowance() {
  const Clock::time_point now = Clock::now();
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    in_second_ = 0;
    waited_ = {};
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::milliseconds(bounds_.wait_ms_per_second) - waited_);
  if (in_second_ >= bounds_.per_second || left.count() <= 0) return {};
  ++in_second_;
  return std::min(left, std::chrono::milliseconds(bounds_.wait_ms));
}

std::optional<Arguments> ArgumentIterator::Read(uint64_t boot_ns, uint16_t cpu) {
  if (!desk_) return std::nullopt;
  const ks_record_key key{boot_ns, cpu};
  ks_unread_args of{};
  if (bpf_map_lookup_elem(unread_, &key, &of) != 0) return std::nullopt;
  bpf_map_delete_elem(unread_, &key);
  counts_.asked++;
  const auto allowed = Allowance();
  if (allowed.count() == 0) {
    counts_.beyond++;
    return std::nullopt;
  }
  const Clock::time_point begun = Clock::now();
  std::unique_lock lock(desk_->mutex);
  const bool answered = !desk_->busy && desk_->Ask(lock, of, allowed);
  waited_ += Clock::now() - begun;
  const ks_arguments_desk& paper = desk_->paper;
  if (!answered) {
    counts_.late++;
  } else if (desk_->error == 0 && (paper.outcome == KS_ARGUMENTS_WHOLE || paper.outcome == KS_ARGUMENTS_CUT)) {
    counts_.answered++;
    return Arguments{std::string(paper.data, std::min<uint64_t>(paper.bytes, sizeof(paper.data))), paper.outcome == KS_ARGUMENTS_CUT};
  } else if (desk_->error == ESRCH || (desk_->error == 0 && paper.outcome == KS_ARGUMENTS_GONE)) {
    counts_.gone++;
  } else {
    counts_.refused++;
  }
  return std::nullopt;
}

}  // namespace ks::kernel
