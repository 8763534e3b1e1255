#!/bin/bash
# A process whose arguments are not in memory opens a file: the agent (with CAP_BPF and CAP_PERFMON only) is certain of them and so is a
# replay of what was recorded meanwhile; an agent that is not told to fetch them says that it is not.
#   run.sh BIN      BIN: folder with ksc and kubesentryd. Exit status 77 if this machine cannot run it.
set -euo pipefail
test=arguments bin=$(cd "${1:?usage: run.sh BIN}" && pwd) here=$(cd "$(dirname "$0")" && pwd)
source "$here/../agent.sh"
need setpriv python3

starter_bundle "$here/rules.ksp"
install -m 755 "$bin/kubesentryd" "$scratch/"
mkdir -m 777 "$scratch/open"
touch "$scratch/opened"
cd /
run() { # NAME OPTIONS…
  start "$1" setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
    --bounding-set -all,+bpf,+perfmon --inh-caps -all,+bpf,+perfmon --ambient-caps -all,+bpf,+perfmon \
    "$scratch/kubesentryd" run --bundle "$scratch/starter.kspb" --trust "$scratch/k.pub" --status-socket "$scratch/open/$1" "${@:2}"
}
status() { "$bin/kubesentryd" status --status-socket "$scratch/open/$1" --user 65534 --format json; }
run fetches --log json --fetch-arguments on
await fetches ready
why=$(status fetches | python3 -c 'import json, sys; print(json.load(sys.stdin)["arguments"].get("why_not", ""))')
if [[ $why ]]; then stop; skip "$why"; fi
run leaves --log json
await leaves ready
start records "$bin/kubesentryd" record -o "$scratch/t.kst" --kind open --log json --fetch-arguments on
await records recording

python3 "$here/hide.py" "$scratch/pages" "$scratch/opened" > "$scratch/hide.out" &
hides=$!
agents+=("$hides")
for _ in {1..100}; do
  (($(cat "$scratch/fetches.out" "$scratch/leaves.out" | wc -l) >= 3)) && break
  sleep 0.1
done
sleep 0.5
fetched=$(status fetches | python3 -c 'import json, sys; print(json.load(sys.stdin)["arguments"])')
unset 'agents[-1]'
kill "$hides"
wait "$hides" || true
stop

told() { # FILE: rule, and whether it is certain
  python3 -c 'import json, sys
for line in open(sys.argv[1]):
    alert = json.loads(line)
    print(alert["rule"], ",".join(alert.get("uncertain", [])) or "certain")' "$1"
}
expect() { # FILE LINES
  [[ $(told "$scratch/$1") == "$2" ]] || fail "$1: $(told "$scratch/$1"); fetched: $fetched"
}
"$bin/ksc" replay "$scratch/starter.kspb" --trust "$scratch/k.pub" "$scratch/t.kst" --format json > "$scratch/replayed" 2> "$scratch/replay.log" ||
  (($? == 1)) || fail "the replay failed"
expect fetches.out "tells certain"
expect leaves.out $'tells process.args\ndenies process.args'
expect replayed "tells certain"
echo "arguments: fetched: $fetched"
echo "arguments: 1 passed, 0 failed"
