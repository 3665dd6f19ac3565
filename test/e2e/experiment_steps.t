#!/usr/bin/env bash
# Every step of an experiment, what its failure makes of the run in each stage, and requirements.
. "$(dirname "$0")/tap.sh"
before=$(machine)
result() { jq -r "$1" "$work/out/result.json"; } # of the run before
try() { # FILE OPTIONS...: into $out and $work/out
    rm -rf "$work/out"
    out=$(lp experiment run "$@" --out "$work/out" 2>&1)
}
cd "$work" || exit 1

# Requirements, and stages: none of these needs an infrastructure.
small() { # LINES: an experiment with them
    printf 'title: small\nsteady_state: [{ping: 127.0.0.1, for: 1ms}]\n%b\n' "$1" >small.yaml
    try small.yaml
}
touch there
small 'requires: [{command: sh}, {file: there}, {env: HOME}, {memory: 1m}, {runtime: container}, {fault: cut}]\nstages: []'
is "$?$(result .status)" 0passed "requirements that are met"
for one in 'command: nothing-of-the-kind|nothing-of-the-kind is not installed' 'file: nowhere|there is no file .*/nowhere' \
    'env: NOT_SET_AT_ALL|NOT_SET_AT_ALL is not set' 'memory: 900g|less than 900g of memory' 'runtime: vm|no nodes of the kind vm'; do
    small "requires: [{${one%%|*}}]\nstages: [{break: [{exec: [touch, $work/touched]}]}]"
    is "$?$(result .status)" 0skipped "skipped: ${one%%|*}"
    like "$(result '.reasons[0]')" "${one#*|}" "with the reason"
done
ok "$(test ! -e touched; echo $?)" "and nothing was touched"
bad='checks: [{exec: ["false"]}]'
for one in "0passed setup: [], checks: [{exec: ['true']}]" "1invalid setup: [], $bad" "1invalid setup: [{exec: ['false']}]" \
    "1failed break: [], $bad" "1invalid break: [{exec: ['false']}]" "0passed break: [{exec: ['false'], may_fail: true}]" \
    "1invalid break: [{exec: [sleep, '9'], timeout: 200ms}]" "1invalid break: [{exec: [/nowhere/at/all]}]" \
    "1failed cleanup: [], $bad" "1failed cleanup: [{exec: ['false']}]"; do
    small "stages: [{${one#* }}]"
    is "$?$(result .status)" "${one%% *}" "${one/ /: }"
done
for one in "1failed heal: [], $bad" "1failed heal: [{exec: ['false']}]"; do
    small "stages: [{break: []}, {${one#* }}]"
    is "$?$(result .status)" "${one%% *}" "${one/ /: }"
done
small "stages: [{break: [{exec: [sleep, '9'], timeout: 200ms}]}]"
like "$(result '.runs[0].stages[].steps[] | select(.action == "exec") | .text')" 'took too long' "a step that took too long says so"
small "stages: [{break: [{name: a, background: true, exec: [sleep, '1']}, {name: b, exec: ['true']}], checks: [{ping: 127.0.0.1}]}]"
is "$?$(result '[.runs[0].stages[].steps[] | {(.name): .}] | add | .b.ended < .a.ended and .a.status == "done"')" 0true \
    "the next step does not wait for one in the background; its end is waited for"
small "stages: [{break: [{wait: 300ms}]}]\nload: {url: 'http://127.0.0.1:1/', rate: 10, for: 500ms}"
is "$(result '.runs[0].stages[].steps[] | select(.action == "wait") | .ended - .started >= 300')" true "wait: a time"
small "stages: [{break: [{wait: {load: 400ms}}]}]\nload: {url: 'http://127.0.0.1:1/', rate: 10, for: 500ms}"
is "$(result '.runs[0] | (.stages[].steps[] | select(.action == "wait") | .ended) >= (.load.start_wall_us / 1000 + 400 | floor)')" true "wait: until the load is so old"
small "stages: [{break: [{exec: [sh, -c, 'echo \$X; exit 0']}]}]"
X=given; export X; small "stages: [{break: [{exec: [sh, -c, 'echo got \$X']}]}]"
like "$(result '.runs[0].stages[].steps[] | select(.action == "exec") | .text')" 'got given' "a command has the environment"

# Those that need one.
cat >pair.yaml <<'Y'
name: pair
services:
  web: {image: host, command: [sleep, "1000"], deploy: {replicas: 2}}
Y
sed 's/name: pair/name: other/' pair.yaml >other.yaml
printf '#!/bin/sh\n[ "$(%s --root %s faults -o json | jq length)" = "$1" ]\n' "$LIMPET" "$root" >open-faults
chmod +x open-faults
cat >steps.yaml <<Y
title: every step
infrastructure: pair.yaml
steady_state: [{node: web, for: 1ms, within: 20s}]
stages:
  - setup: [{up: $work/other.yaml}, {exec: [hostname], node: web-2}]
  - name: more
    break: [{scale: {web: 3}}]
    checks: [{metric: nodes, service: web, equals: 3}, {node: web-3, within: 20s, every: 50ms}]
  - name: fewer
    break: [{scale: {web: 2}}]
    checks: [{metric: nodes, service: web, equals: 2, within: 20s, every: 50ms}]
  - name: again
    break: [{restart: web-1}]
    checks: [{node: web, within: 20s, every: 50ms}]
  - name: named
    break:
      - {name: freeze, break: web, fault: pause, select: all, for: 60s}
      - {name: freeze one, break: web-1, fault: cut, for: 60s}
      - {name: lossy, break: 'network:default', fault: loss, for: 60s}
  - name: one by one
    heal: [{heal: freeze one}]
    checks: [{exec: [$work/open-faults, "4"]}]
  - name: of a network
    heal: [{heal: 'network:default'}]
    checks: [{exec: [$work/open-faults, "2"]}]
  - name: of one node
    heal: [{heal: web-2}]
    checks: [{exec: [$work/open-faults, "1"]}]
  - name: of a service
    heal: [{heal: web}]
    checks: [{exec: [$work/open-faults, "0"]}]
  - name: all of it
    heal: [{heal: all}, {down: other}]
    checks: [{node: web, within: 20s, every: 50ms}]
Y
try steps.yaml; is $? 0 "up, down, exec, scale, restart, break, heal"
is "$(result '[.runs[0].stages[] | (.steps[], .checks[]) | select(.status | IN("done", "passed") | not) | .name] | join(", ")')" "" "each step is done, each check passes"
is "$(result '[.runs[0].stages[].steps[].action] | unique | join(" ")')" "break down exec heal heal-all restart scale up" "all of them"
is "$(result '[.runs[0].faults[].status] | unique | join(" ")')" healed "faults are healed by the name of their step, by node, network, service, and all"
is "$(result '[.runs[0].faults[].aim] | unique | join(" ")')" "network:default web web-1" "each says what it was aimed at"
is "$(result '.runs[0].stages[] | select(.kind == "setup") | .steps[1].text')" web-2 "a command in a node is in it"
is "$(lp status -o json | jq length)" 0 "nothing is up afterwards"
cd / && finish
