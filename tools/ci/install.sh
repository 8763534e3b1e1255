#!/bin/bash
# Finds ksc for the steps that follow, or builds it: $KSC, else ksc in PATH, else this repository's. Says it in $GITHUB_ENV.
set -euo pipefail

if [[ -n ${KSC-} ]]; then
  ksc=$(realpath -e -- "$KSC") || { echo "::error title=ksc::there is no $KSC"; exit 3; }
elif ! ksc=$(command -v ksc); then
  source=$(cd "$(dirname "$0")/../.." && pwd)
  "$source/tools/install"
  (cd "$source" && cmake --preset release && cmake --build --preset release --target ksc)
  ksc=$source/build/release/bin/ksc
fi
"$ksc" --version
echo "KSC=$ksc" >>"$GITHUB_ENV"
