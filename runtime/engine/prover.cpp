#include "runtime/engine/prover.h"

#include <algorithm>

#include "compiler/ir/hash.h"
#include "compiler/ir/reading.h"

namespace ks::engine {
namespace {

using ir::Pred;
using ir::Test;
using ir::Truth;

// What an index leaves out goes first: all else of a candidate holds already, or is unknown. Regular expressions are
// dear.
int Rank(const Pred& pred) {
  if (!pred.atom) return 2;
  switch (pred.atom->test) {
    case Test::Like:
    case Test::HasOther:
      return 0;
    case Test::Matches:
      return 3;
    default:
      return pred.atom->other ? 0 : 1;
  }
}

}  // namespace

uint32_t Prover::Add(const Pred& pred) {
  roots_.push_back(static_cast<uint32_t>(nodes_.size()));
  AddNode(pred);
  return static_cast<uint32_t>(roots_.size() - 1);
}

void Prover::AddNode(const Pred& pred) {
  const size_t at = nodes_.size();
  nodes_.push_back({pred.op, pred.atom ? AddAtom(*pred.atom) : 0, 0});
  std::vector<const Pred*> operands;
  for (const Pred& operand : pred.operands) operands.push_back(&operand);
  std::ranges::stable_sort(operands, {}, [](const Pred* operand) { return Rank(*operand); });
  for (const Pred* operand : operands) AddNode(*operand);
  nodes_[at].end = static_cast<uint32_t>(nodes_.size());
}

uint32_t Prover::AddAtom(const ir::Atom& atom) {
  const size_t hash = ir::HashOf(atom);
  const auto [begin, end] = numbers_.equal_range(hash);
  for (auto at = begin; at != end; ++at) {
    if (atoms_[at->second].atom->SameAs(atom)) return at->second;
  }
  const auto number = static_cast<uint32_t>(atoms_.size());
  numbers_.emplace(hash, number);
  Atom& added = atoms_.emplace_back(Atom{&atom, {}});
  if (atom.test == Test::Like) {
    for (const ir::Value& pattern : atom.literals) added.globs.push_back(ir::ParseGlob(std::get<std::string>(pattern)));
  }
  return number;
}

Truth Prover::Prove(uint32_t number, const schema::Record& record, Memo* memo) const {
  return OfNode(roots_[number], record, memo);
}

const ir::AtomResult& Prover::Ask(uint32_t atom, const schema::Record& record, Memo* memo) const {
  if (memo->known_.size() < atoms_.size()) memo->known_.resize(atoms_.size());
  Memo::Known& known = memo->known_[atom];
  if (known.record != memo->record_) known = {memo->record_, OfAtom(atoms_[atom], record)};
  return known.result;
}

Truth Prover::OfNode(uint32_t at, const schema::Record& record, Memo* memo) const {
  const Node& node = nodes_[at];
  switch (node.op) {
    case Pred::Op::True:
      return Truth::True;
    case Pred::Op::False:
      return Truth::False;
    case Pred::Op::Atom:
      return Ask(node.atom, record, memo).truth;
    case Pred::Op::Not: {
      const Truth truth = OfNode(at + 1, record, memo);
      if (truth == Truth::Unknown) return truth;
      return truth == Truth::True ? Truth::False : Truth::True;
    }
    case Pred::Op::And:
    case Pred::Op::Or:
      break;
  }
  const Truth neutral = node.op == Pred::Op::And ? Truth::True : Truth::False;
  Truth result = neutral;
  for (uint32_t operand = at + 1; operand < node.end; operand = nodes_[operand].end) {
    const Truth truth = OfNode(operand, record, memo);
    if (truth == Truth::Unknown) {
      result = truth;
    } else if (truth != neutral) {
      return truth;
    }
  }
  return result;
}

ir::AtomResult Prover::OfAtom(const Atom& atom, const schema::Record& record) const {
  if (atom.globs.empty() || atom.atom->operand.step != ir::kThisEvent) return ir::EvalAtom(*atom.atom, record);
  const ir::Reading read(atom.atom->operand, record);
  if (!read.readable() || read.status != schema::Status::Ok) return ir::EvalAtom(*atom.atom, record);
  const std::string_view text = std::get<std::string>(read.value());
  for (uint32_t i = 0; i < atom.globs.size(); ++i) {
    if (ir::GlobMatches(atom.globs[i], text)) return {Truth::True, i};
  }
  return {Truth::False, 0};
}

}  // namespace ks::engine
