# shards.sh N FOLDER KSC ARGUMENTS…: replays in N shards, FOLDER/N.K.ksr, and merges them: FOLDER/N.jsonl, FOLDER/N.err
set -e
n=$1 folder=$2 ksc=$3
shift 3
k=0
parts=
while [ $k -lt "$n" ]; do
  "$ksc" replay "$@" --shard $k/"$n" -o "$folder/$n.$k.ksr" 2> "$folder/shard.err"
  parts="$folder/$n.$k.ksr $parts"
  k=$((k + 1))
done
# In whatever order.
"$ksc" replay merge $parts --format json > "$folder/$n.jsonl" 2> "$folder/$n.err"
