#include "runtime/import/scap/descriptors.h"

#include <utility>

namespace ks::import::scap {
namespace {

constexpr size_t kMostDescriptors = 2'000'000;

}  // namespace

Descriptor OfPath(std::string path) {
  Descriptor opened;
  opened.refers = path.starts_with("/dev/pts/") || path.starts_with("/dev/tty") ? Refers::Tty : Refers::File;
  opened.path = std::move(path);
  return opened;
}

Table::Table(const Table& other) : budget_(other.budget_) {
  if (budget_->used + other.open_.size() > kMostDescriptors) {
    budget_->exceeded = true;
    ++budget_->streams;
    return;
  }
  open_ = other.open_;
  whole_ = other.whole_;
  budget_->used += open_.size();
}

const Descriptor* Table::Find(int64_t number) const {
  const auto found = open_.find(number);
  return found == open_.end() ? nullptr : &found->second;
}

void Table::Set(int64_t number, Descriptor descriptor) {
  Changed(number);
  const auto found = open_.find(number);
  if (found != open_.end()) {
    found->second = std::move(descriptor);
  } else if (budget_->used < kMostDescriptors) {
    open_.emplace(number, std::move(descriptor));
    ++budget_->used;
  } else {
    budget_->exceeded = true;
    whole_ = false;
    ++budget_->streams;
  }
}

void Table::Erase(int64_t number) {
  Changed(number);
  budget_->used -= open_.erase(number);
}

void Table::EraseClosedOnExec() {
  ++budget_->streams;
  budget_->used -= std::erase_if(open_, [](const auto& one) { return one.second.close_on_exec; });
}

void Table::Forget() {
  ++budget_->streams;
  budget_->used -= open_.size();
  open_.clear();
  whole_ = false;
}

Descriptors Descriptors::CopyOf(const Descriptors& other) {
  Descriptors copy = other;
  copy.shared_ = std::make_shared<std::shared_ptr<Table>>(*other.shared_);
  return copy;
}

Table& Descriptors::write() {
  if (shared_->use_count() > 1) *shared_ = std::make_shared<Table>(**shared_);
  return **shared_;
}

}  // namespace ks::import::scap
