#!/bin/sh
# ActorLlama and LLamaSharp side by side on the same bfloat16 weights, one table (docs/performance.md). The model is made once, 5.6 GB:
#   scripts/bench.sh --cache /var/tmp/bench --json
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
exec dotnet run -c Release --project "$root/bench/ActorLlama.Benchmarks" -p:RunAnalyzers=false -- compare "$@"
