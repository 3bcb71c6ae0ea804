#!/usr/bin/env bash
# The long form of the seeded fuzz tests of what comes over the network: mutated streams into the lane, mutated and random bytes into every message's decoder. The gate runs
# the same seeds once.
#   scripts/fuzz-wire.sh [SCALE]     default: 100, a hundred times the gate's seeds; a few minutes
# Exit code 0: nothing died, nothing was left behind, no count that was only claimed was believed.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
export ACTORLLAMA_FUZZ_SCALE=${1:-100}
dotnet test "$root/tests/ActorLlama.Protocol.Tests" --filter FullyQualifiedName~Garbage_is_refused
dotnet test "$root/tests/ActorLlama.Runtime.Tests" --filter FullyQualifiedName~Mutated_streams
