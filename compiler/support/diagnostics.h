// Mistakes in a policy. Every diagnostic is a row of diagnostics.def, has an emit site, a lit test and a section in
// docs/language/errors.md.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/support/source.h"

namespace ks {

enum class Severity : uint8_t { Error, Warning, Note };

enum class Diag : uint16_t {
#define KS_DIAGNOSTIC(id, code, severity, text) id,
#include "compiler/support/diagnostics.def"
};

struct DiagRow {
  Diag id;
  std::string_view code;  // "K0201"
  Severity severity;
  std::string_view text;  // a format string of libfmt
};

inline constexpr auto kDiagRows = std::to_array<DiagRow>({
#define KS_DIAGNOSTIC(id, code, severity, text) {Diag::id, code, Severity::severity, text},
#include "compiler/support/diagnostics.def"
});

constexpr std::string_view DiagText(Diag id) { return kDiagRows[static_cast<size_t>(id)].text; }

// Replacing [span) by `text` mends the mistake. An empty span inserts.
struct FixIt {
  Span span;
  std::string text;
};

struct Label {
  Span span;
  std::string text;
};

struct Diagnostic {
  Diag id;
  Severity severity;
  Span span;
  std::string message;
  std::string label;           // beside the carets; may be empty
  std::vector<Label> related;  // other places: "first defined here"
  std::string help;            // one sentence; may be empty
  std::vector<FixIt> fixes;    // shown under help
  // The fixes together are the one way to mend it and keep what the policy means: `ksc check --fix` applies them. Else
  // they are a suggestion.
  bool machine_applicable = false;
};

class Diagnostics {
 public:
  // Reports a row with its placeholders filled; their number and types are checked when we compile. The returned
  // reference takes label, help and fixes, and is valid until the next report.
  template <Diag id, typename... Args>
  Diagnostic& Report(Span span, const Args&... args) {
    constexpr std::string_view text = DiagText(id);
    (void)fmt::format_string<const Args&...>(text);
    return Add(id, span, fmt::format(fmt::runtime(text), args...));
  }

  // One that was made elsewhere.
  void Add(const Diagnostic& diagnostic) {
    Diagnostic& own = Add(diagnostic.id, diagnostic.span, diagnostic.message);
    Severity severity = own.severity;
    own = diagnostic;
    own.severity = severity;
  }

  const std::vector<Diagnostic>& all() const { return all_; }
  size_t errors() const { return errors_; }
  size_t warnings() const { return warnings_; }
  // After kMaxDiagnostics of one severity more are counted, not kept: notes displace no errors.
  size_t suppressed() const { return suppressed_; }
  // By file, then position.
  void Sort();

  // From now on findings of this row inside of the span are not reported; warnings and notes only.
  void Allow(Diag id, Span where, Span at);
  struct Allowance {
    Diag id;
    Span where, at;  // what it covers; where it stands
    bool used = false;
  };
  const std::vector<Allowance>& allowances() const { return allowances_; }
  // Makes errors of all findings of this row, reported and to come.
  void Deny(Diag id);

 private:
  Diagnostic& Add(Diag id, Span span, std::string message);
  bool IsAllowed(Diag id, const Span& span);
  std::vector<Diagnostic> all_;
  Diagnostic unshown_;  // what is reported goes here if it is allowed, or beyond kMaxDiagnostics
  std::vector<Allowance> allowances_;
  std::array<bool, kDiagRows.size()> denied_{};
  std::array<size_t, kDiagRows.size()> counts_{};
  std::array<size_t, 3> kept_{};  // by severity
  size_t errors_ = 0, warnings_ = 0, suppressed_ = 0;
};

inline constexpr size_t kMaxDiagnostics = 200;

// As for a person (carets, help, fixes), and as one JSON object per diagnostic and line.
std::string RenderHuman(const Diagnostic& diagnostic, bool color);
std::string RenderJson(const Diagnostic& diagnostic);

// The nearest of `candidates` by edit distance, or "" if none is near enough to suggest.
std::string_view DidYouMean(std::string_view typed, const std::vector<std::string_view>& candidates);
// Whether what DidYouMean found is beyond doubt: one letter off or two swapped, and no other candidate would be suggested.
bool IsOnlyMeaning(std::string_view typed, std::string_view meant, const std::vector<std::string_view>& candidates);

}  // namespace ks
