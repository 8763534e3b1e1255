# Sourced by tools/test and tools/demo: steps with their times, and logs that are kept when a step fails.
if [[ -t 1 && -z ${NO_COLOR-} ]]; then
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else
  bold='' dim='' red='' green='' yellow='' plain=''
fi

# ccache, where it is installed, may serve one clone with what another one compiled.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

now_ms() { local t=${EPOCHREALTIME/[.,]/}; echo $((t / 1000)); }
started_ms=$(now_ms)
seconds_since() { local ms=$(($(now_ms) - $1)); printf '%d.%01d s' $((ms / 1000)) $((ms % 1000 / 100)); }

# watched LOG COMMAND…: runs the command with its output in LOG; on a terminal shows how far it is, each second.
watched() {
  local log=$1 worker status=0 last
  shift
  if [[ ! -t 1 ]]; then
    "$@" > "$log" 2>&1 < /dev/null
    return
  fi
  "$@" > "$log" 2>&1 < /dev/null &
  worker=$!
  trap 'kill $worker; exit 130' INT  # a background command does not hear it itself
  printf '\e7'
  while sleep 1 && kill -0 $worker 2> /dev/null; do
    last=$(tail -n 1 "$log" | cut -c -60)
    printf '\e8\e[K%s%s%s' "$dim" "$last" "$plain"
  done
  wait $worker || status=$?
  trap - INT
  printf '\e8\e[K'
  return $status
}

# step TITLE LOG COMMAND…: runs the command with its output in LOG; shows the log's end and stops everything if it fails.
step() {
  local title=$1 log=$2 begin
  shift 2
  begin=$(now_ms)
  printf '%s== %s%s … ' "$bold" "$title" "$plain"
  mkdir -p "$(dirname "$log")"
  if watched "$log" "$@"; then
    printf '%s%s%s\n' "$dim" "$(seconds_since "$begin")" "$plain"
  else
    local status=$?
    printf '%sfailed%s with status %d after %s\n' "$red" "$plain" "$status" "$(seconds_since "$begin")"
    tail -n 40 "$log" | sed 's/^/   | /'
    printf '   the whole log: %s\n' "$log"
    exit 1
  fi
}

# build PRESET [TARGET…]: configures where needed, builds what changed.
build() {
  local preset=$1
  shift
  if [[ ! -f build/$preset/build.ninja ]]; then
    step "configure $preset" "build/$preset.configure.log" cmake --preset "$preset"
  fi
  step "build $preset" "build/$preset.build.log" cmake --build --preset "$preset" ${1+--target "$@"}
}
