#!/bin/sh
# What limits.py runs on each kernel, in a folder with kubesentryd, limits_load, trust.pub and per form FORM.kspb, FORM.next.kspb: a
# flood with a swap in its middle, one event when its span is over, and some that no alert follows.
#   inside.sh CALLS FORM…      Prints `FORM what` lines: made, alert, log.
set -u
cd "$(dirname "$0")" || exit 3
calls=$1
shift
for form; do
  cp "$form.kspb" "$form.active.kspb"
  ./kubesentryd run --bundle "$form.active.kspb" --trust trust.pub --status-socket "$PWD/$form.sock" --log json --late-bound 100 \
    > "$form.alerts" 2> "$form.log" &
  agent=$!
  said() {
    for try in $(seq 1 300); do
      grep -q "\"$1\"" "$form.log" && return
      kill -0 $agent 2> /dev/null || return
      sleep 0.1
    done
  }
  said ready
  ./limits_load "$calls" 7000000 > "$form.made" &
  load=$!
  sleep 0.7
  cp "$form.next.kspb" "$form.new" && mv "$form.new" "$form.active.kspb"
  said swapped
  wait $load
  sleep 5.2
  ./limits_load 1 7000000 >> "$form.made"
  sleep 0.5
  ./limits_load 500 7000000 >> "$form.made"
  sleep 1
  kill -TERM $agent 2> /dev/null
  wait $agent
  sed "s/^/$form made /" "$form.made"
  sed "s/^/$form alert /" "$form.alerts"
  sed "s/^/$form log /" "$form.log"
done
