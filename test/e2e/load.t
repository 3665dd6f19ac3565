#!/usr/bin/env bash
# limpet load: figures, failures, acknowledged writes, stopping early, the file, a service's port.
. "$(dirname "$0")/tap.sh"
before=$(machine)
port=$(free_port)
python3 "$here/load_server.py" "$port" &
server=$!
trap 'kill $server 2>/dev/null; sweep' EXIT
url=http://127.0.0.1:$port
within 10 curl -sf "$url/ok"

out=$(lp load "$url/ok" --rate 200 --for 1s --out "$work/ok.load"); is $? 0 "a load that all goes well: exit code 0"
like "$out" '^200 requests in 1.000 s \(200.0/s\): 200 good, 0 failed' "it tells what was sent"
like "$out" 'availability +100.0000 %' "how available the service was"
like "$out" 'own lateness +p50 [0-9.]+ ms' "and how late it was itself"
is "$(lp load show "$work/ok.load")" "$out" "the file gives the same figures again"
is "$(stat -c %a "$work/ok.load")" 600 "the file is its owner's"
json=$(lp load show "$work/ok.load" -o json --series --fault-at 500ms)
is "$(jq -c '[.requests, .good, .endings.good, .is_whole, .plan.rate, .to_last_failure_us]' <<<"$json")" \
    '[200,200,200,true,"200.000",null]' "also as JSON"
is "$(jq -c '[.before.count, .during.count + .after.count]' <<<"$json")" '[100,100]' "before and after a mark"
is "$(jq -c '[.series[].offered] | add' <<<"$json")" 200 "second by second"
python3 - "$work/ok.load" <<'P'
import json, struct, sys
line, _, rows = open(sys.argv[1], "rb").read().partition(b"\n")
assert json.loads(line)["format"] == "limpet-load"
rows = list(struct.iter_unpack("<qqqHBBI", rows))
assert len(rows) == 201 and rows[-1][4] == 255 and rows[-1][6] == 200
assert sorted(row[0] for row in rows[:-1]) == [k * 5000 for k in range(200)]
assert all(row[2] >= row[1] >= row[0] and row[3] == 200 for row in rows[:-1])
P
is $? 0 "the file is as docs/load.md says: request k was due at k / rate"

out=$(lp load "$url/bad" "$url/ok" --rate 100 --for 200ms 2>&1); is $? 1 "half of them fail: exit code 1"
like "$out" '10 good, 10 failed' "targets take turns"
like "$out" 'failed +10 status' "why they failed"
lp load "$url/bad" "$url/ok" --rate 100 --for 200ms --fail-above 50% >/dev/null 2>&1; is $? 0 "--fail-above"
lp load "$url/ok" --rate 50 --for 100ms --expect-body nix -q 2>/dev/null; is $? 1 "a body that is not expected"
lp load "$url/bad" --rate 50 --for 100ms --expect-status 5xx -q; is $? 0 "a status that is"
out=$(lp load "$url/silent" --rate 50 --for 200ms --timeout 3s --outstanding 4 2>&1)
like "$out" 'failed +6 not-sent, 4 timeout' "what cannot be sent has failed"
out=$(lp load "$url/half" --rate 20 --for 200ms 2>&1)
like "$out" 'failed +4 closed' "half a reply is none"
out=$(lp load "$url/slow" --rate 20 --for 200ms --timeout 300ms 2>&1)
like "$out" 'failed +4 timeout' "a reply that comes by drops is too late as a whole"
out=$(lp load "$url/slow" --rate 20 --for 200ms --delayed-after 900ms)
like "$out" '4 good, 0 failed, 4 of the good later than 900' "with time enough it is good, and delayed"
lp load "$url/huge" "$url/ok" --rate 20 --for 200ms --timeout 1m -q; is $? 0 "huge replies"
lp load "$url/ok" --method HEAD --rate 50 --for 100ms -q; is $? 0 "HEAD: a length, and no body"
lp load "$url/items/{{id}}" --method PUT --data 'x{{id}}' --read '/items/{{id}}' --read-body 'x{{id}}' --rate 50 --for 100ms -q
is $? 0 "PUT"
lp load "$url/items/none" --method DELETE --expect-status 404 --rate 50 --for 100ms -q; is $? 0 "DELETE"

# A server that stands still for a second: whoever waits for it before sending the next would meet it
# once. Of 200 requests a second, 100 come later than 500 ms.
lp load "$url/ok" --rate 200 --for 3s --delayed-after 500ms -o json --out "$work/stall.load" >"$work/stall" &
stall=$!
within 5 sh -c "[ \$(wc -c <'$work/stall.load') -gt 3000 ]"
kill -STOP $server; sleep 1; kill -CONT $server
wait $stall
is "$(jq -c '[.requests, .good, .delayed > 80, .latency.p99_us > 800000, .longest_gap_us > 900000]' "$work/stall")" \
    '[600,600,true,true,true]' "a second in which the server stood still is in the latencies"

mkdir "$work/small"
mount -t tmpfs -o size=64k tmpfs "$work/small"
out=$(lp load "$url/ok" --rate 2000 --for 2s --out "$work/small/full.load" 2>&1); is $? 1 "no space for the record: exit code 1"
like "$out" '^4,000 requests' "the load goes on, and its figures are told"
like "$out" 'No space left' "and what is missing"
is "$(lp load show "$work/small/full.load" -o json | jq '.is_whole, .requests > 500' | paste -sd ' ')" "false true" \
    "what could be written counts"
umount "$work/small"
like "$(lp load "127.0.0.1:$(free_port)" --rate 50 --for 100ms 2>&1)" 'failed +5 connect' "nobody there"
out=$(lp load "$url/ok" --peak 100 --up 400ms --hold 200ms --down 400ms)
like "$out" '^60 requests in 1.000 s' "a pyramid"
out=$(lp load "$url/ok" --step 50:200ms --step 50-150:200ms)
like "$out" '^30 requests in 400.00 ms' "steps"

out=$(lp load "$url/items/{{id}}" --data 'x{{id}}' --read '/items/{{id}}' --read-body 'x{{id}}' --rate 100 --for 500ms)
is $? 0 "every acknowledged write is there"
like "$out" 'writes +50 acknowledged: 50 kept, 0 lost, 0 could not' "and that is told"
out=$(lp load "$url/forget/{{id}}" --data x --read "$url/items/{{id}}" --read-within 200ms --rate 100 --for 200ms 2>&1)
is $? 1 "acknowledged and then lost: exit code 1"
like "$out" 'writes +20 acknowledged: 0 kept, 20 lost, 0 could not' "and counted"

"$LIMPET" load "$url/ok" --rate 100 --for 1h --out "$work/early.load" >"$work/early" 2>&1 &
early=$!
within 5 test -s "$work/early.load"
within 5 sh -c "[ \$(wc -c <'$work/early.load') -gt 2000 ]"
kill -INT $early; wait $early; is $? 0 "an interrupt ends it"
like "$(cat "$work/early")" 'requests in [0-9.]+ m?s .*good, 0 failed' "with its figures"
is "$(lp load show "$work/early.load" -o json | jq .is_whole)" true "and a whole file"
"$LIMPET" load "$url/ok" --rate 100 --for 1h --out "$work/cut.load" >/dev/null 2>&1 &
cut=$!
within 5 sh -c "[ \$(wc -c <'$work/cut.load') -gt 2000 ]"
kill -KILL $cut; wait $cut 2>/dev/null
is "$(lp load show "$work/cut.load" -o json | jq '.is_whole, .requests > 0' | paste -sd ' ')" "false true" \
    "a file that was cut off counts as far as it goes"
script -qec "$LIMPET load $url/ok --rate 100 --for 1s" /dev/null >"$work/live" </dev/null
like "$(cat "$work/live")" '[0-9]+ s of 1 s  100/s  [0-9]+ good  [0-9]+ failed  [0-9]+ outstanding' "on a terminal it is told live"

cat >"$work/plan.yaml" <<Y
load:
  requests:
    - {url: $url/ok, share: 3}
    - {url: $url/bad, expect: {status: 500}}
  steps: [{rate: 100, for: 200ms}]
Y
out=$(lp load --plan "$work/plan.yaml" -o json); is $? 0 "a plan from a file"
is "$(jq -c '[.good, (.plan.requests | length)]' <<<"$out")" '[20,2]' "with several requests"
sed -i 's/rate: 100/rate: many/' "$work/plan.yaml"
like "$(lp load --plan "$work/plan.yaml" 2>&1)" 'plan.yaml:5:18: .many. is not a rate' "mistakes are told with their place"
lp load --plan "$work/plan.yaml" >/dev/null 2>&1; is $? 2 "exit code 2"
lp load >/dev/null 2>&1; is $? 2 "no target"
lp load "$url" --rate 10 >/dev/null 2>&1; is $? 2 "no time"
like "$(lp load https://localhost/ --rate 1 --for 1s 2>&1)" 'a load speaks http, not https' "no https"
lp load show "$work/plan.yaml" 2>/dev/null; is $? 1 "not a load's file"
ok "$(test ! -e "$root"; echo $?)" "none of this has touched the root"

web=$(free_port)
cat >"$work/shop.yaml" <<Y
name: shop
services:
  web:
    image: host
    command: [sh, -c, "mkdir -p /www && echo hello >/www/index.html && exec python3 -m http.server -d /www 80"]
    ports: ["$web:80"]
    healthcheck: {test: [HTTP, "http://localhost/"], interval: 1s, retries: 3}
  db: {image: host, command: [sleep, "1000"]}
Y
lp up "$work/shop.yaml" --wait=60 >/dev/null; is $? 0 "an infrastructure with a web service"
out=$(lp load shop/web --rate 50 --for 1s --expect-body hello); is $? 0 "a service by its name"
like "$out" '50 good, 0 failed' "through the port that it publishes"
lp load shop/web:80/index.html --rate 50 --for 200ms -q; is $? 0 "its port may be said"
like "$(lp load shop/web:81 --rate 1 --for 1s 2>&1)" 'does not publish its port 81' "one that it does not publish"
like "$(lp load shop/db --rate 1 --for 1s 2>&1)" 'publishes no port' "a service without any"
like "$(lp load shop/wbe --rate 1 --for 1s 2>&1)" "no service 'wbe'" "a service that there is not"
kill $server
wait $server 2>/dev/null
finish
