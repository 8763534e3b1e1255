#!/bin/bash
# Does the twelve suspicious things for real and harmlessly, under the agent with the starter rules: exactly the twelve alerts
# must come, once each. Does the same things innocently: none may. Both are recorded, and the replays must give the same.
#   run.sh BIN      BIN: folder with ksc, kubesentryd, live_acts. Exit status 77 if this machine cannot run it.
set -euo pipefail
test=live bin=$(cd "${1:?usage: run.sh BIN}" && pwd) here=$(cd "$(dirname "$0")" && pwd)
source "$here/../agent.sh"
need runc unshare ip chage
rules=(reverse_shell web_server_shell credential_file_read binary_dir_write scratch_exec shell_connect log_deletion
  container_package_manager memfd_exec chmod_setuid setuid_root token_read)
# Two of the twelve are a chain. What a container runs for the first time is told in either phase.
chains=(credentials_then_outbound '~new_program_in_image')

# TEMP is scratch space by the rules' definition, SCRATCH is not.
export SCRATCH=$scratch TEMP ACTS=$scratch/acts
TEMP=$(mktemp -d /tmp/kubesentry-live.XXXXXX)
clean_up() {
  # runc removes the container's control group, not those above it.
  rmdir /sys/fs/cgroup/{,*/}kubesentry-live{/docker,} 2> /dev/null || true
  rm -rf "$TEMP"
}
chmod 755 "$TEMP"
install -m 755 "$bin/live_acts" "$ACTS"
starter_bundle

# A harmless alert of our own, not counted among the twelve: once it has come through, everything before it has.
canary() {
  local seen try
  seen=$(grep -c '"rule":"memfd_exec"' "$1" || true)
  for try in {1..60}; do
    "$ACTS" memfd canary "$ACTS" nothing
    sleep 0.25
    (($(grep -c '"rule":"memfd_exec"' "$1" || true) > seen)) && return
  done
  fail "no alert within 15 s of a canary"
}

# Fails if the alerts are not as they should be; what goes wrong before that ends the test.
phase() { # NAME RULE…
  local name=$1
  shift
  export PIDS=$SCRATCH/$name.pids
  : > "$PIDS"
  start "$name.record" "$bin/kubesentryd" record -o "$SCRATCH/$name.kst" --bundle "$SCRATCH/starter.kspb" --trust "$SCRATCH/k.pub"
  await "$name.record" recording
  start "$name" "$bin/kubesentryd" run --bundle "$SCRATCH/starter.kspb" --trust "$SCRATCH/k.pub" --status-socket "$SCRATCH/status.sock"
  canary "$SCRATCH/$name.out"
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
  if [[ $name == suspicious ]]; then expected=("${rules[@]}" "${chains[@]}"); else expected=("${chains[1]}"); fi
  phase $name "${expected[@]}" || failed=$((failed + 1))
done
echo "live: $((2 - failed)) passed, $failed failed"
exit $((failed > 0))
