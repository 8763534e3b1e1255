// The kernel's and libbpf's words about a program that did not load, cut down to what a person needs.
#pragma once

#include <string>
#include <string_view>

#include "compiler/support/result.h"
#include "runtime/kernel/refusal.h"

namespace ks::kernel {

// `log` is everything that libbpf printed while it opened and loaded `on`; `error` is the positive errno.
Error ExplainLoadFailure(std::string_view log, int error, const std::string& on);
// The same where the verifier's own log of the program is at hand. The Error's detail says where in the policy, if
// `tables` or the trace do, and its `log` is the trace.
Error ExplainRefusal(const VerifierLog& log, int error, const std::string& on, const LineTables& tables);

}  // namespace ks::kernel
