#!/usr/bin/env bash
# Combinations: swizzle, repeat, and choices by weight, all of it from one seed.
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
names() { # RUN ACTION...: the names of its steps
    local run=$1
    shift
    result "[.runs[$run].stages[].steps[] | select(.action | IN($(printf '"%s",' "$@" | sed 's/,$//'))) | .name] | join(\" \")"
}

LOAD=4s try "$experiments/swizzle.yaml" --seed 7; is $? 0 "the swizzle that is shipped"
is "$(result '.runs[0].load.outcome | .requests > 0 and .is_whole')" true "under load"
is "$(result '.runs[0] | [.stages[].steps[] | select(.action == "break" and (.name | endswith(": pause")))] | length')" 2 "two of three nodes are stopped"

# Without anything that takes time: what is written out, and in which order.
cat >"$work/nodes.yaml" <<'Y'
name: nodes
services:
  web: {image: host, command: [sleep, "1000"], deploy: {replicas: 6}}
Y
lp up "$work/nodes.yaml" >/dev/null
cat >"$work/swizzle.yaml" <<Y
title: in random orders
infrastructure: nodes
steady_state: [{node: web, for: 1ms, within: 20s}]
stages:
  - break: [{swizzle: web, fault: pause, of_nodes: 50%, every: 100ms, for: 60s}]
    checks: [{node: web, within: 20s, every: 50ms}]
Y
try "$work/swizzle.yaml" --seed 3 --repeat 4; is $? 0 "half of six nodes, four times"
is "$(result '[.runs[] | [.stages[].steps[] | select(.action == "break")] | length] | join(" ")')" "3 3 3 3" "three are stopped each time"
is "$(result '[.runs[] | [.stages[].steps[] | select(.action == "break") | .name | split(" ")[1] | rtrimstr(":")] as $b | [.stages[].steps[] | select(.action == "heal") | .name | split(" ")[1]] as $h | ($b | unique | length) == 3 and ($b | sort) == ($h | sort)] | all')" true \
    "different ones, and just those are restored"
is "$(result '[.runs[] | [.stages[].steps[] | select(.action == "break" or .action == "heal") | .started] | [range(1; length) as $i | .[$i] - .[$i - 1] >= 99] | all] | all')" true "one by one, 100 ms apart"
is "$(result '[.runs[] | [.stages[].steps[] | select(.action == "break") | .name | split(" ")[1] | rtrimstr(":")] as $b | [.stages[].steps[] | select(.action == "heal") | .name | split(" ")[1]] as $h | $b != $h] | any')" true "restored in another order"
is "$(result '[.runs[] | [.stages[].steps[] | select(.action == "break") | .name]] | unique | length > 1')" true "each repetition has an order of its own"
is "$(result '[.runs[].seed] | join(" ")')" "3 4 5 6" "from the seed on"
third=$(names 2 break heal)
try "$work/swizzle.yaml" --seed 5; is "$(names 0 break heal)" "$third" "a repetition is done again by its seed"
is "$(result '[.runs[0].faults[].status] | unique | join(" ")')" healed "each is healed by its step, not by its bound"
sed 's/every: 100ms/every: 1ms, seed: 5/' "$work/swizzle.yaml" >"$work/own.yaml"
try "$work/own.yaml" --seed 99; one=$(names 0 break heal)
try "$work/own.yaml" --seed 100; is "$(names 0 break heal)" "$one" "a seed of its own wins"
lp down nodes >/dev/null

cat >"$work/chance.yaml" <<'Y'
title: by weight
steady_state: [{ping: 127.0.0.1, for: 1ms}]
stages:
  - break:
      - repeat: 3
        every: 100ms
        do: [{name: a, exec: ["true"]}, {name: b, exec: ["true"]}]
      - pick: 60
        random:
          - {weight: 9, do: [{name: often, exec: ["true"]}]}
          - {do: [{name: seldom, exec: ["true"]}, {name: after, exec: ["true"]}]}
Y
try "$work/chance.yaml" --seed 1; is $? 0 "repeat and random"
first=$(names 0 exec)
is "${first:0:11}" "a b a b a b" "repeat: so often, in its order"
is "$(result '[.runs[0].stages[].steps[] | select(.name == "a") | .started] | .[1] - .[0] >= 100 and .[2] - .[1] >= 100')" true "with time between"
is "$(result '[.runs[0].stages[].steps[] | select(.name == "often" or .name == "seldom")] | length')" 60 "random: so many choices"
is "$(result '[.runs[0].stages[].steps[].name] | (map(select(. == "seldom")) | length) as $n | $n >= 1 and $n <= 18 and $n == (map(select(. == "after")) | length)')" true \
    "by weight, one in ten (the odds of more than 18 of 60 are 1 in 10 million); each choice whole"
try "$work/chance.yaml" --seed 1; is "$(names 0 exec)" "$first" "the same seed chooses the same"
try "$work/chance.yaml" --seed 2; ok "$([ "$(names 0 exec)" != "$first" ]; echo $?)" "another one does not"
finish
