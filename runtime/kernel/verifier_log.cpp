#include "runtime/kernel/verifier_log.h"

#include <fmt/format.h>

#include <cctype>
#include <cerrno>
#include <cstring>
#include <vector>

namespace ks::kernel {
namespace {

constexpr std::string_view kBegin = "-- BEGIN PROG LOAD LOG --";
constexpr std::string_view kEnd = "-- END PROG LOAD LOG --";
constexpr size_t kMaxWords = 3;  // lines of the verifier's final words
constexpr size_t kMaxLine = 300;

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string_view Trim(std::string_view line) {
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.front()))) line.remove_prefix(1);
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.remove_suffix(1);
  return line;
}

bool Has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// "12: (85) call …", "from 3 to 9: …", "R1=scalar() …", "; source", statistics: how the verifier got there, not what it
// objects to.
bool IsTrail(std::string_view line) {
  if (line.empty() || line.front() == ';') return true;
  if (std::isdigit(static_cast<unsigned char>(line.front()))) {
    size_t digits = 0;
    while (digits < line.size() && std::isdigit(static_cast<unsigned char>(line[digits]))) ++digits;
    if (digits < line.size() && line[digits] == ':') return true;
  }
  for (std::string_view start :
       {"processed ", "from ", "verification time", "stack depth", "max_states", "arg#", "reg type", "Live regs",
        "mark_precise", "last_idx", "regs=", "parent ", "Validating "}) {
    if (line.starts_with(start)) return true;
  }
  return line.starts_with("R") && Has(line, "=") && !Has(line, " ");
}

struct Words {
  std::string program;  // as libbpf calls it: "ks_sys_exit"
  std::string source;   // the last line of source that the verifier quoted
  std::string objection;
};

Words LastWords(std::string_view log) {
  Words words;
  size_t begin = log.rfind(kBegin);
  if (begin == std::string_view::npos) return words;
  std::string_view before = log.substr(0, begin);
  if (size_t name = before.rfind("prog '"); name != std::string_view::npos) {
    before.remove_prefix(name + 6);
    words.program = before.substr(0, before.find('\''));
  }
  std::string_view body = log.substr(begin + kBegin.size());
  std::vector<std::string_view> lines = Lines(body.substr(0, body.find(kEnd)));
  std::vector<std::string_view> last;
  for (size_t i = lines.size(); i-- > 0;) {
    std::string_view line = Trim(lines[i]).substr(0, kMaxLine);
    if (!IsTrail(line)) {
      if (last.size() < kMaxWords && words.source.empty()) last.insert(last.begin(), line);
    } else if (line.starts_with(";") && words.source.empty()) {
      words.source = Trim(line.substr(1));
    }
    if (!last.empty() && !words.source.empty()) break;
  }
  words.objection = fmt::format("{}", fmt::join(last, "; "));
  return words;
}

// libbpf's own complaint: its last line that is not about a log or a consequence.
std::string LastComplaint(std::string_view log) {
  std::string last;
  for (std::string_view line : Lines(log.substr(0, log.find(kBegin)))) {
    line = Trim(line);
    if (line.starts_with("libbpf: ")) line.remove_prefix(8);
    if (!line.empty()) last = line.substr(0, kMaxLine);
  }
  return last;
}

}  // namespace

Error ExplainLoadFailure(std::string_view log, int error, const std::string& on) {
  Error result{"load the programs of", on, "", "", "kernel-load"};
  Words words = LastWords(log);
  if (Has(log, "failed to resolve CO-RE relocation") || Has(log, "invalid CO-RE relocation")) {
    size_t at = log.find("failed to resolve CO-RE relocation");
    std::string_view line =
        at == std::string_view::npos ? "a CO-RE relocation" : log.substr(at, log.substr(at).find('\n'));
    result.cause = fmt::format("this kernel has no such member: {}", Trim(line).substr(0, kMaxLine));
    result.advice =
        "the kernel is newer or older than the ones that these programs know; a newer kubesentry may know it";
    result.code = "kernel-btf";
  } else if (!words.objection.empty() && !(error == EPERM && Has(words.objection, "not allowed"))) {
    result.cause = fmt::format("the kernel's verifier refused {}: {}", words.program, words.objection);
    if (!words.source.empty()) result.cause += fmt::format(" (at: {})", words.source);
    result.advice = error == E2BIG || Has(words.objection, "too large") || Has(words.objection, "too complex")
                        ? "fewer or simpler rules for this hook make the program smaller"
                        : "this is a mistake of the compiler, not of the policy: please report it with this message";
    result.code = "kernel-verifier";
  } else if (error == EPERM || error == EACCES) {
    result.cause = "the kernel does not permit it";
    result.advice =
        "give the process CAP_BPF and CAP_PERFMON; before Linux 5.11 also raise RLIMIT_MEMLOCK (ulimit -l unlimited)";
    result.code = "kernel-permission";
  } else if (Has(log, "kernel BTF") || Has(log, "vmlinux BTF")) {
    result.cause = "the kernel carries no type information (/sys/kernel/btf/vmlinux)";
    result.advice = "use a kernel that is built with CONFIG_DEBUG_INFO_BTF=y, as those of the distributions are";
    result.code = "kernel-btf";
  } else if (error == ENOMEM) {
    result.cause = "the kernel has no memory for it";
    result.code = "kernel-memory";
  } else {
    std::string complaint = LastComplaint(log);
    result.cause = complaint.empty() ? std::strerror(error) : fmt::format("{} ({})", complaint, std::strerror(error));
  }
  return result;
}

}  // namespace ks::kernel
