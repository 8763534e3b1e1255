// Words that start something, with what is written for them.
#pragma once

#include <string_view>

namespace ks::ide {

struct Word {
  std::string_view word, about, snippet;
};
inline constexpr Word kDeclarations[] = {
    {"package", "whose names the file adds to", ""},
    {"import", "names of another package", "import ${1:std.linux}.{$0}"},
    {"let", "a value, a list or a set with a name", "let ${1:name}: ${2:set<string>} = [$0]"},
    {"def", "a condition with a name", "def ${1:name}(${2:p}: ${3:process}) = $0"},
    {"rule", "what is looked for, and what is said",
     "rule ${1:name} \"${2:title}\" {\n  severity ${3:medium}\n  on $0\n  alert \"${4:text}\"\n}"},
    {"tune", "what one environment changes of a rule", "tune ${1:rule} in \"${2:environment}\" {\n  $0\n}"},
    {"test", "cases that a rule must decide rightly",
     "test ${1:rule} {\n  case \"${2:name}\" {\n    $0\n    expect 1 alert\n  }\n}"},
    {"allow", "a finding that is no mistake in this file", "allow ${1:code} \"${2:reason}\""},
};
inline constexpr Word kClauses[] = {
    {"severity", "info, low, medium, high, critical", ""},
    {"attack", "techniques of MITRE ATT&CK", ""},
    {"on", "the events that are looked at, and their condition", "on ${1:exec} where $0"},
    {"sequence", "several events, one after another", "sequence by ${1:process} within ${2:30s} {\n  $0\n}"},
    {"when", "as soon as so many have been seen", "when ${1:count} >= ${2:5} by ${3:container.id} within ${4:60s}"},
    {"limit", "at most so many alerts in a time", "limit ${1:1} per ${2:10m} by $0"},
    {"max", "at most so many keys are kept: max keys 16384", "max keys $0"},
    {"except", "where the rule does not hold", "except \"${1:why}\" where $0"},
    {"owner", "who answers for the rule, or for the exception above", "owner \"$0\""},
    {"expires", "the day on which the exception above ends", ""},
    {"ticket", "where the exception above was decided", "ticket \"$0\""},
    {"disclose", "a match-only field that alerts may show, and why", "disclose ${1:file.path} \"${2:reason}\""},
    {"ref", "where to read more", "ref \"$0\""},
    {"status", "experimental, stable, deprecated", ""},
    {"allow", "a finding that is no mistake here", "allow ${1:code} \"${2:reason}\""},
    {"alert", "what is said: fields stand in braces", "alert \"$0\""},
};
inline constexpr std::string_view kOnce[] = {"severity", "on", "sequence", "when", "limit", "max", "alert", "status"};
inline constexpr std::string_view kChanges[] = {"severity", "except", "limit", "max", "owner", "expires", "ticket"};

}  // namespace ks::ide
