#!/bin/bash
# ksc check, ksc test and ksc replay of a workflow's rules: what is wrong becomes annotations, and documents in a folder of
# $RUNNER_TEMP that $GITHUB_OUTPUT names. All of them run, whatever the first one says; the exit status is the worst one.
#   from the environment: KSC, RULES and TRACES (one a line), EXPECT, STRICT
set -uo pipefail

# shellcheck disable=SC2153
mapfile -t rules < <(grep -v '^[[:space:]]*$' <<<"$RULES")
mapfile -t traces < <(grep -v '^[[:space:]]*$' <<<"${TRACES-}")
out=$RUNNER_TEMP/kubesentry
mkdir -p "$out"
strict=()
[[ ${STRICT-true} == true ]] && strict=(--strict)
worst=0
summary=$'| | |\n|---|---|\n'

# step NAME CMD...: its output is annotations. A failure of the world has none of its own.
step() {
  local name=$1 status
  shift
  "$@" 2>"$out/stderr"
  status=$?
  cat "$out/stderr" >&2
  ((status > 1)) && printf '::error title=%s::exit status %d: %s\n' "$name" "$status" "$(head -n 1 "$out/stderr" | sed 's/%/%25/g')"
  ((status > worst)) && worst=$status
  summary+="| $name | $([[ $status == 0 ]] && echo passed || echo "**failed** ($status)") |"$'\n'
}

"$KSC" check "${strict[@]}" --format sarif "${rules[@]}" >"$out/check.sarif" 2>/dev/null
"$KSC" test --format junit "${rules[@]}" >"$out/tests.xml" 2>/dev/null
step 'ksc check' "$KSC" check "${strict[@]}" --format github "${rules[@]}"
step 'ksc test' "$KSC" test --format github "${rules[@]}"
if ((${#traces[@]} > 0)); then
  expect=()
  [[ -n ${EXPECT-} ]] && expect=(--expect "$EXPECT")
  step 'ksc replay' "$KSC" replay "${rules[@]}" "${traces[@]}" "${expect[@]}" --format github
fi

printf 'sarif=%s\njunit=%s\n' "$out/check.sarif" "$out/tests.xml" >>"$GITHUB_OUTPUT"
[[ -n ${GITHUB_STEP_SUMMARY-} ]] && printf '%s' "$summary" >>"$GITHUB_STEP_SUMMARY"
exit "$worst"
