#!/bin/bash
# Records nginx-1h.kst: a busy web server's files, programs and nothing that a rule is about, on a Debian kernel in a machine of
# its own. An hour's work of it in some seconds.
#   record.sh BIN [KERNEL]      BIN: folder with kubesentryd of a release build. Needs root.
set -euo pipefail
bin=$(cd "${1:?usage: record.sh BIN [KERNEL]}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
"$here/../../../../../../tools/vm" "${2:-6.12}" --timeout 120 --get /t.kst:"$here/nginx-1h.kst" \
  --files /usr/bin/dash:/usr/bin/sh /usr/bin/cat:/usr/sbin/nginx "$bin/kubesentryd" --run '
mkdir -p /srv/www /var/log/nginx /tmp
for page in 1 2 3 4 5 6 7 8; do echo "page $page" > /srv/www/$page.html; done
/files/kubesentryd record -o /t.kst 2> /tmp/record.log &
recorder=$!
for try in $(seq 1 60); do grep -q recording /tmp/record.log && break; sleep 0.5; done
for round in 1 2 3 4 5 6 7 8; do
  for page in 1 2 3 4 5 6 7 8; do /usr/sbin/nginx /srv/www/$page.html >> /var/log/nginx/access.log; done
  mv /var/log/nginx/access.log /var/log/nginx/access.log.1
done
sleep 1
kill -TERM $recorder
wait $recorder
cat /tmp/record.log'
