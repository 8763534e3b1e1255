#!/bin/sh
# Runs evade under an agent, on this machine or in a virtual one (busybox will do), and leaves what was done and what was told in
# FOLDER/result.gz: a million races are told in 100 MB, and a virtual machine hands them out by a serial line.
#   act.sh BIN FOLDER RACES [OPTIONS OF THE AGENT…]      BIN: kubesentryd, evade · FOLDER: policy.kspb, k.pub
bin=$1 folder=$2 races=$3
shift 3
fail() {
  echo "act: $1" >&2
  sed 's/^/  | /' "$folder/log" >&2
  exit 1
}
echo secret > "$folder/secret"
echo decoy > "$folder/secreT"
cp "$bin/evade" "$folder/program"
printf '#!/bin/sh\nprintf x >> %s/ran\n' "$folder" > "$folder/script"
chmod 755 "$folder/program" "$folder/script"
rm -f "$folder/alerts"
mkfifo "$folder/alerts"
"$bin/evade" --tally "$folder/taken" < "$folder/alerts" > "$folder/told" &
tally=$!
"$bin/kubesentryd" run --bundle "$folder/policy.kspb" --trust "$folder/k.pub" --status-socket "$folder/status" "$@" \
  > "$folder/alerts" 2> "$folder/log" < /dev/null &
agent=$!
trap 'kill $agent 2> /dev/null' EXIT
try=0
until grep -q ready "$folder/log"; do
  kill -0 $agent 2> /dev/null || fail "the agent did not start"
  try=$((try + 1))
  [ $try -lt 300 ] || fail "the agent does not become ready"
  sleep 0.1
done
# Before the load: an emulated agent that has fallen behind does not answer in time.
"$bin/kubesentryd" status --status-socket "$folder/status" > "$folder/state" 2>&1 || fail "the agent does not tell its state"
"$bin/evade" "$folder" "$races" open connect exec race > "$folder/done" || fail "evade failed"
sleep 1
kill -TERM $agent
wait $agent || fail "the agent ended with status $?"
wait $tally
trap - EXIT
{
  echo "inode $(stat -c %i "$folder/secret") $(stat -c %i "$folder/secreT") $(stat -c %i "$folder/program") $(stat -c %i "$folder/script")"
  sed 's/^/done /' "$folder/done"
  sed 's/^/told /' "$folder/told"
  for race in path descriptor address datagram; do echo "race $race $(cat "$folder/race-$race")"; done
  sed 's/^/state /' "$folder/state"
  sed 's/^/log /' "$folder/log"
} | gzip > "$folder/result.gz"
