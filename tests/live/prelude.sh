# Sourced by suspicious and innocent. Needs: ACTS (the program of acts.c), SCRATCH (a folder of our own that is no scratch
# space by the rules' definition), TEMP (one that is), PIDS (where the pid of whoever acts is written).
set -eu

# act LABEL COMMAND…: runs the command in a process whose pid is known to whoever compares the alerts.
act() {
  label=$1
  shift
  if PIDS=$PIDS sh -c 'echo $$ >> "$PIDS"; exec "$@"' act "$@" < /dev/null > "$SCRATCH/out" 2>&1; then
    echo "  did: $label"
  else
    status=$?
    echo "  FAILED with status $status: $label"
    sed 's/^/    /' "$SCRATCH/out"
    exit 1
  fi
}

# An address of the documentation range, in a network namespace of its own: nothing leaves the machine.
outside() {
  echo "ip addr add 203.0.113.9/32 dev lo; ip link set lo up; $1"
}

# A container by its control group and root; no PID namespace, so that the pid that the container's program has is the host's.
container() {
  id=$(printf '%s' "$SCRATCH" | sha256sum | cut -c 1-64)
  bundle=$SCRATCH/container
  mkdir -p "$bundle/rootfs/bin"
  cp "$ACTS" "$bundle/rootfs/bin/$1"
  cat > "$bundle/config.json" << END
{ "ociVersion": "1.0.2",
  "process": { "user": { "uid": 0, "gid": 0 }, "args": ["/bin/$1", "nothing"], "env": ["PATH=/bin"], "cwd": "/",
               "noNewPrivileges": true },
  "root": { "path": "rootfs", "readonly": true },
  "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
  "linux": { "cgroupsPath": "/kubesentry-live/docker/$id", "namespaces": [{ "type": "mount" }, { "type": "network" }, { "type": "ipc" }] } }
END
  echo "runc --root $SCRATCH/runc run ${RUNC_FLAGS-} --bundle $bundle --pid-file $SCRATCH/container.pid ks-live-$$ && { echo; cat $SCRATCH/container.pid; echo; } >> $PIDS"
}
