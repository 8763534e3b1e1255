// Steps, windows, thresholds, keys and exceptions.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "compiler/mutate/mutants_parts.h"

namespace ks::mutate {
namespace {

using sema::Condition;
using sema::FieldRef;

std::string SpelledTime(int64_t ns) {
  constexpr std::pair<int64_t, std::string_view> kUnits[] = {{86'400'000'000'000, "d"}, {3'600'000'000'000, "h"},
                                                             {60'000'000'000, "m"},     {1'000'000'000, "s"},
                                                             {1'000'000, "ms"},         {1'000, "us"}};
  for (const auto& [unit, word] : kUnits) {
    if (ns % unit == 0) return fmt::format("{}{}", ns / unit, word);
  }
  return fmt::format("{}ns", ns);
}

// Calls with the number of every step that the condition speaks of, to be changed.
void ForEachStep(Condition* condition, const std::function<void(uint8_t*)>& visit) {
  if (condition->op == Condition::Op::Exists) visit(&condition->step);
  if (condition->op == Condition::Op::Compare) {
    visit(&condition->left.step);
    if (auto* right = std::get_if<FieldRef>(&condition->right)) visit(&right->step);
  }
  for (Condition& operand : condition->operands) ForEachStep(&operand, visit);
}

bool Matches(const sema::Step& step) {
  return step.syntax != nullptr && step.syntax->role == syntax::Step::Role::Match;
}

// Steps get new numbers (0: gone). False if a condition speaks of one that is gone, or not there yet.
bool Renumber(sema::Rule* rule, const std::vector<uint8_t>& to) {
  bool ok = true;
  auto renumber = [&](uint8_t* step, size_t known) {
    if (*step == 0) return;
    *step = to[*step];
    ok = ok && *step != 0 && *step <= known;
  };
  size_t before = 0, all = 0;
  for (sema::Step& step : rule->sequence->steps) all += Matches(step) ? 1 : 0;
  for (sema::Step& step : rule->sequence->steps) {
    size_t known = rule->sequence->syntax->unordered ? all : before;
    ForEachStep(&step.where, [&](uint8_t* number) { renumber(number, known); });
    before += Matches(step) ? 1 : 0;
  }
  for (sema::Exception& exception : rule->exceptions) {
    ForEachStep(&exception.condition, [&](uint8_t* number) { renumber(number, all); });
  }
  for (sema::TemplatePart& part : rule->alert) {
    if (!part.field || part.field->step == 0) continue;
    part.field->step = to[part.field->step];
    if (part.field->step == 0) part.field.reset();  // the text says less; whether there is an alert is what counts
  }
  return ok;
}

class Maker {
 public:
  Maker(const sema::Rule& rule, std::vector<Mutant>* out) : rule_(rule), out_(out) {}

  void Run() {
    if (rule_.sequence) OfSequence();
    if (rule_.aggregate) OfAggregate();
    if (rule_.limit) OfLimit();
    for (size_t i = 0; i < rule_.exceptions.size(); ++i) {
      Mutant mutant = Of(Operator::DropException, rule_.exceptions[i].syntax->span,
                         fmt::format("without the exception \"{}\"", rule_.exceptions[i].syntax->why));
      mutant.rule.exceptions.erase(mutant.rule.exceptions.begin() + static_cast<ptrdiff_t>(i));
      mutant.edits.push_back({mutant.at, ""});
      if (!rule_.sequence) {
        mutant.decision = 0;
        mutant.ways = {{DecisionsOf(mutant.rule)[0].root.pred, ir::MakeNot(DecisionsOf(rule_)[0].root.pred)}};
      }
      out_->push_back(std::move(mutant));
    }
  }

 private:
  Mutant Of(Operator op, const Span& at, std::string about) const {
    Mutant mutant;
    mutant.op = op;
    mutant.at = at;
    mutant.about = std::move(about);
    mutant.rule = rule_;
    return mutant;
  }

  template <typename Get>
  void Window(int64_t now, const Span& at, const Get& get) {
    for (bool twice : {false, true}) {
      if (!twice && now < 2) continue;
      int64_t changed = twice ? now * 2 : now / 2;
      Mutant mutant = Of(twice ? Operator::DoubleWindow : Operator::HalveWindow, at,
                         fmt::format("{} instead of {}", SpelledTime(changed), SpelledTime(now)));
      *get(&mutant.rule) = changed;
      mutant.edits.push_back({at, SpelledTime(changed)});
      out_->push_back(std::move(mutant));
    }
  }

  template <typename Get>
  void Threshold(uint64_t now, const Span& at, const std::string& spelled_as, const Get& get) {
    for (bool up : {true, false}) {
      if (!up && now < 2) continue;
      uint64_t changed = up ? now + 1 : now - 1;
      Mutant mutant = Of(up ? Operator::ThresholdUp : Operator::ThresholdDown, at,
                         fmt::format("{} instead of {}", changed, now));
      *get(&mutant.rule) = changed;
      mutant.edits.push_back({at, spelled_as + std::to_string(changed)});
      out_->push_back(std::move(mutant));
    }
  }

  template <typename Get>
  void Keys(const sema::Key& key, const std::optional<syntax::Key>& text, const Get& get) {
    bool places = text && text->path_spans.size() == key.size();
    for (size_t i = 0; i < key.size(); ++i) {
      Span at = places ? text->path_spans[i] : text ? text->span : Span{};
      Mutant mutant = Of(Operator::DropKey, at,
                         fmt::format("without the key {}", places ? Shown(at)
                                                                  : std::string(schema::Row(key[i].field).dotted)));
      sema::Key* own = get(&mutant.rule);
      own->erase(own->begin() + static_cast<ptrdiff_t>(i));
      if (places && key.size() == 1) {
        mutant.edits.push_back({text->span, ""});
      } else if (places) {
        mutant.edits.push_back(WithoutItem(at, i > 0 ? &text->path_spans[i - 1] : nullptr,
                                           i + 1 < key.size() ? &text->path_spans[i + 1] : nullptr));
      }
      out_->push_back(std::move(mutant));
    }
  }

  void OfSequence() {
    const sema::Sequence& sequence = *rule_.sequence;
    const syntax::Sequence& text = *sequence.syntax;
    Keys(sequence.by, text.by, [](sema::Rule* rule) { return &rule->sequence->by; });
    if (text.within) {
      Window(sequence.within_ns, text.within->span, [](sema::Rule* rule) { return &rule->sequence->within_ns; });
    }
    size_t matching = 0;
    for (const sema::Step& step : sequence.steps) matching += Matches(step) ? 1 : 0;
    size_t number = 0;  // of the matching step at hand, from 1
    for (size_t i = 0; i < sequence.steps.size(); ++i) {
      const sema::Step& step = sequence.steps[i];
      if (step.syntax == nullptr) continue;
      bool matches = Matches(step);
      number += matches ? 1 : 0;
      if (!matches || matching > 1) Delete(i, matches ? number : 0, matching);
      if (matches && number < matching && !text.unordered) Swap(i, number, matching);
      if (step.syntax->repeat) {
        Threshold(step.repeat, step.syntax->repeat->span, "",
                  [i](sema::Rule* rule) { return &rule->sequence->steps[i].repeat; });
      }
    }
  }

  void Delete(size_t i, size_t number, size_t matching) {
    const Span& at = rule_.sequence->steps[i].syntax->span;
    Mutant mutant = Of(Operator::DeleteStep, at, "without the step " + Shown(at));
    auto& steps = mutant.rule.sequence->steps;
    steps.erase(steps.begin() + static_cast<ptrdiff_t>(i));
    if (number > 0) {
      // The first step of a sequence matches.
      while (!steps.empty() && !Matches(steps.front()) && steps.front().syntax != nullptr) steps.erase(steps.begin());
      std::vector<uint8_t> to(matching + 1, 0);
      for (size_t k = 1; k <= matching; ++k) {
        if (k != number) to[k] = static_cast<uint8_t>(k < number ? k : k - 1);
      }
      if (!Renumber(&mutant.rule, to)) return;
    }
    mutant.edits.push_back({at, ""});
    out_->push_back(std::move(mutant));
  }

  void Swap(size_t i, size_t number, size_t matching) {
    const auto& steps = rule_.sequence->steps;
    size_t next = i + 1;
    while (next < steps.size() && !Matches(steps[next])) ++next;
    if (next == steps.size()) return;
    const Span &first = steps[i].syntax->span, &second = steps[next].syntax->span;
    Mutant mutant = Of(Operator::SwapSteps, first, fmt::format("{} behind {}", Shown(first), Shown(second)));
    std::swap(mutant.rule.sequence->steps[i], mutant.rule.sequence->steps[next]);
    std::vector<uint8_t> to(matching + 1);
    for (size_t k = 0; k <= matching; ++k) to[k] = static_cast<uint8_t>(k);
    std::swap(to[number], to[number + 1]);
    if (!Renumber(&mutant.rule, to)) return;
    mutant.edits.push_back({first, std::string(second.text())});
    mutant.edits.push_back({second, std::string(first.text())});
    out_->push_back(std::move(mutant));
  }

  void OfAggregate() {
    const sema::Aggregate& aggregate = *rule_.aggregate;
    const syntax::When& text = *aggregate.syntax;
    if (text.threshold) {
      bool above = text.op == ">";  // `> 9` is `at least 10`
      Span at = above ? ks::Span{text.op_span.file, text.op_span.begin, text.threshold->span.end} : text.threshold->span;
      Threshold(aggregate.at_least, at, above ? ">= " : "",
                [](sema::Rule* rule) { return &rule->aggregate->at_least; });
    }
    Keys(aggregate.by, text.by, [](sema::Rule* rule) { return &rule->aggregate->by; });
    if (text.within) {
      Window(aggregate.within_ns, text.within->span, [](sema::Rule* rule) { return &rule->aggregate->within_ns; });
    }
  }

  void OfLimit() {
    const sema::Limit& limit = *rule_.limit;
    const syntax::Limit& text = rule_.tune != nullptr && !rule_.tune->limits.empty() ? rule_.tune->limits[0]
                                                                                       : rule_.syntax->limits[0];
    Threshold(limit.count, text.count.span, "", [](sema::Rule* rule) { return &rule->limit->count; });
    Keys(limit.by, text.by, [](sema::Rule* rule) { return &rule->limit->by; });
    Window(limit.per_ns, text.per.span, [](sema::Rule* rule) { return &rule->limit->per_ns; });
  }

  const sema::Rule& rule_;
  std::vector<Mutant>* out_;
};

}  // namespace

void AddStateMutants(const sema::Rule& rule, std::vector<Mutant>* out) { Maker(rule, out).Run(); }

}  // namespace ks::mutate
