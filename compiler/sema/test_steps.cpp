// What happens in a test case: time, events, repetitions, recorded traces, and what is expected of them.
#include <algorithm>
#include <filesystem>

#include "compiler/sema/literals.h"
#include "compiler/sema/tests.h"

namespace ks::sema {
namespace {

void ShiftBy(int64_t ns, std::variant<Feed, Expect, ReplayTrace>* step) {
  std::visit([ns](auto& of) { of.offset_ns += ns; }, *step);
}

}  // namespace

void TestChecker::CheckLets(const syntax::Test& test, const Scope& scope) {
  lets_.clear();
  used_lets_.clear();
  for (const syntax::TestLet& let : test.lets) {
    auto object = schema::FindObject(let.object.text);
    if (!object) {
      std::vector<std::string_view> names;
      for (const schema::ObjectRow& row : schema::Objects()) {
        if (!row.dotted.empty() && row.dotted.find('.') == std::string_view::npos) names.push_back(row.dotted);
      }
      Diagnostic& d = scope.Report<Diag::UnknownType>(let.object.span, let.object.text);
      d.help = fmt::format("records: {}", fmt::join(names, ", "));
    }
    // A let sees those above it only, so that none can hold itself.
    if (let.base) {
      auto base = lets_.find(let.base->text);
      if (base == lets_.end()) {
        ReportBase(let.base->text, let.base->span, lets_, scope);
      } else {
        used_lets_.insert(base->second);
        if (base->second->object.text != let.object.text) {
          scope.Report<Diag::RecordForValue>(
              let.base->span, let.base->text,
              fmt::format("is a {}, not a {}", base->second->object.text, let.object.text));
        }
      }
    }
    auto [it, fresh] = lets_.emplace(let.name.text, &let);
    if (!fresh) {
      scope.Report<Diag::DuplicateName>(let.name.span, "a let", let.name.text)
          .related.push_back({it->second->name.span, "first defined here"});
    }
  }
}

// The let's base first, so that what the let says itself replaces it.
void TestChecker::EnterLet(const syntax::TestLet& let, ObjectId object, const syntax::Name& name, const Scope& scope,
                           Feed* out) {
  std::vector<const syntax::TestLet*> chain = {&let};
  while (chain.back()->base) {
    auto base = lets_.find(chain.back()->base->text);
    if (base == lets_.end() || base->second->span.begin >= chain.back()->span.begin) break;
    chain.push_back(base->second);
  }
  for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
    // What is wrong in a let is said once, not with each of its uses.
    Diagnostics aside;
    Scope inner = scope;
    size_t before = scope.diagnostics->all().size();
    if (reported_.contains(*it)) inner.diagnostics = &aside;
    EnterRecord(object, (*it)->record, name, inner, out);
    if (scope.diagnostics->all().size() > before) reported_.insert(*it);
  }
}

TestCase TestChecker::CheckCase(const syntax::TestCase& test_case, const std::string& rule, const Scope& scope) {
  TestCase out;
  out.syntax = &test_case;
  out.rule = rule;
  int64_t now = 0;
  expected_ = true;
  CheckSteps(test_case.steps, scope, &now, &out.steps);
  if (!expected_ || test_case.steps.empty()) {
    scope.Report<Diag::CaseWithoutExpect>(test_case.name.span, Shorten(test_case.name.value)).help =
        "end it with `expect alert`, `expect 2 alert` or `expect quiet`";
  }
  return out;
}

void TestChecker::GoOn(const std::string& after, Span span, const Scope& scope, int64_t* now) {
  if (after.empty()) return;
  // What does not fit into 64 bits was reported by the parser.
  std::optional<Value> duration = ParseText(after, One(TypeId::Duration)).value;
  if (duration && __builtin_add_overflow(*now, std::get<int64_t>(*duration), now)) {
    scope.Report<Diag::OutOfRange>(span, after, "a case lasts less than 293 years");
    *now = 0;
  }
}

bool TestChecker::CountSteps(size_t more, Span span, const Scope& scope) {
  if (events_ > kMaxTestEvents) return false;
  events_ += more;
  if (events_ <= kMaxTestEvents) return true;
  scope.Report<Diag::TooManyEvents>(span, kMaxTestEvents);
  return false;
}

void TestChecker::CheckSteps(const std::vector<syntax::TestStep>& steps, const Scope& scope, int64_t* now, Steps* out) {
  for (const syntax::TestStep& step : steps) {
    if (auto* feed = std::get_if<syntax::Feed>(&step.node)) {
      expected_ = false;
      GoOn(feed->after, feed->kind.span, scope, now);
      CheckFeed(*feed, *now, scope, out);
    } else if (auto* expect = std::get_if<syntax::Expect>(&step.node)) {
      expected_ = true;
      GoOn(expect->after, expect->span, scope, now);
      CheckExpect(*expect, *now, scope, out);
    } else if (auto* repeat = std::get_if<syntax::Repeat>(&step.node)) {
      GoOn(repeat->after, repeat->count.span, scope, now);
      CheckRepeat(*repeat, scope, now, out);
    } else if (auto* replay = std::get_if<syntax::ReplayTrace>(&step.node)) {
      expected_ = false;
      GoOn(replay->after, replay->path.span, scope, now);
      CheckReplay(*replay, *now, scope, out);
    }
  }
}

// The steps are checked once, and written out as often as they happen. Each time starts `every` after the one before, or
// as soon as that one is over.
void TestChecker::CheckRepeat(const syntax::Repeat& repeat, const Scope& scope, int64_t* now, Steps* out) {
  std::optional<Value> count = ParseText(repeat.count.literal.text, One(TypeId::Int)).value;
  if (!count || std::get<int64_t>(*count) < 1) {
    scope.Report<Diag::RepeatCount>(repeat.count.span, Shorten(repeat.count.literal.text), "nothing would happen").help =
        "it happens at least once";
    return;
  }
  int64_t every = 0;
  if (repeat.every) {
    std::optional<Value> value = ParseText(repeat.every->literal.text, One(TypeId::Duration)).value;
    if (value) every = std::get<int64_t>(*value);
  }
  int64_t begin = *now;
  Steps once;
  CheckSteps(repeat.steps, scope, now, &once);
  int64_t lasts = *now - begin;
  out->insert(out->end(), once.begin(), once.end());
  int64_t start = begin;
  for (int64_t i = 1; i < std::get<int64_t>(*count); ++i) {
    if (!CountSteps(std::max<size_t>(once.size(), 1), repeat.count.span, scope)) return;
    if (__builtin_add_overflow(start, std::max(every, lasts), &start) || __builtin_add_overflow(start, lasts, now)) {
      scope.Report<Diag::OutOfRange>(repeat.count.span, Shorten(repeat.count.literal.text),
                                     "a case lasts less than 293 years");
      *now = 0;
      return;
    }
    for (auto step : once) {
      ShiftBy(start - begin, &step);
      out->push_back(std::move(step));
    }
  }
}

void TestChecker::CheckReplay(const syntax::ReplayTrace& replay, int64_t now, const Scope& scope, Steps* out) {
  const std::string& name = replay.path.value;
  auto fail = [&](std::string_view why, std::string help) {
    scope.Report<Diag::ReplayFile>(replay.path.span, Shorten(name), why).help = std::move(help);
  };
  if (!IsBelow(name)) return fail("it is not below the folder of this file", "move the trace beside the policy");
  if (!name.ends_with(".kst")) return fail("a trace is a .kst file", "`kubesentryd record` makes one");
  std::string path = Beside(*scope.module->file, name);
  std::error_code error;
  std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    return fail("there is no such file", fmt::format("the path is relative to this file: {}", path));
  }
  if (!std::filesystem::is_regular_file(status)) return fail("it is no regular file", "give a .kst file");
  out->emplace_back(ReplayTrace{&replay, path, now});
}

void TestChecker::CheckExpect(const syntax::Expect& expect, int64_t now, const Scope& scope, Steps* out) {
  std::string rule = rule_;
  if (expect.from) {
    std::string home = PackageOf(*scope.module);
    rule = RuleIdOf(*expect.from, home);
    if (names_.library().FindRule(rule) == nullptr) {
      std::vector<std::string_view> names;
      if (const Library::Package* package = names_.library().Find(home)) {
        for (const auto& [name, of] : package->rules) names.push_back(name);
      }
      Diagnostic& d = scope.Report<Diag::ExpectFromNothing>(expect.from_span, Shorten(expect.from->Dotted()));
      if (std::string_view near = DidYouMean(expect.from->Dotted(), names); !near.empty()) {
        d.help = fmt::format("did you mean `{}`?", near);
        scope.Fix(d, expect.from_span, std::string(near));
      } else {
        d.help = "a rule of another package is named with its package";
      }
      return;
    }
  }
  out->emplace_back(Expect{&expect, std::move(rule), now});
}

void TestChecker::CheckFeed(const syntax::Feed& feed, int64_t offset_ns, const Scope& scope, Steps* out) {
  auto kind = schema::FindEvent(feed.kind.text);
  if (!kind) {
    std::vector<std::string_view> names;
    for (const schema::EventRow& row : schema::Events()) names.push_back(row.name);
    Diagnostic& d = scope.Report<Diag::UnknownKind>(feed.kind.span, feed.kind.text);
    d.help = fmt::format("kinds: {}", fmt::join(names, ", "));
    if (std::string_view near = DidYouMean(feed.kind.text, names); !near.empty()) {
      d.help = fmt::format("did you mean `{}`?", near);
      scope.Fix(d, feed.kind.span, std::string(near));
    }
    return;
  }
  if (!CountSteps(1, feed.kind.span, scope)) return;
  Feed checked;
  checked.kind = *kind;
  checked.offset_ns = offset_ns;
  checked.syntax = &feed;
  CheckRecord(feed.record, "", scope, &checked);
  out->emplace_back(std::move(checked));
}

}  // namespace ks::sema
