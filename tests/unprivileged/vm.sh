#!/bin/bash
# The same in virtual machines: kernels on which something that the programs may ask for is not there, which must not need more rights.
#   vm.sh BIN KERNEL…      BIN: folder with ksc and kubesentryd; kernels of tools/vm. Exit status 77 if this machine cannot run it.
set -euo pipefail
test=unprivileged bin=$(cd "${1:?usage: vm.sh BIN KERNEL…}" && pwd) here=$(cd "$(dirname "$0")" && pwd)
shift
source "$here/../agent.sh"
need setpriv qemu-system-x86_64

starter_bundle
cat > "$scratch/act.sh" << 'END'
chmod 755 /files && chmod 644 /files/starter.kspb /files/k.pub && mkdir -p /tmp /etc && chmod 1777 /tmp && echo secret > /etc/shadow
/files/setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
  --bounding-set -all,+bpf,+perfmon --inh-caps -all,+bpf,+perfmon --ambient-caps -all,+bpf,+perfmon \
  /files/kubesentryd run --bundle /files/starter.kspb --trust /files/k.pub --status-socket /tmp/s --fetch-arguments on > /tmp/alerts 2> /tmp/log < /dev/null &
agent=$!
try=0
until grep -q ready /tmp/log || [ $try -gt 600 ]; do kill -0 $agent || break; sleep 0.1; try=$((try + 1)); done
cat /etc/shadow > /dev/null
try=0
until grep -q credential_file_read /tmp/alerts || [ $try -gt 100 ]; do kill -0 $agent || break; sleep 0.1; try=$((try + 1)); done
held=$(awk '$1 == "CapEff:" { print $2 }' /proc/$agent/status)
# Arguments that are not in memory can be read there.
/files/kubesentryd status --status-socket /tmp/s --user 65534 --format json > /tmp/status
grep -q '"arguments"' /tmp/status && ! grep -q '"why_not"' /tmp/status || { echo "arguments:"; grep -o '"arguments":[^}]*}' /tmp/status; exit 1; }
grep -q credential_file_read /tmp/alerts && [ "$held" = 000000c000000000 ] && kill -TERM $agent && wait $agent && exit 0
echo "it holds $held; its log:"; head -c 2000 /tmp/log; exit 1
END
"$here/../../tools/vm" "$@" --timeout 240 --files "$bin/kubesentryd" "$scratch/starter.kspb" "$scratch/k.pub" "$scratch/act.sh" \
  "$(command -v setpriv)" --run "sh /files/act.sh" || fail "not with CAP_BPF and CAP_PERFMON alone"
echo "unprivileged: $# passed, 0 failed"
