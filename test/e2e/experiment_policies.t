#!/usr/bin/env bash
# The repair policies of S1 under a pyramid of writes; shorter than they are shipped, but at night.
. "$(dirname "$0")/tap.sh"
command -v haproxy >/dev/null || skip_all 'haproxy is missing'
command -v python3 >/dev/null || skip_all 'python3 is missing'
before=$(machine)
PORT=$(free_port)
export PORT
short=(--set UP=500ms --set HOLD=2s --set AT=1s --set END=3s --set RATE=60 --set STEADY=200ms --set READ=1s --set OFF=400ms)
[ "${NIGHTLY:-0}" = 1 ] && short=()
timeout 600 "$LIMPET" --root "$root" experiment run "$here/../../experiments/s1-policies.yaml" "${short[@]}" --out "$work/out" >"$work/run.out" 2>&1
is $? 0 "the policies of S1"
grep -A9 '^RUN ' "$work/run.out" | sed 's/^/# /'
figure() { # VARIANT KEY
    jq -r --arg v "$1" --arg k "$2" '(.variants | map(.name) | index($v)) as $i | .runs[] | select(.variant == $i) | .load.outcome | getpath($k / ".")' "$work/out/result.json"
}
is "$(jq -r '. as $r | [.runs[] | $r.variants[.variant].name + " " + .status] | join(", ")' "$work/out/result.json")" \
    "reference passed, a-no-repair passed, b-restart-in-place passed, c-vm-checkpoint skipped, d-new-node-restored passed" \
    "all but the checkpoint of a VM were run"
is "$(jq -r '.runs[3].reasons[0]' "$work/out/result.json")" "this Limpet has no nodes of the kind vm" "and that says why not"
is "$(figure reference failed) $(figure reference writes.acknowledged_then_lost)" "0 0" "without a fault nothing fails, and nothing is lost"
hold=(500000 2500000) # from when to when the load is constant
[ "${NIGHTLY:-0}" = 1 ] && hold=(5000000 25000000)
is "$(jq -r --argjson from "${hold[0]}" --argjson to "${hold[1]}" '[.runs[] | select(.load) | .load.marks.effect_us | select(.)] | length == 3 and all(. > $from and . < $to)' "$work/out/result.json")" true \
    "the store's node fails in the constant phase"
ok "$([ "$(figure a-no-repair failed)" -gt "$(figure b-restart-in-place failed)" ]; echo $?)" "no repair fails more requests than a restart in place"
is "$(figure a-no-repair to_full_us)" null "nobody serves again before the load has ended"
ok "$([ "$(figure b-restart-in-place to_repair_us)" -gt 0 ]; echo $?)" "a restart in place is a repair"
is "$(figure b-restart-in-place writes.acknowledged_then_lost)" 0 "which loses no acknowledged write"
ok "$([ "$(figure d-new-node-restored writes.acknowledged_then_lost)" -gt 0 ]; echo $?)" "a new node loses what its backup has not"
if [ "${NIGHTLY:-0}" = 1 ]; then
    ok "$([ "$(figure d-new-node-restored writes.acknowledged_then_lost)" -lt 750 ]; echo $?)" "and has what was in it"
fi
report=$(lp experiment report "$work/out" --html "$work/page.html")
like "$report" 'theirs about 46 % .*, ours not measured' "the figures of S1 stand beside ours: 46 %"
like "$report" 'theirs about 22 s .*, ours [0-9.]+ m?s .*b-restart-in-place' "22 s"
like "$report" 'theirs 5 min 30 s .*, ours [0-9.]+ m?s .*d-new-node-restored' "330 s"
is "$(grep -c 'what differs: ' <<<"$report")" 3 "each with what differs"
is "$(grep -o 'class="reference" d=' "$work/page.html" | wc -l)" 12 "the reference run is drawn behind each of the others, twice, also side by side"
finish
