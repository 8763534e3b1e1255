// ksc diff: what a change of a policy changes.
#include "tools/ksc/diff.h"

#include <fmt/format.h>

#include "compiler/prove/prove.h"
#include "tools/ksc/commands.h"

namespace ks::ksc {
namespace {

// Rules that came, went, were renamed, or say the same in other words.
void PrintRules(const std::vector<RulePair>& pairs, bool json) {
  for (const RulePair& pair : pairs) {
    const std::vector<std::string> said = Retold(pair);
    const char* what = pair.after == nullptr    ? "removed"
                       : pair.before == nullptr ? "added"
                       : pair.renamed()         ? "renamed"
                       : said.empty()           ? nullptr
                                                : "retold";
    if (what == nullptr) continue;
    if (json) {
      std::string list;
      for (const std::string& one : said) list += (list.empty() ? "" : ",") + JsonString(one);
      fmt::print(R"({{"type":"policy","change":"{}","rule":{},"now":{},"told":[{}]}})"
                 "\n",
                 what, JsonString(pair.id()), pair.after == nullptr ? "null" : JsonString(pair.after->id), list);
    } else {
      const std::string now = pair.renamed() ? " to " + pair.after->id : "";
      fmt::print("{}: {}{}{}{}\n", pair.id(), what, now, said.empty() ? "" : ": ", fmt::join(said, ", "));
    }
  }
}

}  // namespace

int Diff(const Words& words) {
  const cli::Command command = {
      "ksc diff",
      "OLD NEW",
      2,
      2,
      "What a change of a policy changes: both are a file, a folder or a bundle. With --corpus both decide the same "
      "recordings, and "
      "a detection that is lost is a finding: a rule that fired and no longer does, or an event that no rule alerts on "
      "any more. With "
      "--prove it is proved of each rule whether it fires on the same, less or more, for all events, with a test that "
      "shows it.",
      "  ksc diff rules.old/ rules/ --corpus traces/\n  ksc diff released.kspb rules/ --corpus a.kst --corpus b.scap "
      "--format json\n"
      "  ksc diff rules.old/ rules/ --prove",
      {FormatOption(),
       EnvironmentOption(),
       {"--corpus", "FILE-OR-FOLDER", "recordings that both decide; as often as wanted", false, {}, true},
       {"--prove", "", "equal, narrower, wider or incomparable, by Z3; narrower is a finding", false, {}},
       {"--timeout", "SECONDS", "for the proofs of one rule; 10", false, {}},
       {"--examples", "N", "alerts shown of a rule and a kind of change; 3", false, {}}}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  DiffOptions options;
  options.json = WantsJson(*arguments);
  for (const char* option : {"--examples", "--timeout"}) {
    const std::string text = arguments->Get(option, "0");
    if (text.empty() || text.size() > 6 || text.find_first_not_of("0123456789") != std::string::npos) {
      return cli::Usage(command, fmt::format("{} is a number up to 999999, not `{}`", option, text));
    }
  }
  if (arguments->Has("--examples")) options.examples = std::stoul(arguments->Get("--examples"));
  if (arguments->Has("--prove") && !prove::Available()) {
    return cli::Fail({"prove what the change changes", "this build of ksc", "it was built without Z3",
                      "install libz3-dev and build again", "no-z3"},
                     options.json);
  }
  auto before = LoadPolicy({arguments->positionals()[0]}, *arguments, &code);
  if (!before) return code;
  auto after = LoadPolicy({arguments->positionals()[1]}, *arguments, &code);
  if (!after) return code;
  const std::vector<RulePair> pairs = PairRules(before->program, after->program);
  PrintRules(pairs, options.json);
  const std::chrono::seconds timeout(std::stoul(arguments->Get("--timeout", "10")));
  const bool narrower = arguments->Has("--prove") && DiffProve(pairs, timeout, options);
  if (!arguments->Has("--corpus") && !arguments->Has("--prove")) {
    fmt::print(stderr, "note: conditions were not compared: --prove compares them, --corpus what they say of recordings\n");
  }
  if (!arguments->Has("--corpus")) return narrower ? cli::kFindings : cli::kFine;
  const CorpusOutcome outcome = DiffCorpus(*before, *after, pairs, arguments->All("--corpus"), options);
  return outcome.lost || narrower ? cli::kFindings : outcome.failed ? cli::kWorldFailed : cli::kFine;
}

}  // namespace ks::ksc
