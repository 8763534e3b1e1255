#!/bin/bash
# Opens a credential file in ways that hide it, under the agent with the starter rules: the credential rule must fire for each
# time that the file was really opened, no more and no less.
#   run.sh BIN      BIN: folder with ksc, kubesentryd, evade. Exit status 77 if this machine cannot run it.
set -euo pipefail
test=evasion bin=$(cd "${1:?usage: run.sh BIN}" && pwd) here=$(cd "$(dirname "$0")" && pwd)
source "$here/../agent.sh"
file=/etc/shadow

starter_bundle
start agent "$bin/kubesentryd" run --bundle "$scratch/starter.kspb" --trust "$scratch/k.pub"
await agent ready
"$bin/evade" "$file" "$scratch" > "$scratch/opened"
sleep 1
stop

passed=0 failed=0
while read -r way pid opened; do
  alerts=$(grep '"rule":"credential_file_read"' "$scratch/agent.out" | grep -c "\"pid\":$pid[,}]" || true)
  if ((opened > 0 && alerts == opened)); then result=ok; ((++passed)); else result=FAIL; ((++failed)); fi
  printf '%-4s  %-10s opened %5d times, %5d alerts\n' "$result" "$way" "$opened" "$alerts"
done < "$scratch/opened"
echo "evasion: $passed passed, $failed failed"
((failed == 0 && passed == 6))
