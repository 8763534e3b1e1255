#!/bin/bash
# Does the twelve suspicious things for real and harmlessly, under the agent with the starter rules: exactly the twelve alerts
# must come, once each. Does the same things innocently: none may. Both are recorded, and the replays must give the same.
#   run.sh BIN      BIN: folder with ksc, kubesentryd, live_acts. Exit status 77 if this machine cannot run it.
set -euo pipefail
bin=$(cd "${1:?usage: run.sh BIN}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
rules=(reverse_shell web_server_shell credential_file_read binary_dir_write scratch_exec shell_connect log_deletion
  container_package_manager memfd_exec chmod_setuid setuid_root token_read)

skip() { echo "live: skipped: $1"; exit 77; }
((EUID == 0)) || skip "needs root: it enters name spaces, loads BPF and reads /etc/shadow"
for tool in runc unshare ip chage; do command -v $tool > /dev/null || skip "$tool is not installed"; done
[[ -e /sys/kernel/btf/vmlinux ]] || skip "this kernel has no BTF"

# Not below /tmp: the rules take a program that runs from there for a dropped one, which is right once here and wrong else.
export SCRATCH TEMP
SCRATCH=$(mktemp -d /var/lib/kubesentry-live.XXXXXX)
TEMP=$(mktemp -d /tmp/kubesentry-live.XXXXXX)
export ACTS=$SCRATCH/acts
agents=()
clean_up() {
  local status=$?
  for pid in "${agents[@]}"; do kill "$pid" 2> /dev/null || true; done
  wait
  # runc removes the container's control group, not those above it.
  rmdir /sys/fs/cgroup/{,*/}kubesentry-live{/docker,} 2> /dev/null || true
  if ((status != 0 && status != 77)); then
    tail -n 15 "$SCRATCH"/*.log 2> /dev/null | sed 's/^/  | /'
    rm -rf "$TEMP" "$SCRATCH"/{acts,nginx,door,container}
    echo "live: what was seen is kept in $SCRATCH"
  else
    rm -rf "$TEMP" "$SCRATCH"
  fi
}
trap clean_up EXIT
chmod 755 "$SCRATCH" "$TEMP"
install -m 755 "$bin/live_acts" "$ACTS"

"$bin/ksc" bundle keygen -o "$SCRATCH/k.pem" > /dev/null
"$bin/ksc" compile "$here/../../stdlib" -o "$SCRATCH/starter.kspb" --key "$SCRATCH/k.pem" > /dev/null

start() { # NAME WORDS…: an agent in the background; its output in NAME.out, its messages in NAME.log
  local name=$1
  shift
  "$bin/kubesentryd" "$@" > "$SCRATCH/$name.out" 2> "$SCRATCH/$name.log" < /dev/null &
  agents+=($!)
}
stop() { # the agents, in good order
  local pid
  for pid in "${agents[@]}"; do kill -TERM "$pid"; done
  for pid in "${agents[@]}"; do wait "$pid" || { echo "live: an agent ended with status $?"; exit 1; }; done
  agents=()
}
# A harmless alert of our own, not counted among the twelve: once it has come through, everything before it has.
canary() {
  local seen try
  seen=$(grep -c '"rule":"memfd_exec"' "$1" || true)
  for try in {1..60}; do
    "$ACTS" memfd canary "$ACTS" nothing
    sleep 0.25
    (($(grep -c '"rule":"memfd_exec"' "$1" || true) > seen)) && return
  done
  echo "live: no alert within 15 s of a canary"
  exit 1
}

# Fails if the alerts are not as they should be; what goes wrong before that ends the test.
phase() { # NAME RULE…
  local name=$1 try
  shift
  export PIDS=$SCRATCH/$name.pids
  : > "$PIDS"
  start "$name.record" record -o "$SCRATCH/$name.kst" --bundle "$SCRATCH/starter.kspb" --trust "$SCRATCH/k.pub"
  start "$name" run --bundle "$SCRATCH/starter.kspb" --trust "$SCRATCH/k.pub" --status-socket "$SCRATCH/status.sock"
  canary "$SCRATCH/$name.out"
  for try in {1..40}; do grep -q recording "$SCRATCH/$name.record.log" && break; sleep 0.25; done
  "$here/$name" || exit 1
  canary "$SCRATCH/$name.out"
  stop
  "$bin/ksc" replay "$SCRATCH/starter.kspb" "$SCRATCH/$name.kst" --trust "$SCRATCH/k.pub" --format json \
    > "$SCRATCH/$name.replayed" 2> "$SCRATCH/$name.replay.log" || exit 1
  "$here/compare.py" "$PIDS" "$SCRATCH/$name.out" "$SCRATCH/$name.replayed" "$@"
}

failed=0
for name in suspicious innocent; do
  echo "$name:"
  if [[ $name == suspicious ]]; then expected=("${rules[@]}"); else expected=(); fi
  phase $name "${expected[@]}" || failed=$((failed + 1))
done
echo "live: $((2 - failed)) passed, $failed failed"
exit $((failed > 0))
