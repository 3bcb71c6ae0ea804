#!/bin/sh
# Three nodes on this machine serve the sample model, with the console attached. Through a pipe each input line is answered and the
# program ends; more arguments are the console's:
#   echo "ROMEO:" | scripts/run.sh --temperature 0
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
exec "$root/scripts/actorllama" chat --model "$root/models/bard-2" --nodes 3 "$@"
