#!/usr/bin/env bash
# Every fixture on every path of the CPU kernels: without AVX-512, AVX2 and any vector instructions, weights copied, read from files and from packed files, activations (and
# so KV) in float32 and bfloat16. All must be within the tolerance, and of one model and type have equal bits. Weights in 8 bits have no tolerance, only equal bits. Fixtures in
# Meta's layout must have the bits of the same weights in Hugging Face's.
#   scripts/verify-paths.sh [MODEL...]       tiny-scout tiny-maverick tiny-scout-meta tiny-maverick-meta bard; a quarter of an hour for all
set -uo pipefail

root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
shared=${ACTORLLAMA_SHARED:-$root/../shared}
# Words of a command; for instance "dotnet out/actorllama.dll".
program=${ACTORLLAMA_PROGRAM:-$root/scripts/actorllama}
[ -d "$shared/fixtures" ] || { echo "verify-paths.sh: \"$shared/fixtures\" is not there; name the golden data in ACTORLLAMA_SHARED" >&2; exit 2; }
[ $# -gt 0 ] || set -- tiny-scout tiny-maverick tiny-scout-meta tiny-maverick-meta bard

packed=$(mktemp -d)
trap 'rm -rf "$packed"' EXIT
passed=0 failed=0

# check NAME KNOB BITS-FILE FAULTS-ALLOWED ARGUMENT...: one run of verify; its bits must be those in the file, which the first run writes.
check() {
  local name=$1 knob=$2 bits=$3 allowed=$4 output status hash; shift 4
  output=$(env ${knob:+"DOTNET_$knob=0"} $program verify "$@" --json 2>&1); status=$?
  hash=$(printf '%s\n' "$output" | tail -n 1 | grep -o '"logits_sha256":"[^"]*"')
  [ -e "$bits" ] || printf '%s' "$hash" >"$bits"
  if [ -n "$hash" ] && [ "$hash" = "$(cat "$bits")" ] && { [ "$status" -eq 0 ] || [ "$allowed" = faults ]; }; then
    passed=$((passed + 1))
    return
  fi
  failed=$((failed + 1))
  echo "FAILED $name: exit code $status, ${hash:-no logits}, wanted $(cat "$bits")"
  printf '%s\n' "$output" | tail -n 3
}

# twin MODEL FOLDER: the same weights in Hugging Face's layout. Meta's params.json has no original length of the context: it is 8192.
twin() {
  mkdir -p "$2" && cp "$shared/fixtures/${1%-meta}/"* "$2" && chmod -R u+w "$2" || return
  sed -i 's/"original_max_position_embeddings": [0-9]*/"original_max_position_embeddings": 8192/' "$2/config.json"
}

knobs=("" EnableAVX2 EnableHWIntrinsic)
if grep -q -w avx512f /proc/cpuinfo; then knobs+=(EnableAVX512); else echo "verify-paths.sh: this processor has no AVX-512, so that path is left out" >&2; fi

for model; do
  case $model in
    bard) folder=$root/models/bard golden=$shared/data/bard/golden.safetensors ;;
    *) folder=$shared/fixtures/$model golden=$folder/expected.safetensors ;;
  esac
  $program convert --from "$folder" --to "$packed/$model" --layout unscanned --pack cpu >/dev/null || exit 1
  # The tolerance for bfloat16 was stated for Hugging Face's fixtures; with this length of the context roundings turn other routes over, in libtorch's backend as in ours (0.237 of 0.2 on
  # average): there it is only the bits.
  bfloat16=none
  [ "$model" = tiny-scout-meta ] && bfloat16=faults
  case $model in *-meta)
    before=$failed
    twin "$model" "$packed/$model-twin" || exit 1
    for dtype in float32 bfloat16; do
      allowed=none
      [ "$dtype" = float32 ] || allowed=$bfloat16
      check "$model $dtype, its twin" "" "$packed/$model.$dtype" "$allowed" --model "$packed/$model-twin" --golden "$golden" --dtype "$dtype"
    done
    check "$model int8, its twin" "" "$packed/$model.int8" faults --model "$packed/$model-twin" --golden "$golden" actorllama.model.weight-dtype=int8
    echo "$model, its twin in Hugging Face's layout: $((failed - before)) of 3 failed" ;;
  esac
  for knob in "${knobs[@]}"; do
    before=$failed
    for dtype in float32 bfloat16; do
      allowed=none
      [ "$dtype" = float32 ] || allowed=$bfloat16
      for weights in copied mapped packed; do
        from=$folder memory=$weights
        [ "$weights" = packed ] && from=$packed/$model memory=mapped
        check "$model $dtype $weights ${knob:+without $knob}" "$knob" "$packed/$model.$dtype" "$allowed" \
          --model "$from" --golden "$golden" --dtype "$dtype" "actorllama.model.weight-memory=$memory"
      done
    done
    check "$model int8 ${knob:+without $knob}" "$knob" "$packed/$model.int8" faults --model "$folder" --golden "$golden" actorllama.model.weight-dtype=int8
    echo "$model ${knob:+without $knob}: $((failed - before)) of 7 failed"
  done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
