#!/usr/bin/env bash
# limpet experiment: what is shipped passes. The others of it: experiment_chance.t (swizzle),
# experiment_compare.t (highly available against plain), experiment_wordpress.t (S0 and S1).
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
is "$(lp experiment list -o json | jq length)" 3 "with --out they are kept under the root, too"
try "$experiments/storage-replicas.yaml" --set NAME=other --set "PORT=$(free_port)"; is "$?$(result '.variants[0].infrastructure')" "0other" "--set reaches the descriptor"
like "$(lp experiment show "$work/out")" 'One storage replica down, then both: passed' "show tells it again"
finish
