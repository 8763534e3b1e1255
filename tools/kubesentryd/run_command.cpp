#include "tools/kubesentryd/run_command.h"

namespace ks::agent {

const cli::Command& RunCommand() {
  static const cli::Command kCommand{
      .name = "kubesentryd run",
      .about =
          "Verifies a bundle, loads it into the kernel and prints its alerts, one JSON line each, until SIGTERM or "
          "SIGINT.\n"
          "SIGHUP, or another file in the bundle's place, swaps to the new bundle without missing an event; a bundle "
          "that is\n"
          "refused leaves the old one active. `kubesentryd rollback` makes the one before active again.\n\n"
          "With --pin the programs go on when the agent ends, by whatever signal, and events wait in the rings; the next "
          "`run`\n"
          "with the same folder decides them. `kubesentryd unpin` ends that.\n\n"
          "Needs CAP_BPF and CAP_PERFMON, and no more; any user id will do. Kernels before 5.11 count BPF memory "
          "against\n"
          "RLIMIT_MEMLOCK: raise that limit (LimitMEMLOCK=infinity, ulimit -l unlimited) to 64 MiB or more there.",
      .example =
          "  kubesentryd run --bundle rules.kspb --trust KEY.pub --alerts /var/log/alerts.jsonl\n"
          "  as an unprivileged user, from a root shell:\n"
          "  setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \\\n"
          "    --bounding-set -all,+bpf,+perfmon --inh-caps -all,+bpf,+perfmon --ambient-caps -all,+bpf,+perfmon \\\n"
          "    kubesentryd run --bundle rules.kspb --trust KEY.pub --status-socket /run/kubesentry/status.sock",
      .options = {
          {.name = "--bundle",
           .value = "FILE",
           .about = "the signed bundle (.kspb); its folder is watched for changes",
           .required = true},
          {.name = "--trust", .value = "FILE", .about = "public keys (PEM) whose bundles are loaded", .required = true},
          {.name = "--metadata",
           .value = "FILE",
           .about = "names of containers, images and pods, one JSON object a line; read again when it changes"},
          {.name = "--alerts", .value = "FILE", .about = "where alerts go; `-`, the default, is standard output"},
          {.name = "--format",
           .value = "FORMAT",
           .about = "of alerts: json (default) or human",
           .choices = {"json", "human"}},
          {.name = "--log",
           .value = "FORMAT",
           .about = "of what is said on stderr: human (default) or json",
           .choices = {"human", "json"}},
          {.name = "--late-bound",
           .value = "MS",
           .about = "how much later than newer ones events may come and still be put in order, for rules over\n"
                    "                       several events; what comes later still is counted",
           .choices = {"0", "10", "100", "1000"}},
          {.name = "--state",
           .value = "FILE",
           .about = "where rules over several events keep their state over restarts: loaded at the start, written\n"
                    "                       once a minute and at the end; it holds data of events (mode 0600)"},
          {.name = "--pin",
           .value = "DIR",
           .about = "a folder on a bpffs, of this user alone, where programs, rings and counters outlive the agent: restarts\n"
                    "                       and upgrades then miss nothing that the rings can hold. Made if it is not there; one is\n"
                    "                       mounted by `mount -t bpf bpf /sys/fs/bpf`"},
          FetchArgumentsOption(),
          {.name = "--tier",
           .value = "TIER",
           .about = "auto, the default: trampolines, which see the kernel's own copy of names and addresses, event by\n"
                    "                       event where the kernel grants them; tracepoint: none of them; trampoline: refuse to\n"
                    "                       run without. `kubesentryd status` says which events have which",
           .choices = {"auto", "tracepoint", "trampoline"}},
          {.name = "--node", .value = "NAME", .about = "name of this node in alerts; by default the host's name"},
          {.name = "--status-socket",
           .value = "PATH",
           .about = "where `kubesentryd status` asks; by default /run/kubesentryd/status.sock,\n                       "
                    "  for other users than root below $XDG_RUNTIME_DIR"},
      }};
  return kCommand;
}

kernel::KernelOptions KernelOptionsOf(const cli::Arguments& arguments) {
  using Tiers = kernel::KernelOptions::Tiers;
  const std::string tier = arguments.Get("--tier", "auto");
  kernel::KernelOptions options{.pin = arguments.Get("--pin")};
  options.tiers = tier == "tracepoint" ? Tiers::Tracepoint : tier == "trampoline" ? Tiers::Trampoline : Tiers::Auto;
  options.arguments = ArgumentBoundsOf(arguments);
  return options;
}

// Off by itself: whoever may mount a FUSE could keep the agent's process from ending (docs/blind-spots.md).
kernel::ArgumentBounds ArgumentBoundsOf(const cli::Arguments& arguments) {
  kernel::ArgumentBounds bounds;
  if (arguments.Get("--fetch-arguments", "off") == "off") bounds.per_second = 0;
  return bounds;
}

cli::Option FetchArgumentsOption() {
  return {.name = "--fetch-arguments",
          .value = "WHEN",
          .about = "on: arguments of processes that were not in memory are read a moment after the event, and the process's\n"
                   "                       pages brought in for it; off, the default: they stay unknown. Leave it off where\n"
                   "                       users may mount a FUSE: one that does not answer keeps the agent from ending",
          .choices = {"on", "off"}};
}

}  // namespace ks::agent
