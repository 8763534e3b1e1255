#!/bin/sh
# What run.py runs on each kernel, in a folder with kubesentryd, cause, matrix.kspb and trust.pub: per tier an agent, every
# event once, and its alerts.   inside.sh TIER…     Prints `TIER what` lines: caused, cannot, alert, log.
set -u
cd "$(dirname "$0")" || exit 3
here=$PWD
folder=/var/lib/ks-matrix
for tier; do
  rm -rf "$folder"
  mkdir -p "$folder"
  : > "$tier.alerts"
  ./kubesentryd run --tier "$tier" --bundle matrix.kspb --trust trust.pub --status-socket "$here/$tier.sock" \
    > "$tier.alerts" 2> "$tier.log" &
  agent=$!
  for try in $(seq 1 1200); do
    grep -q ready "$tier.log" && break
    kill -0 $agent 2> /dev/null || break
    sleep 0.1
  done
  (cd "$folder" && "$here/cause") > "$tier.caused"
  # The last kind is told last.
  for try in $(seq 1 100); do
    grep -q '"rule":"matrix.sees_syscall"' "$tier.alerts" && break
    sleep 0.1
  done
  sleep 0.5
  kill -TERM $agent 2> /dev/null
  wait $agent
  sed "s/^/$tier /" "$tier.caused"
  sed "s/^/$tier alert /" "$tier.alerts"
  sed "s/^/$tier log /" "$tier.log"
  rm -rf "$folder"
done
