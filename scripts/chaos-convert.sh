#!/usr/bin/env bash
# Kills conversions (SIGKILL) at random points of their reading, writing and hashing, and looks at what is left each time: the source is as it was,
# no half-written checkpoint is accepted, --resume (every other time a rerun) completes, and diff finds no difference.
#   scripts/chaos-convert.sh [--kills 20] [--from DIR] [--layout unscanned] [--shard-size 32MiB] [--seed N]
# Without --from it makes a checkpoint of 0.5 GB. ACTORLLAMA names the program, as in "dotnet actorllama.dll". Last line: what held. Exit code 0: all did.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
kills=20 from='' layout=unscanned shard=32MiB seed=$RANDOM
while [ $# -gt 0 ]; do
  case $1 in
    --kills) kills=$2 ;; --from) from=$2 ;; --layout) layout=$2 ;; --shard-size) shard=$2 ;; --seed) seed=$2 ;;
    *) echo "error: \"$1\" is no option; there are --kills, --from, --layout, --shard-size and --seed." >&2; exit 2 ;;
  esac
  shift 2
done
RANDOM=$seed
read -ra program <<<"${ACTORLLAMA:-$root/scripts/actorllama}"

work=$(mktemp -d "${TMPDIR:-/tmp}/actorllama-chaos-XXXXXX")
child=''
trap 'if [ -n "$child" ]; then kill -9 "$child" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
fail() { echo "error: kill $killed of $kills (seed $seed): $1" >&2; exit 1; }
quietly() { "$@" >"$work/log" 2>&1; }
sums() { (cd "$from" && sha256sum -- * | sort); }
# Bytes that a process has read and written so far, cached or not. Fails once it has ended.
moved() {
  local key value state
  read -r state <"/proc/$1/stat" && [[ ${state##*) } != Z* ]] || return 1
  bytes=0
  while read -r key value; do case $key in rchar: | wchar:) bytes=$((bytes + value)) ;; esac; done <"/proc/$1/io"
} 2>/dev/null
convert() { "${program[@]}" convert --from "$from" --to "$work/target" --layout "$layout" --shard-size "$shard" "$@" >"$work/log" 2>&1; }
start() { "${program[@]}" convert --from "$from" --to "$work/target" --layout "$layout" --shard-size "$shard" >"$work/log" 2>&1 & child=$!; }

if [ -z "$from" ]; then
  from=$work/source
  sed -e 's/"hidden_size": 1024/"hidden_size": 512/' -e 's/"intermediate_size": 2048/"intermediate_size": 1024/' -e 's/"num_attention_heads": 16/"num_attention_heads": 8/' \
    "$root/config/models/bench-mid.json" >"$work/shape.json"
  quietly "${program[@]}" init --shape "$work/shape.json" --seed "$seed" --out "$from"
fi
from=$(readlink -f -- "$from")
killed=0 midway=0 resumed=0
before=$(sums)

# What an undisturbed conversion moves: the range of the kills.
exec {never}<> <(:)
pause() { read -rt 0.001 -u "$never" _ || true; }
start
total=0
while moved "$child"; do [ "$bytes" -eq 0 ] || total=$bytes; pause; done
wait "$child" || { cat "$work/log" >&2; fail "an undisturbed conversion fails"; }
child=''
rm -rf "$work/target"

while [ "$killed" -lt "$kills" ]; do
  at=$((total / 10000 * (RANDOM % 10000)))
  start
  while moved "$child" && [ "$bytes" -lt "$at" ]; do pause; done
  kill -9 "$child" 2>/dev/null || true
  status=0; wait "$child" 2>/dev/null || status=$?
  child=''
  killed=$((killed + 1))
  [ "$(sums)" = "$before" ] || fail "the source changed"
  if [ "$status" -eq 137 ]; then
    # A target that is there has been renamed into place: the comparison below tells whether it is whole.
    left=$work/.target.partial
    if [ -e "$left/conversion.partial" ]; then
      midway=$((midway + 1))
      ! quietly "${program[@]}" inspect "$left" || fail "what a killed conversion left is accepted as a checkpoint"
      if compgen -G "$left/*.safetensors" >/dev/null || compgen -G "$left/*.pth" >/dev/null; then resumed=$((resumed + 1)); fi
    fi
    if [ ! -e "$work/target" ]; then
      if [ $((killed % 2)) -eq 0 ]; then convert || fail "a rerun fails: $(tail -n 1 "$work/log")"
      else convert --resume || fail "--resume fails: $(tail -n 1 "$work/log")"
      fi
    fi
  fi
  [ ! -e "$work/.target.partial" ] || fail "the hidden folder is left behind: $(ls -A "$work/.target.partial")"
  quietly "${program[@]}" diff "$from" "$work/target" || fail "the target differs: $(tail -n 1 "$work/log")"
  quietly "${program[@]}" checksum "$work/target" || fail "a checksum differs: $(tail -n 1 "$work/log")"
  rm -rf "$work/target"
done
echo "$kills kills at random points of $((total >> 20)) MiB moved (seed $seed): $midway while files were written, $resumed of them with finished files; source unchanged, nothing half-written accepted, all completed, no difference"
[ "$midway" -gt 0 ] || fail "no kill came while files were written; use a larger checkpoint"
