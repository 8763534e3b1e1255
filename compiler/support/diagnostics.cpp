#include "compiler/support/diagnostics.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace ks {

bool Diagnostics::IsAllowed(Diag id, const Span& span) {
  bool allowed = false;
  for (Allowance& allowance : allowances_) {
    const Span& where = allowance.where;
    if (allowance.id != id || where.file != span.file || span.begin < where.begin || span.end > where.end) continue;
    allowance.used = allowed = true;
  }
  return allowed;
}

Diagnostic& Diagnostics::Add(Diag id, Span span, std::string message) {
  auto row = static_cast<size_t>(id);
  Diagnostic diagnostic{
      id, denied_[row] ? Severity::Error : kDiagRows[row].severity, span, std::move(message), {}, {}, {}, {}, false};
  if (!allowances_.empty() && IsAllowed(id, span)) {
    unshown_ = std::move(diagnostic);
    return unshown_;
  }
  ++counts_[row];
  if (diagnostic.severity == Severity::Error) ++errors_;
  if (diagnostic.severity == Severity::Warning) ++warnings_;
  if (kept_[static_cast<size_t>(diagnostic.severity)] >= kMaxDiagnostics) {
    ++suppressed_;
    unshown_ = std::move(diagnostic);
    return unshown_;
  }
  ++kept_[static_cast<size_t>(diagnostic.severity)];
  all_.push_back(std::move(diagnostic));
  return all_.back();
}

void Diagnostics::Allow(Diag id, Span where, Span at) { allowances_.push_back({id, where, at, false}); }

void Diagnostics::Deny(Diag id) {
  auto row = static_cast<size_t>(id);
  Severity severity = kDiagRows[row].severity;
  if (denied_[row] || severity == Severity::Error) return;
  denied_[row] = true;
  errors_ += counts_[row];
  if (severity == Severity::Warning) warnings_ -= counts_[row];
  for (Diagnostic& diagnostic : all_) {
    if (diagnostic.id == id) diagnostic.severity = Severity::Error;
  }
}

void Diagnostics::Sort() {
  auto key = [this](size_t i) {
    const Diagnostic& d = all_[i];
    // What stands at one place keeps the order in which it was found.
    return std::make_tuple(d.span.file ? std::string_view(d.span.file->name()) : std::string_view(), d.span.begin,
                           d.span.end, d.id, i);
  };
  std::vector<size_t> order(all_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
  std::vector<Diagnostic> sorted;
  for (size_t i : order) sorted.push_back(std::move(all_[i]));
  all_ = std::move(sorted);
}

std::string_view DidYouMean(std::string_view typed, const std::vector<std::string_view>& candidates) {
  constexpr size_t kLongest = 64;
  if (typed.empty() || typed.size() > kLongest) return {};
  size_t best_distance = std::max<size_t>(1, typed.size() / 3) + 1;
  std::string_view best;
  std::vector<size_t> row;
  for (std::string_view candidate : candidates) {
    if (candidate.size() > kLongest) continue;
    // Edit distance where two neighbours that were swapped count once.
    std::vector<size_t> before, two_before;
    row.assign(candidate.size() + 1, 0);
    for (size_t j = 0; j <= candidate.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= typed.size(); ++i) {
      two_before = std::move(before);
      before = row;
      row[0] = i;
      for (size_t j = 1; j <= candidate.size(); ++j) {
        size_t cost = typed[i - 1] == candidate[j - 1] ? 0 : 1;
        row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + cost});
        if (i > 1 && j > 1 && typed[i - 1] == candidate[j - 2] && typed[i - 2] == candidate[j - 1]) {
          row[j] = std::min(row[j], two_before[j - 2] + 1);
        }
      }
    }
    if (row.back() < best_distance && row.back() > 0) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

bool IsOnlyMeaning(std::string_view typed, std::string_view meant, const std::vector<std::string_view>& candidates) {
  constexpr size_t kShortest = 3;
  if (typed.size() < kShortest || meant.empty()) return false;
  // One slip of the finger away, and nothing else is near.
  size_t longer = std::max(typed.size(), meant.size()), shorter = std::min(typed.size(), meant.size());
  if (longer - shorter > 1) return false;
  size_t first = 0, last = 0;
  while (first < shorter && typed[first] == meant[first]) ++first;
  while (last < shorter - first && typed[typed.size() - 1 - last] == meant[meant.size() - 1 - last]) ++last;
  std::string_view typed_rest = typed.substr(first, typed.size() - first - last);
  std::string_view meant_rest = meant.substr(first, meant.size() - first - last);
  bool swapped = typed_rest.size() == 2 && meant_rest.size() == 2 && typed_rest[0] == meant_rest[1] &&
                 typed_rest[1] == meant_rest[0];
  if (!swapped && (typed_rest.size() > 1 || meant_rest.size() > 1)) return false;
  std::vector<std::string_view> others = candidates;
  std::erase(others, meant);
  return DidYouMean(typed, others).empty();
}

}  // namespace ks
