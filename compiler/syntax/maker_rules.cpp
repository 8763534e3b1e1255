// Rules, their clauses, and what tunes change of them.
#include <utility>

#include "compiler/syntax/maker.h"

namespace ks::syntax {
namespace {

// What a `meta` clause follows.
enum class After : uint8_t { Other, Exception, Broken };

}  // namespace

Rule Maker::MakeRule(KspParser::RuleDeclContext* context) {
  Rule made;
  made.name = NameOf(context->ID());
  made.span = SpanOf(context);
  made.doc = Doc(context);
  if (auto* title = context->text()) made.title = MakeText(title);
  After after = After::Other;
  for (auto* clause : context->clause()) {
    auto* meta = clause->meta();
    if (!meta) after = !clause->except() ? After::Other : Complete(clause) ? After::Exception : After::Broken;
    if (!Complete(clause)) continue;
    if (!meta) {
      AddClause(clause, &made);
    } else if (after == After::Other && View(At(meta->start)) == "owner") {
      made.owners.push_back(MakeText(meta->text()));
    } else if (after != After::Broken) {
      AddMeta(meta, after == After::Exception ? &made.exceptions.back() : nullptr);
    }
  }
  return made;
}

void Maker::AddClause(KspParser::ClauseContext* clause, Rule* rule) {
  if (auto* severity = clause->severity()) {
    rule->severities.push_back(NameOf(severity->ID()));
  } else if (auto* attack = clause->attack()) {
    for (auto* id : attack->ATTACK()) rule->attack.push_back(NameOf(id));
  } else if (auto* on = clause->on()) {
    On made;
    made.span = SpanOf(on);
    made.kinds = NamesOf(on->kinds()->ID());
    if (auto* where = on->kinds()->expression()) made.where = Expression(where);
    rule->ons.push_back(std::move(made));
  } else if (auto* when = clause->when()) {
    rule->whens.push_back(MakeWhen(when));
  } else if (auto* sequence = clause->sequence()) {
    rule->sequences.push_back(MakeSequence(sequence));
  } else if (auto* except = clause->except()) {
    rule->exceptions.push_back(MakeException(except));
  } else if (auto* limit = clause->limit()) {
    rule->limits.push_back(MakeLimit(limit));
  } else if (auto* keys = clause->maxKeys()) {
    rule->max_keys.push_back(MakeQuantity(keys->INT()));
  } else if (auto* disclose = clause->disclose()) {
    rule->disclosures.push_back(MakeDisclose(disclose));
  } else if (auto* ref = clause->ref()) {
    rule->refs.push_back(MakeText(ref->text()));
  } else if (auto* status = clause->status()) {
    rule->statuses.push_back(NameOf(status->ID()));
  } else if (auto* allow = clause->allow()) {
    rule->allows.push_back(MakeAllow(allow));
  } else if (auto* alert = clause->alert()) {
    rule->alerts.push_back(MakeText(alert->text()));
  }
}

Exception Maker::MakeException(KspParser::ExceptContext* context) {
  Exception made;
  Text why = MakeText(context->text());
  made.why = std::move(why.value);
  made.why_span = why.span;
  made.condition = Expression(context->expression());
  made.span = SpanOf(context);
  return made;
}

// `exception`: that it follows, or null.
void Maker::AddMeta(KspParser::MetaContext* meta, Exception* exception) {
  std::string_view word = View(At(meta->start));
  if (!exception) {
    Mistake(SpanOf(meta), fmt::format("`{}` belongs to an `except`", word), "it stands behind its condition");
    return;
  }
  std::optional<Name>& slot = word == "owner"    ? exception->owner
                              : word == "ticket" ? exception->ticket
                                                 : exception->expires;
  if (slot) {
    std::string_view help = word == "owner" ? "the owner of the rule stands above its exceptions" : "";
    Mistake(SpanOf(meta), fmt::format("this exception has its `{}` twice", word), help);
  }
  slot = meta->text() ? Unquoted(meta->text()) : NameOf(meta->DATE());
  exception->span.end = At(meta->stop).end;
}

Disclose Maker::MakeDisclose(KspParser::DiscloseContext* context) const {
  Disclose made;
  made.span = SpanOf(context);
  made.reason = MakeText(context->text()).value;
  MakePaths(context->path(), &made.fields, &made.field_spans);
  return made;
}

// ---- State --------------------------------------------------------------------------------------------------------

When Maker::MakeWhen(KspParser::WhenContext* context) {
  CheckCommas(context);
  When made;
  made.span = SpanOf(context);
  made.function = NameOf(context->ID());
  MakePaths(context->path(), &made.of, &made.of_spans);
  if (auto* by = context->by()) made.by = MakeKey(by);
  if (auto* within = context->within()) made.within = MakeQuantity(within->DURATION());
  auto* operand = context->operand();
  if (!operand) return made;
  for (size_t i = 1; i < context->children.size(); ++i) {
    if (context->children[i] != operand) continue;
    const Token& op = At(static_cast<antlr4::tree::TerminalNode*>(context->children[i - 1]));
    made.op = TextOf(op);
    made.op_span = SpanOf(op);
  }
  ExprPtr threshold = Operand(operand);
  if (const auto* literal = std::get_if<Literal>(&threshold->node)) {
    made.threshold = Quantity{*literal, threshold->span};
  } else {
    Mistake(threshold->span, "this is no number", "an aggregate is compared with a number: `count >= 5`");
  }
  return made;
}

Sequence Maker::MakeSequence(KspParser::SequenceContext* context) {
  Sequence made;
  made.span = made.head = SpanOf(context);
  for (size_t i = 1; i < context->children.size(); ++i) {
    auto* word = dynamic_cast<antlr4::tree::TerminalNode*>(context->children[i]);
    if (word && View(At(word)) == "unordered") made.unordered = true;
    if (word && View(At(word)) == "{") made.head.end = tokens_[word->getSymbol()->getTokenIndex() - 1].end;
  }
  if (auto* by = context->by()) made.by = MakeKey(by);
  if (auto* within = context->within()) made.within = MakeQuantity(within->DURATION());
  for (auto* step : context->step()) {
    if (Complete(step)) made.steps.push_back(MakeStep(step));
  }
  return made;
}

Step Maker::MakeStep(KspParser::StepContext* context) {
  Step made;
  made.span = SpanOf(context);
  if (auto* kinds = context->kinds()) {
    made.role = View(At(context->start)) == "without" ? Step::Role::Without : Step::Role::Until;
    made.kinds = NamesOf(kinds->ID());
    if (kinds->expression()) made.where = Expression(kinds->expression());
    return made;
  }
  made.kinds = NamesOf(context->ID());
  bool named = false;
  for (antlr4::tree::ParseTree* child : context->children) {
    auto* sign = dynamic_cast<antlr4::tree::TerminalNode*>(child);
    named = named || (sign && View(At(sign)) == ":");
  }
  if (named) {
    made.name = std::move(made.kinds.front());
    made.kinds.erase(made.kinds.begin());
  }
  if (context->expression()) made.where = Expression(context->expression());
  if (auto* times = context->INT()) made.repeat = MakeQuantity(times);
  return made;
}

Key Maker::MakeKey(KspParser::ByContext* context) const {
  Key made;
  made.span = SpanOf(context);
  MakePaths(context->path(), &made.paths, &made.path_spans);
  return made;
}

Limit Maker::MakeLimit(KspParser::LimitContext* context) const {
  Limit made{MakeQuantity(context->INT()), MakeQuantity(context->DURATION()), std::nullopt, SpanOf(context)};
  if (auto* by = context->by()) made.by = MakeKey(by);
  return made;
}

// ---- Overlays -----------------------------------------------------------------------------------------------------

Tune Maker::MakeTune(KspParser::TuneDeclContext* context) {
  Tune made;
  made.rule = MakePath(context->path());
  made.rule_span = SpanOf(context->path());
  made.environment = MakeText(context->text());
  made.doc = Doc(context);
  made.span = SpanOf(context);
  After after = After::Other;
  for (auto* change : context->change()) {
    auto* meta = change->meta();
    if (!meta) after = !change->except() ? After::Other : Complete(change) ? After::Exception : After::Broken;
    if (!Complete(change)) continue;
    if (meta) {
      if (after != After::Broken) AddMeta(meta, after == After::Exception ? &made.exceptions.back() : nullptr);
    } else if (auto* severity = change->severity()) {
      made.severities.push_back(NameOf(severity->ID()));
    } else if (auto* except = change->except()) {
      made.exceptions.push_back(MakeException(except));
    } else if (auto* limit = change->limit()) {
      made.limits.push_back(MakeLimit(limit));
    } else if (auto* keys = change->maxKeys()) {
      made.max_keys.push_back(MakeQuantity(keys->INT()));
    } else {
      made.disables.push_back(SpanOf(change));
    }
  }
  return made;
}

}  // namespace ks::syntax
