// Ways around a rule that its hooks do not see: one note per rule and way.
#include <algorithm>

#include "compiler/lint/lint.h"
#include "compiler/lint/solver.h"

namespace ks::lint {
namespace {

using schema::EventKind;
using schema::FieldId;
using sema::Condition;
using sema::FieldRef;
using sema::Rule;
using sema::Step;

bool ReadsField(const Condition& condition, FieldId field) {
  if (condition.op == Condition::Op::Compare) {
    auto* right = std::get_if<FieldRef>(&condition.right);
    return condition.left.field == field || (right != nullptr && right->field == field);
  }
  return std::any_of(condition.operands.begin(), condition.operands.end(),
                     [&](const Condition& operand) { return ReadsField(operand, field); });
}

// Kinds whose calls have a twin among the operations of io_uring, which raise no sys_exit: only trampolines see it.
bool HasUringTwin(EventKind kind) {
  switch (kind) {
    case EventKind::open_:
    case EventKind::connect_:
    case EventKind::accept_:
    case EventKind::bind_:
    case EventKind::unlink_:
    case EventKind::rename_:
    case EventKind::create_:
    case EventKind::rmdir_:
    case EventKind::mkdir_:
    case EventKind::link_:
    case EventKind::symlink_:
    case EventKind::truncate_:
    case EventKind::socket_:
    case EventKind::listen_:
    case EventKind::sendto_:
      return true;
    default:
      return false;
  }
}

// Kinds whose path is the argument of the call where there are no trampolines: there is no file any more, or not yet, to ask for its own.
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

void LintRule(const Rule& rule, bool uring_watched, Diagnostics& diagnostics) {
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
  if (std::string twins = Listed(kinds, HasUringTwin); !uring_watched && !twins.empty()) {
    Diagnostic& d = diagnostics.Report<Diag::BypassUring>(name.span, name.text, twins);
    d.help = "without trampolines the hooks are at system calls, which io_uring makes none of (`kubesentryd status` says which tier "
             "there is); a rule `on syscall where syscall == io_uring_setup` beside it closes the gap";
  }
  std::string callers = Listed(kinds, HasCallerPath);
  bool reads = std::any_of(conditions.begin(), conditions.end(), [](const Condition* condition) {
    return ReadsField(*condition, FieldId::file_path) || ReadsField(*condition, FieldId::file_old_path);
  });
  if (!callers.empty() && reads) {
    Diagnostic& d = diagnostics.Report<Diag::BypassCallerPath>(name.span, name.text, "path");
    d.help = fmt::format(
        "without trampolines the path of {} is the caller's, made absolute, but links in it are not followed", callers);
  }
  bool sends = std::find(kinds.begin(), kinds.end(), EventKind::sendto_) != kinds.end();
  bool reads_address = std::any_of(conditions.begin(), conditions.end(), [](const Condition* condition) {
    return ReadsField(*condition, FieldId::event_dst);
  });
  if (sends && reads_address) {
    Diagnostic& d = diagnostics.Report<Diag::BypassCallerPath>(name.span, name.text, "address");
    d.help = "without trampolines the address of sendto is read when the call returns, by when another thread may have "
             "written another one; of sendmmsg it is that of the first message";
  }
}

// Whether an alert tells of every program that sets up io_uring: then no rule need say that io_uring goes past it.
bool WatchesUring(const ir::Rule& rule, Solver& solver) {
  if (rule.sequence || rule.aggregate) return false;
  if (std::find(rule.kinds.begin(), rule.kinds.end(), EventKind::syscall_) == rule.kinds.end()) return false;
  auto is = [](FieldId field, std::string_view enumeration, std::string_view name) {
    ir::Atom atom;
    atom.operand.field = field;
    atom.test = ir::Test::In;
    atom.literals = {*schema::EnumeratorValue(enumeration, name)};
    return ir::MakeAtom(std::move(atom));
  };
  ir::Pred setup = ir::MakeAnd({is(FieldId::event_syscall, "syscall", "io_uring_setup"),
                                is(FieldId::event_result, "result", "ok")});
  return solver.Implies(setup, rule.when);
}

}  // namespace

void LintBypass(std::span<const sema::CheckedModule> modules, std::span<const ir::Rule> rules,
                Diagnostics& diagnostics) {
  Solver solver;
  bool uring_watched =
      std::any_of(rules.begin(), rules.end(), [&](const ir::Rule& rule) { return WatchesUring(rule, solver); });
  for (const sema::CheckedModule& module : modules) {
    for (const Rule& rule : module.rules) LintRule(rule, uring_watched, diagnostics);
  }
}

}  // namespace ks::lint
