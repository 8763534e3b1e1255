// The one file of an HTML report: the page of tools/report with its data inside. What the data means is html_report.h's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "compiler/support/result.h"

namespace ks::ksc {

// Named columns of little-endian numbers, and a JSON object that says where each begins.
class PageData {
 public:
  template <typename T>
  void Add(std::string_view name, const std::vector<T>& column) {
    static_assert(std::is_arithmetic_v<T>);
    const char type = std::is_floating_point_v<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u';
    AddBytes(name, type, sizeof(T), {reinterpret_cast<const char*>(column.data()), column.size() * sizeof(T)});
  }
  // Text of the JSON object's further members: `"rules":[…],"traces":[…]`.
  void SetMembers(std::string members) { members_ = std::move(members); }
  // u32 length of the JSON, the JSON, and from the next multiple of 8 on the columns, each at a multiple of 8.
  std::string ToBytes() const;

 private:
  void AddBytes(std::string_view name, char type, size_t width, std::string_view bytes);
  std::string members_, directory_, columns_;
};

// The page. Markup in `data` cannot leave it: it is compressed and spelled in base64. The page may load and connect to nothing
// (Content-Security-Policy), and run no script and use no style but its own, by their hashes.
Result<std::string> HtmlPage(std::string_view data);

}  // namespace ks::ksc
