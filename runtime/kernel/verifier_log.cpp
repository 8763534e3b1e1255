#include "runtime/kernel/verifier_log.h"

#include <fmt/format.h>

#include <cctype>
#include <cerrno>
#include <cstring>
#include <vector>

#include "runtime/kernel/refusal.h"

namespace ks::kernel {
namespace {

constexpr std::string_view kBegin = "-- BEGIN PROG LOAD LOG --";
constexpr std::string_view kEnd = "-- END PROG LOAD LOG --";
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

Error Explain(const Refusal& refusal, std::string_view log, const std::string& on) {
  Error error{"load the programs of", on, "", "", "kernel-verifier"};
  error.cause = fmt::format("the kernel's verifier refused {}: {}", refusal.program, refusal.said);
  error.advice = Advice(refusal);
  error.detail = Render(refusal);
  error.log = log;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) error.facts.emplace_back(name, value);
  };
  const auto number = [](uint32_t value) { return value == 0 ? "" : std::to_string(value); };
  add("why", std::string(Name(refusal.why)));
  add("program", refusal.program);
  add("function", refusal.function);
  add("instruction", refusal.instruction ? std::to_string(*refusal.instruction) : "");
  add("rule", refusal.rule);
  add("condition", refusal.condition);
  add("file", refusal.file);
  add("line", number(refusal.line));
  add("column", number(refusal.column));
  add("text", refusal.text);
  add("doing", refusal.doing);
  add("inside", refusal.inside);
  add("said", refusal.said);
  add("meaning", Meaning(refusal));
  return error;
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

Error ExplainRefusal(const VerifierLog& log, int error, const std::string& on, const LineTables& tables) {
  Error result{"load the programs of", on, "", "", "kernel-load"};
  const auto lines = tables.find(log.program);
  const Refusal refusal = ReadRefusal(log, error, lines == tables.end() ? nullptr : &lines->second);
  if (Has(log.words, "failed to resolve CO-RE relocation") || Has(log.words, "invalid CO-RE relocation")) {
    const std::string_view words = log.words;
    size_t at = words.find("failed to resolve CO-RE relocation");
    std::string_view line =
        at == std::string_view::npos ? "a CO-RE relocation" : words.substr(at, words.substr(at).find('\n'));
    result.cause = fmt::format("this kernel has no such member: {}", Trim(line).substr(0, kMaxLine));
    result.advice =
        "the kernel is newer or older than the ones that these programs know; a newer kubesentry may know it";
    result.code = "kernel-btf";
  } else if (!refusal.said.empty() && !(error == EPERM && Has(refusal.said, "not allowed"))) {
    return Explain(refusal, log.trace, on);
  } else {
    return ExplainLoadFailure("", error, on);
  }
  return result;
}

Error ExplainLoadFailure(std::string_view log, int error, const std::string& on) {
  Error result{"load the programs of", on, "", "", "kernel-load"};
  if (const size_t begin = log.rfind(kBegin); begin != std::string_view::npos) {
    std::string_view before = log.substr(0, begin), of_program = log.substr(begin + kBegin.size());
    const size_t name = before.rfind("prog '");
    before = name == std::string_view::npos ? "" : before.substr(name + 6);
    of_program = of_program.substr(0, of_program.rfind(kEnd));
    return ExplainRefusal(
        {std::string(before.substr(0, before.find('\''))), std::string(of_program), std::string(of_program)}, error, on,
        {});
  }
  if (error == EPERM || error == EACCES) {
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
