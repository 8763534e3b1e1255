#!/bin/sh
# What run.py runs on each kernel, in a folder with kubesentryd, acts, ancestry.kspb and trust.pub.   inside.sh PID_MAX ACT…
# Prints what the acts expect, `alert ` and `log ` lines. PID_MAX: that many ids, in a machine that is nobody else's; 0: as they are.
set -u
cd "$(dirname "$0")" || exit 3
here=$PWD
folder=/var/lib/ks-ancestry
[ "$1" = 0 ] || echo "$1" > /proc/sys/kernel/pid_max
shift
rm -rf "$folder" ready ready.gap alerts
mkdir -p "$folder"
(cd "$folder" && exec "$here/acts" "$here/ready" before "$@") > acts.out 2>&1 &
acts=$!
sleep 0.5
mkdir -p pins
mount -t bpf bpf pins || exit 3
start() {
  ./kubesentryd run --bundle ancestry.kspb --trust trust.pub --pin "$here/pins/agent" --status-socket "$here/status.sock" >> alerts 2> log &
  agent=$!
  for try in $(seq 1 300); do
    grep -q ready log && break
    kill -0 $agent 2> /dev/null || break
    sleep 0.1
  done
  : > ready
}
start
while kill -0 $acts 2> /dev/null; do
  sleep 0.1
  [ -e ready.gap ] || continue
  kill -9 $agent
  wait $agent 2> /dev/null
  rm ready.gap
  sleep 0.5
  start
done
wait $acts
: > "$folder/last"
for try in $(seq 1 100); do
  grep -q ks-ancestry/last alerts && break
  sleep 0.1
done
kill -TERM $agent
wait $agent
./kubesentryd unpin --pin "$here/pins/agent" > unpinned 2>&1 || sed 's/^/failed /' unpinned
umount pins
cat acts.out
sed 's/^/alert /' alerts
sed 's/^/log /' log
rm -rf "$folder"
