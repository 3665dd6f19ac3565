#!/usr/bin/env bash
# The same experiment on several descriptors: highly available against plain, a reference run in
# which nothing is broken, the figures of others, requirements of one.
. "$(dirname "$0")/tap.sh"
command -v haproxy >/dev/null || skip_all 'haproxy is missing'
command -v busybox >/dev/null || skip_all 'busybox is missing'
before=$(machine)
experiments=$here/../../experiments
PORT=$(free_port)
export PORT
result() { jq -r "$1" "$work/out/result.json"; } # of the run before
try() {
    rm -rf "$work/out"
    out=$(lp experiment run "$@" --out "$work/out" 2>&1)
}

LOAD=4s try "$experiments/ha-versus-plain.yaml"; is $? 0 "highly available against plain"
is "$(result '[.runs[].load.outcome.failed] | .[0] < .[1]')" true "one node alone fails more requests than one of three"
is "$(result '[.variants[].name] | join(",")')" "three web nodes,one web node" "both are named"

cat >"$work/policies.yaml" <<Y
title: with a reference
compare:
  - {name: reference, descriptor: $experiments/plain-web.yaml, break: false}
  - {name: repaired, descriptor: $experiments/plain-web.yaml, set: {OFF: 1300ms}}
  - {name: in a VM, descriptor: $experiments/plain-web.yaml, requires: [{runtime: vm}]}
reference:
  - {what: repair, value: 22 s, source: S1, differs: no VMs here, variant: repaired, figure: to_repair_us}
  - {what: overhead, value: 46 %, source: S1, variant: in a VM, figure: failed}
steady_state: {for: 100ms, checks: [{http: {service: lb}, every: 50ms}]}
load: {service: lb, rate: 50, for: 2s, timeout: 1s}
stages:
  - break:
      - wait: {load: 500ms}
      - {break: web-1, fault: crash, for: "\${OFF:-1s}"}
      - wait: {load: 2s}
  - heal: [{heal: all}]
    checks: [{http: {service: lb}, within: 20s, every: 50ms}]
repeat: 2
Y
try "$work/policies.yaml"; is "$?$(result .status)" 0passed "a reference, a fault, and one that cannot be run here"
is "$(result '[.runs[] | "\(.variant) \(.repetition) \(.status)"] | join(", ")')" \
    "0 1 passed, 1 1 passed, 2 1 skipped, 0 2 passed, 1 2 passed, 2 2 skipped" "they take turns"
is "$(result '[.variants[] | .break] | join(" ")')" "false true true" "the result says in which nothing is broken"
is "$(result '[.runs[] | select(.variant == 0) | (.faults | length), .marks.fault, .load.outcome.failed] | map(tostring) | join(" ")')" \
    "0 null 0 0 null 0" "nothing is broken in the reference, and nothing fails"
is "$(result '[.runs[] | select(.variant == 0) | .stages[].steps[].action] | unique | join(" ")')" "down end-load heal-all start-load up wait" "the rest of it is done"
is "$(result '[.runs[] | select(.variant == 1) | .load.outcome.failed > 0 and .faults[0].until - .faults[0].asked == 1300] | all')" true "the other one fails, for as long as its own setting says"
is "$(result '.experiment.reference | length')" 2 "the figures of others are in the result"
report=$(lp experiment report "$work/out" --html "$work/page.html")
like "$report" 'repair: theirs 22 s \(S1\), ours [0-9.]+ m?s \(time to repair.*, repaired\)' "and in the report, with ours"
like "$report" 'what differs: no VMs here' "and with what differs"
like "$report" 'overhead: theirs 46 % \(S1\), ours not measured' "or that it was not measured"
is "$(grep -o 'class="reference" d=' "$work/page.html" | wc -l | awk '{ print ($1 >= 4) }')" 1 "the reference run is drawn behind the others"
sed 's/break: false/break: false, requires: [{command: nothing-of-the-kind}]/; s/OFF: 1300ms}/OFF: 1300ms}, requires: [{env: NOT_SET_AT_ALL}]/' "$work/policies.yaml" >"$work/none.yaml"
try "$work/none.yaml"; is "$?$(result .status)" 0skipped "skipped when all of them are"
like "$(result '.reasons | join(" ")')" 'nothing-of-the-kind is not installed.*NOT_SET_AT_ALL is not set' "with each reason"
finish
