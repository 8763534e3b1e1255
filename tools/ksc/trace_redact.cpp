// ksc trace redact: a trace that can be given away.
#include <fmt/format.h>
#include <sys/random.h>

#include "tools/ksc/commands.h"
#include "tools/ksc/progress_line.h"
#include "tools/ksc/redactor.h"
#include "tools/ksc/trace_files.h"

namespace ks::ksc {
namespace {

constexpr size_t kKeyBytes = 32, kMaxKeyFile = 4096, kLeastKey = 16;

Result<std::string> ReadKey(const std::string& path) {
  if (path.empty()) {
    std::string key(kKeyBytes, '\0');
    if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) {
      return Error{"make a key", "getrandom", "the kernel gave none", "give one with --key", "redact-key"};
    }
    return key;
  }
  Result<std::string> key = ReadFile(path, kMaxKeyFile);
  if (key && key->size() < kLeastKey) {
    return Error{"read the key", path, fmt::format("it has {}, too few to keep a secret", Count(key->size(), "byte")),
                 "make one: head -c 32 /dev/urandom > key", "redact-key"};
  }
  return key;
}

void NoteFields(std::string_view note, const std::set<schema::FieldId>& fields) {
  if (fields.empty()) return;
  std::vector<std::string_view> names;
  for (const schema::FieldId field : fields) names.push_back(schema::Row(field).dotted);
  fmt::print(stderr, "{}: {}\n", note, fmt::join(names, ", "));
}

}  // namespace

int TraceRedact(const Words& words) {
  const cli::Command command = {
      "ksc trace redact",
      "TRACE.kst",
      1,
      1,
      "Makes a trace without what is about people: arguments, names below /home (those of users are the first), and "
      "addresses get "
      "pseudonyms. Equal values have equal ones; addresses keep the nets they share, and whether they are private. "
      "Names of programs, "
      "numbers of users, times and names of containers stay: --field takes more.",
      "  ksc trace redact incident.kst -o shared.kst --keep-literals-of rules/\n"
      "  ksc trace redact monday.kst -o m.kst --key secret && ksc trace redact tuesday.kst -o t.kst --key secret",
      {OutputOption(),
       {"--key",
        "FILE",
        "16 bytes or more: traces that are redacted with the same have the same pseudonyms; else a random one, which "
        "is dropped",
        false,
        {}},
       {"--keep-literals-of",
        "RULES",
        "keep what these compare values with, so that they find what they found; may be repeated",
        false,
        {},
        true},
       {"--field",
        "FIELD",
        "this one too, as `pod.name`, and what it is computed from or tells it; what is no text or address becomes "
        "unknown; may be repeated",
        false,
        {},
        true},
       {"--all-paths", "", "every name in a path, not only those below /home", false, {}},
       StrictOption(),
       FormatOption()}};
  int code = cli::kFine;
  auto arguments = cli::Parse(command, words, &code);
  if (!arguments) return code;
  const bool json = WantsJson(*arguments);
  const std::string& path = arguments->positionals()[0];
  const std::string out = arguments->Get("-o");
  if (auto failed = CheckOutput(command, out)) return *failed;
  RedactOptions options;
  options.all_paths = arguments->Has("--all-paths");
  for (const std::string& name : arguments->All("--field")) {
    const auto field = schema::FindField(name);
    if (!field || *field == schema::FieldId::event_time)
      return cli::Usage(command, fmt::format("there is no field `{}` to redact; `ksc schema` lists them", name));
    options.fields.insert(*field);
  }
  const std::set<schema::FieldId> also = AlsoRedacted(options.fields);
  options.fields.insert(also.begin(), also.end());
  NoteFields("note: redacted too, as these tell what --field takes", also);
  NoteFields("note: may still tell what --field takes, and stay", StillTelling(options.fields));
  std::string what = options.all_paths ? "arguments, paths, addresses" : "arguments, paths below /home, addresses";
  KeptLiterals kept;
  if (arguments->Has("--keep-literals-of")) {
    auto analysis = AnalyzePaths(arguments->All("--keep-literals-of"), json, &code);
    if (!analysis) return code;
    if (!analysis->ok()) return Report(*analysis, {json, false, false});
    kept = LiteralsOf(analysis->program);
    what += ", literals of rules kept";
  }
  for (const schema::FieldId field : options.fields) what += fmt::format(", {}", schema::Row(field).dotted);
  if (!kept.undecided.empty()) {
    fmt::print(
        stderr,
        "note: rules with regular expressions, `?` or `[…]`, or that compare different fields, may not find what "
        "was replaced: {}\n",
        fmt::join(kept.undecided, ", "));
  }
  Result<std::string> key = ReadKey(arguments->Get("--key"));
  if (!key) return cli::Fail(key.error(), json);
  Redactor redactor(std::move(*key), std::move(kept), std::move(options));
  Result<trace::Reader> reader = trace::Reader::Open(path);
  if (!reader) return cli::Fail(reader.error(), json);
  SayUnknown(path, reader->info());
  const std::string before = reader->info().match_only == "as observed" ? "" : "; " + reader->info().match_only;
  Result<trace::Writer> writer =
      MakeTrace(out, reader->info().host, fmt::format("redacted with key {}: {}{}", redactor.KeyId(), what, before));
  if (!writer) return cli::Fail(writer.error(), json);
  uint64_t events = 0, lost = 0;
  Status written = Ok();
  ProgressLine progress;
  const Status read = reader->ForEach(
      [&](const event::Event& event) {
        ++events;
        event::Event copy = event;
        redactor.Redact(&copy);
        if (written) written = writer->Add(copy);
        progress.Tick([&](double seconds) {
          return fmt::format("{} events, {:.0f} events/s", events, static_cast<double>(events) / seconds);
        });
      },
      [&](const trace::Lost& one) {
        ++lost;
        if (written) written = writer->AddLost(one);
      });
  if (!written) return cli::Fail(written.error(), json);
  if (!json) {
    for (const auto& [field, count] : redactor.replaced()) fmt::print(stderr, "  {:>9}  {}\n", count, field);
  }
  const int finished = Finish(*writer, out, events, events, lost, json);
  return std::max(finished, SayEnd(path, reader->info(), read, arguments->Has("--strict"), json));
}

}  // namespace ks::ksc
