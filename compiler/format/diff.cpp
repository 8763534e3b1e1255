#include "compiler/format/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace ks::format {
namespace {

constexpr size_t kContext = 3;
constexpr size_t kMostCells = size_t{1} << 24;  // of the table; what is larger is shown as replaced whole

using Lines = std::vector<std::string_view>;

Lines LinesOf(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

struct Edit {
  char sign;  // ' ', '-', '+'
  std::string_view line;
};

// By the longest common subsequence of what lies between the lines that are the same at both ends.
std::vector<Edit> Edits(const Lines& a, const Lines& b) {
  size_t head = 0, tail = 0, most = std::min(a.size(), b.size());
  while (head < most && a[head] == b[head]) ++head;
  while (tail < most - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
  size_t n = a.size() - head - tail, m = b.size() - head - tail;
  bool whole = (n + 1) * (m + 1) > kMostCells;
  std::vector<uint32_t> common(whole ? 0 : (n + 1) * (m + 1), 0);  // of the rests from (i, j) on
  auto at = [&](size_t i, size_t j) -> uint32_t& { return common[i * (m + 1) + j]; };
  for (size_t i = n; !whole && i-- > 0;) {
    for (size_t j = m; j-- > 0;) {
      at(i, j) = a[head + i] == b[head + j] ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
    }
  }
  std::vector<Edit> edits;
  for (size_t i = 0; i < head; ++i) edits.push_back({' ', a[i]});
  for (size_t i = 0, j = 0; i < n || j < m;) {
    if (!whole && i < n && j < m && a[head + i] == b[head + j]) {
      edits.push_back({' ', a[head + i]});
      ++i, ++j;
    } else if (i < n && (whole || j == m || at(i + 1, j) >= at(i, j + 1))) {
      edits.push_back({'-', a[head + i++]});
    } else {
      edits.push_back({'+', b[head + j++]});
    }
  }
  for (size_t i = a.size() - tail; i < a.size(); ++i) edits.push_back({' ', a[i]});
  return edits;
}

}  // namespace

std::string Diff(std::string_view name, std::string_view before, std::string_view after) {
  if (before == after) return "";
  std::vector<Edit> edits = Edits(LinesOf(before), LinesOf(after));
  std::string out = fmt::format("--- {}\n+++ {} (formatted)\n", name, name);
  auto changed = [&](size_t i) { return edits[i].sign != ' '; };
  size_t a = 1, b = 1;  // numbers of the next lines
  for (size_t i = 0; i < edits.size();) {
    size_t next = i;
    while (next < edits.size() && !changed(next)) ++next;
    if (next == edits.size()) break;
    size_t begin = std::max(i, next - std::min(next, kContext)), end = next;
    for (size_t quiet = 0; end < edits.size() && quiet <= 2 * kContext; ++end) quiet = changed(end) ? 0 : quiet + 1;
    while (end > next && !changed(end - 1)) --end;
    end = std::min(end + kContext, edits.size());
    a += begin - i;
    b += begin - i;
    size_t a_lines = 0, b_lines = 0;
    std::string hunk;
    for (i = begin; i < end; ++i) {
      a_lines += edits[i].sign != '+' ? 1 : 0;
      b_lines += edits[i].sign != '-' ? 1 : 0;
      hunk += edits[i].sign;
      hunk += edits[i].line;
      if (!edits[i].line.ends_with('\n')) hunk += "\n\\ No newline at end of file\n";
    }
    out += fmt::format("@@ -{},{} +{},{} @@\n{}", a_lines == 0 ? a - 1 : a, a_lines, b_lines == 0 ? b - 1 : b, b_lines,
                       hunk);
    a += a_lines;
    b += b_lines;
  }
  return out;
}

}  // namespace ks::format
