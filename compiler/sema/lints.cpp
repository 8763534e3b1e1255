#include <algorithm>
#include <set>

#include "compiler/sema/operators.h"
#include "compiler/sema/rules.h"

namespace ks::sema {
namespace {

bool ReadsField(const Condition& condition, FieldId field) {
  if (condition.op == Condition::Op::Compare) {
    auto* right = std::get_if<FieldRef>(&condition.right);
    return condition.left.field == field || (right != nullptr && right->field == field);
  }
  return std::any_of(condition.operands.begin(), condition.operands.end(),
                     [&](const Condition& operand) { return ReadsField(operand, field); });
}

// Kinds whose calls have a twin among the operations of io_uring, which raise no sys_exit.
bool HasUringTwin(EventKind kind) {
  switch (kind) {
    case EventKind::open_:
    case EventKind::connect_:
    case EventKind::accept_:
    case EventKind::bind_:
    case EventKind::unlink_:
    case EventKind::rename_:
      return true;
    default:
      return false;
  }
}

// Kinds whose path is the argument of the call: there is no file any more, or not yet, to ask for its own.
bool HasCallerPath(EventKind kind) {
  return kind == EventKind::unlink_ || kind == EventKind::rename_ || kind == EventKind::chmod_;
}

std::string Listed(const std::vector<EventKind>& kinds, bool (*has)(EventKind)) {
  std::string names;
  for (EventKind kind : kinds) {
    if (!has(kind)) continue;
    if (!names.empty()) names += ", ";
    names += schema::Row(kind).name;
  }
  return names;
}

}  // namespace

void LintBypass(const Rule& rule, Diagnostics& diagnostics) {
  const syntax::Name& name = rule.syntax->name;
  // What an attacker must do for it to alert: events that only end a sequence are no way around it.
  std::vector<EventKind> kinds = rule.kinds;
  std::vector<const Condition*> conditions = {&rule.where};
  if (rule.sequence) {
    for (const Step& step : rule.sequence->steps) {
      if (step.syntax == nullptr || step.syntax->role != syntax::Step::Role::Match) continue;
      for (EventKind kind : step.kinds) {
        if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
      }
      conditions.push_back(&step.where);
    }
  }
  if (std::string twins = Listed(kinds, HasUringTwin); !twins.empty()) {
    Diagnostic& d = diagnostics.Report<Diag::BypassUring>(name.span, name.text, twins);
    d.help = "hooks at system calls do not see what io_uring does; watch for `syscall == io_uring_setup` beside it";
  }
  std::string callers = Listed(kinds, HasCallerPath);
  bool reads = std::any_of(conditions.begin(), conditions.end(), [](const Condition* condition) {
    return ReadsField(*condition, FieldId::file_path) || ReadsField(*condition, FieldId::file_old_path);
  });
  if (!callers.empty() && reads) {
    Diagnostic& d = diagnostics.Report<Diag::BypassCallerPath>(name.span, name.text);
    d.help = fmt::format("the path of {} is made absolute, but links in it are not followed", callers);
  }
}

}  // namespace ks::sema
