// The kernel's and libbpf's words about a program that did not load, cut down to what a person needs.
#pragma once

#include <string>
#include <string_view>

#include "compiler/support/result.h"

namespace ks::kernel {

// `log` is everything that libbpf printed while it opened and loaded `on`; `error` is the positive errno.
Error ExplainLoadFailure(std::string_view log, int error, const std::string& on);

}  // namespace ks::kernel
