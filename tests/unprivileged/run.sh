#!/bin/bash
# The agent as a user without rights but CAP_BPF and CAP_PERFMON: loads, attaches, alerts, answers `status`, and holds no more.
#   run.sh BIN      BIN: folder with ksc and kubesentryd. Exit status 77 if this machine cannot run it.
set -euo pipefail
test=unprivileged bin=$(cd "${1:?usage: run.sh BIN}" && pwd) here=$(cd "$(dirname "$0")" && pwd)
source "$here/../agent.sh"
need setpriv

starter_bundle
install -m 755 "$bin/kubesentryd" "$scratch/"
mkdir -m 777 "$scratch/open"
cd /
start agent setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
  --bounding-set -all,+bpf,+perfmon --inh-caps -all,+bpf,+perfmon --ambient-caps -all,+bpf,+perfmon \
  "$scratch/kubesentryd" run --bundle "$scratch/starter.kspb" --trust "$scratch/k.pub" --status-socket "$scratch/open/s"
await agent ready
agent=${agents[0]}

cat /etc/shadow > /dev/null
for _ in {1..50}; do
  grep -q '"rule":"credential_file_read"' "$scratch/agent.out" && break
  sleep 0.1
done
grep -q '"rule":"credential_file_read"' "$scratch/agent.out" || fail "no alert came"

# 38 CAP_PERFMON, 39 CAP_BPF: include/uapi/linux/capability.h
for set in CapPrm CapEff CapBnd CapInh CapAmb; do
  held=$(awk -v set="$set:" '$1 == set { print $2 }' "/proc/$agent/status")
  [[ $held == 000000c000000000 ]] || fail "$set is $held"
done
[[ $(awk '$1 == "Uid:" { print $2 }' "/proc/$agent/status") == 65534 ]] || fail "it runs as root"
"$bin/kubesentryd" status --status-socket "$scratch/open/s" --user 65534 > /dev/null || fail "status does not answer"
rss=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$agent/status")
stop
echo "unprivileged: uid 65534, CAP_BPF and CAP_PERFMON only: alert seen; VmRSS $rss kB; binary $(stat -c %s "$bin/kubesentryd") bytes"
echo "unprivileged: 1 passed, 0 failed"
