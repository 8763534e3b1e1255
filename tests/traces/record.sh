#!/bin/bash
# Records tests/traces/demo.kst: the twelve suspicious things of tests/live, done on a Debian kernel in a machine of their own
# (tools/vm), so that the recording holds nothing of anybody's machine.
#   record.sh BIN [KERNEL]      BIN: folder with kubesentryd and live_acts of a release build. Needs root.
set -euo pipefail
bin=$(cd "${1:?usage: record.sh BIN [KERNEL]}" && pwd)
kernel=${2:-6.12}
here=$(cd "$(dirname "$0")" && pwd)

# Debian's programs rather than busybox's, where a rule looks at the image's path.
files=()
for tool in bash cat chmod cp cut dash mkdir rm sha256sum touch; do files+=("/usr/bin/$tool:/usr/bin/$tool"); done
for tool in unshare ip runc mount; do
  path=$(command -v $tool)
  files+=("$path:/usr/bin/$tool")
done

"$here/../../tools/vm" "$kernel" --timeout 240 --get /demo.kst:"$here/demo.kst" \
  --files "${files[@]}" /usr/bin/dash:/usr/bin/sh "$bin/kubesentryd" "$bin/live_acts" \
  "$here/../live/suspicious" "$here/../live/prelude.sh" \
  --run '
export PATH=/usr/bin:/bin:/sbin
hostname demo
mkdir -p /var/lib/demo /tmp/demo /var/log /usr/local/bin /etc
echo "root:*:19000:0:99999:7:::" > /etc/shadow
cp /files/live_acts /var/lib/demo/acts
/files/kubesentryd record -o /demo.kst 2> /tmp/record.log &
recorder=$!
for try in $(seq 1 60); do grep -q recording /tmp/record.log && break; sleep 0.5; done
sleep 1
SCRATCH=/var/lib/demo TEMP=/tmp/demo ACTS=/var/lib/demo/acts PIDS=/var/lib/demo/pids RUNC_FLAGS=--no-pivot sh /files/suspicious
status=$?
sleep 1
kill -TERM $recorder
wait $recorder || status=$?
cat /tmp/record.log
exit $status'
ls -l "$here/demo.kst"
