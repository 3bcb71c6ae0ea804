#!/bin/sh
# What a cluster promises when something dies: every fault of every scenario, with 20 seeds each, or as many as the first argument says. Hours with 20;
# the machine should have nothing else to do. As root also cut networks; elsewhere that is left out, and it says so.
#   scripts/chaos.sh 3
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
seeds=${1:-20}
scenarios="kill-each-role kill-two freeze burn drain-under-load roll"
if [ "$(id -u)" -eq 0 ] && command -v ip >/dev/null; then
  scenarios="$scenarios partition"
else
  echo "chaos.sh: without root and iproute2 the scenario partition is left out" >&2
fi

status=0
for scenario in $scenarios; do
  echo "== $scenario"
  "$root/scripts/actorllama" chaos --scenario "$scenario" --seeds "$seeds" || status=1
done
exit "$status"
