#!/usr/bin/env bash
# A run of 20 steps that is broken off after 10 or so, and gone on with on another number of nodes, against one that is not: in a run of 10 steps that another one of 20 goes on
# with, by Ctrl-C, and by SIGKILL. What is learned and what is saved must be the same, to the bit. Exit code 0: it is.
set -euo pipefail
# With job control, or what runs in the background would not hear of Ctrl-C.
set -m

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
work=$(mktemp -d)
client=''
finish() {
  if [ -n "$client" ]; then kill -9 "$client" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT
"$root/scripts/actorllama" --help >/dev/null

# train RUN SEQUENCES-A-DEVICE STEPS OPTION...: in the background, its process in client.
train() {
  local run=$1 each=$2 steps=$3
  shift 3
  dotnet "$root/hosts/ActorLlama.Console/bin/Release/net10.0/linux-x64/actorllama.dll" train --threads 1 "$@" model_name=tiny-maverick dataset_type=synthetic max_target_length=64 "steps=$steps" \
    learning_rate_schedule_steps=20 learning_rate=1e-2 warmup_steps_fraction=0 dtype=float32 weight_dtype=float32 load_balance_loss_weight=0.01 ici_fsdp_parallelism=-1 \
    checkpoint_period=4 "per_device_batch_size=$each" "base_output_directory=$work/runs" "run_name=$run" >"$work/$run.out" 2>"$work/$run.err" &
  client=$!
}

# ends EXIT-CODE RUN
ends() {
  local code=0
  wait "$client" || code=$?
  client=''
  [ "$code" -eq "$1" ] || { echo "error: $2 ended with exit code $code instead of $1: $(tail -n 1 "$work/$2.err")" >&2; exit 1; }
}

# reaches RUN STEP: waits until that many steps are made.
reaches() {
  while [ "$( [ -f "$work/runs/$1/metrics.jsonl" ] && wc -l <"$work/runs/$1/metrics.jsonl" || echo 0)" -lt "$2" ]; do
    kill -0 "$client" 2>/dev/null || { echo "error: $1 ended early: $(tail -n 1 "$work/$1.err")" >&2; exit 1; }
    sleep 0.05
  done
}

# What a run says that it learned, step by step; of steps that were made again, the last.
learned() {
  awk '{ match($0, /"step":[0-9]+/); step = substr($0, RSTART + 7, RLENGTH - 7); match($0, /"learning.*"perf\/step_time/); last[step] = substr($0, RSTART, RLENGTH) }
    END { for (s in last) print s, last[s] }' "$work/runs/$1/metrics.jsonl" | sort -n
}

# same RUN HOW
same() {
  cmp -s <(learned undisturbed) <(learned "$1") || { echo "error: $1 learned something else: $(diff <(learned undisturbed) <(learned "$1") | head -n 2 | cut -c1-300)" >&2; exit 1; }
  for file in "$work"/runs/undisturbed/checkpoints/19/items/*.safetensors; do
    cmp -s "$file" "$work/runs/$1/checkpoints/19/items/$(basename "$file")" || { echo "error: $1 saved another $(basename "$file")" >&2; exit 1; }
  done
  echo "$2: $(learned "$1" | wc -l) steps, $(grep -o 'going on with step [0-9]*' "$work/$1.err"); the same bits"
}

train undisturbed 6 20
ends 0 undisturbed

train shorter 3 10 --nodes 2
ends 0 shorter
train shorter 2 20 --nodes 3
ends 0 shorter
same shorter "10 steps on 2 nodes, then to 20 on 3"

train stopped 3 20 --nodes 2
reaches stopped 10
kill -INT "$client"
ends 130 stopped
train stopped 6 20 --nodes 1
ends 0 stopped
same stopped "Ctrl-C on 2 nodes, then to 20 on 1"

train killed 2 20 --nodes 3
reaches killed 10
kill -KILL "$client"
ends 137 killed
train killed 6 20
ends 0 killed
same killed "SIGKILL on 3 nodes, then to 20 in one process"
