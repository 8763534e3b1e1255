# Sourced by the tests that run the agent on this kernel. Needs: test (its name), bin (folder of the programs), here (its own
# folder). Gives: a scratch folder that goes with the test, the starter rules as a signed bundle in it, agents by name.
skip() { echo "$test: skipped: $1"; exit 77; }
((EUID == 0)) || skip "needs root: it loads BPF and reads what only root may"
[[ -e /sys/kernel/btf/vmlinux ]] || skip "this kernel has no BTF"
need() { local tool; for tool; do command -v "$tool" > /dev/null || skip "$tool is not installed"; done; }

# Not below /tmp: the rules take a program that runs from there for a dropped one.
scratch=$(mktemp -d "/var/lib/kubesentry-$test.XXXXXX")
chmod 755 "$scratch"
agents=()
# Override to remove more.
clean_up() { :; }
leave() {
  local status=$? pid
  for pid in "${agents[@]}"; do kill "$pid" 2> /dev/null || true; done
  wait
  clean_up
  if ((status != 0 && status != 77)); then tail -n 15 "$scratch"/*.log 2> /dev/null | sed 's/^/  | /'; fi
  rm -rf "$scratch"
}
trap leave EXIT
fail() { echo "$test: $1"; echo "$test: 0 passed, 1 failed"; exit 1; }

starter_bundle() { # [FILES-OR-FOLDERS]: scratch/starter.kspb, trusted with scratch/k.pub
  (($#)) || set -- "$here/../../stdlib"
  [[ -e $scratch/k.pem ]] || "$bin/ksc" bundle keygen -o "$scratch/k.pem" > /dev/null
  "$bin/ksc" compile "$@" -o "$scratch/starter.kspb" --key "$scratch/k.pem" > /dev/null
}

start() { # NAME COMMAND…: in the background; its output in NAME.out, its messages in NAME.log
  local name=$1
  shift
  "$@" > "$scratch/$name.out" 2> "$scratch/$name.log" < /dev/null &
  agents+=($!)
}
await() { # NAME WORD: until its messages hold the word
  local try
  for try in {1..150}; do
    grep -qs "$2" "$scratch/$1.log" && return
    kill -0 "${agents[-1]}" 2> /dev/null || break
    sleep 0.1
  done
  fail "$1 did not become $2"
}
stop() { # all of them, in good order
  local pid
  for pid in "${agents[@]}"; do kill -TERM "$pid"; done
  for pid in "${agents[@]}"; do wait "$pid" || fail "an agent ended with status $?"; done
  agents=()
  "$(dirname "${BASH_SOURCE[0]}")/identities.py" "$scratch"/*.log || fail "the counters do not add up"
}
