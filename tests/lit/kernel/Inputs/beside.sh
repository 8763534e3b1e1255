# beside.sh KUBESENTRYD FOLDER: an agent runs, `check` loads the same bundle, and the agent goes on: one alert for one event.
cd "$2" || exit 2
"$1" run --bundle a.kspb --trust k.pub --status-socket "$2/socket" > alerts 2> log &
agent=$!
for _ in $(seq 200); do
  grep -q ready log && break
  kill -0 $agent 2> /dev/null || break
  sleep 0.1
done
"$1" check a.kspb --trust k.pub | sed 's/ in .*//'
cp /bin/true ks-lit-beside
./ks-lit-beside
for _ in $(seq 100); do
  grep -q "lit.beside" alerts && break
  sleep 0.1
done
kill -TERM $agent
wait $agent
echo "agent ended with $?, $(grep -c '"package":"lit.beside"' alerts) alerts"
