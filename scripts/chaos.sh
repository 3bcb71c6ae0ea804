#!/bin/sh
# What a cluster promises when something dies: every fault of every scenario, with 20 seeds each, or as many as the first argument says, and a table of medians and maxima. Hours
# with 20; the machine should have nothing else to do. As root also cut networks; elsewhere that is left out, and it says so.
# The second argument is how many seconds all cores burn (600), the third how long the soak lasts (3600; 0: none).
#   scripts/chaos.sh 3 60 0
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
seeds=${1:-20}
burn=${2:-600}
soak=${3:-3600}
scenarios=kill-each-role,kill-in-each-phase,kill-two,freeze,starve,drain-under-load,scale,roll
cut=
if [ "$(id -u)" -eq 0 ] && command -v ip >/dev/null; then
  scenarios=$scenarios,partition,stall
  cut=partition-again
else
  echo "chaos.sh: without root and iproute2 the scenarios partition, partition-again and stall are left out" >&2
fi

status=0
chaos() {
  echo "== $*"
  "$root/scripts/actorllama" chaos --scenario "$@" || status=1
}

chaos "$scenarios" --seeds "$seeds"
[ -z "$cut" ] || chaos "$cut"
chaos burn --for "$burn"
[ "$soak" -eq 0 ] || chaos soak --for "$soak"
exit "$status"
