#!/usr/bin/env bash
# The experiment that cuts the power of one who syncs and of one who does not.
. "$(dirname "$0")/tap.sh"
[ -c /dev/fuse ] || skip_all 'this machine has no FUSE'
before=$(machine)
PORT=$(free_port)
export PORT
LOAD=3s lp experiment run "$here/../../experiments/power-cut.yaml" --out "$work/out" >"$work/told" 2>&1
is $? 0 "passed"
lost() { jq ".runs[$1].load.outcome.writes.acknowledged_then_lost" "$work/out/result.json"; }
is "$(jq -r '[.variants[].name] | join(", ")' "$work/out/result.json")" "synced, not synced" "both ran"
is "$(lost 0)" 0 "who syncs loses nothing that was acknowledged"
[ "$(lost 1)" -gt 20 ]; ok $? "who does not loses what was written since the fault began ($(lost 1))"
finish
