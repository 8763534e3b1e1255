# with.sh FOLDER CAPABILITIES: runs the agent in FOLDER as nobody with these capabilities only, until it is ready, and ends it.
cd "$1" || exit 2
setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --bounding-set "-all,$2" --inh-caps "-all,$2" \
  --ambient-caps "-all,$2" ./kubesentryd run --bundle n.kspb --trust k.pub --status-socket "$1.socket" > /dev/null 2>> "$1.err" &
agent=$!
for _ in $(seq 100); do
  grep -q ready "$1.err" && break
  kill -0 $agent 2> /dev/null || break
  sleep 0.1
done
if grep -q ready "$1.err"; then
  awk '/^(Uid|CapEff):/ { print $1, $2 }' /proc/$agent/status >> "$1.err"
  kill -TERM $agent
fi
wait $agent
status=$?
cat "$1.err"
echo "exit status $status"
rm -f "$1.err" "$1.socket"
