#!/usr/bin/env bash
# Training: what actors and several processes cost, the three strategies for experts, and what devices hold. Prints tables; exit code 1 when a floor of docs/performance.md is missed.
#   bench/training.sh [FLAG=VALUE ...]     flags of "actorllama train" over the ones below
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
missed=0
# floor WHAT FOUND RELATION WANTED
floor() { awk "BEGIN { exit !($2 $3 $4) }" || { echo "missed: $1 is $2, wanted: $3 $4"; missed=1; }; }

# Six sequences of a step, whatever the number of devices. Medians over the last seven steps: until then code is compiled, on cores that two processes use themselves.
run() {
  local name=$1 each=$2
  shift 2
  scripts/actorllama train "$@" --threads 1 model_name=bard dataset_type=synthetic max_target_length=128 steps=14 enable_checkpointing=false dtype=float32 weight_dtype=float32 \
    ici_fsdp_parallelism=-1 run_name=bench "per_device_batch_size=$each" "metrics_file=$work/$name.jsonl" "${flags[@]}" >"$work/$name.out" 2>"$work/$name.err" &
  until [ -s "$work/$name.jsonl" ] || ! kill -0 $! 2>/dev/null; do sleep 0.2; done
  # Nodes' logs go with them; a second name keeps them.
  for log in $(sed -n 's/^node-.*  log //p' "$work/$name.err"); do ln "$log" "$work/$name-$(basename "$log")"; done
  wait $!
  sed -n 's/.*"perf\/step_time_seconds":\([0-9.eE-]*\).*/\1/p' "$work/$name.jsonl" | tail -n 7 | sort -g | awk '{ a[NR] = $1 } END { printf "%.1f", 6 * 128 / a[int((NR + 1) / 2)] }'
}
flags=("$@")

echo "| | tokens/s | of the devices' time |"
echo "|---|---|---|"
alone=$(run alone 6)
echo "| no actors | $alone | |"
for nodes in 1 2 3; do
  rate=$(run "$nodes" "$(awk "BEGIN { print 6 / $nodes }")" --nodes "$nodes")
  echo "| $nodes processes | $rate | $(sed -n "s/^of the devices' time //p" "$work/$nodes.err") |"
  echo "$rate" >"$work/rate-$nodes"
done
floor "one process, to no actors" "$(awk "BEGIN { printf \"%.2f\", $(cat "$work/rate-1") / $alone }")" ">=" 0.9
floor "two processes, to one" "$(awk "BEGIN { printf \"%.2f\", $(cat "$work/rate-2") / $(cat "$work/rate-1") }")" ">=" 1.3

echo
echo "| devices | each holds | ZeRO-3: 1/n of the trunk and its experts, 16 bytes an element |"
echo "|---|---|---|"
for nodes in 1 2 3; do
  sed -n 's/.* holds \([0-9]*\) bytes of weights, gradients and moments, \([0-9]*\) by the plan.*/\1 \2/p' "$work/$nodes"-node-*.log | awk -v n="$nodes" '{ held = held " " $1; planned = planned " " $2; if ($1 != $2) bad = 1 } END { print "| " n " |" held " |" planned " |"; exit bad }' || floor "bytes of a device, to the plan's" 0 ">" 0
done

echo
dotnet build -c Release bench/ActorLlama.Benchmarks -v q -p:RunAnalyzers=false >/dev/null
# Two layers of the shape, or 64 experts would not leave room.
sed 's/"num_hidden_layers": *[0-9]*/"num_hidden_layers": 2/' config/models/bard.json >"$work/two.json"
for experts in 4 16 64; do
  for strategy in dense grouped ragged; do
    bench/ActorLlama.Benchmarks/bin/Release/net10.0/linux-x64/ActorLlama.Benchmarks training --shape "$work/two.json" --rows 4 --length 128 --steps 4 --experts "$experts" --strategy "$strategy"
  done
done
exit "$missed"
