#!/bin/bash
# Rules with state on this kernel: chains, absences, counting and limits, done for real, with innocent twins. Every alert must be
# there as often as it should, live and in the replay of a recording made meanwhile; an absence must be told while nothing
# happens; a chain must survive a swap of bundles in its middle, and what the agent knew must outlive its restart: --state
# saves it to a file that only its owner reads, and the next start loads it.
#   run.sh BIN      BIN: folder with ksc, kubesentryd. Exit status 77 if this machine cannot run it.
set -euo pipefail
test=live-state bin=$(cd "${1:?usage: run.sh BIN}" && pwd) here=$(cd "$(dirname "$0")" && pwd)
source "$here/../agent.sh"
need setsid python3
export SCRATCH=$scratch
cd "$scratch"
passed=0 failed=0
check() { # WHAT COMMAND…
  local what=$1
  shift
  if "$@"; then ((++passed)); else ((++failed)); echo "  WRONG $what"; fi
}
# The line of an alert is written whole, with the rule's text in it.
alerts() { grep "\"rule\":\"$2\"" "$1" | grep -c "\"message\":\"[^\"]*$3" || true; } # FILE RULE WORD
equal() { [[ $1 == "$2" ]] || { echo "  $1 instead of $2"; return 1; }; }
expect() { # FILE RULE WORD COUNT
  check "alerts of $2 about $3, in ${1##*/}" equal "$(alerts "$@")" "$4"
}
acts=()
act() { setsid "$here/acts" "$1" > "$scratch/act.$1.log" 2>&1 < /dev/null & acts+=($!); }
acted() { # waits for all acts
  local pid
  for pid in "${acts[@]}"; do wait "$pid" || fail "an act ended with status $?"; done
  acts=()
}
appears() { # FILE RULE WORD SECONDS: until the alert is there, by commands that the rules do not look at
  local try
  for ((try = 0; try < $4 * 20; ++try)); do
    (($(alerts "$1" "$2" "$3"))) && return
    sleep 0.05
  done
  return 1
}
now_ms() { local now=${EPOCHREALTIME/[.,]/}; echo $((now / 1000)); }

mkdir drop many first limit twice
cp -L /bin/true tool
for name in first/one first/two mark drop/ready; do install -m 755 tool $name; done
for name in nap-short nap-long nap-swap; do install -m 755 "$(command -v sleep)" $name; done
for name in many/five{1..5} many/twelve{1..12} many/same{1..4} many/slow{1..6}; do echo "$name" > "$name"; done
touch limit/few limit/other

starter_bundle "$here/state.ksp"
cp starter.kspb first.kspb
run() { start "$1" "$bin/kubesentryd" run --bundle "$scratch/active.kspb" --trust "$scratch/k.pub" --status-socket "$scratch/status.sock" --log json "${@:2}"; }

nap() { # PROGRAM: in the background
  setsid "$here/acts" "$1" > act.nap.log 2>&1 < /dev/null &
  napper=$!
  agents+=("$napper") # goes with the test
}
wake() {
  unset 'agents[-1]'
  kill "$napper"
  wait "$napper" 2> /dev/null || true
}

echo "an absence while nothing happens:"
"$bin/ksc" compile "$here/idle.ksp" -o active.kspb --key k.pem > /dev/null
run idle
await idle '"what":"ready"'
began=$(now_ms)
nap nap-long
setsid --wait "$here/acts" nap-short
sleep 2
check "an absence was told before its window closed" equal "$(alerts idle.out hangs nap-)" 0
check "an absence is told while nothing happens" appears idle.out hangs nap-long 10
told=$(($(now_ms) - began))
check "an absence is told when 3 s have passed, not after $told ms" test "$told" -ge 3000
check "the program still runs when it is told" kill -0 "$napper"
wake
stop
expect idle.out hangs nap- 1
# exec and exit of two programs: no other event has moved the clock.
check "only what the two programs did was received" equal "$(grep '"what":"stopped"' idle.log | grep -o '"received":[0-9]*,"malformed"')" '"received":4,"malformed"'
echo "  the absence was told after $told ms"

echo "chains, absences, counting, limits:"
cp first.kspb active.kspb
start record "$bin/kubesentryd" record -o "$scratch/acts.kst" --bundle "$scratch/first.kspb" --trust "$scratch/k.pub"
await record recording
run live
await live '"what":"ready"'
nap nap-long
act nap-short
for name in late many_slow limit limit_other chain chain_again decoy other unarmed removed disarmed two_sessions many_five \
  many_twelve many_same first first_again twice; do act $name; done
acted
wake
./mark
check "the last event is told" appears live.out marked marked 15
stop
"$bin/ksc" replay first.kspb acts.kst --trust k.pub --format json > replayed.out 2> replay.log || fail "replay failed"
for file in live.out replayed.out; do
  expect $file dropped 'drop/chain"' 1
  expect $file dropped drop/chain_again 2
  expect $file dropped 'drop/decoy"' 1
  expect $file dropped drop/ 4
  expect $file hangs nap-long 1
  expect $file hangs nap-short 0
  expect $file many_files many/five 1
  expect $file many_files many/twelve 2
  expect $file many_files many/ 3
  expect $file new_program one 2
  expect $file new_program two 1
  expect $file limited limit/few 3
  expect $file limited limit/other 2
  expect $file written_twice twice/both 1
  check "the third of limited says how many were held back, in $file" \
    equal "$(grep '"rule":"limited"' $file | grep -o '"suppressed":[1-9][0-9]*')" '"suppressed":3'
done
check "live and replayed are the same" "$here/same.py" live.out replayed.out
echo "  $(wc -l < live.out) alerts live, $(wc -l < replayed.out) replayed"

echo "a swap in the middle:"
sed 's/within 20s/within 19s/; s/alert "marked"/alert "marked again"/' "$here/state.ksp" > changed.ksp
"$bin/ksc" compile changed.ksp -o changed.kspb --key k.pem > /dev/null 2>&1 || fail "the changed rules do not compile"
run swap
await swap '"what":"ready"'
nap nap-swap
act swap
act swap_twice
# Both acts have begun, and the agent has been told.
for ((try = 0; try < 100; ++try)); do [[ -e swap.armed && -e twice.armed ]] && break; sleep 0.05; done
mv changed.kspb active.kspb
kill -HUP "${agents[0]}"
await swap '"what":"swapped"'
touch go
acted
./mark
check "the bundle was swapped" appears swap.out marked 'marked again"' 15
check "an absence is told after a swap" appears swap.out hangs nap-swap 10
wake
stop
expect swap.out dropped 'drop/swap"' 1
expect swap.out dropped drop/ 1
expect swap.out hangs nap-swap 1
# Its window is another now: what was begun under the old rule is forgotten.
expect swap.out written_twice twice/ 0

echo "a restart:"
run before --state "$scratch/state"
await before '"what":"ready"'
first/one # of the session of this test, both times
./mark
check "the last event before the restart is told" appears before.out marked marked 15
stop
check "the state is its owner's only" equal "$(stat -c %a state)" 600
run after --state "$scratch/state"
await after '"what":"ready"'
check "the state is loaded" grep -q '"level":"info","what":"state"' after.log
first/one
first/two
./mark
check "the last event after the restart is told" appears after.out marked marked 15
stop
expect before.out new_program one 1
expect after.out new_program one 0
expect after.out new_program two 1

echo "live-state: $passed passed, $failed failed"
exit $((failed > 0))
