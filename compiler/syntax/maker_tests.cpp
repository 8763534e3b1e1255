// Tests.
#include <charconv>
#include <memory>
#include <utility>

#include "compiler/syntax/maker.h"

namespace ks::syntax {

Test Maker::MakeTest(KspParser::TestDeclContext* context) {
  Test made;
  made.rule = MakePath(context->path());
  made.rule_span = SpanOf(context->path());
  if (auto* environment = context->text()) made.environment = MakeText(environment);
  made.span = SpanOf(context);
  for (auto* item : context->testItem()) {
    if (!Complete(item)) continue;
    if (auto* let = item->testLet()) {
      made.lets.push_back(MakeTestLet(let));
    } else {
      made.cases.push_back(MakeCase(item->testCase()));
    }
  }
  return made;
}

TestLet Maker::MakeTestLet(KspParser::TestLetContext* context) {
  TestLet made;
  made.name = NameOf(context->ID(0));
  made.object = NameOf(context->ID(1));
  made.span = SpanOf(context);
  if (context->ID().size() > 2) made.base = NameOf(context->ID(2));
  if (auto* record = context->record()) {
    made.record = Record(record);
  } else {
    made.record.span = {&file_, made.span.end, made.span.end};
  }
  return made;
}

TestCase Maker::MakeCase(KspParser::TestCaseContext* context) {
  TestCase made;
  made.name = MakeText(context->text());
  made.span = SpanOf(context);
  for (auto* step : context->testStep()) AddTestStep(step, &made.steps);
  return made;
}

void Maker::AddTestStep(KspParser::TestStepContext* context, std::vector<TestStep>* steps) {
  if (!Complete(context)) return;
  std::string after = context->DURATION() ? TextOf(At(context->DURATION())) : "";
  if (auto* feed = context->feed()) {
    steps->push_back(TestStep{Feed{std::move(after), NameOf(feed->ID()), Record(feed->record())}});
  } else if (auto* expect = context->expect()) {
    Expect made = MakeExpect(expect);
    made.after = std::move(after);
    steps->push_back(TestStep{std::move(made)});
  } else if (auto* replay = context->replay()) {
    steps->push_back(TestStep{ReplayTrace{std::move(after), MakeText(replay->text()), SpanOf(replay)}});
  } else if (auto* repeat = context->repeat()) {
    Repeat made;
    made.after = std::move(after);
    made.count = MakeQuantity(repeat->INT());
    if (repeat->DURATION()) made.every = MakeQuantity(repeat->DURATION());
    made.span = SpanOf(repeat);
    for (auto* step : repeat->testStep()) AddTestStep(step, &made.steps);
    if (repeat->testStep().empty()) {
      Mistake(made.span, "there is nothing to repeat",
              "events stand between the braces: `repeat 5 every 1s { exec { } }`");
    }
    steps->push_back(TestStep{std::move(made)});
  }
}

Expect Maker::MakeExpect(KspParser::ExpectContext* context) {
  Expect made;
  made.span = SpanOf(context);
  if (context->text()) made.text = MakeText(context->text());
  if (context->path()) {
    made.from = MakePath(context->path());
    made.from_span = SpanOf(context->path());
  }
  if (auto* number = context->INT()) {
    std::string_view digits = View(At(number));
    uint64_t count = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), count).ec == std::errc()) {
      made.count = count;
    } else if (digits[0] == '-') {
      Mistake(SpanOf(number), "a number of alerts is not negative", "`expect quiet` expects none");
    }
  }
  made.quiet = context->children.size() == 2 && View(At(context->stop)) == "quiet";
  return made;
}

RecordInit Maker::Record(KspParser::RecordContext* context) {
  CheckCommas(context);
  RecordInit made;
  made.span = SpanOf(context);
  const auto fields = context->field();
  made.fields.reserve(fields.size());
  for (auto* field : fields) {
    KspParser::ValueContext* from = field->value();
    auto* operand = from->operand();
    auto* record = from->record();
    auto value = std::make_unique<Value>();
    value->span = SpanOf(from);
    if (!operand) {
      value->node = Record(record);
    } else {
      ExprPtr base = Operand(operand);
      if (record) {
        value->with = Record(record);
        const auto* path = std::get_if<Path>(&base->node);
        if (!path || path->parts.size() != 1 || base->parenthesized) {
          Mistake(base->span, "`with` changes a `let` of this test, and this is none",
                  "name a record first: `let c: container = { id: \"c1\" }`");
        }
      }
      value->node = std::move(base);
    }
    made.fields.push_back({NameOf(At(field->name()->start)), std::move(value)});
  }
  return made;
}

}  // namespace ks::syntax
