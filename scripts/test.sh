#!/usr/bin/env bash
# The one gate: restore, build, format check, all tests. Its last line is "N passed, N failed, N skipped" over all test projects.
set -uo pipefail
cd "$(dirname "$0")/.."

fail() { echo "test.sh: $1" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

dotnet restore ActorLlama.sln ${CI:+--locked-mode} || fail "restore failed"
# One compiler for all projects, that loads the analyzers once. It is told to end after the build, whatever came of it.
compiler=actorllama-$$
dotnet build ActorLlama.sln --no-restore -p:UseSharedCompilation=true -p:SharedCompilationId="$compiler"
built=$?
dotnet "$(dotnet msbuild src/ActorLlama.Kernels -getProperty:RoslynTargetsPath)/bincore/VBCSCompiler.dll" -shutdown -pipename:"$compiler"
[ "$built" -eq 0 ] || fail "build failed"
dotnet format whitespace . --folder --verify-no-changes --exclude artifacts || fail "format check failed; run: dotnet format whitespace . --folder"

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
run() {
  local name; name=$(basename "$1" .csproj)
  echo "== $name"
  dotnet test "$1" --no-build --logger "trx;LogFileName=$name.trx" --results-directory "$results"
}
# The cluster's tests have the machine to themselves; the rest goes two at a time, the console's first, as it mostly waits for its processes. Each has its output in one piece.
export -f run
export results
status=0
{
  echo tests/ActorLlama.Console.Tests/*.csproj
  ls tests/*.Tests/*.Tests.csproj | grep -v -e Console.Tests -e Cluster.Tests
} | xargs -P 2 -I {} bash -c 'printed=$(run {} 2>&1); rc=$?; echo "$printed"; exit "$rc"' || status=1
run tests/ActorLlama.Cluster.Tests/*.csproj || status=1

sum() { cat "$results"/*.trx 2>/dev/null | grep -o '<Counters [^>]*' | grep -o " $1=\"[0-9]*\"" | grep -o '[0-9]*' | awk '{ n += $1 } END { print n + 0 }'; }
total=$(sum total); passed=$(sum passed); failed=$(sum failed)
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
[ "$total" -gt 0 ] || { echo "test.sh: no test ran" >&2; status=1; failed=1; }
echo "$passed passed, $failed failed, $((total - passed - $(sum failed))) skipped"
exit "$status"
