// What a process's descriptors refer to.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "bpf/schema/value.h"

namespace ks::import::scap {

// The numbers of the enumeration `descriptor`; Unknown is none of them.
enum class Refers : uint8_t { Closed = 0, File = 1, Pipe = 2, Socket = 3, Tty = 4, Other = 5, Unknown = 255 };

struct Descriptor {
  Refers refers = Refers::Other;
  bool inet = false, close_on_exec = false;
  uint8_t protocol = 0;  // IPPROTO_TCP, IPPROTO_UDP, else 0
  std::string path;      // of files: absolute; "" if it is not known
  std::optional<schema::Endpoint> local, remote;
};

// A file, or the terminal that it is; "": not known.
Descriptor OfPath(std::string path);

// Of all tables together: forks are cheap to record, and copies of a large table are not.
struct Budget {
  size_t used = 0;
  size_t processes = 0;  // alive, or ancestors of those
  bool exceeded = false;
  uint64_t streams = 0;  // goes up when what a descriptor 0, 1 or 2 of any table refers to may have changed
};

class Table {
 public:
  explicit Table(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}
  // Empty, and not whole, if the budget does not allow it.
  Table(const Table& other);
  Table& operator=(const Table&) = delete;
  ~Table() { budget_->used -= open_.size(); }

  const Descriptor* Find(int64_t number) const;
  void Set(int64_t number, Descriptor descriptor);
  void Erase(int64_t number);
  void EraseClosedOnExec();
  // Of what is not there: whether it is closed, or not known.
  bool whole() const { return whole_; }
  void BeWhole() {
    whole_ = true;
    ++budget_->streams;
  }
  void Forget();

 private:
  void Changed(int64_t number) { budget_->streams += number <= kLastStream; }

  static constexpr int64_t kLastStream = 2;
  std::shared_ptr<Budget> budget_;
  std::map<int64_t, Descriptor> open_;
  bool whole_ = false;
};

// A table as a process has it: of its own until it is shared by CLONE_FILES; a fork's copy is made when one of the two is written.
class Descriptors {
 public:
  explicit Descriptors(std::shared_ptr<Budget> budget) : shared_(std::make_shared<std::shared_ptr<Table>>(std::make_shared<Table>(std::move(budget)))) {}
  // What a fork gets.
  static Descriptors CopyOf(const Descriptors& other);
  // Sharing ends, as exec does it.
  void Unshare() { *this = CopyOf(*this); }

  const Table& read() const { return **shared_; }
  Table& write();

 private:
  std::shared_ptr<std::shared_ptr<Table>> shared_;
};

}  // namespace ks::import::scap
