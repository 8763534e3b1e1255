# refusals.sh KSC TAMPER SCRATCH: each way to change a bundle, and the code with which it is refused.
ksc=$1 tamper=$2 scratch=$3
tried() {  # HOW CODE [OTHER]
  python3 "$tamper" "$1" "$scratch/a.kspb" "$scratch/bad.kspb" ${3-} || exit 2
  got=$("$ksc" bundle verify "$scratch/bad.kspb" --trust "$scratch/k.pub" --format json | sed -n 's/.*"code":"\([a-z-]*\)".*/\1/p')
  [ "${got:-accepted}" = "$2" ] && echo "ok $1: ${got:-accepted}" || echo "WRONG $1: ${got:-accepted}, not $2"
}
tried same accepted
tried strip signature-missing
tried no-list signature-missing
tried bare envelope
tried type payload-type
tried twice envelope
tried flip-payload signature-invalid
cp "$scratch/a.kspb" "$scratch/ours.kspb"
cp "$scratch/theirs.kspb" "$scratch/a.kspb"
tried same signature-wrong-key
tried lying-id signature-invalid "$scratch/ours.kspb"
cp "$scratch/ours.kspb" "$scratch/a.kspb"
tried duplicate-key envelope
tried bom envelope
tried depth envelope
tried signatures envelope
tried object digest
tried grow members
tried extra members
tried missing members
tried reorder members
tried mix digest "$scratch/b.kspb"
tried dotdot container
tried absolute container
tried double container
tried symlink container
tried pax container
tried device container
tried many container
tried after container
tried no-end container
tried gnu container
