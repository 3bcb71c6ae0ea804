#!/bin/sh
# What training promises when something dies: 30 steps over three nodes while one after the other is killed or stopped, each in a phase of a step, with ten seeds, or as
# many as the first argument says; as root also with a network that is cut. What is learned must be what an undisturbed run learns, to the bit.
#   scripts/chaos-train.sh 10 [FIRST SEED]
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
scenarios=train
if [ "$(id -u)" -eq 0 ] && command -v ip >/dev/null; then
  scenarios="$scenarios train-partition"
else
  echo "chaos-train.sh: without root and iproute2 the scenario train-partition is left out" >&2
fi

status=0
for scenario in $scenarios; do
  echo "== $scenario"
  "$root/scripts/actorllama" chaos --scenario "$scenario" --seeds "${1:-10}" --first-seed "${2:-1}" || status=1
done
exit "$status"
