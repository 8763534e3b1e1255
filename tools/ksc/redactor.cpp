#include "tools/ksc/redactor.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/bundle/hmac.h"
#include "compiler/ir/glob.h"

namespace ks::ksc {
namespace {

using schema::Cidr;
using schema::FieldId;
using schema::IpAddress;
using FieldStatus = schema::Status;

constexpr size_t kMostCached = 100'000, kMostSteps = 10'000;
constexpr std::string_view kHome = "/home/";

// What an address is, beyond a number (IANA's special-purpose registries). Loopback and none are nobody's.
constexpr std::string_view kSpecial[] = {"10.0.0.0/8",     "172.16.0.0/12",   "192.168.0.0/16", "100.64.0.0/10",
                                         "169.254.0.0/16", "224.0.0.0/4",     "240.0.0.0/4",    "198.18.0.0/15",
                                         "192.0.2.0/24",   "198.51.100.0/24", "203.0.113.0/24", "0.0.0.0/0",
                                         "fe80::/10",      "fc00::/7",        "ff00::/8",       "2001:db8::/32"};
constexpr std::string_view kNobodys[] = {"127.0.0.0/8", "0.0.0.0/32", "255.255.255.255/32", "::1/128", "::/128"};

Cidr CidrOf(std::string_view text) {
  Cidr cidr;
  bool host_bits = false;
  KS_CHECK(schema::ParseCidr(text, &cidr, &host_bits), std::string(text));
  return cidr;
}

std::string Lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

template <typename Each>
void ForEachPart(std::string_view text, char separator, const Each& each) {
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    each(text.substr(at, end - at));
    at = end + 1;
  }
}

// Pieces of a literal are kept in texts as they stand; in paths, whose components have pseudonyms of their own, between
// its slashes.
void KeepWithin(std::string_view piece, bool path, KeptLiterals* kept) {
  if (!path && !piece.empty()) kept->texts.within.push_back(Lower(piece));
  ForEachPart(piece, '/', [&](std::string_view part) {
    if (!part.empty()) kept->components.within.push_back(Lower(part));
  });
}

void KeepWhole(std::string_view text, KeptLiterals* kept) {
  kept->texts.whole.insert(Lower(text));
  kept->components.whole.insert(Lower(text));
  ForEachPart(text, '/', [&](std::string_view part) {
    if (!part.empty()) kept->components.whole.insert(Lower(part));
  });
}

// The parts of a glob between its wildcards. False if some byte must be one of several: a pseudonym's need not be.
bool KeepGlob(std::string_view glob, bool path, KeptLiterals* kept) {
  bool decided = true;
  std::string piece;
  for (const ir::GlobToken& token : ir::ParseGlob(glob)) {
    if (!token.star && token.bytes.count() == 1) {
      size_t byte = 0;
      while (!token.bytes[byte]) ++byte;
      piece += static_cast<char>(byte);
      continue;
    }
    decided &= token.star;
    KeepWithin(piece, path, kept);
    piece.clear();
  }
  KeepWithin(piece, path, kept);
  return decided;
}

// Fields of which equal values have equal pseudonyms.
int Alike(const ir::Operand& operand) {
  if (operand.field == FieldId::process_args) return 1;
  if (operand.field == FieldId::file_source || operand.field == FieldId::file_target) return 2;
  return schema::Row(operand.field).type == schema::TypeId::Path ? 3 : 0;
}

void KeepOf(const ir::Pred& pred, const std::string& rule, KeptLiterals* kept) {
  for (const ir::Pred& operand : pred.operands) KeepOf(operand, rule, kept);  // of bounded depth: ir::kMaxPredDepth
  if (!pred.atom) return;
  const ir::Test test = pred.atom->test;
  const bool path = Alike(pred.atom->operand) == 3;
  if (test == ir::Test::Matches || (pred.atom->other && Alike(*pred.atom->other) != Alike(pred.atom->operand)))
    kept->undecided.insert(rule);
  for (const schema::Value& literal : pred.atom->literals) {
    if (const auto* text = std::get_if<std::string>(&literal)) {
      if (test == ir::Test::Like) {
        if (!KeepGlob(*text, path, kept)) kept->undecided.insert(rule);
      } else if (test == ir::Test::Contains) {
        KeepWithin(*text, path, kept);
      } else if (test != ir::Test::Matches) {
        KeepWhole(*text, kept);
      }
    } else if (const auto* net = std::get_if<Cidr>(&literal)) {
      kept->nets.push_back(*net);
    } else if (const auto* ip = std::get_if<IpAddress>(&literal)) {
      kept->nets.push_back({*ip, 128});
    } else if (const auto* endpoint = std::get_if<schema::Endpoint>(&literal)) {
      kept->nets.push_back({endpoint->ip, 128});
    }
  }
}

bool Bit(const IpAddress& ip, size_t bit) { return ip.bytes[bit / 8] >> (7 - bit % 8) & 1; }

}  // namespace

KeptLiterals LiteralsOf(const ir::Program& program) {
  KeptLiterals kept;
  for (const ir::SplitRule& split : program.rules) KeepOf(split.rule.when, split.rule.id, &kept);
  for (const ir::Machine& machine : program.machines) {
    KeepOf(machine.rule.when, machine.rule.id, &kept);
    if (!machine.rule.sequence) continue;
    for (const ir::Step& step : machine.rule.sequence->steps) {
      KeepOf(step.when, machine.rule.id, &kept);
      KeepOf(step.cross, machine.rule.id, &kept);
    }
  }
  for (auto* within : {&kept.texts.within, &kept.components.within}) {
    std::ranges::sort(*within);
    within->erase(std::unique(within->begin(), within->end()), within->end());
  }
  return kept;
}

std::set<FieldId> AlsoRedacted(const std::set<FieldId>& fields) {
  // As by derivation, though the kernel half reads both.
  constexpr std::pair<FieldId, FieldId> kSame[] = {{FieldId::process_id, FieldId::process_ancestor_ids},
                                                   {FieldId::file_path, FieldId::file_canonical},
                                                   {FieldId::file_canonical, FieldId::file_path}};
  std::set<FieldId> all = fields;
  const auto add_of = [&](FieldId from) {
    for (const schema::FieldRow& row : schema::Fields()) {
      if (std::ranges::count(schema::DerivedFrom(row.id), from) != 0) all.insert(row.id);
    }
    for (const auto& [one, other] : kSame) {
      if (one == from) all.insert(other);
    }
  };
  for (size_t before = 0; before != all.size();) {
    before = all.size();
    for (const FieldId field : std::set<FieldId>(all)) add_of(field);
  }
  for (const FieldId field : fields) {
    const auto sources = schema::DerivedFrom(field);
    all.insert(sources.begin(), sources.end());
  }
  for (const FieldId field : fields) all.erase(field);
  return all;
}

std::set<FieldId> StillTelling(const std::set<FieldId>& fields) {
  static const std::vector<std::vector<FieldId>> alike = {
      {FieldId::process_pid, FieldId::process_tid, FieldId::process_session, FieldId::process_parent_pid,
       FieldId::child_pid, FieldId::target_pid, FieldId::process_ancestor_ids, FieldId::process_id},
      {FieldId::process_name, FieldId::process_exe, FieldId::process_ancestors, FieldId::process_parent_name,
       FieldId::process_parent_exe, FieldId::file_canonical},
      {FieldId::process_uid, FieldId::process_euid, FieldId::process_loginuid, FieldId::process_parent_uid,
       FieldId::target_uid},
      {FieldId::process_gid, FieldId::process_egid, FieldId::target_gid},
      {FieldId::file_path, FieldId::file_canonical, FieldId::file_old_path}};
  std::set<FieldId> out;
  for (const std::vector<FieldId>& group : alike) {
    if (std::ranges::none_of(group, [&](FieldId field) { return fields.contains(field); })) continue;
    for (const FieldId field : group) {
      if (!fields.contains(field)) out.insert(field);
    }
  }
  return out;
}

Redactor::Redactor(std::string key, KeptLiterals kept, RedactOptions options)
    : key_(std::move(key)), kept_(std::move(kept)), options_(std::move(options)), nets_(kept_.nets) {
  for (std::string_view text : kSpecial) nets_.push_back(CidrOf(text));
}

std::string Redactor::KeyId() const {
  std::string out;
  for (const char c : bundle::HmacSha256(key_, "key").substr(0, 4))
    out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

// One that holds nothing that rules look for.
std::string Redactor::Pseudonym(std::string_view text) const {
  constexpr int kTries = 16;
  std::string out;
  for (int again = 0; again < kTries; ++again) {
    out = "~";
    for (const char c : bundle::HmacSha256(key_, fmt::format("text{}:{}", again, text)).substr(0, 6)) {
      out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    }
    const auto has = [&](const std::string& part) { return out.find(part) != std::string::npos; };
    if (std::ranges::none_of(kept_.texts.within, has) && std::ranges::none_of(kept_.components.within, has)) break;
  }
  return out;
}

std::string Redactor::Replaced(const std::string& text, const Kept& kept) const {
  const std::string lower = Lower(text);
  if (kept.whole.contains(lower)) return text;
  std::vector<bool> stays(text.size());  // literals may overlap
  for (const std::string& part : kept.within) {
    for (size_t at = lower.find(part); at != std::string::npos; at = lower.find(part, at + 1))
      std::fill_n(stays.begin() + static_cast<ptrdiff_t>(at), part.size(), true);
  }
  std::string out;
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    while (end < text.size() && stays[end] == stays[begin]) ++end;
    const std::string run = text.substr(begin, end - begin);
    out += stays[begin] ? run : Pseudonym(run);
  }
  return out;
}

std::string Redactor::Word(const std::string& word) {
  if (words_.size() >= kMostCached) words_.clear();
  const auto [known, added] = words_.try_emplace(word);
  if (added) known->second = Replaced(word, kept_.texts);
  return known->second;
}

std::string Redactor::Component(const std::string& component) {
  if (components_.size() >= kMostCached) components_.clear();
  const auto [known, added] = components_.try_emplace(component);
  if (added) known->second = Replaced(component, kept_.components);
  return known->second;
}

std::string Redactor::Path(const std::string& path, bool cut) {
  const size_t home = path.starts_with(kHome.substr(1)) ? 0 : path.find(kHome);
  const bool all = options_.all_paths || cut;
  if (!all && home == std::string::npos) return path;
  if (kept_.components.whole.contains(Lower(path))) return path;
  std::string out;
  if (home == 0 || !all) out = path.substr(0, path.find('/', home + 1) + 1);
  bool first = true;
  ForEachPart(std::string_view(path).substr(out.size()), '/', [&](std::string_view part) {
    out += (first ? "" : "/") + Component(std::string(part));
    first = false;
  });
  return out;
}

std::string Redactor::Place(const std::string& text, bool cut) {
  // Not //host/share, nor host:/path, nor ../alice: what such a text names is not known.
  return text.starts_with('/') && !text.starts_with("//") ? Path(text, cut) : Word(text);
}

// The program's name stays, as process.name does; but some write there whom they serve: `sshd: alice@pts/0`.
std::string Redactor::FirstArgument(const std::string& text, const schema::Record& before) {
  if (options_.fields.contains(FieldId::process_exe) || options_.fields.contains(FieldId::process_name))
    return Word(text);
  const auto text_of = [&](FieldId field) {
    const auto* found = std::get_if<std::string>(&before[field].value);
    return found ? std::string_view(*found) : std::string_view();
  };
  const auto last_of = [](std::string_view path) { return path.substr(path.find_last_of('/') + 1); };
  std::string_view program = last_of(text);
  const bool bare = program == text;
  if (bare && program.starts_with('-')) program.remove_prefix(1);  // a login shell
  const std::string exe(text_of(FieldId::process_exe));
  const bool cut = before[FieldId::process_exe].status == FieldStatus::Truncated;
  const bool known = !program.empty() &&
                     (program == text_of(FieldId::process_name) || (program == last_of(exe) && Path(exe, cut) == exe));
  if (text.starts_with('/')) return known || text == exe ? Place(text, false) : Word(text);
  return known && bare ? text : Word(text);
}

// Prefix-preserving (as Xu, Fan, Ammar and Moon, "Prefix-preserving IP address anonymization", 2002), within the
// narrowest net that means something: each bit is turned over or not by a keyed hash of the bits before it. That is a
// permutation; where it leads into a narrower net it goes on, until it is out again.
IpAddress Redactor::Address(const IpAddress& ip) {
  static const std::vector<Cidr> nobodys = [] {
    std::vector<Cidr> out;
    for (std::string_view text : kNobodys) out.push_back(CidrOf(text));
    return out;
  }();
  const auto holds = [](const IpAddress& one) { return [&one](const Cidr& net) { return net.Contains(one); }; };
  if (std::ranges::any_of(nobodys, holds(ip))) return ip;
  if (const auto known = addresses_.find(ip); known != addresses_.end()) return known->second;
  const auto narrowest = [&](const IpAddress& one) {
    size_t bits = 0;
    for (const Cidr& net : nets_) {
      if (net.Contains(one)) bits = std::max<size_t>(bits, net.bits);
    }
    return bits;
  };
  const size_t fixed = narrowest(ip);
  IpAddress out = ip;
  size_t steps = 0;  // beyond the bound narrower nets leave next to nothing of this one: then it may look like theirs
  do {
    const IpAddress in = out;
    IpAddress before;  // the bits in front of the one that is looked at
    for (size_t bit = 0; bit < 128; ++bit) {
      const auto mask = static_cast<uint8_t>(1u << (7 - bit % 8));
      if (bit >= fixed) {
        const std::string_view bytes(reinterpret_cast<const char*>(before.bytes.data()), before.bytes.size());
        if (bundle::HmacSha256(key_, fmt::format("ip{}:{}", bit, bytes))[0] & 1) out.bytes[bit / 8] ^= mask;
      }
      if (Bit(in, bit)) before.bytes[bit / 8] |= mask;
    }
  } while (++steps < kMostSteps && (narrowest(out) != fixed || std::ranges::any_of(nobodys, holds(out))));
  if (addresses_.size() >= kMostCached) addresses_.clear();
  addresses_[ip] = out;
  return out;
}

bool Redactor::RedactField(const schema::FieldRow& row, const schema::Record& before, schema::FieldValue* value) {
  const bool cut = value->status == FieldStatus::Truncated;
  const bool whole = options_.fields.contains(row.id);
  const bool arguments = row.id == FieldId::process_args;
  if (auto* ip = std::get_if<IpAddress>(&value->value)) {
    *ip = Address(*ip);
  } else if (auto* endpoint = std::get_if<schema::Endpoint>(&value->value)) {
    endpoint->ip = Address(endpoint->ip);
  } else if (auto* text = std::get_if<std::string>(&value->value)) {
    if (row.type == schema::TypeId::StringList && (arguments || whole)) {
      const bool ends = text->ends_with('\0');
      std::string out;
      size_t number = 0;
      ForEachPart(std::string_view(*text).substr(0, text->size() - ends), '\0', [&](std::string_view element) {
        if (number > 0) out += '\0';
        const std::string one(element);
        out += arguments && number == 0 && !whole ? FirstArgument(one, before) : Word(one);
        ++number;
      });
      if (!text->empty()) *text = out + (ends ? std::string(1, '\0') : "");
    } else if (whole) {
      *text = Word(*text);
    } else if (row.id == FieldId::file_target || row.id == FieldId::file_source) {
      *text = Place(*text, cut);
    } else if (row.type == schema::TypeId::Path) {
      *text = Path(*text, cut);
    }
  } else if (whole) {
    *value = {FieldStatus::Unknown, {}};
    return true;
  }
  return value->value != before[row.id].value;
}

void Redactor::Redact(event::Event* event) {
  const schema::Record before = event->record;
  for (const schema::FieldRow& row : schema::Fields()) {
    schema::FieldValue value = before[row.id];
    if (value.status != FieldStatus::Ok && value.status != FieldStatus::Truncated) continue;
    if (row.id == FieldId::event_time || !RedactField(row, before, &value)) continue;
    ++replaced_[std::string(row.dotted)];
    event->record.Set(row.id, std::move(value.value), value.status);
  }
}

}  // namespace ks::ksc
