#include "compiler/codegen/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <bitset>
#include <cstring>
#include <numeric>
#include <utility>

#include "compiler/codegen/automata.h"
#include "compiler/codegen/lookup.h"
#include "compiler/ir/eval.h"

namespace ks::codegen {
namespace {

using Class = ir::Dimension::Class;

// As in rows.bpf.c.
constexpr uint32_t kFree = 0xffffffff;
constexpr size_t kProbes = 16;
constexpr size_t kLongestKey = 512;
constexpr size_t kBlockWords = 8;
constexpr uint32_t kScanCells = 8 + 256;
constexpr uint32_t kScanHit = 1;

template <typename T>
void Append(std::string* bytes, T value) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
void Append(std::string* bytes, const std::vector<T>& values) {
  bytes->append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

uint32_t Mix(uint32_t hash, uint64_t word) {
  word ^= hash;
  return static_cast<uint32_t>((word ^ word >> 32) * 0xd6e8feb86659fd93u >> 32);
}

uint32_t HashKey(std::string_view key) {
  uint32_t hash = 0x9e3779b9;
  size_t at = 0;
  for (uint64_t word = 0; at + 8 <= key.size(); at += 8) {
    std::memcpy(&word, key.data() + at, 8);
    hash = Mix(hash, word);
  }
  uint64_t rest = 0;
  std::memcpy(&rest, key.data() + at, key.size() - at);
  return Mix(hash, rest);
}

// A place for each hash, none further than kProbes from where it belongs: what the programs look for.
std::vector<uint32_t> MakeSlots(const std::vector<uint32_t>& hashes) {
  for (size_t size = std::bit_ceil(2 * hashes.size() + 1);; size *= 2) {
    std::vector<uint32_t> slots(size, kFree);
    bool fits = true;
    for (uint32_t i = 0; i < hashes.size() && fits; i++) {
      size_t probe = 0;
      while (probe < kProbes && slots[(hashes[i] + probe) & (size - 1)] != kFree) probe++;
      fits = probe < kProbes;
      if (fits) slots[(hashes[i] + probe) & (size - 1)] = i;
    }
    if (fits) return slots;
  }
}

schema::IpAddress MaskOf(unsigned bits) {
  schema::IpAddress mask;
  for (unsigned i = 0; i < bits; i++) mask.bytes[i / 8] |= static_cast<uint8_t>(0x80 >> i % 8);
  return mask;
}

std::string AddressKey(schema::IpAddress ip, const schema::IpAddress& mask, uint64_t more) {
  for (size_t i = 0; i < ip.bytes.size(); i++) ip.bytes[i] &= mask.bytes[i];
  std::string key(reinterpret_cast<const char*>(ip.bytes.data()), ip.bytes.size());
  Append(&key, more);
  return key;
}

// Of `copied`, where no field is.
constexpr size_t kAlertBit = 127;
static_assert(schema::kFieldCount <= kAlertBit);

// What one rule asks a record to carry: words as ks_rows holds them.
std::string Asked(const ir::RulePlan& rule) {
  std::bitset<128> copied, tested;
  std::bitset<KS_ROWS_DIMENSIONS> reported;
  if (rule.alerts) copied.set(kAlertBit);
  for (ir::FieldId field : rule.copies) copied.set(static_cast<size_t>(field));
  for (ir::FieldId field : rule.tested) tested.set(static_cast<size_t>(field));
  for (uint32_t dimension : rule.reported) reported.set(dimension);
  std::string bytes;
  const auto add = [&](const auto& bits) {
    for (size_t word = 0; word < bits.size() / 64; word++) {
      uint64_t value = 0;
      for (size_t bit = 0; bit < 64; bit++) value |= static_cast<uint64_t>(bits.test(64 * word + bit)) << bit;
      Append(&bytes, value);
    }
  };
  add(copied);
  add(tested);
  add(reported);
  return bytes;
}

// Rows in blocks of few words, of which each is there once: most have a single bit.
struct Blocks {
  std::vector<uint16_t> of;  // row * per_row
  std::vector<uint64_t> words;
  uint32_t per_row = 0;
  bool fit = false;  // into numbers of 16 bits
};
Blocks Divide(const ir::Index& index) {
  Blocks blocks;
  blocks.per_row = static_cast<uint32_t>((index.words + kBlockWords - 1) / kBlockWords);
  std::map<std::array<uint64_t, kBlockWords>, uint32_t> known;
  for (uint32_t row = 0; row < index.rows(); row++) {
    for (size_t begin = 0; begin < index.words; begin += kBlockWords) {
      std::array<uint64_t, kBlockWords> block{};
      for (size_t i = 0; i < kBlockWords && begin + i < index.words; i++) block[i] = index.Word(row, begin + i);
      const auto [at, is_new] = known.try_emplace(block, static_cast<uint32_t>(known.size()));
      if (is_new) blocks.words.insert(blocks.words.end(), block.begin(), block.end());
      blocks.of.push_back(static_cast<uint16_t>(at->second));
    }
  }
  blocks.fit = known.size() <= 0x10000;
  return blocks;
}

}  // namespace

uint32_t Rows::Place(const Bytes& bytes) {
  bytes_.resize((bytes_.size() + 7) / 8 * 8);
  const auto at = static_cast<uint32_t>(bytes_.size());
  bytes_ += bytes;
  return at;
}

uint32_t Rows::PlaceHash(const std::vector<Bytes>& keys) {
  std::vector<uint32_t> hashes, outcomes;
  std::array<uint64_t, 16> lengths{};
  for (uint32_t i = 0; i < keys.size(); i++) {
    if (keys[i].size() > kLongestKey) continue;  // no text that is read is that long
    hashes.push_back(HashKey(keys[i]));
    outcomes.push_back(i);
    lengths[keys[i].size() / 64] |= uint64_t{1} << keys[i].size() % 64;
  }
  const std::vector<uint32_t> slots = MakeSlots(hashes);
  Bytes table;
  std::vector<uint64_t> filter(std::bit_ceil((16 * hashes.size() + 63) / 64 + 1));
  for (uint32_t hash : hashes) filter[hash / 64 & (filter.size() - 1)] |= uint64_t{1} << hash % 64;
  Append(&table, static_cast<uint32_t>(slots.size() - 1));
  Append(&table, static_cast<uint32_t>(filter.size() - 1));
  for (uint64_t word : lengths) Append(&table, word);
  Append(&table, filter);
  for (uint32_t slot : slots) {
    if (slot == kFree) {
      for (uint32_t word : {0U, 0U, kFree, 0U}) Append(&table, word);
      continue;
    }
    const Bytes& key = keys[outcomes[slot]];
    for (uint32_t word : {hashes[slot], Place(key), outcomes[slot], static_cast<uint32_t>(key.size())}) {
      Append(&table, word);
    }
  }
  return Place(table);
}

uint32_t Rows::PlaceNumbers(const ir::Dimension& dimension) {
  Bytes table;
  if (dimension.what == Class::Span) {
    std::vector<int64_t> starts = dimension.starts;
    starts.resize(std::bit_ceil(starts.size()), starts.back());
    Append(&table, static_cast<uint32_t>(starts.size() / 2));
    Append(&table, static_cast<uint32_t>(dimension.starts.size() - 1));
    Append(&table, starts);
    return Place(table);
  }
  std::vector<uint32_t> hashes;
  std::vector<uint64_t> values;
  for (const schema::Value& literal : dimension.literals) {
    values.push_back(static_cast<uint64_t>(std::get<int64_t>(literal)));
    hashes.push_back(static_cast<uint32_t>(values.back() * 0x9e3779b97f4a7c15u >> 32));
  }
  const std::vector<uint32_t> slots = MakeSlots(hashes);
  Append(&table, static_cast<uint32_t>(slots.size() - 1));
  Append(&table, uint32_t{0});
  for (uint32_t slot : slots) {
    Append(&table, slot == kFree ? 0 : values[slot]);
    Append(&table, slot);
    Append(&table, uint32_t{0});
  }
  return Place(table);
}

uint32_t Rows::PlaceBlocks(const ir::Dimension& dimension) {
  std::vector<Bytes> keys;
  std::vector<unsigned> sizes;  // of blocks, the smallest ones first
  const auto compared = [&](unsigned bits) { return broken_ == Break::Prefix && bits > 0 ? bits - 1 : bits; };
  for (const schema::Value& literal : dimension.literals) {
    if (const auto* endpoint = std::get_if<schema::Endpoint>(&literal)) {
      keys.push_back(AddressKey(endpoint->ip, MaskOf(128), endpoint->port));
      sizes.push_back(128);
    } else {
      const auto& block = std::get<schema::Cidr>(literal);
      keys.push_back(AddressKey(block.base, MaskOf(compared(block.bits)), block.bits));
      sizes.push_back(block.bits);
    }
  }
  std::sort(sizes.begin(), sizes.end(), std::greater<>());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  Bytes list;
  Append(&list, static_cast<uint32_t>(sizes.size()));
  Append(&list, PlaceHash(keys));
  for (unsigned bits : sizes) list += AddressKey(MaskOf(128), MaskOf(compared(bits)), bits);
  return Place(list);
}

uint32_t Rows::PlaceScanner(const ir::Scanner& scanner) {
  const uint32_t first = Place({}) + kScanCells;
  const auto row = [&](uint32_t state) {
    const uint32_t place = first + state * 4 * (2 + scanner.class_count);
    return scanner.hit_of[state] == ir::Scanner::kNoHit ? place : place | kScanHit;
  };
  Bytes table;
  Append(&table, row(scanner.start));
  Append(&table, static_cast<uint32_t>(!scanner.at_end.empty()));
  table.append(scanner.classes.begin(), scanner.classes.end());
  for (uint32_t state = 0; state < scanner.hit_of.size(); state++) {
    Append(&table, uint32_t{scanner.hit_of[state]});
    Append(&table, uint32_t{scanner.at_end.empty() ? ir::Scanner::kNoHit : scanner.at_end[state]});
    for (uint32_t c = 0; c < scanner.class_count; c++)
      Append(&table, row(scanner.next[state * scanner.class_count + c]));
  }
  return Place(table);
}

uint32_t Rows::PlaceValues(const ir::Dimension& dimension) {
  switch (dimension.what) {
    case Class::Text:
    case Class::Under: {
      std::vector<Bytes> keys;
      for (const schema::Value& literal : dimension.literals) keys.push_back(std::get<std::string>(literal));
      return PlaceHash(keys);
    }
    case Class::Address:
    case Class::Endpoint:
      return PlaceBlocks(dimension);
    case Class::Number:
    case Class::Span:
      return PlaceNumbers(dimension);
    case Class::Test:
    case Class::AnyFound:
    case Class::NoneFound:
      break;
  }
  return 0;
}

Rows::Tables Rows::PlaceKind(const ir::KindPlan& kind) {
  const ir::Index& index = *kind.index;
  Tables tables;
  auto bytes_since = [this, before = bytes_.size()]() mutable {
    return bytes_.size() - std::exchange(before, bytes_.size());
  };
  for (const ir::Scanner& scanner : index.scanners) {
    tables.scanners.push_back(PlaceScanner(scanner));
    tables.scanner_bytes.push_back(bytes_since());
  }
  Bytes dimensions;
  for (const ir::Dimension& dimension : index.dimensions) {
    tables.values.push_back(PlaceValues(dimension));
    tables.value_bytes.push_back(bytes_since());
    Bytes rows;
    Append(&rows, dimension.row_of);
    tables.rows.push_back(Place(rows));
    tables.row_bytes.push_back(bytes_since());
    uint32_t how = dimension.what == Class::AnyFound ? 1 : dimension.what == Class::NoneFound ? 2 : 0;
    uint32_t none = dimension.none;
    if (broken_ == Break::Negation && how == 2) none = dimension.row_of.at(0);
    for (uint32_t word : {dimension.scanner.value_or(0), tables.rows.back(), how, none}) Append(&dimensions, word);
  }
  // Class 0 is what any rule asks for.
  std::map<Bytes, uint16_t> classes;
  std::vector<Bytes> asked{Bytes(48, '\0')};
  std::vector<uint16_t> of_clause;
  for (const ir::Clause& clause : index.clauses) {
    if (clause.rule == ir::Clause::kGap) {
      of_clause.push_back(0);
      continue;
    }
    Bytes bits = Asked(kind.rules[clause.rule]);
    for (size_t i = 0; i < bits.size(); i++) asked[0][i] = static_cast<char>(asked[0][i] | bits[i]);
    const auto [known, is_new] = classes.try_emplace(bits, static_cast<uint16_t>(asked.size()));
    if (is_new) asked.push_back(std::move(bits));
    of_clause.push_back(known->second);
  }
  const auto place = [&](const auto& values) {
    Bytes bytes;
    Append(&bytes, values);
    return Place(bytes);
  };
  tables.summaries = place(index.summaries);
  Bytes all;
  for (const Bytes& bits : asked) all += bits;
  const Blocks blocks = Divide(index);
  fit_ = fit_ && blocks.fit;
  Bytes head;
  for (uint32_t word : {static_cast<uint32_t>(index.words), static_cast<uint32_t>(index.summary_words), blocks.per_row,
                        0U, tables.summaries, place(blocks.of), place(blocks.words), place(of_clause), Place(all)}) {
    Append(&head, word);
  }
  tables.head = Place(head + dimensions);
  return tables;
}

Rows::Rows(Unit& unit, const ir::Plan& plan, Break broken) : unit_(unit), broken_(broken) {
  constexpr size_t kBegin = 8;  // no table is at 0
  Bytes done;
  for (const ir::KindPlan& kind : plan.kinds) {
    if (!kind.index) continue;
    for (bool alone = bytes_.empty();; alone = true) {
      if (bytes_.empty()) bytes_.resize(kBegin);
      const size_t before = bytes_.size();
      Tables tables = PlaceKind(kind);
      if (bytes_.size() > kMaxTableBytes && alone) fit_ = false;
      if (bytes_.size() > kMaxTableBytes && !alone) {  // begins the next map
        bytes_.resize(before);
        EndMap();
        continue;
      }
      tables.map = maps_.size();
      kinds_[kind.kind] = std::move(tables);
      break;
    }
  }
  if (!bytes_.empty()) EndMap();
  fit_ = fit_ && maps_.size() <= kMaxTableMaps;
}

void Rows::EndMap() {
  bytes_.resize(std::bit_ceil(bytes_.size()));
  const std::string number = maps_.empty() ? "" : std::to_string(maps_.size());
  maps_.push_back({static_cast<uint32_t>(bytes_.size()),
                   unit_.Constant("ks_tables" + number, bytes_, 8, ".rodata.tables" + number)});
  bytes_.clear();
}

Emitted Rows::Describe(const ir::KindPlan& kind, size_t number) const {
  const ir::Dimension& dimension = kind.index->dimensions[number];
  const Tables& tables = kinds_.at(kind.kind);
  if (dimension.scanner) {
    const ir::Scanner& scanner = kind.index->scanners[*dimension.scanner];
    return {"automaton",
            fmt::format("a table of {} bytes, {} states; rows of {} bytes", tables.scanner_bytes[*dimension.scanner],
                        scanner.hit_of.size(), tables.row_bytes[number])};
  }
  const char* how = "hash";
  if (dimension.what == Class::Under || dimension.what == Class::Address) how = "hash by prefix";
  if (dimension.what == Class::Span) how = "ranges";
  return {how, fmt::format("a table of {} bytes, {} outcomes; rows of {} bytes", tables.value_bytes[number],
                           dimension.row_of.size(), tables.row_bytes[number])};
}

// ---- Code

llvm::Function* Rows::Function(size_t map, const std::string& name) {
  struct Shape {
    const char* name;
    std::vector<std::string> parameters;  // of the global function, behind the hook
    const char* calls;                    // another one that it is given, or nothing
    enum { Hook = 1, Longest = 2, NoTables = 4 };
    int more;  // what else it is given
  };
  static const Shape kShapes[] = {
      {"same", {"text", "length", "key"}, nullptr, 0},
      {"probe", {"text", "length", "table", "hash"}, "same", Shape::Hook},
      {"text", {"text", "table"}, "probe", Shape::Hook},
      {"ends", {"text", "table", "number", "hash"}, "probe", Shape::Hook},
      {"under", {"text", "table", "anywhere"}, "ends", Shape::Hook | Shape::NoTables},
      {"address", {"slot", "list", "port"}, "probe", Shape::Hook},
      {"number", {"slot", "table", "port"}, nullptr, 0},
      {"span", {"slot", "table", "port"}, nullptr, 0},
      {"hit", {"scanner", "hit"}, nullptr, 0},
      {"scan", {"text", "table", "scanner"}, "hit", Shape::Hook | Shape::Longest},
      {"word", {"kind", "word"}, nullptr, 0},
      {"settle", {"kind", "number"}, "word", Shape::Hook | Shape::NoTables},
      {"found", {"kind", "dimension"}, nullptr, 0},
      {"ask", {"kind", "word"}, nullptr, 0},
      {"append", {"kind", "number"}, "ask", Shape::Hook | Shape::NoTables},
      {"collect", {"kind"}, "append", Shape::Hook},
  };
  const std::string global = "ks_row_" + name + (map == 0 ? "" : std::to_string(map));
  if (llvm::Function* known = unit_.Find(global)) return known;
  const Shape* shape =
      std::find_if(std::begin(kShapes), std::end(kShapes), [&](const Shape& one) { return name == one.name; });
  KS_CHECK(shape != std::end(kShapes), "rows.bpf.c has a function of that name");
  llvm::Function* callee = shape->calls ? Function(map, shape->calls) : nullptr;
  Code code = unit_.BeginGlobal(global, shape->parameters);
  llvm::IRBuilder<>& b = code.b;
  // All begin with scratch; `tables, size` stand before the table, the list, the key or the kind.
  std::vector<llvm::Value*> arguments{code.scratch};
  if (name == "probe") arguments.clear();
  if (shape->more & Shape::Hook) arguments.push_back(code.hook);
  for (unsigned i = 0; i < shape->parameters.size(); i++) {
    const std::string& parameter = shape->parameters[i];
    if (shape->more & Shape::NoTables) {
      // It only hands the place on.
    } else if (parameter == "table" || parameter == "list" || parameter == "key" || parameter == "kind") {
      if (shape->more & Shape::Longest) arguments.push_back(b.getInt32(LongestCapture()));
      arguments.push_back(maps_[map].constant);
      arguments.push_back(b.getInt32(maps_[map].size));
    }
    arguments.push_back(code.function->getArg(i + 1));
  }
  if (callee) arguments.push_back(callee);
  std::vector<llvm::Type*> types;
  for (llvm::Value* argument : arguments) types.push_back(argument->getType());
  b.CreateRet(b.CreateCall(unit_.Linked("ks_rows_" + name, b.getInt32Ty(), types), arguments));
  return code.function;
}

llvm::Value* Rows::Call(Code& code, const ir::KindPlan& kind, const std::string& name,
                        const std::vector<uint32_t>& numbers) {
  std::vector<llvm::Value*> arguments{code.hook};
  for (uint32_t number : numbers) arguments.push_back(code.b.getInt32(number));
  return code.b.CreateCall(Function(kinds_.at(kind.kind).map, name), arguments);
}

void Rows::Begin(Code& code, const ir::KindPlan& kind) {
  const ir::Index& index = *kind.index;
  for (size_t i = 0; i < index.summary_words; i++)
    code.Store(code.b.getInt64(index.summaries[ir::Index::kAllRow * index.summary_words + i]),
               offsetof(ks_scratch, rows.alive) + 8 * i);
  code.Store(code.b.getInt32(0), offsetof(ks_scratch, rows.listed));
  for (size_t i = 0; i < index.scanners.size(); i++)
    code.Store(code.b.getInt8(KS_ROWS_NOT_SCANNED), offsetof(ks_scratch, rows.hit_count) + i);
}

llvm::Value* Rows::IsAsked(Code& code, const ir::Dimension& dimension) {
  llvm::Value* asked = code.b.getInt64(0);
  for (size_t i = 0; i < dimension.mentions.size(); i++) {
    if (dimension.mentions[i] == 0) continue;
    llvm::Value* alive = code.Load(64, offsetof(ks_scratch, rows.alive) + 8 * i);
    asked = code.b.CreateOr(asked, code.b.CreateAnd(alive, dimension.mentions[i]));
  }
  return code.b.CreateICmpNE(asked, code.b.getInt64(0));
}

void Rows::Forget(Code& code, size_t dimension) {
  code.Store(code.b.getInt32(0), offsetof(ks_scratch, rows.outcome) + 4 * dimension);
}

llvm::Value* Rows::LookUp(Code& code, const ir::KindPlan& kind, size_t number) {
  const ir::Dimension& dimension = kind.index->dimensions[number];
  const uint32_t values = kinds_.at(kind.kind).values[number];
  const auto slot = static_cast<uint32_t>(FieldOffset(dimension.operand.field));
  const bool port = dimension.operand.part == ir::Part::Port;
  const auto number_at = static_cast<uint32_t>(slot + (port ? offsetof(ks_slot_Endpoint, port) : 0));
  switch (dimension.what) {
    case Class::Text:
      // A seeded miscompilation: equal is what a text begins with.
      if (broken_ == Break::Length) return Call(code, kind, "under", {slot, values, 1});
      return Call(code, kind, "text", {slot, values});
    case Class::Under:
      return Call(code, kind, "under", {slot, values, broken_ == Break::Under ? 1U : 0U});
    case Class::Address:
      return Call(code, kind, "address", {slot, values, 0});
    case Class::Endpoint:
      return Call(code, kind, "address", {slot, values, 1});
    case Class::Number:
      return Call(code, kind, "number", {number_at, values, port ? 1U : 0U});
    case Class::Span:
      return Call(code, kind, "span", {number_at, values, port ? 1U : 0U});
    case Class::Test:
    case Class::AnyFound:
    case Class::NoneFound:
      break;
  }
  KS_CHECK(false, "only values are looked up");
}

llvm::Value* Rows::RowOf(Code& code, const ir::KindPlan& kind, size_t dimension, llvm::Value* outcome) {
  llvm::Type* u32 = code.b.getInt32Ty();
  llvm::Type* pointer = code.b.getPtrTy();
  llvm::Value* at = code.b.CreateAdd(code.b.CreateZExt(outcome, code.b.getInt64Ty()),
                                     code.b.getInt64(kinds_.at(kind.kind).rows[dimension] / 4));
  return code.b.CreateCall(unit_.Linked("ks_rows_row", u32, {pointer, u32, code.b.getInt64Ty()}),
                           {MapOf(kind).constant, code.b.getInt32(MapOf(kind).size), at});
}

llvm::Value* Rows::And(Code& code, const ir::KindPlan& kind, llvm::Value* row) {
  llvm::Type* u32 = code.b.getInt32Ty();
  llvm::Type* pointer = code.b.getPtrTy();
  const auto number = [&](size_t value) { return code.b.getInt32(static_cast<uint32_t>(value)); };
  llvm::Value* left =
      code.b.CreateCall(unit_.Linked("ks_rows_and", u32, {pointer, pointer, u32, u32, u32, u32}),
                        {code.scratch, MapOf(kind).constant, number(MapOf(kind).size),
                         number(kinds_.at(kind.kind).summaries), number(kind.index->summary_words), row});
  return code.b.CreateICmpNE(left, number(0));
}

llvm::Value* Rows::AndNone(Code& code, const ir::KindPlan& kind, size_t number) {
  const ir::Index& index = *kind.index;
  const uint32_t none = index.dimensions[number].none;
  // If of each word it takes all clauses or none, the summary says it all, and the row need not be listed.
  for (size_t word = 0; word < index.words; word++) {
    const uint64_t left = index.Word(none, word);
    if (left != 0 && left != index.Word(ir::Index::kAllRow, word)) return And(code, kind, code.b.getInt32(none));
  }
  llvm::Value* any = code.b.getInt64(0);
  for (size_t i = 0; i < index.summary_words; i++) {
    const size_t alive = offsetof(ks_scratch, rows.alive) + 8 * i;
    llvm::Value* left = code.b.CreateAnd(code.Load(64, alive), index.summaries[none * index.summary_words + i]);
    code.Store(left, alive);
    any = code.b.CreateOr(any, left);
  }
  return code.b.CreateICmpNE(any, code.b.getInt64(0));
}

void Rows::Scan(Code& code, const ir::KindPlan& kind, size_t number) {
  const ir::Dimension& dimension = kind.index->dimensions[number];
  const uint32_t scanner = *dimension.scanner;
  llvm::BasicBlock* scan = code.Block("scan");
  llvm::BasicBlock* scanned = code.Block("scanned");
  llvm::Value* count = code.Load(8, offsetof(ks_scratch, rows.hit_count) + scanner);
  code.b.CreateCondBr(code.b.CreateICmpEQ(count, code.b.getInt8(KS_ROWS_NOT_SCANNED)), scan, scanned);
  code.b.SetInsertPoint(scan);
  Call(code, kind, "scan",
       {static_cast<uint32_t>(FieldOffset(dimension.operand.field)), kinds_.at(kind.kind).scanners[scanner], scanner});
  code.b.CreateBr(scanned);
  code.b.SetInsertPoint(scanned);
}

void Rows::FindNothing(Code& code, const ir::KindPlan& kind, size_t dimension) {
  code.Store(code.b.getInt8(0), offsetof(ks_scratch, rows.hit_count) + *kind.index->dimensions[dimension].scanner);
}

llvm::Value* Rows::AndFound(Code& code, const ir::KindPlan& kind, size_t dimension) {
  llvm::Value* left = Call(code, kind, "found", {kinds_.at(kind.kind).head, static_cast<uint32_t>(dimension)});
  return code.b.CreateICmpNE(left, code.b.getInt32(0));
}

llvm::Value* Rows::Settle(Code& code, const ir::KindPlan& kind, bool few) {
  constexpr int kFew = 4;
  llvm::Value* zero = code.b.getInt64(0);
  const auto alive = [&](size_t i) { return code.Load(64, offsetof(ks_scratch, rows.alive) + 8 * i); };
  for (uint32_t i = 0; i < kind.index->summary_words; i++) {
    llvm::BasicBlock* settle = code.Block("settle");
    llvm::BasicBlock* behind = code.Block("settled");
    llvm::Value* left = alive(i);
    llvm::Value* wanted = code.b.CreateICmpNE(left, zero);
    if (few) {
      llvm::Value* more = left;
      for (int bit = 0; bit < kFew; bit++) more = code.b.CreateAnd(more, code.b.CreateSub(more, code.b.getInt64(1)));
      wanted = code.b.CreateAnd(wanted, code.b.CreateICmpEQ(more, zero));
      llvm::Value* listed = code.Load(32, offsetof(ks_scratch, rows.listed));
      wanted = code.b.CreateAnd(wanted, code.b.CreateICmpNE(listed, code.b.getInt32(0)));
    }
    code.b.CreateCondBr(wanted, settle, behind);
    code.b.SetInsertPoint(settle);
    Call(code, kind, "settle", {kinds_.at(kind.kind).head, i});
    code.b.CreateBr(behind);
    code.b.SetInsertPoint(behind);
  }
  llvm::Value* any = zero;
  for (uint32_t i = 0; i < kind.index->summary_words; i++) any = code.b.CreateOr(any, alive(i));
  return code.b.CreateICmpNE(any, zero);
}

void Rows::Collect(Code& code, const ir::KindPlan& kind) { Call(code, kind, "collect", {kinds_.at(kind.kind).head}); }

llvm::Value* Rows::HasBit(Code& code, size_t words, size_t bit) {
  llvm::Value* word = code.Load(64, words + bit / 64 * 8);
  return code.b.CreateICmpNE(code.b.CreateAnd(word, uint64_t{1} << bit % 64), code.b.getInt64(0));
}

llvm::Value* Rows::IsCopied(Code& code, ir::FieldId field) {
  return HasBit(code, offsetof(ks_scratch, rows.copied), static_cast<size_t>(field));
}

llvm::Value* Rows::IsAlert(Code& code) { return HasBit(code, offsetof(ks_scratch, rows.copied), kAlertBit); }
llvm::Value* Rows::IsTested(Code& code, ir::FieldId field) {
  return HasBit(code, offsetof(ks_scratch, rows.tested), static_cast<size_t>(field));
}
llvm::Value* Rows::IsReported(Code& code, size_t dimension) {
  return HasBit(code, offsetof(ks_scratch, rows.reported), dimension);
}

bool Rows::IsScanned(const ir::KindPlan& kind, ir::FieldId field) {
  return std::ranges::any_of(kind.index->dimensions, [&](const ir::Dimension& dimension) {
    return dimension.scanner && dimension.operand.field == field;
  });
}

void Rows::CopyTested(Code& code) {
  for (size_t i = 0; i < std::size(ks_rows{}.copied); i++) {
    const size_t copied = offsetof(ks_scratch, rows.copied) + 8 * i;
    code.Store(code.b.CreateOr(code.Load(64, copied), code.Load(64, offsetof(ks_scratch, rows.tested) + 8 * i)),
               copied);
  }
}

llvm::Value* Rows::IsUndecided(Code& code, const ir::KindPlan& kind, ir::FieldId field) {
  llvm::Value* any = code.b.getFalse();
  for (const ir::Dimension& dimension : kind.index->dimensions) {
    if (!dimension.scanner || dimension.operand.field != field) continue;
    llvm::Value* count = code.Load(8, offsetof(ks_scratch, rows.hit_count) + *dimension.scanner);
    any = code.b.CreateOr(any, code.b.CreateICmpEQ(count, code.b.getInt8(KS_ROWS_UNDECIDED)));
  }
  return any;
}

}  // namespace ks::codegen
