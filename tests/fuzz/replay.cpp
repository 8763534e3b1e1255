// Runs a fuzzer's inputs without the fuzzer: what was once found stays mended, with any compiler, in every preset.
//
//   parser_replay FOLDER…      every file below; ends with a count. Exit status 0, or what the input breaks.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// An input that takes longer is a hang. Sanitizers slow down about tenfold.
#ifdef KS_SANITIZED
constexpr double kMostSeconds = 10;
#else
constexpr double kMostSeconds = 1;
#endif

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) continue;  // not every fuzzer has regressions yet
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  if (files.empty()) {
    std::fprintf(stderr, "%s: no inputs in the folders given\n", argv[0]);
    return 2;
  }
  std::sort(files.begin(), files.end());
  double slowest = 0;
  for (const std::filesystem::path& path : files) {
    std::printf("%s\n", path.c_str());  // the last line names the input that breaks
    std::fflush(stdout);
    std::ifstream stream(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    double begin = CpuSeconds();
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    double seconds = CpuSeconds() - begin;
    slowest = std::max(slowest, seconds);
    if (seconds > kMostSeconds) {
      std::fprintf(stderr, "%s: takes %.1f s of the CPU, more than %.0f\n", path.c_str(), seconds, kMostSeconds);
      return 1;
    }
  }
  std::printf("%zu inputs, the slowest %.0f ms: passed\n", files.size(), slowest * 1000);
  return 0;
}
