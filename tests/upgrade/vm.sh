#!/bin/sh
# In a machine of tools/vm: an agent with pinned programs is killed four times under load, gets another bundle, is rolled back, and ends.
# Prints what the load made, how many of its numbers are in the alerts, and the last agent's closing line.
pins=/sys/fs/bpf/agent count=0
fail() { echo "$1"; cat /tmp/log.$count; exit 1; }
start() {
  count=$((count + 1))
  ./kubesentryd run --bundle /tmp/active.kspb --trust k.pub --alerts /tmp/alerts --pin $pins --status-socket /tmp/s 2> /tmp/log.$count &
  agent=$!
  for try in $(seq 1 300); do
    grep -q '^ready' /tmp/log.$count && return
    kill -0 $agent 2> /dev/null || break
    sleep 0.1
  done
  fail "agent $count is not ready"
}
cp a.kspb /tmp/active.kspb
start
./swap_load 100 200 0 > /tmp/made &
load=$!
for kill in 1 2 3; do
  sleep 0.$kill
  kill -9 $agent
  [ $kill = 2 ] && cp b.kspb /tmp/active.kspb
  start
done
sleep 0.3
# Its answer may come later than it waits for: emulation is slow.
./kubesentryd rollback --status-socket /tmp/s > /tmp/status 2>&1
for try in $(seq 1 300); do
  grep -q '^rolled back' /tmp/log.$count && break
  sleep 0.1
done
grep -q '^rolled back' /tmp/log.$count || fail "no rollback"
sleep 0.3
kill -9 $agent
start
grep -q 'rolled back from' /tmp/log.$count || fail "a restart after a rollback does not say so"
sleep 0.3
kill -TERM $load
wait $load
sleep 1
kill -TERM $agent
wait $agent
cat /tmp/made
echo "told: $(grep -o '"target":{"uid":[0-9]*' /tmp/alerts | sort -u | wc -l) of $(grep -c '"rule":"numbered"' /tmp/alerts)"
for package in a b; do grep -q "upgrade\.$package" /tmp/alerts || fail "nothing of bundle $package"; done
cat /tmp/log.$count
./kubesentryd unpin --pin $pins || fail "no unpin"
[ -z "$(ls $pins)" ] || fail "unpin left something"
