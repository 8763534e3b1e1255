// Kinds with many rules: the tables of their ir::Index, and the functions that look values up in them (bpf/rows.bpf.c).
#pragma once

#include <map>

#include "compiler/codegen/unit.h"
#include "compiler/ir/index.h"

namespace ks::codegen {

// A map's value is at most that on 5.10 (KMALLOC_MAX_SIZE).
inline constexpr size_t kMaxTableBytes = size_t{4} << 20;
// Each has functions of its own, which 5.10 verifies for each program that uses them.
inline constexpr size_t kMaxTableMaps = 4;

class Rows {
 public:
  // Lays out the tables of all kinds that have an index.
  Rows(Unit& unit, const ir::Plan& plan, Break broken);
  // Whether they are no larger than that.
  bool fit() const { return fit_; }

  // How a dimension is decided that is no test of its own.
  Emitted Describe(const ir::KindPlan& kind, size_t dimension) const;

  // Every clause alive, nothing scanned.
  void Begin(Code& code, const ir::KindPlan& kind);
  // Whether any alive clause asks the dimension (i1).
  llvm::Value* IsAsked(Code& code, const ir::Dimension& dimension);
  void Forget(Code& code, size_t dimension);  // its outcome is nothing
  // Of a value that is there, and of a dimension without scanner: its outcome (i32), kNone if it has none.
  llvm::Value* LookUp(Code& code, const ir::KindPlan& kind, size_t dimension);
  static constexpr uint32_t kNone = 0xffffffff;
  // The row of an outcome.
  llvm::Value* RowOf(Code& code, const ir::KindPlan& kind, size_t dimension, llvm::Value* outcome);
  // ANDs a row. Whether any clause is left (i1).
  llvm::Value* And(Code& code, const ir::KindPlan& kind, llvm::Value* row);
  // The same for a dimension that has no outcome.
  llvm::Value* AndNone(Code& code, const ir::KindPlan& kind, size_t dimension);
  // Of a dimension with a scanner: scans the text if that was not done, or knows that there is none.
  void Scan(Code& code, const ir::KindPlan& kind, size_t dimension);
  void FindNothing(Code& code, const ir::KindPlan& kind, size_t dimension);
  // ANDs what was found. Whether any clause is left (i1).
  llvm::Value* AndFound(Code& code, const ir::KindPlan& kind, size_t dimension);
  // Decides what the rows so far have left, if `few` only where that is little and more than the summaries know;
  // whether any clause is (i1).
  llvm::Value* Settle(Code& code, const ir::KindPlan& kind, bool few);
  // After ks_record_begin: the words, and what the record shall carry.
  void Collect(Code& code, const ir::KindPlan& kind);

  // After Collect (i1).
  llvm::Value* IsCopied(Code& code, ir::FieldId field);
  llvm::Value* IsTested(Code& code, ir::FieldId field);
  llvm::Value* IsReported(Code& code, size_t dimension);
  llvm::Value* IsAlert(Code& code);  // whether one of them is of a rule that alerts by this event alone
  void CopyTested(Code& code);
  static bool IsScanned(const ir::KindPlan& kind, ir::FieldId field);
  // Whether one of the field's texts had more hits than are told apart (i1).
  llvm::Value* IsUndecided(Code& code, const ir::KindPlan& kind, ir::FieldId field);

 private:
  struct Tables {
    size_t map = 0;
    uint32_t head = 0, summaries = 0;
    std::vector<uint32_t> values, rows;  // by dimension: where its values are looked up, and its row_of
    std::vector<uint32_t> scanners;
    std::vector<size_t> value_bytes, row_bytes, scanner_bytes;  // what they take
  };
  using Bytes = std::string;
  struct Map {
    uint32_t size = 0;
    llvm::GlobalVariable* constant = nullptr;
  };
  void EndMap();
  const Map& MapOf(const ir::KindPlan& kind) const { return maps_[kinds_.at(kind.kind).map]; }
  uint32_t Place(const Bytes& bytes);
  uint32_t PlaceHash(const std::vector<Bytes>& keys);
  uint32_t PlaceNumbers(const ir::Dimension& dimension);
  uint32_t PlaceBlocks(const ir::Dimension& dimension);
  uint32_t PlaceScanner(const ir::Scanner& scanner);
  uint32_t PlaceValues(const ir::Dimension& dimension);
  Tables PlaceKind(const ir::KindPlan& kind);

  llvm::Value* HasBit(Code& code, size_t words, size_t bit);
  // Calls the global function around ks_rows_<name>, which is made when it is first used.
  llvm::Value* Call(Code& code, const ir::KindPlan& kind, const std::string& name,
                    const std::vector<uint32_t>& arguments);
  llvm::Function* Function(size_t map, const std::string& name);

  Unit& unit_;
  const Break broken_;
  std::string bytes_;  // of the map that is being filled
  std::vector<Map> maps_;
  bool fit_ = true;
  std::map<ir::EventKind, Tables> kinds_;
};

}  // namespace ks::codegen
