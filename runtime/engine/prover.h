// Predicates of many rules over shared atoms: what an event is to an atom is found out once, whoever asks.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "compiler/ir/eval.h"
#include "compiler/ir/glob.h"

namespace ks::engine {

// Agrees with ir::Eval. Immutable once all is added; takes no memory while it proves, once a Memo has been used.
class Prover {
 public:
  // One for each thread, for any number of provers.
  class Memo {
   public:
    void Forget() { ++record_; }  // the next record is another one, or of another prover

   private:
    friend class Prover;
    struct Known {
      uint64_t record = 0;  // 0: of none
      ir::AtomResult result;
    };
    std::vector<Known> known_;  // by atom
    uint64_t record_ = 1;
  };

  // Predicates are numbered from 0. `pred` is copied as far as it is needed, but its atoms must outlive the prover.
  uint32_t Add(const ir::Pred& pred);
  ir::Truth Prove(uint32_t number, const schema::Record& record, Memo* memo) const;
  // So are atoms, those of the predicates among them.
  uint32_t AddAtom(const ir::Atom& atom);
  const ir::AtomResult& Ask(uint32_t atom, const schema::Record& record, Memo* memo) const;

 private:
  struct Atom {
    const ir::Atom* atom;
    std::vector<std::vector<ir::GlobToken>> globs;  // of Like
  };
  // In prefix order.
  struct Node {
    ir::Pred::Op op;
    uint32_t atom;
    uint32_t end;  // behind its operands
  };
  void AddNode(const ir::Pred& pred);
  ir::Truth OfNode(uint32_t at, const schema::Record& record, Memo* memo) const;
  ir::AtomResult OfAtom(const Atom& atom, const schema::Record& record) const;

  std::vector<Atom> atoms_;
  std::unordered_multimap<size_t, uint32_t> numbers_;  // by hash
  std::vector<Node> nodes_;
  std::vector<uint32_t> roots_;
};

}  // namespace ks::engine
