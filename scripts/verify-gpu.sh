#!/usr/bin/env bash
# What a GPU computes: the golden fixtures within their tolerance, in float32 and bfloat16; with `deterministic` the same bits however a prompt is cut, and with the experts
# in two shards; and one model on the GPU and the CPU at once. Needs a build with -p:Gpu=true, and a GPU.
#   scripts/verify-gpu.sh [DEVICE] [MODEL...]       cuda:0, and tiny-scout tiny-maverick bard
set -uo pipefail

root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
shared=${ACTORLLAMA_SHARED:-$root/../shared}
# Words of a command; for instance "dotnet out/actorllama.dll".
program=${ACTORLLAMA_PROGRAM:-$root/scripts/actorllama}
[ -d "$shared/fixtures" ] || { echo "verify-gpu.sh: \"$shared/fixtures\" is not there; name the golden data in ACTORLLAMA_SHARED" >&2; exit 2; }
device=${1:-cuda:0}; [ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- tiny-scout tiny-maverick bard

passed=0 failed=0 hash=

# verify NAME ARGUMENT...: one run; its bits go to $hash.
verify() {
  local name=$1 output status line; shift
  output=$($program verify "$@" --json actorllama.node.device-defaults.backend=auto 2>&1); status=$?
  line=$(printf '%s\n' "$output" | tail -n 1)
  hash=$(printf '%s' "$line" | grep -o '"logits_sha256":"[^"]*"')
  if [ "$status" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok      $name"
  else
    failed=$((failed + 1))
    echo "FAILED  $name: exit code $status"
    printf '%s\n' "$output" | tail -n 3 | cut -c1-600
  fi
}

# same NAME BITS: the last run's bits are those.
same() {
  if [ -n "$hash" ] && [ "$hash" = "$2" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED  $1: bits are $hash, wanted $2"
  fi
}

on="actorllama.node.devices=[{device=\"$device\",deterministic=on}]"
for model; do
  case $model in
    bard) folder=$root/models/bard golden=$shared/data/bard/golden.safetensors ;;
    *) folder=$shared/fixtures/$model golden=$folder/expected.safetensors ;;
  esac
  for dtype in float32 bfloat16; do
    of=(--model "$folder" --golden "$golden" --dtype "$dtype")
    verify "$model $dtype" "${of[@]}" "actorllama.node.devices=[\"$device\"]"
    bits=
    for chunk in 1 5 16 64; do
      verify "$model $dtype, deterministic, prompt in pieces of $chunk" "${of[@]}" "$on" "actorllama.scheduler.prefill-chunk=$chunk" "actorllama.scheduler.token-budget=$chunk" actorllama.scheduler.max-sequences=1
      bits=${bits:-$hash}
      same "$model $dtype, deterministic, prompt in pieces of $chunk" "$bits"
    done
    verify "$model $dtype, deterministic, two expert shards, whole prompt" "${of[@]}" "$on" --expert-shards 2
    same "$model $dtype, deterministic, two expert shards, whole prompt" "$bits"
    verify "$model $dtype, GPU and CPU" "${of[@]}" "actorllama.node.devices=[\"$device\",\"cpu:0\"]" actorllama.plan.expert-shards=2
  done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
