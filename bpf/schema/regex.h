// How a regular expression of `matches` is read, for everyone who reads one: what the compiler accepts the agent can run.
#pragma once

#include <re2/re2.h>

namespace ks::schema {

// Found anywhere in the text, in time linear in it. Bytes, not UTF-8: what is observed need not be text. `.` is any byte,
// for a newline in a file's name must not hide what follows it. The bound on memory is for the program that a pattern
// becomes, and refuses counted repetitions that explode.
inline re2::RE2::Options RegexOptions() {
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_dot_nl(true);
  options.set_never_capture(true);
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  return options;
}

}  // namespace ks::schema
