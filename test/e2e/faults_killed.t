#!/usr/bin/env bash
# The daemon is killed with -9 at some moment while a fault on purpose is put into the world, or taken
# out of it; the next one is told to heal. Nothing of the fault may be left. A sample of faults and
# moments; all faults, many times, with NIGHTLY=1. SEED=N TRIES=N repeat one. (The simulator walks through
# every step of every fault: test/unit/sim_fault_test.c.)
. "$(dirname "$0")/tap.sh"
before=$(machine)
tries=6
[ "${NIGHTLY:-0}" = 1 ] && tries=400
tries=${TRIES:-$tries}
SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$SEED
cat >"$work/killed.yaml" <<'Y'
name: killed
services:
  web:
    image: host
    clock: adjustable
    command: [python3, -u, -c, "import time\nwhile True: time.sleep(0.05)"]
    deploy:
      resources: {limits: {memory: 96M, pids: 60}}
      restart_policy: {delay: 10ms}
    volumes: ["data:/data"]
volumes: {data: {}}
Y
lp up "$work/killed.yaml" --wait=60 >/dev/null; is $? 0 "a node is up"
id=$(cat "$root/id")
declare -A needed=(
    [exec]='--command echo>/tmp/broken --undo rm${IFS}-f${IFS}/tmp/broken' # one word each
    [bandwidth]='--rate 1mbit' [delay]='--delay 5ms' [clock]='--jump 1h' [disk-slow]='--delay 5ms')
mapfile -t kinds < <("$LIMPET" faults --kinds -o json | jq -r '.[].fault' | grep -v '^daemon-')
[ ! -c /dev/fuse ] && mapfile -t kinds < <(printf '%s\n' "${kinds[@]}" | grep -vE 'disk-full|disk-slow|read-only|io-error|lose-writes')
ready() { lp status >/dev/null 2>&1 || lp daemon --background >/dev/null 2>&1; }
kill_daemon() { # the process of the lock, unless its number is somebody else's by now
    local pid
    pid=$(cat "$root/lock" 2>/dev/null)
    [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$root" && kill -9 "$pid" 2>/dev/null
}
# All of it that a fault could have changed, without what differs from one life of the node to another.
world() {
    local init pid shift
    init=$(cat "$root/nodes/killed/web-1/pid" 2>/dev/null)
    echo "== filter";  nsenter --net="/proc/$init/ns/net" nft list ruleset
    echo "== links";   in_infra killed ip -j link | jq -r '.[] | "\(.ifname) \(.master) \(.operstate)"' | sort
    echo "== workers"; pgrep -af "limpet-$id|$root" | grep -E ' (hog|relay|layer) '
    echo "== node"
    for pid in $(cat /sys/fs/cgroup/{,pids/}"limpet-$id/killed/web-1/cgroup.procs" 2>/dev/null | sort -u); do
        echo "$(cat "/proc/$pid/comm") $(sed -E 's/.*\) (.).*/\1/; s/[RSD]/lives/' "/proc/$pid/stat") $(cat "/proc/$pid/oom_score_adj")"
    done | sort
    cat /sys/fs/cgroup/freezer/"limpet-$id/killed/web-1/freezer.state" /sys/fs/cgroup/"limpet-$id/killed/web-1/cgroup.freeze" 2>/dev/null
    echo "== mounts";  grep -c 'fuse\.limpet' "/proc/$init/mountinfo"
    shift=$(($(lp exec web-1 date +%s) - $(date +%s)))
    echo "== clock";   [ ${shift#-} -lt 60 ] && echo right
    echo "== files";   lp exec web-1 ls /tmp /data
    echo "== faults";  lp faults -o json; ls "$root/faults"
} 2>&1
is_calm() {
    # Ten lives in ten minutes are enough for the controller; here a person says "go on".
    [ "$(field web-1 health)" = "gave up" ] && lp restart web-1 >/dev/null
    is_healthy web-1 && [ "$(world)" = "$calm" ]
}
within 5 is_healthy web-1
calm=$(world)
like "$calm" '^right$' "the world is seen"
unseen=
for kind in cut delay cpu hang exec clock; do
    # shellcheck disable=SC2086
    lp break web-1 "$kind" ${needed[$kind]-} >/dev/null || unseen+=" $kind fails"
    [ "$(world)" = "$calm" ] && unseen+=" $kind"
    lp heal --all >/dev/null
    within 10 is_calm || unseen+=" $kind stays"
done
is "$unseen" "" "and so is a fault in it"
bad=0 killed=0
for i in $(seq "$tries"); do
    kind=${kinds[$((RANDOM % ${#kinds[@]}))]}
    moment=0.0$(printf '%02d' $((RANDOM % 40)))
    # shellcheck disable=SC2086
    if ((i % 3)); then
        step='while it is put in'
        lp break web-1 "$kind" ${needed[$kind]-} --no-wait >/dev/null 2>&1 &
    else
        step='while it is taken out'
        lp break web-1 "$kind" ${needed[$kind]-} >/dev/null 2>&1
        lp heal --all >/dev/null 2>&1 &
    fi
    sleep "$moment"
    kill_daemon && killed=$((killed + 1))
    wait
    ready
    within 5 lp heal --all
    if ! within 10 is_calm; then
        bad=$((bad + 1))
        echo "# SEED=$SEED, try $i: $kind, killed $step, after $moment s"
        diff <(echo "$calm") <(world) | sed 's/^/#   /'
        diagnose
    fi
done
is $bad 0 "after $tries kills in the midst of a fault nothing of it is left (SEED=$SEED)"
is $killed "$tries" "each time there was a daemon to be killed"
finish
