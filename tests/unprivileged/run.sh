#!/bin/bash
# The agent as a user without rights but CAP_BPF and CAP_PERFMON: loads, attaches, alerts, answers `status`, and holds no more.
#   run.sh BIN      BIN: folder with ksc and kubesentryd. Exit status 77 if this machine cannot run it.
set -euo pipefail
bin=$(cd "${1:?usage: run.sh BIN}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

skip() { echo "unprivileged: skipped: $1"; exit 77; }
((EUID == 0)) || skip "needs root, to give up what it has"
command -v setpriv > /dev/null || skip "setpriv is not installed"
[[ -e /sys/kernel/btf/vmlinux ]] || skip "this kernel has no BTF"

scratch=$(mktemp -d /var/lib/kubesentry-unprivileged.XXXXXX)
agent=
clean_up() {
  [[ -z $agent ]] || kill "$agent" 2> /dev/null || true
  wait
  rm -rf "$scratch"
}
trap clean_up EXIT
fail() { cat "$scratch/log"; echo "unprivileged: $1"; echo "unprivileged: 0 passed, 1 failed"; exit 1; }

"$bin/ksc" bundle keygen -o "$scratch/k.pem" > /dev/null
"$bin/ksc" compile "$here/../../stdlib" -o "$scratch/s.kspb" --key "$scratch/k.pem" > /dev/null 2>&1
install -m 755 "$bin/kubesentryd" "$scratch/"
: > "$scratch/log"
mkdir -m 777 "$scratch/open"
chmod 755 "$scratch"
cd /
setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
  --bounding-set -all,+bpf,+perfmon --inh-caps -all,+bpf,+perfmon --ambient-caps -all,+bpf,+perfmon \
  "$scratch/kubesentryd" run --bundle "$scratch/s.kspb" --trust "$scratch/k.pub" --status-socket "$scratch/open/s" \
  > "$scratch/alerts" 2> "$scratch/log" < /dev/null &
agent=$!
for _ in {1..150}; do
  grep -q ready "$scratch/log" && break
  kill -0 "$agent" 2> /dev/null || fail "the agent ended"
  sleep 0.1
done
grep -q ready "$scratch/log" || fail "the agent did not become ready"

cat /etc/shadow > /dev/null
for _ in {1..50}; do
  grep -q '"rule":"credential_file_read"' "$scratch/alerts" && break
  sleep 0.1
done
grep -q '"rule":"credential_file_read"' "$scratch/alerts" || fail "no alert came"

# 38 CAP_PERFMON, 39 CAP_BPF: include/uapi/linux/capability.h
for set in CapPrm CapEff CapBnd CapInh CapAmb; do
  held=$(awk -v set="$set:" '$1 == set { print $2 }' "/proc/$agent/status")
  [[ $held == 000000c000000000 ]] || fail "$set is $held"
done
[[ $(awk '$1 == "Uid:" { print $2 }' "/proc/$agent/status") == 65534 ]] || fail "it runs as root"
"$bin/kubesentryd" status --status-socket "$scratch/open/s" > /dev/null || fail "status does not answer"
rss=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$agent/status")
kill -TERM "$agent"
wait "$agent" || fail "it did not end in good order"
agent=
echo "unprivileged: uid 65534, CAP_BPF and CAP_PERFMON only: alert seen; VmRSS $rss kB; binary $(stat -c %s "$bin/kubesentryd") bytes"
echo "unprivileged: 1 passed, 0 failed"
