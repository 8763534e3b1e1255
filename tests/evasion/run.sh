#!/bin/bash
# Opens a credential file in ways that hide it, under the agent with the starter rules: the credential rule must fire for each
# time that the file was really opened, no more and no less.
#   run.sh BIN      BIN: folder with ksc, kubesentryd, evade. Exit status 77 if this machine cannot run it.
set -euo pipefail
bin=$(cd "${1:?usage: run.sh BIN}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
file=/etc/shadow

skip() { echo "evasion: skipped: $1"; exit 77; }
((EUID == 0)) || skip "needs root: it reads $file and loads BPF"
[[ -e /sys/kernel/btf/vmlinux ]] || skip "this kernel has no BTF"

scratch=$(mktemp -d /var/lib/kubesentry-evasion.XXXXXX)
agent=
clean_up() {
  [[ -z $agent ]] || kill "$agent" 2> /dev/null || true
  wait
  rm -rf "$scratch"
}
trap clean_up EXIT

"$bin/ksc" bundle keygen -o "$scratch/k.pem" > /dev/null
"$bin/ksc" compile "$here/../../stdlib" -o "$scratch/s.kspb" --key "$scratch/k.pem" > /dev/null
: > "$scratch/log"
"$bin/kubesentryd" run --bundle "$scratch/s.kspb" --trust "$scratch/k.pub" > "$scratch/alerts" 2> "$scratch/log" < /dev/null &
agent=$!
for _ in {1..100}; do grep -q ready "$scratch/log" && break; sleep 0.1; done
grep -q ready "$scratch/log" || { cat "$scratch/log"; echo "evasion: the agent did not become ready"; exit 1; }

"$bin/evade" "$file" "$scratch" > "$scratch/opened"
sleep 1
kill -TERM "$agent"
wait "$agent" || { cat "$scratch/log"; echo "evasion: the agent failed"; exit 1; }
agent=

passed=0 failed=0
while read -r way pid opened; do
  alerts=$(grep '"rule":"credential_file_read"' "$scratch/alerts" | grep -c "\"pid\":$pid[,}]" || true)
  if ((opened > 0 && alerts == opened)); then result=ok; ((++passed)); else result=FAIL; ((++failed)); fi
  printf '%-4s  %-10s opened %5d times, %5d alerts\n' "$result" "$way" "$opened" "$alerts"
done < "$scratch/opened"
echo "evasion: $passed passed, $failed failed"
((failed == 0 && passed == 6))
