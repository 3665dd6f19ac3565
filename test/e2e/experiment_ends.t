#!/usr/bin/env bash
# How an experiment ends: its five statuses; whatever happens, what was set up is undone in reverse,
# once, and no fault is left: after a failure, a guard, Ctrl-C, SIGTERM, the daemon's death, the
# runner's own.
. "$(dirname "$0")/tap.sh"
command -v busybox >/dev/null || skip_all 'busybox is missing'
before=$(machine)
port=$(free_port)
result() { jq -r "$1" "$work/out/result.json"; } # of the run before
try() { # FILE OPTIONS...: into $out and $work/out
    rm -rf "$work/out" "$work/undone"
    out=$(lp experiment run "$@" --out "$work/out" 2>&1)
}
one_web "$port" >"$work/one.yaml"
cat >"$work/base.yaml" <<Y
title: one that can be made to fail
infrastructure: one.yaml
steady_state: {for: 100ms, within: 10s, checks: [{http: {service: web}, every: 50ms}]}
stages:
  - setup:
      - {exec: [touch, $work/made], undo: [sh, -c, "rm $work/made && echo first >>$work/undone"]}
      - {exec: ["true"], undo: [sh, -c, "echo second >>$work/undone"]}
      - {exec: ["true"], undo: [sh, -c, "echo third >>$work/undone"]}
  - break:
      - {break: web-1, fault: pause, for: 60s}
      - {name: more, exec: [sh, -c, "\${MORE:-true}"]}
    checks:
      - {http: {service: web}, within: "\${WITHIN:-200ms}", timeout: 300ms, every: 100ms, expect: "\${EXPECT:-pass}"}
  - heal: [{heal: all}]
    checks: [{node: web, within: 20s, every: 50ms}]
  - cleanup: [{exec: [sh, -c, "echo cleanup >>$work/undone"]}]
Y
undone() { paste -sd' ' "$work/undone" 2>/dev/null; }
whole='third second first cleanup'
statuses() { result '[.status] + [.runs[0].faults[].status] | join(" ")'; }

EXPECT=fail try "$work/base.yaml"; is "$?$(statuses) $(undone)" "0passed healed $whole" "passed: the failure was expected"
try "$work/base.yaml"; is "$?$(statuses) $(undone)" "1failed healed $whole" "failed: a check; what setup did is undone in reverse, each once"
is "$(result '[.runs[0].stages[] | select(.kind | IN("break", "heal", "cleanup", "steady-state-after")) | .status] | join(" ")')" \
    "failed passed passed passed passed" "it is healed all the same, cleaned up, and looked at again"
sed 's|break: web-1, fault: pause|break: web-7, fault: pause|' "$work/base.yaml" >"$work/invalid.yaml"
try "$work/invalid.yaml"; is "$?$(result .status) $(undone)" "1invalid $whole" "invalid: a fault that cannot be injected"
sed "s/service: web}, every: 50ms/service: web, contains: nothing of the kind}, every: 50ms/; s/within: 10s/within: 300ms/" "$work/base.yaml" >"$work/unsteady.yaml"
try "$work/unsteady.yaml"; is "$?$(result '.status, (.runs[0].faults | length)' | paste -sd' ') $(undone)" "1invalid 0 $whole" \
    "invalid: not steady, and nothing is broken"
sed 's/{exec: \["true"\], undo: \[sh, -c, "echo third/{exec: ["false"], undo: [sh, -c, "echo third/' "$work/base.yaml" >"$work/setup.yaml"
try "$work/setup.yaml"; is "$?$(result '.status, (.runs[0].faults | length)' | paste -sd' ') $(undone)" "1invalid 0 $whole" \
    "invalid: the setup failed; what it began is undone, too"
{ echo 'requires: [{command: sh}, {runtime: vm}]'; cat "$work/base.yaml"; } >"$work/skipped.yaml"
try "$work/skipped.yaml"; is "$?$(result .status) $(undone)" "0skipped " "skipped: a requirement that is not met; nothing is touched"
like "$out" 'no nodes of the kind vm' "with the reason"
sed 's/echo second >>[^ "]*/&; exit 3/' "$work/base.yaml" >"$work/dirty.yaml"
EXPECT=fail try "$work/dirty.yaml"; is "$?$(statuses) $(undone)" "1failed healed $whole" "failed: one undoing; the others are done all the same"
{ echo 'abort_when: [{http: {service: web}, timeout: 200ms, expect: fail, for: 300ms, every: 100ms}]'; cat "$work/base.yaml"; } >"$work/abort.yaml"
WITHIN=60s try "$work/abort.yaml"; is "$?$(statuses) $(undone)" "1aborted healed $whole" "aborted: by a guard"
like "$(result '.reasons[0]')" 'http' "which is named"
is "$(result '[.runs[0].stages[] | select(.kind == "heal") | .status] | join(" ")')" skipped "what was still to be done is left out"

stop_with() { # SIGNAL...: sent one after the other once the fault is in effect
    rm -rf "$work/out" "$work/undone" "$work/stop.out"
    WITHIN=60s "$LIMPET" --root "$root" experiment run "$work/base.yaml" --out "$work/out" >"$work/stop.out" 2>&1 &
    pid=$!
    within 20 grep -q 'is in effect' "$work/stop.out"
    for signal in "$@"; do kill -"$signal" $pid; sleep 0.1; done
    wait $pid
}
stop_with INT; is "$?$(statuses) $(undone)" "1aborted healed $whole" "aborted: Ctrl-C"
is "$(result '[.runs[0].stages[] | select(.kind == "steady-state-after") | .status] | join(" ")')" passed "it is looked at again"
stop_with TERM; is "$?$(statuses) $(undone)" "1aborted healed $whole" "aborted: SIGTERM"
stop_with HUP; is "$?$(statuses) $(undone)" "1aborted healed $whole" "aborted: its terminal is gone"
stop_with INT INT INT; is "$?$(statuses) $(undone)" "1aborted healed $whole" "Ctrl-C again and again: cleaned up all the same, once"
is "$(lp faults -o json | jq length)$(lp status -o json | jq length)" "00" "nothing is left"

# The daemon dies in the midst of it, by somebody's hand; the next one finishes what is to be undone.
cat >"$work/daemon-kill" <<K
#!/bin/sh
kill -9 \$(pgrep -f '^[^ ]*limpet.* daemon.*$root|^[^ ]*limpet.*$root.* daemon')
K
chmod +x "$work/daemon-kill"
EXPECT=fail MORE=$work/daemon-kill try "$work/base.yaml"
is "$?$(statuses) $(undone)" "0passed healed $whole" "the daemon is killed before the checks: the run goes on"
MORE=$work/daemon-kill try "$work/base.yaml"
is "$?$(statuses) $(undone)" "1failed healed $whole" "and before the healing: a check failed, all is healed"
ok "$(result '.ended - .started < 50000' | grep -q true; echo $?)" "by order, not by the fault's own bound"

sed "s|- heal: \[{heal: all}\]|- heal: [{exec: [$work/daemon-kill]}, {heal: all}]|" "$work/base.yaml" >"$work/orphan.yaml"
EXPECT=fail try "$work/orphan.yaml"; is "$?$(statuses) $(undone)" "0passed healed $whole" "and right before the order to heal, which is given again"
ok "$(result '[.runs[0].stages[].steps[] | select(.name == "heal all") | .ended - .started < 20000] | all' | grep -q true; echo $?)" "it is not waited for the fault's end"
sed "s|      - {break: web-1, fault: pause, for: 60s}|      - {exec: [$work/daemon-kill]}\n&|" "$work/base.yaml" >"$work/orphan.yaml"
EXPECT=fail try "$work/orphan.yaml"; is "$?$(statuses) $(undone)" "0passed healed $whole" "and right before the order to break"

# The runner is killed: its faults end by their bound, its processes with it.
sed 's/for: 60s/for: 3s/' "$work/base.yaml" >"$work/killed.yaml"
WITHIN=60s "$LIMPET" --root "$root" experiment run "$work/killed.yaml" --out "$work/killed" >"$work/killed.out" 2>&1 &
pid=$!
within 20 grep -q 'is in effect' "$work/killed.out"
kill -KILL $pid; wait $pid 2>/dev/null
within 15 sh -c "[ \"\$('$LIMPET' --root '$root' faults -o json | jq length)\" = 0 ]"
ok $? "a runner that is killed: its faults end by their own bound"
is "$(pgrep -fc "$work/killed.yaml")" 0 "and its processes with it"
lp down one >/dev/null
finish
