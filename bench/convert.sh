#!/usr/bin/env bash
# Memory and throughput of `actorllama convert` on a checkpoint of 6.7 GB with a tensor of more than 2^31 elements: peak anonymous memory against the bound
# "twice the largest slice plus 200 MB", and rate against `cp` + `sync` of the same files, alternating. Each layout is compared with the source once.
#   bench/convert.sh [--rounds 3] [--layouts "unscanned scanned hf meta"] [--dir DIR]     DIR: a folder on the disk to measure; 14 GB free
# ACTORLLAMA names the program, as in "dotnet actorllama.dll". The last line is JSON. Exit code 1 when a bound is missed or a result differs from its source.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
rounds=3 layouts='unscanned scanned hf meta' dir=${TMPDIR:-/tmp}
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2 ;; --layouts) layouts=$2 ;; --dir) dir=$2 ;;
    *) echo "error: \"$1\" is no option; there are --rounds, --layouts and --dir." >&2; exit 2 ;;
  esac
  shift 2
done
read -ra program <<<"${ACTORLLAMA:-$root/scripts/actorllama}"
work=$(mktemp -d "$dir/actorllama-bench-XXXXXX")
child=''
trap '[ -z "$child" ] || kill -9 "$child" 2>/dev/null || true; rm -rf "$work"' EXIT

# One MoE layer of 128 experts: gate and up together have 2.16e9 elements.
sed -e 's/"num_hidden_layers": 12/"num_hidden_layers": 1/' -e 's/"num_local_experts": 16/"num_local_experts": 128/' -e 's/"hidden_size": 1024/"hidden_size": 1536/' \
  -e 's/"num_attention_heads": 16/"num_attention_heads": 24/' -e 's/"intermediate_size": 2048/"intermediate_size": 5504/' "$root/config/models/bench-mid.json" >"$work/shape.json"
"${program[@]}" init --shape "$work/shape.json" --seed 1 --out "$work/source" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
bytes=$(du -sb "$work/source" | cut -f 1)
# The largest slice is the embedding or an expert's gate and up.
slice=$((1536 * 2 * 5504 * 2)) embedding=$((32768 * 1536 * 2))
[ "$slice" -gt "$embedding" ] || slice=$embedding
bound=$((2 * slice + 200000000))
echo "checkpoint of $((bytes / 1000000)) MB, largest slice $((slice / 1000000)) MB, $(nproc) cores, $(awk -F ': ' '/model name/ { print $2; exit }' /proc/cpuinfo), .NET $(dotnet --version)" >&2

now() { date +%s%N; }
# Each run begins with nothing left to write and the source in the page cache, as far as memory allows.
settle() { sync; cat "$work"/source/* >/dev/null; }
copy() {
  settle
  local begin
  begin=$(now)
  cp -r "$work/source" "$work/copy"
  sync
  elapsed=$(($(now) - begin))
  rm -rf "$work/copy"
}
convert() {
  settle
  local begin key value
  begin=$(now)
  "${program[@]}" convert --from "$work/source" --to "$work/target" --layout "$1" >"$work/log" 2>&1 &
  child=$!
  peak=0
  while kill -0 "$child" 2>/dev/null; do
    { while read -r key value _; do if [ "$key" = RssAnon: ] && [ "$value" -gt "$peak" ]; then peak=$value; fi; done <"/proc/$child/status"; } 2>/dev/null || true
    sleep 0.02
  done
  wait "$child" || { cat "$work/log" >&2; exit 1; }
  child=''
  sync
  elapsed=$(($(now) - begin))
  peak=$((peak * 1024))
}
median() { tr ' ' '\n' <<<"${1% }" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

status=0 results=''
for layout in $layouts; do
  copies='' conversions='' highest=0
  for ((round = 0; round < rounds; round++)); do
    copy
    copies+="$elapsed "
    convert "$layout"
    conversions+="$elapsed "
    [ "$peak" -le "$highest" ] || highest=$peak
    if [ "$round" -eq 0 ] && ! "${program[@]}" diff "$work/source" "$work/target" >"$work/log" 2>&1; then cat "$work/log" >&2; status=1; fi
    rm -rf "$work/target"
  done
  line=$(awk -v layout="$layout" -v b="$bytes" -v c="$(median "$copies")" -v n="$(median "$conversions")" -v p="$highest" -v m="$bound" 'BEGIN {
    printf "{\"layout\":\"%s\",\"convert_mb_s\":%.0f,\"cp_sync_mb_s\":%.0f,\"ratio\":%.2f,\"peak_rss_anon_mb\":%.0f,\"bound_mb\":%.0f}", layout, b * 1e3 / n, b * 1e3 / c, c / n, p / 1e6, m / 1e6
    exit !(c / n >= 0.7 && p <= m) }') || status=1
  echo "$line" >&2
  results+="${results:+,}$line"
done
echo "{\"bytes\":$bytes,\"rounds\":$rounds,\"results\":[$results]}"
exit "$status"
