#!/usr/bin/env bash
# The daemon killed with -9 at many moments: the next one converges, nothing runs twice.
. "$(dirname "$0")/tap.sh"
before=$(machine)
points=10
[ "${NIGHTLY:-0}" = 1 ] && points=100
cat >"$work/c.yaml" <<'Y'
name: crash
services:
  web:
    image: host
    command: [busybox, httpd, -f, -p, "80", -h, /etc]
    healthcheck: {test: [TCP, 80], interval: 1s, retries: 2}
    deploy: {replicas: 3}
  late:
    image: host
    command: [sleep, "1000"]
    depends_on: {web: {condition: service_healthy}}
Y
kills=0
kill_daemon() { # the process of the lock, unless its number is somebody else's by now
    local pid
    pid=$(cat "$root/lock" 2>/dev/null)
    [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$root" &&
        kill -9 "$pid" 2>/dev/null && kills=$((kills + 1))
}
start_daemon() { lp status >/dev/null 2>&1 || lp daemon --background >/dev/null 2>&1; }
inits() { # how many limpet-inits run for this root
    cat "$root"/nodes/crash/*/mark.json 2>/dev/null | jq -r .pid 2>/dev/null | sort -u | while read -r p; do [ -d "/proc/$p" ] && echo "$p"; done | wc -l
}
settled() { all_healthy 4; }
bad=0 twice=0
lp up "$work/c.yaml" --detach >/dev/null 2>&1
for i in $(seq $points); do
    sleep "0.0$((RANDOM % 10))"
    case $((i % 4)) in
    0) lp break "web-$((i % 3 + 1))" crash >/dev/null 2>&1 ;;
    1) lp break "web-$((i % 3 + 1))" kill >/dev/null 2>&1 ;;
    2) lp scale web=$((2 + i % 2)) >/dev/null 2>&1 ;;
    esac
    sleep "0.0$((RANDOM % 10))"
    kill_daemon
    start_daemon
done
lp up "$work/c.yaml" --detach >/dev/null 2>&1
lp scale web=3 >/dev/null 2>&1
is $kills $points "the daemon was there each time and was killed"
within 40 settled || bad=1
ok $bad "after $points kills of the daemon everything is healthy"
within 10 lp ps >/dev/null
count=$(find /sys/fs/cgroup -path "*limpet-$(cat "$root/id")/crash/*" -type d -name '*-[0-9]*' | sed 's|.*/||' | sort -u | wc -l)
is "$count" 4 "as many nodes run as are wanted"
for n in web-1 web-2 web-3; do
    c=$(lp exec --infra crash $n pidof busybox | wc -w)
    [ "$c" = 1 ] || twice=1
done
ok $twice "no application runs twice"
# A node that ends while no daemon runs: that is told, and its neighbours are left alone.
others() { lp ps -o json | jq -c '[.[] | select(.node != "web-1") | [.node, .incarnation, .restarts]]'; }
lives=$(others)
kill_daemon
for pid in $(find /sys/fs/cgroup -path "*limpet-$(cat "$root/id")/crash/web-1*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u); do
    kill -9 "$pid" 2>/dev/null
done
sleep 0.2
start_daemon
within 20 settled; ok $? "a node that ended meanwhile is started again"
like "$(lp why web-1)" 'web-1 was gone when Limpet looked for it' "and the story says that nobody saw it end"
is "$(others)" "$lives" "no other node was touched"
lp down crash >/dev/null 2>&1 &
down=$!
sleep 0.15
kill_daemon
wait $down
start_daemon
gone() { [ "$(lp ps -o json)" = "[]" ] && [ "$(lp status -o json)" = "[]" ]; }
within 30 gone; ok $? "killed in the middle of down: the next daemon finishes it"
finish
