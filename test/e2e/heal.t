#!/usr/bin/env bash
# What dies or hangs is repaired, in the right place, and the story is told.
. "$(dirname "$0")/tap.sh"
before=$(machine)
port=$(free_port)
cat >"$work/heal.yaml" <<Y
name: heal
services:
  web:
    image: host
    command: [busybox, httpd, -f, -p, "80", -h, /www]
    configs: [{source: page, target: /www/index.html}]
    healthcheck: {test: [HTTP, "http://localhost/"], interval: 1s, timeout: 2s, retries: 2}
    ports: ["127.0.0.1:$port:80"]
  crash:
    image: host
    command: [sh, -c, "sleep 0.05; exit 3"]
    deploy: {restart_policy: {condition: any, delay: 50ms, max_attempts: 4, window: 60s}}
  greedy:
    image: host
    command: [python3, -c, "import time\ntime.sleep(1.5)\nx = bytearray(200_000_000)\ntime.sleep(99)"]
    deploy: {resources: {limits: {memory: 48M}}, restart_policy: {condition: any, max_attempts: 1, window: 600s}}
configs:
  page: {content: "hello\n"}
Y
lp up "$work/heal.yaml" --detach >/dev/null; is $? 0 "up --detach succeeds"
within 20 is_healthy web-1; ok $? "web-1 is healthy"

pid() { lp exec web-1 pidof busybox | tr ' ' '\n' | tail -n 1; }
life() { field web-1 incarnation; }
first=$(life)
lp break web-1 kill >/dev/null; is $? 0 "break kills the application"
within 5 sh -c "$LIMPET --root $root why web-1 | grep -q 'killed by signal 9'"; ok $? "its end is seen"
within 5 is_healthy web-1; ok $? "it is healthy again"
is "$(life)" "$first" "in the same life of the node"

lp break web-1 crash >/dev/null; is $? 0 "break crash kills the node"
within 10 sh -c "test \$($LIMPET --root $root ps -o json | jq -r '.[] | select(.node == \"web-1\") | .incarnation') -gt $first"
ok $? "the node begins another life"
within 10 is_healthy web-1; ok $? "and is healthy again"

lp exec web-1 sh -c 'kill -STOP $(pidof busybox)'
start=$(date +%s%N)
within 10 sh -c "$LIMPET --root $root why web-1 | grep -q 'The check of web in web-1 failed'"; ok $? "a frozen application is noticed"
within 10 sh -c "$LIMPET --root $root why web-1 | grep -q 'Limpet kills web in web-1, because'"; ok $? "it is killed, since it hangs"
within 10 is_healthy web-1; ok $? "and is healthy again"
echo "# frozen to healthy: $((($(date +%s%N) - start) / 1000000)) ms"
within 5 answers "http://127.0.0.1:$port/" hello; ok $? "it answers"

within 20 sh -c "$LIMPET --root $root ps -o json | jq -e '.[] | select(.node == \"crash-1\") | .health == \"gave up\"'"
ok $? "a crash loop ends in a stated give-up"
like "$(lp why crash-1)" 'ended with exit code 3' "why tells how it ended"
within 15 sh -c "$LIMPET --root $root why greedy-1 | grep -q 'lack of memory'"; ok $? "an OOM kill is seen as such"
like "$(lp plan --if 'node web-1 lost')" 'starts? web-1' "plan --if says what would be done"
lp restart crash-1 >/dev/null; is $? 0 "a person's restart begins anew"
lp down heal >/dev/null; is $? 0 "down succeeds although nodes gave up"
cat >"$work/loop.yaml" <<'Y'
name: loop
services:
  web:
    image: host
    command: [sh, -c, "sleep 0.05; exit 7"]
    healthcheck: {test: [TCP, 81], interval: 1s, start_period: 1m}
    deploy: {restart_policy: {delay: 20ms}}
Y
out=$(lp up "$work/loop.yaml" --wait=15 2>&1); is $? 3 "an application that always ends is not healthy"
like "$out" 'web in web-1 ended with exit code 7' "and its own end is told, not that of the node it was in"
lp events -n 500 --infra loop | grep -q 'kills web-1'; ok $? "though its node was killed, too"
lp down loop >/dev/null
finish
