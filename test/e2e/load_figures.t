#!/usr/bin/env bash
# The figures of a load with a hang, a death and lost writes in it, beside those that a program which
# shares nothing with Limpet counts from the record.
. "$(dirname "$0")/tap.sh"
before=$(machine)
port=$(free_port)
url=http://127.0.0.1:$port
serve() {
    python3 "$here/load_server.py" "$port" &
    server=$!
    disown # its end is nothing to tell
    within 10 curl -sf "$url/ok"
}
trap 'kill -KILL $server 2>/dev/null; sweep' EXIT
serve

cat >"$work/plan.yaml" <<Y
requests:
  - {url: $url/ok, share: 6}
  - {url: $url/bad, share: 1}
  - {url: "$url/items/{{id}}", body: "x{{id}}", read: {path: "/items/{{id}}"}, share: 2}
  - {url: "$url/forget/{{id}}", body: x, read: {path: "/items/{{id}}", within: 100ms}, share: 1}
rate: 200
for: 5s
timeout: 1500ms
delayed_after: 200ms
Y
"$LIMPET" load --plan "$work/plan.yaml" --out "$work/run.load" -q 2>/dev/null &
load=$!
within 10 sh -c "[ \$(wc -c <'$work/run.load') -gt 8000 ]"
kill -STOP $server
sleep 0.7
kill -CONT $server
sleep 0.4
kill -KILL $server
sleep 0.2
serve
wait $load
is $? 1 "a load with a hang and a death in it"

compare() { # FAULT EFFECT DETECTED REPAIRED, in milliseconds, or -
    local names=(fault effect detected repaired) options=() marks=() i=0 at
    for at in "$@"; do
        [ "$at" = - ] || options+=("--${names[i]}-at" "${at}ms")
        [ "$at" = - ] && marks+=(-1) || marks+=($((at * 1000)))
        i=$((i + 1))
    done
    lp load show "$work/run.load" -o json --series "${options[@]}" >"$work/figures.json"
    python3 "$here/../reference/load_figures.py" "$work/run.load" "$work/figures.json" "${marks[@]}" >"$work/says"
    local status=$?
    sed 's/^/# /' "$work/says"
    return $status
}
compare; ok $? "no fault: every figure is as the record says, to the microsecond"
is "$(jq '.requests == 1000 and .failed > 100 and .delayed > 0 and .writes.acknowledged_then_lost > 0 and .writes.kept > 0' "$work/figures.json")" \
    true "there is something of everything to count"
compare 300 310 400 1200; ok $? "a fault with all its marks"
is "$(jq '[.to_effect_us, .to_detect_us, .to_repair_us] | tostring' "$work/figures.json")" '"[10000,100000,900000]"' "which are counted from it"
compare 1300 - - -; ok $? "a fault of which only the order is known"
compare 1300 1320 - 1900; ok $? "one that nobody detected"
compare 4900 4900 - -; ok $? "one at the very end"
is "$(jq .to_full_us "$work/figures.json")" null "of which nobody knows whether it was full again"
compare 300 310 400 1200
sed -i 's/"availability_ppm":\([0-9]*\)/"availability_ppm":1\1/' "$work/figures.json"
python3 "$here/../reference/load_figures.py" "$work/run.load" "$work/figures.json" 300000 310000 400000 1200000 >/dev/null
is $? 3 "a figure that is not so would be found"
head -c $(($(wc -c <"$work/run.load") - 1000)) "$work/run.load" >"$work/cut.load"
mv "$work/cut.load" "$work/run.load"
compare 300 310 400 1200; ok $? "a record that was cut off"

kill -KILL $server
finish
