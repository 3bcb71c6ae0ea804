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
# What starts processes of its own has the machine to itself; the rest goes two at a time, each with its output in one piece.
alone=(tests/ActorLlama.Cluster.Tests/*.csproj tests/ActorLlama.Console.Tests/*.csproj)
export -f run
export results
status=0
for project in tests/*.Tests/*.Tests.csproj; do
  [[ " ${alone[*]} " == *" $project "* ]] || echo "$project"
done | xargs -P 2 -I {} bash -c 'printed=$(run {} 2>&1); rc=$?; echo "$printed"; exit "$rc"' || status=1
for project in "${alone[@]}"; do run "$project" || status=1; done

sum() { cat "$results"/*.trx 2>/dev/null | grep -o '<Counters [^>]*' | grep -o " $1=\"[0-9]*\"" | grep -o '[0-9]*' | awk '{ n += $1 } END { print n + 0 }'; }
total=$(sum total); passed=$(sum passed); failed=$(sum failed)
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
[ "$total" -gt 0 ] || { echo "test.sh: no test ran" >&2; status=1; failed=1; }
echo "$passed passed, $failed failed, $((total - passed - $(sum failed))) skipped"
exit "$status"
