#!/usr/bin/env bash
# Coverage-guided fuzzing of the parsers of safetensors headers and of PyTorch's archives and pickles: afl-fuzz, with SharpFuzz instrumenting our code.
#   scripts/fuzz-parsers.sh [SECONDS] [TARGET...]     default: 600 seconds, in which all four targets share the cores
# Needs afl++ (Debian: apt-get install afl++) and the tool SharpFuzz.CommandLine (dotnet tool install --global SharpFuzz.CommandLine --version 2.3.0).
# Findings go to artifacts/fuzz/TARGET. Exit code 0: no crash, no hang, no breach of ParserContract. tests/ActorLlama.Checkpoints.Fuzz/corpus holds what
# earlier runs kept, less what afl-cmin found superfluous.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
seconds=${1:-600}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(header safetensors pickle pth)
PATH=$PATH:$HOME/.dotnet/tools
command -v afl-fuzz >/dev/null || { echo "error: afl-fuzz is not in PATH. Install afl++." >&2; exit 1; }
command -v sharpfuzz >/dev/null || { echo "error: sharpfuzz is not in PATH. Install the .NET tool SharpFuzz.CommandLine." >&2; exit 1; }

project=$root/tests/ActorLlama.Checkpoints.Fuzz
out=$root/artifacts/fuzz
rm -rf "$out"
mkdir -p "$out"
dotnet build "$project" --configuration Release --nologo --verbosity quiet -p:RunAnalyzers=false >"$out/build.log" 2>&1 || { cat "$out/build.log" >&2; exit 1; }
# The parsers need no native library: a copy of the managed ones is instrumented.
mkdir "$out/bin"
cp "$project"/bin/Release/net10.0/linux-x64/*.{dll,json} "$out/bin/"
parsers=(Unpickler ZipDirectory PthFile Safetensors JsonUnicode Quoting)
sharpfuzz "$out/bin/ActorLlama.Checkpoints.dll" "${parsers[@]/#/ActorLlama.Checkpoints.}"

export AFL_SKIP_BIN_CHECK=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_AFFINITY=1 AFL_NO_UI=1
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT
for target in "${targets[@]}"; do
  mkdir -p "$out/corpus/$target"
  tar -xzf "$project/corpus/$target.tar.gz" -C "$out/corpus/$target"
  afl-fuzz -V "$seconds" -t 10000 -m none -x "$project/tokens.dict" -i "$out/corpus/$target" -o "$out/$target" \
    -- dotnet "$out/bin/ActorLlama.Checkpoints.Fuzz.dll" "$target" >"$out/$target.log" 2>&1 &
  pids+=($!)
done
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
pids=()
trap - EXIT
for target in "${targets[@]}"; do
  stats=$out/$target/default/fuzzer_stats
  [ -f "$stats" ] || { tail -n 20 "$out/$target.log" >&2; echo "error: target $target did not run." >&2; status=1; continue; }
  value() { awk -v key="$1" '$1 == key { print $3 }' "$stats"; }
  echo "$target: $(value execs_done) inputs, $(value edges_found) edges, $(value corpus_count) inputs kept, $(value saved_crashes) crashes, $(value saved_hangs) hangs"
  [ "$(value saved_crashes)" = 0 ] && [ "$(value saved_hangs)" = 0 ] || status=1
done
exit "$status"
