// What a command found, in the formats that CI systems read. Human lines and JSON objects are each command's own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/support/diagnostics.h"

namespace ks::ksc {

struct Place {
  std::string file;  // as the user gave it; "": none
  // Counted from 1, columns in characters, the end exclusive; 0: not known.
  uint32_t line = 0, column = 0, end_line = 0, end_column = 0;
};
Place PlaceOf(const Span& span);
// Of "rules/shell.ksp:14". What holds no line is a file.
Place PlaceOf(std::string_view file_and_line);
std::string ToString(const Place& place);  // "rules/shell.ksp:14"; "" of none

enum class Level : uint8_t { Pass, Note, Warning, Error };

// One case of a run: a test, an expected alert, a mistake.
struct Finding {
  std::string suite, name;  // what it is a case of, and which: "acme.reverse_shell", "a shell without a socket"
  std::string code;         // of what sort it is, stable: "K0705", "test-failed", the id of a detection rule
  Level level = Level::Pass;
  Place place;
  std::string label;    // of the place; may be empty
  std::string message;  // one line; may be empty if it passed
  std::string details;  // what else there is to say: lines
  struct Related {
    Place place;
    std::string message;
  };
  std::vector<Related> related;
  struct Fix {
    Place place;  // all of one file
    std::string text;
  };
  std::vector<Fix> fixes;  // together they mend it
  std::string fix_about;
};

// Counts: errors fail, notes and warnings do not.
size_t Failures(const std::vector<Finding>& findings);

// Diagnostics as findings: of the suite of their file, by their code.
std::vector<Finding> FindingsOf(const Diagnostics& diagnostics);

// Whether `format` is one of those below.
bool IsForMachines(std::string_view format);
// The whole output, its last line break included. `format`:
//   junit   XML as Jenkins, GitLab and others read it; a testsuite for each suite, in the order of their first case
//   sarif   SARIF 2.1.0 (OASIS); what passed is no result
//   tap     Test Anything Protocol 13, with a YAML block for what did not pass
//   github  workflow commands: ::error, ::warning, ::notice; nothing for what passed
// Texts may hold any bytes: what is no UTF-8, or may not stand in the format, becomes U+FFFD.
std::string Render(std::string_view format, const std::vector<Finding>& findings);

// What of a text is no UTF-8 becomes U+FFFD.
std::string Utf8(std::string_view text);

}  // namespace ks::ksc
