#include "tools/ksc/test_quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "compiler/support/json.h"

namespace ks::ksc {
namespace {

constexpr unsigned kMostJobs = 256;

bool ParseNumber(const std::string& text, unsigned most, unsigned* out) {
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, *out);
  return error == std::errc() && stop == end && *out <= most;
}

std::string Where(const Span& span) {
  if (span.file == nullptr) return "an unknown place";
  auto at = span.file->At(span.begin);
  return fmt::format("{}:{}:{}", span.file->name(), at.line, at.column);
}

std::string Indented(const std::string& text, std::string_view by) {
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    out += end > begin ? fmt::format("{}{}\n", by, text.substr(begin, end - begin)) : "\n";
    begin = end + 1;
  }
  return out;
}

struct Totals {
  size_t wanted = 0, covered = 0, impossible = 0;
  size_t mutants = 0, noticed = 0, equivalent = 0;
  explicit Totals(const std::vector<Quality>& all) {
    for (const Quality& one : all) {
      wanted += one.wanted;
      covered += one.covered;
      impossible += one.impossible;
      mutants += one.mutants;
      noticed += one.noticed;
      equivalent += one.equivalent;
    }
  }
};

std::string CoverageLine(size_t covered, size_t wanted, size_t impossible) {
  return fmt::format("{:3} %  {} of {}{}", Percent(covered, wanted), covered, wanted,
                     impossible == 0 ? "" : fmt::format(", {} that no event can show", impossible));
}

std::string MutantLine(size_t noticed, size_t mutants, size_t equivalent) {
  return fmt::format("{:3} %  {} of {} noticed{}", Percent(noticed, mutants), noticed, mutants,
                     equivalent == 0 ? "" : fmt::format(", {} equivalent ones not counted", equivalent));
}

void PrintHuman(const Quality& one, const QualityWish& wish) {
  if (one.failing > 0) {
    fmt::print("skipped   {}: {} of its {} cases fail, so they say nothing of it\n", one.rule, one.failing, one.cases);
    return;
  }
  if (wish.options.coverage && !(wish.quiet && one.gaps.empty())) {
    fmt::print("coverage  {}  {}\n", CoverageLine(one.covered, one.wanted, one.impossible), one.rule);
    for (const Gap& gap : one.gaps) {
      fmt::print("  {}: {}: {}\n", Where(gap.at), gap.condition, gap.missing);
      if (!gap.nearest.empty()) fmt::print("    nearest: {}\n", gap.nearest);
    }
  }
  if (wish.options.mutants && !(wish.quiet && one.survivors.empty())) {
    fmt::print("mutants   {}  {}\n", MutantLine(one.noticed, one.mutants, one.equivalent), one.rule);
    for (const Survivor& survivor : one.survivors) {
      fmt::print("  {}: {}: {}\n{}", Where(survivor.at), mutate::Name(survivor.op), survivor.about,
                 Indented(survivor.diff, "    "));
      if (survivor.test.empty()) {
        fmt::print("    no test was found that notices: {}\n", survivor.why);
      } else {
        fmt::print("    this test notices:\n{}", Indented(survivor.test, "      "));
      }
    }
  }
}

void PrintJson(const Quality& one, const QualityWish& wish) {
  if (one.failing > 0) {
    fmt::print("{{\"rule\":{},\"skipped\":true,\"cases\":{},\"failing\":{}}}\n", JsonString(one.rule), one.cases,
               one.failing);
    return;
  }
  if (wish.options.coverage) {
    std::string gaps;
    for (const Gap& gap : one.gaps) {
      gaps += fmt::format(R"({}{{"at":{},"condition":{},"missing":{},"nearest":{}}})", gaps.empty() ? "" : ",",
                          JsonString(Where(gap.at)), JsonString(gap.condition), JsonString(gap.missing),
                          JsonString(gap.nearest));
    }
    fmt::print("{{\"rule\":{},\"coverage\":{{\"percent\":{},\"covered\":{},\"wanted\":{},\"impossible\":{},\"gaps\":[{}]"
               "}}}}\n",
               JsonString(one.rule), Percent(one.covered, one.wanted), one.covered, one.wanted, one.impossible, gaps);
  }
  if (!wish.options.mutants) return;
  std::string survivors;
  for (const Survivor& survivor : one.survivors) {
    survivors += fmt::format(
        R"({}{{"operator":{},"at":{},"about":{},"diff":{},"test":{},"why":{}}})", survivors.empty() ? "" : ",",
        JsonString(mutate::Name(survivor.op)), JsonString(Where(survivor.at)), JsonString(survivor.about),
        JsonString(survivor.diff), JsonString(survivor.test), JsonString(survivor.why));
  }
  fmt::print("{{\"rule\":{},\"mutants\":{{\"percent\":{},\"noticed\":{},\"counted\":{},\"equivalent\":{},\"survivors\":[{}]"
             "}}}}\n",
             JsonString(one.rule), Percent(one.noticed, one.mutants), one.noticed, one.mutants, one.equivalent,
             survivors);
}

void AddFindings(const Quality& one, std::vector<Finding>* findings) {
  for (const Gap& gap : one.gaps) {
    Finding finding{one.rule, "coverage of " + gap.condition, "not-covered", Level::Warning, PlaceOf(gap.at)};
    finding.message = fmt::format("{}: {}", gap.condition, gap.missing);
    finding.details = gap.nearest;
    findings->push_back(std::move(finding));
  }
  for (const Survivor& survivor : one.survivors) {
    Finding finding{one.rule, fmt::format("mutant: {}", survivor.about), "mutant-survived", Level::Warning,
                    PlaceOf(survivor.at)};
    finding.message = fmt::format("no test notices: {}: {}", mutate::Name(survivor.op), survivor.about);
    finding.details = survivor.diff + (survivor.test.empty() ? survivor.why : survivor.test);
    findings->push_back(std::move(finding));
  }
}

}  // namespace

std::vector<cli::Option> QualityOptionRows() {
  return {{"--coverage", "", "which conditions the tests decide, each alone and to both sides (MC/DC)", false, {}},
          {"--coverage-min", "PERCENT", "less of all rules' conditions than this is a finding", false, {}},
          {"--mutate", "", "which small mistakes in the rules the tests notice; a test for each they do not", false, {}},
          {"--mutate-min", "PERCENT", "fewer of all mutants than this is a finding", false, {}},
          {"--jobs", "N", "threads; by default one for each processor", false, {}}};
}

unsigned JobsOf(const cli::Arguments& arguments, std::string* mistake) {
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  if (!arguments.Has("--jobs")) return jobs;
  if (ParseNumber(arguments.Get("--jobs"), kMostJobs, &jobs) && jobs > 0) return jobs;
  *mistake = fmt::format("--jobs takes a number from 1 to {}, not `{}`", kMostJobs, arguments.Get("--jobs"));
  return 1;
}

QualityWish QualityWishOf(const cli::Arguments& arguments) {
  QualityWish wish;
  wish.options.coverage = arguments.Has("--coverage");
  wish.options.mutants = arguments.Has("--mutate");
  wish.quiet = arguments.Has("--quiet");
  wish.options.jobs = JobsOf(arguments, &wish.mistake);
  auto bar = [&](const char* option, const char* of, unsigned* percent) {
    if (!arguments.Has(option)) return;
    if (!arguments.Has(of)) wish.mistake = fmt::format("{} stands beside {}", option, of);
    if (!ParseNumber(arguments.Get(option), 100, percent)) {
      wish.mistake = fmt::format("{} takes a percentage from 0 to 100, not `{}`", option, arguments.Get(option));
    }
  };
  bar("--coverage-min", "--coverage", &wish.coverage_min);
  bar("--mutate-min", "--mutate", &wish.mutate_min);
  return wish;
}

bool ReportQuality(const std::vector<Quality>& all, const QualityWish& wish, const std::string& format,
                   std::vector<Finding>* findings) {
  const bool human = format == "human", json = format == "json";
  for (const Quality& one : all) {
    if (human) PrintHuman(one, wish);
    if (json) PrintJson(one, wish);
    if (!human && !json) AddFindings(one, findings);
  }
  const Totals total(all);
  bool met = true;
  auto close = [&](std::string_view what, size_t part, size_t whole, size_t apart, unsigned least,
                   const std::string& line) {
    // Compared exactly, not as it is rounded.
    const bool enough = part * 100 >= static_cast<size_t>(least) * whole;
    met = met && enough;
    std::string bar = enough ? "" : fmt::format("; {} % are asked for", least);
    if (human) fmt::print("{:<9} {}  in all{}\n", what, line, bar);
    if (json) {
      fmt::print("{{\"total\":\"{}\",\"percent\":{},\"part\":{},\"whole\":{},\"not_counted\":{},\"enough\":{}}}\n", what,
                 Percent(part, whole), part, whole, apart, enough);
    }
    if (enough || human || json) return;
    Finding finding{"ksc test", std::string(what), std::string(what) + "-below", Level::Error};
    finding.message = fmt::format("{}:{}{}", what, line, bar);
    findings->push_back(std::move(finding));
  };
  if (wish.options.coverage) {
    close("coverage", total.covered, total.wanted, total.impossible, wish.coverage_min,
          CoverageLine(total.covered, total.wanted, total.impossible));
  }
  if (wish.options.mutants) {
    close("mutants", total.noticed, total.mutants, total.equivalent, wish.mutate_min,
          MutantLine(total.noticed, total.mutants, total.equivalent));
  }
  return met;
}

}  // namespace ks::ksc
