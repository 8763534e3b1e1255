// What `ksc test --coverage` and `--mutate` say.
#pragma once

#include <string>
#include <vector>

#include "tools/cli/args.h"
#include "tools/ksc/quality.h"
#include "tools/ksc/results.h"

namespace ks::ksc {

std::vector<cli::Option> QualityOptionRows();

// How both were asked for; a percentage that is none, or without its option, is an error of usage: `mistake`.
struct QualityWish {
  QualityOptions options;
  unsigned coverage_min = 0, mutate_min = 0;
  bool quiet = false;
  std::string mistake;
};
QualityWish QualityWishOf(const cli::Arguments& arguments);
// Threads: --jobs, else one for each processor.
unsigned JobsOf(const cli::Arguments& arguments, std::string* mistake);

// Prints in `format`, human or json; for others gives what CI systems list. True if both bars are met.
bool ReportQuality(const std::vector<Quality>& all, const QualityWish& wish, const std::string& format,
                   std::vector<Finding>* findings);

}  // namespace ks::ksc
