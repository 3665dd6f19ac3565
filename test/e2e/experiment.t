#!/usr/bin/env bash
# limpet experiment: what is shipped passes; failures, guards, interrupts, a killed runner; what is
# kept.
. "$(dirname "$0")/tap.sh"
command -v haproxy >/dev/null || skip_all 'haproxy is missing'
command -v busybox >/dev/null || skip_all 'busybox is missing'
before=$(machine)
experiments=$here/../../experiments
PORT=$(free_port)
export PORT
result() { jq -r "$1" "$work/out/result.json"; } # of the run before
try() { # FILE OPTIONS...: into $out and $work/out
    rm -rf "$work/out"
    out=$(lp experiment run "$@" --out "$work/out" 2>&1)
}

try "$experiments/node-crash.yaml"; is $? 0 "a node crashes behind a load balancer: passed"
like "$out" 'break web-1: crash +done .*Fault f1 is in effect' "one line a step"
is "$(result '[.status, .format, .version] | @csv')" '"passed","limpet-experiment",1' "the result says so"
is "$(result '.runs[0].faults[0] | .kind, .target, (.active >= .asked), .status' | paste -sd' ')" \
    "crash web-1 true healed" "with its fault"
is "$(result '[.runs[0].stages[] | select(.kind == "break") | (.steps[0].ended <= .checks[].readings[0].at)] | all')" true \
    "no check was read before the fault was in effect"
is "$(result '.runs[0].faults[0].active as $a | [.runs[0].stages[] | select(.kind == "break") | .checks[].readings[0].at >= $a] | all')" true \
    "by the journal's clock, too"
is "$(result '[.runs[0].stages[].kind] | join(" ")')" \
    "prepare steady-state break heal cleanup steady-state-after teardown" "all stages are there"
is "$(lp status -o json | jq length)" 0 "nothing is up afterwards"

try "$experiments/storage-replicas.yaml"; is $? 0 "one storage replica down, both down: an expected failure"
try "$experiments/limpet-itself.yaml"; is $? 0 "the daemon is killed and stopped, and what it runs does not notice"
is "$(result '.runs[0].load.outcome.failed')" 0 "not one request failed"
LOAD=4s try "$experiments/swizzle.yaml" --seed 7; is $? 0 "a swizzle run"
first=$(result '[.runs[0].stages[].steps[] | select(.action == "break" or .action == "heal") | .name] | join(",")')
is "$(result '.runs[0].load.outcome | .requests > 0 and .is_whole')" true "its load has figures"
LOAD=1s try "$experiments/swizzle.yaml" --seed 7
is "$(result '[.runs[0].stages[].steps[] | select(.action == "break" or .action == "heal") | .name] | join(",")')" "$first" \
    "the same seed breaks the same in the same order"
LOAD=4s try "$experiments/ha-versus-plain.yaml"; is $? 0 "highly available against plain"
is "$(result '[.runs[].load.outcome.failed] | .[0] < .[1]')" true "one node alone fails more requests than one of three"
is "$(result '[.variants[].name] | join(",")')" "three web nodes,one web node" "both are named"

cat >"$work/base.yaml" <<Y
title: one that can be made to fail
infrastructure: $experiments/replicated-web.yaml
steady_state: {for: 200ms, within: 5s, checks: [{http: {service: lb}, every: 50ms}]}
stages:
  - setup:
      - {exec: [touch, $work/made], undo: [sh, -c, "rm $work/made && echo undone >>$work/undone"]}
  - break:
      - {break: web, fault: pause, select: all, for: 60s}
    checks:
      - {http: {service: lb}, within: "\${WITHIN:-500ms}", timeout: 300ms, every: 100ms, expect: "\${EXPECT:-pass}"}
  - heal: [{heal: all}]
    checks: [{node: web, within: 10s, every: 100ms}]
Y
try "$work/base.yaml"; is $? 1 "a check that fails: exit code 1"
is "$(result '.status, (.runs[0].stages[] | select(.kind == "heal") | .status)' | paste -sd' ')" "failed passed" \
    "and the faults are healed all the same"
is "$(cat "$work/undone")$(ls "$work/made" 2>&1 | grep -c 'No such')" "undone1" "what setup did is undone, once"
EXPECT=fail try "$work/base.yaml"; is $? 0 "the same failure, expected"
sed "s/fault: pause/fault: bandwidth/; s/select: all/rate: 1k, peer: nobody-1, select: all/" "$work/base.yaml" >"$work/invalid.yaml"
try "$work/invalid.yaml"; is "$?$(result .status)" "1invalid" "a fault that cannot be injected: invalid"
sed "s/service: lb}, every: 50ms/service: lb, contains: nothing of the kind}, every: 50ms/; s/within: 5s/within: 300ms/" "$work/base.yaml" >"$work/unsteady.yaml"
try "$work/unsteady.yaml"; is "$?$(result '.status, (.runs[0].faults | length)' | paste -sd' ')" "1invalid 0" \
    "not steady: invalid, and nothing is broken"
{ echo 'requires: [{runtime: vm}]'; cat "$work/base.yaml"; } >"$work/skipped.yaml"
try "$work/skipped.yaml"; is "$?$(result .status)" "0skipped" "a requirement that is not met: skipped"
like "$out" 'no nodes of the kind vm' "with the reason"
{ echo 'abort_when: [{http: {service: lb}, timeout: 200ms, expect: fail, for: 400ms, every: 100ms}]'; cat "$work/base.yaml"; } >"$work/abort.yaml"
WITHIN=60s try "$work/abort.yaml"; is "$?$(result '.status')" "1aborted" "the guard ends it"
is "$(result '[.runs[0].faults[].status] | unique | join(" ")')" "healed" "all faults are healed"

WITHIN=60s lp experiment run "$work/base.yaml" --out "$work/int" >"$work/int.out" 2>&1 &
pid=$!
within 20 grep -q 'is in effect' "$work/int.out"
pkill -INT -P $pid limpet 2>/dev/null || kill -INT $pid
wait $pid; is $? 1 "an interrupt: exit code 1"
is "$(jq -r '.status, ([.runs[0].faults[].status] | unique | join(" "))' "$work/int/result.json" | paste -sd' ')" \
    "aborted healed" "after healing and cleaning up"
is "$(lp faults -o json | jq length)$(lp status -o json | jq length)" "00" "nothing is left"

sed 's/for: 60s/for: 3s/' "$work/base.yaml" >"$work/killed.yaml"
WITHIN=60s "$LIMPET" --root "$root" experiment run "$work/killed.yaml" --out "$work/killed" >"$work/killed.out" 2>&1 &
pid=$!
within 20 grep -q 'is in effect' "$work/killed.out"
kill -KILL $pid; wait $pid 2>/dev/null
within 15 sh -c "[ \"\$('$LIMPET' --root '$root' faults -o json | jq length)\" = 0 ]"
ok $? "a runner that is killed: its faults end by their own bound"
is "$(pgrep -fc "$work/killed.yaml")" 0 "and its processes with it"
lp down shop >/dev/null

is "$(lp experiment list -o json | jq length)" 0 "with --out nothing is kept under the root"
try "$experiments/storage-replicas.yaml" --set NAME=other --set "PORT=$(free_port)"; is "$?$(result '.variants[0].infrastructure')" "0other" "--set reaches the descriptor"
like "$(lp experiment show "$work/out")" 'One storage replica down, then both: passed' "show tells it again"
finish
