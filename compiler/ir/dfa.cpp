// Subset construction, with three ways of stepping: Like runs over the whole text and can die; Contains begins anew at
// every byte and stays once it has accepted; HasElement begins anew behind every NUL and stays likewise.
#include <algorithm>
#include <array>
#include <map>
#include <unordered_set>

#include "compiler/ir/glob.h"
#include "compiler/ir/passes.h"

namespace ks::ir {
namespace {

constexpr size_t kMaxTokens = 1 << 16;
constexpr size_t kMaxWork = 1 << 22;  // positions stepped: bounds the time also where few states have many positions
constexpr uint16_t kDead = 1;

// A state of the automaton: positions in the literals' tokens, ascending. A literal's last position is behind its last
// token.
using Positions = std::vector<uint32_t>;

class Builder {
 public:
  Builder(Test test, schema::TypeId type) : test_(test), list_(type == schema::TypeId::StringList) {}

  std::optional<Dfa> Build(const std::vector<Value>& literals) {
    if (!AddLiterals(literals)) return std::nullopt;
    if (!MakeClasses()) return std::nullopt;
    dfa_.stops = test_ != Test::Like;
    PrepareStarts();
    if (!Add(start_) || !Add({UINT32_MAX})) return std::nullopt;  // the dead state's key is no set that a step leads to
    if (test_ == Test::Like) states_.emplace(Positions{}, kDead);
    for (size_t state = 0; state < sets_.size(); ++state) {
      for (uint32_t c = 0; c < dfa_.class_count; ++c) {
        if (state == kDead || (dfa_.stops && dfa_.accept[state] >= 0)) {
          dfa_.next.push_back(static_cast<uint16_t>(state));
          continue;
        }
        work_ += sets_[state]->size() + 1;
        if (work_ > kMaxWork) return std::nullopt;
        std::optional<uint16_t> next = Add(Step(*sets_[state], c));
        if (!next) return std::nullopt;
        dfa_.next.push_back(*next);
      }
    }
    return std::move(dfa_);
  }

 private:
  bool AddLiterals(const std::vector<Value>& literals) {
    for (size_t i = 0; i < literals.size(); ++i) {
      const auto& text = std::get<std::string>(literals[i]);
      // An element holds no NUL, so neither of these tests finds one in it.
      if (list_ && test_ != Test::Like && text.find('\0') != std::string::npos) continue;
      if (list_ && test_ == Test::Contains && text.empty()) {
        // Any element at all holds "", and nothing ends earlier in it.
        tokens_.clear();
        literal_.clear();
        final_.clear();
        starts_.clear();
        GlobToken any;
        any.bytes.set();
        AddLiteral({any}, static_cast<int32_t>(i));
        return true;
      }
      std::vector<GlobToken> tokens = test_ == Test::Like ? ParseGlob(text) : Bytes(text);
      if (tokens_.size() + tokens.size() + 1 > kMaxTokens) return false;
      AddLiteral(tokens, static_cast<int32_t>(i));
    }
    return true;
  }

  std::vector<GlobToken> Bytes(std::string_view text) const {
    std::vector<GlobToken> tokens(text.size() + (test_ == Test::HasElement ? 1 : 0));
    for (size_t i = 0; i < text.size(); ++i) tokens[i].bytes.set(static_cast<uint8_t>(text[i]));
    if (test_ == Test::HasElement) tokens.back().bytes.set(0);
    return tokens;
  }

  void AddLiteral(const std::vector<GlobToken>& tokens, int32_t index) {
    starts_.push_back(static_cast<uint32_t>(tokens_.size()));
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    tokens_.emplace_back();  // behind the last
    literal_.resize(tokens_.size(), index);
    final_.resize(tokens_.size(), false);
    final_.back() = true;
  }

  bool MakeClasses() {
    std::unordered_set<ByteSet> seen;
    dfa_.classes.assign(256, 0);
    dfa_.class_count = 1;
    for (const GlobToken& token : tokens_) {
      if (token.bytes.none() || token.bytes.all() || !seen.insert(token.bytes).second) continue;
      work_ += 256;
      if (work_ > kMaxWork) return false;
      // Splits every class into what is in the set and what is not. Numbers follow the least byte, to be deterministic.
      std::array<int16_t, 512> split;
      split.fill(-1);
      int16_t count = 0;
      for (unsigned byte = 0; byte < 256; ++byte) {
        int16_t& number = split[dfa_.classes[byte] * 2u + (token.bytes.test(byte) ? 1 : 0)];
        if (number < 0) number = count++;
        dfa_.classes[byte] = static_cast<uint8_t>(number);
      }
      dfa_.class_count = static_cast<uint32_t>(count);
      if (count == 256) break;
    }
    representative_.resize(dfa_.class_count);
    for (unsigned byte = 256; byte-- > 0;) representative_[dfa_.classes[byte]] = static_cast<uint8_t>(byte);
    return true;
  }

  void PrepareStarts() {
    Positions all;
    for (uint32_t start : starts_) Reach(start, &all);
    start_ = Normal(std::move(all));
    if (test_ != Test::Contains || (!start_.empty() && AcceptOf(start_) >= 0)) return;
    // A literal may begin at every byte: what one byte reaches from the start is added to each step.
    first_step_.resize(dfa_.class_count);
    for (uint32_t c = 0; c < dfa_.class_count; ++c) Advance(start_, c, &first_step_[c]);
    start_.clear();
  }

  // Adds a position and those that follow it without a byte.
  void Reach(uint32_t position, Positions* positions) const {
    positions->push_back(position);
    if (!final_[position] && tokens_[position].star) positions->push_back(position + 1);
  }

  void Advance(const Positions& from, uint32_t c, Positions* to) const {
    for (uint32_t position : from) {
      if (final_[position]) continue;
      const GlobToken& token = tokens_[position];
      if (token.star) {
        Reach(position, to);
      } else if (token.bytes.test(representative_[c])) {
        Reach(position + 1, to);
      }
    }
  }

  Positions Step(const Positions& from, uint32_t c) const {
    Positions to;
    Advance(from, c, &to);
    if (test_ == Test::Contains) to.insert(to.end(), first_step_[c].begin(), first_step_[c].end());
    to = Normal(std::move(to));
    if (test_ == Test::HasElement && representative_[c] == 0 && AcceptOf(to) < 0) return start_;
    return to;
  }

  // Ascending, each once, without those that cannot change what is accepted.
  Positions Normal(Positions positions) const {
    std::sort(positions.begin(), positions.end());
    positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
    if (test_ != Test::Like) {
      // Accepted: which literal is all that counts.
      for (uint32_t position : positions) {
        if (final_[position]) return {position};
      }
      return positions;
    }
    Positions kept;
    for (size_t end = positions.size(); end > 0;) {
      // One literal's positions, from the last: those before a star that was reached can reach nothing that the star
      // cannot.
      int32_t literal = literal_[positions[end - 1]];
      bool star = false;
      bool forever = false;  // a star at the very end: accepts whatever follows
      for (; end > 0 && literal_[positions[end - 1]] == literal; --end) {
        uint32_t position = positions[end - 1];
        if (star) continue;
        star = !final_[position] && tokens_[position].star;
        forever = star && final_[position + 1];
        // Literals behind this one never win against it: they are what was kept so far.
        if (forever)
          kept.erase(kept.begin(), std::find_if(kept.begin(), kept.end(),
                                                [&](uint32_t other) { return literal_[other] == literal; }));
        kept.push_back(position);
      }
    }
    std::reverse(kept.begin(), kept.end());
    return kept;
  }

  int32_t AcceptOf(const Positions& positions) const {
    for (uint32_t position : positions) {
      if (position != UINT32_MAX && final_[position]) return literal_[position];
    }
    return -1;
  }

  std::optional<uint16_t> Add(Positions positions) {
    auto found = states_.find(positions);
    if (found != states_.end()) return found->second;
    size_t states = sets_.size() + 1;
    if (states > kMaxDfaStates || states * dfa_.class_count > kMaxDfaCells) return std::nullopt;
    dfa_.accept.push_back(AcceptOf(positions));
    auto state = static_cast<uint16_t>(sets_.size());
    sets_.push_back(&states_.emplace(std::move(positions), state).first->first);
    return state;
  }

  Test test_;
  bool list_;
  std::vector<GlobToken> tokens_;        // of all literals, each closed by an empty one
  std::vector<int32_t> literal_;         // by position
  std::vector<bool> final_;              // by position
  std::vector<uint32_t> starts_;         // by literal
  std::vector<uint8_t> representative_;  // by class
  Positions start_;
  std::vector<Positions> first_step_;  // Contains, by class
  std::map<Positions, uint16_t> states_;
  std::vector<const Positions*> sets_;  // by state, keys of states_
  size_t work_ = 0;
  Dfa dfa_;
};

}  // namespace

std::optional<Dfa> MakeDfa(Test test, const std::vector<Value>& literals, schema::TypeId type) {
  return Builder(test, type).Build(literals);
}

}  // namespace ks::ir
