// The text of a data file → values: one a line, # comments. Apart from the file, so that any text can be tried.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/sema/scope.h"

namespace ks::sema {

struct DataValues {
  struct Mistake {
    size_t line;  // from 1
    std::string what;
  };
  struct Repeated {
    size_t line, first;
    std::string text;
  };
  std::vector<Value> values;  // distinct, in the order of the file
  std::vector<Mistake> mistakes;
  size_t more_mistakes = 0;          // beyond those that are listed
  std::optional<Repeated> repeated;  // the first line that says what another said before
  size_t more_repeated = 0;
  bool too_many = false;  // values; nothing is read after that
};
DataValues ReadData(std::string_view text, const Type& type);

}  // namespace ks::sema
