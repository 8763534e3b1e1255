// Descriptors 0 to 2, as whoever started us left them.
#pragma once

#include <string_view>
#include <vector>

namespace ks::agent {

// Takes those that are closed, so that no file that is opened later becomes one of them: /dev/null the wrong way round, so that reading
// and writing them fails as if they were closed. To be called before anything is opened.
void HoldStandardFiles();
// Those that it took: "standard output".
const std::vector<std::string_view>& ClosedStandardFiles();

}  // namespace ks::agent
