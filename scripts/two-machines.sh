#!/usr/bin/env bash
# Runs the commands of docs/two-machines.md for real and prints what they print. The two hosts are network namespaces with the addresses of
# config/lan.conf, joined by a cable (needs root); nothing of them is left afterwards.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
cd "$root"
program=${ACTORLLAMA:-scripts/actorllama}
work=$(mktemp -d)
suffix=$$
nodes=()

cleanup() {
  for pid in "${nodes[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${nodes[@]}"; do wait "$pid" 2>/dev/null || true; done
  for host in left right; do ip netns delete "$host-$suffix" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

[ "$(id -u)" -eq 0 ] || { echo "two-machines.sh: network namespaces need root." >&2; exit 2; }
command -v ip >/dev/null || { echo "two-machines.sh: the command ip (package iproute2) is missing." >&2; exit 2; }

# Built before, so that no build is in the transcript.
$program --help >/dev/null

ip netns add "left-$suffix"
ip netns add "right-$suffix"
ip link add "cable" netns "left-$suffix" type veth peer name "cable" netns "right-$suffix"
for host in left right; do
  [ "$host" = left ] && address=192.168.77.1 || address=192.168.77.2
  ip -n "$host-$suffix" address add "$address/24" dev cable
  ip -n "$host-$suffix" link set cable up
  ip -n "$host-$suffix" link set lo up
done

# Without the folder that both "hosts" share here.
relative() { sed "s|$work/||g"; }
show() { printf '\n%s$ actorllama' "$1"; shift; for word in "${@//"$work/"/}"; do case $word in *[\ \*]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac; done; printf '\n'; }

# run HOST ARGUMENTS: shows and runs a command on a host; its exit code is shown where it is not 0.
run() {
  local host=$1 code=0; shift
  show "$host" "$@"
  timeout 60 ip netns exec "$host-$suffix" $program "$@" >"$work/out" 2>&1 </dev/null || code=$?
  # Of a node without its log.
  if [ "$1" = node ]; then grep -E '^error: | listens at ' "$work/out" | relative || true; else relative <"$work/out"; fi
  [ "$code" -eq 0 ] || echo "(exit code $code)"
}

# start HOST ARGUMENTS: shows a command and leaves it running; what it says first is shown.
start() {
  local host=$1; shift
  show "$host" "$@"
  ip netns exec "$host-$suffix" $program "$@" >"$work/$host" 2>&1 </dev/null &
  nodes+=($!)
  for _ in $(seq 300); do
    grep -m1 'listens at' "$work/$host" && return
    kill -0 "${nodes[-1]}" 2>/dev/null || break
    sleep 0.1
  done
  cat "$work/$host"; exit 1
}

# until WHAT HOST ARGUMENTS: waits, bounded, until a command's output has it.
await() {
  local what=$1 host=$2; shift 2
  for _ in $(seq 60); do
    ip netns exec "$host-$suffix" $program "$@" 2>&1 </dev/null | grep -q "$what" && return
    sleep 0.5
  done
  echo "two-machines.sh: \"$what\" was not seen within its time." >&2; exit 1
}

status=(cluster status --cluster 192.168.77.1:4053 --certificates "$work/certs/client")
left=(--config config/lan.conf "actorllama.security.certificates=$work/certs/left")
right=(--config config/lan.conf actorllama.cluster.host=192.168.77.2 "actorllama.security.certificates=$work/certs/right")
other=(actorllama.cluster.port=4055 actorllama.lane.port=0)
echo "# two hosts, one cable"
run left cert init "$work/certs" --node left=192.168.77.1 --node right=192.168.77.2
start left node "${left[@]}" actorllama.node.name=left
run right "${status[@]}"
start right node "${right[@]}" actorllama.node.name=right
await Ready left "${status[@]}"
run right "${status[@]}"
chat=(chat --cluster 192.168.77.2:4053 --certificates "$work/certs/client" --temperature 0 --max-tokens 24)
printf '\nright$ echo "ROMEO:" | actorllama %s\n' "${chat[*]//"$work/"/}"
echo "ROMEO:" | ip netns exec "right-$suffix" $program "${chat[@]}"

echo; echo "# what does not form"
run right cluster status --cluster 192.168.77.9:4053
run right node "${right[@]}" actorllama.cluster.host=192.168.77.3
run right node "${right[@]}" "${other[@]}" 'actorllama.cluster.seeds=[akka.tcp://actorllama@192.168.77.1:4999]' actorllama.cluster.join-timeout=5s
run right init --shape tiny-scout --seed 1 --out "$work/other"
run right node "${right[@]}" "${other[@]}" "actorllama.model.path=$work/other"

echo; echo "# who does not get in"
run right node "${right[@]}" "${other[@]}" actorllama.security.certificates=
run right node "${right[@]}" "${other[@]}" "actorllama.security.certificates=$work/certs/left"
run right node "${right[@]}" "${other[@]}" actorllama.security.certificates= actorllama.cluster.allow-plaintext=on actorllama.cluster.join-timeout=5s
run right cert init "$work/strange" --node 192.168.77.2
run right node "${right[@]}" "${other[@]}" "actorllama.security.certificates=$work/strange/192.168.77.2" actorllama.cluster.join-timeout=5s
run right cluster status --cluster 192.168.77.1:4053
printf '\n# what the first node logs of them\n'
grep -E 'refused|Rejected' "$work/left" | grep -Eo '(Connection with|Rejected).*' | sed -E 's/:[0-9]{5}/:PORT/' | sort -u

echo; echo "# the second host is lost"
kill -9 "${nodes[1]}"
{ wait "${nodes[1]}" || true; } 2>/dev/null
unset 'nodes[1]'
# Both are counted until the loss is noticed.
for _ in $(seq 60); do
  ip netns exec "left-$suffix" $program "${status[@]}" --json 2>/dev/null | grep -q '"state":"Ready".*"name":"left"' &&
    ! ip netns exec "left-$suffix" $program "${status[@]}" --json 2>/dev/null | grep -q '"name":"right"' && break
  sleep 0.5
done
run left "${status[@]}"
