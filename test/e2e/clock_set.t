#!/usr/bin/env bash
# Somebody sets the machine's clock while Limpet runs: repairs and the ends of faults still come in
# time, and nothing is repaired that is well. The clock of the daemon alone is set, by libfaketime.
. "$(dirname "$0")/tap.sh"
faketime=$(find /usr/lib -name libfaketime.so.1 2>/dev/null | head -n 1)
[ -n "$faketime" ] || skip_all "libfaketime is not installed"
before=$(machine)
cat >"$work/c.yaml" <<'Y'
name: clockset
services:
  web:
    image: host
    command: [busybox, httpd, -f, -p, "80", -h, /etc]
    scale: 2
    healthcheck: {test: [HTTP, "http://localhost/hostname"], interval: 200ms, timeout: 1s, retries: 2}
Y
echo "+0" >"$work/clock"
FAKETIME_TIMESTAMP_FILE=$work/clock FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1 LD_PRELOAD=$faketime \
    "$LIMPET" --root "$root" daemon >"$work/daemon.log" 2>&1 &
within 5 lp status
lp up "$work/c.yaml" >/dev/null
ok $? "two nodes are up"
restarts() { lp ps -o json | jq -c 'map([.node, .restarts])'; }
no_faults() { [ "$(lp faults -o json | jq length)" = 0 ]; }

echo "-3h" >"$work/clock"
within 5 grep -q "machine's clock is 10[78].* s behind" "$work/daemon.log"
ok $? "the daemon says that the clock was set back"
began=$SECONDS
lp break web-1/web kill >/dev/null && lp up "$work/c.yaml" --wait 20s >/dev/null
ok $? "an application that dies afterwards is repaired"
lp break web-1/web hang --for ever >/dev/null
within 5 all_healthy 2
ok $? "one that hangs, too"
lp heal --all >/dev/null
lp break web-2 delay --delay 1ms --for 1s >/dev/null
within 5 no_faults
ok $? "a fault ends at its time"
[ $((SECONDS - began)) -lt 90 ]
ok $? "all within seconds, not hours"

count=$(restarts)
echo "+5h" >"$work/clock"
sleep 2
is "$(restarts)" "$count" "set forward, it makes nothing that is well be repaired"
all_healthy 2
ok $? "all is well"
within 5 grep -qE "clock is [0-9.]+ s ahead" "$work/daemon.log"
ok $? "that it was set forward is said"
finish
