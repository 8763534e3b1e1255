// Takes out of events what is about people: arguments, what lies below /home, addresses. Equal values have equal
// pseudonyms, so that what belonged together still does; who has the key can check a guess, and nobody else.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/ir/ir.h"
#include "runtime/event/event.h"

namespace ks::ksc {

// What rules compare values with: where it stands in a value it is kept.
struct Kept {
  std::unordered_set<std::string> whole;  // all of a text
  std::vector<std::string> within;        // parts of one
};
struct KeptLiterals {
  Kept texts;                       // arguments, and what else is no path
  Kept components;                  // of paths, between slashes; and whole paths
  std::vector<schema::Cidr> nets;   // an address has its pseudonym within the same ones
  std::set<std::string> undecided;  // ids of rules that may not find what they found: not only literals decide them
};
KeptLiterals LiteralsOf(const ir::Program& program);

struct RedactOptions {
  bool all_paths = false;            // not only what is below /home
  std::set<schema::FieldId> fields;  // these as well, their whole values; what is no text or address becomes unknown
};

// What tells a field of these as well, the same or a part of it, and so is redacted with it: what it is computed from,
// and what is computed from it.
std::set<schema::FieldId> AlsoRedacted(const std::set<schema::FieldId>& fields);
// Fields that are not among these, and whose values are now and then those of one that is.
std::set<schema::FieldId> StillTelling(const std::set<schema::FieldId>& fields);

class Redactor {
 public:
  // `key`: any bytes; without them nobody can tell a pseudonym's origin.
  Redactor(std::string key, KeptLiterals kept, RedactOptions options);

  void Redact(event::Event* event);
  // How many values were replaced, by field.
  const std::map<std::string, uint64_t>& replaced() const { return replaced_; }
  // Eight hexadecimal digits by which two traces can be seen to have the same key.
  std::string KeyId() const;

  // A text as one, however many slashes it has.
  std::string Word(const std::string& word);
  // What is below a `home/`, wherever that stands. `cut`: only the path's end is known: all of it.
  std::string Path(const std::string& path, bool cut);
  // A text that may be a path: where a mount comes from, where a symbolic link leads to.
  std::string Place(const std::string& text, bool cut);
  schema::IpAddress Address(const schema::IpAddress& ip);

 private:
  // `before`: the record as it was observed.
  bool RedactField(const schema::FieldRow& row, const schema::Record& before, schema::FieldValue* value);
  std::string FirstArgument(const std::string& text, const schema::Record& before);
  std::string Component(const std::string& component);
  std::string Replaced(const std::string& text, const Kept& kept) const;
  std::string Pseudonym(std::string_view text) const;

  std::string key_;
  KeptLiterals kept_;
  RedactOptions options_;
  std::vector<schema::Cidr> nets_;
  std::unordered_map<std::string, std::string> words_, components_;  // caches, emptied when they are full
  std::map<schema::IpAddress, schema::IpAddress> addresses_;
  std::map<std::string, uint64_t> replaced_;
};

}  // namespace ks::ksc
