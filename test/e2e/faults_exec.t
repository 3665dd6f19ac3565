#!/usr/bin/env bash
# The fault exec: what it does is seen in the node, and it is undone, also when the daemon is
# killed at any step of it.
. "$(dirname "$0")/tap.sh"
before=$(machine)
cat >"$work/faults.yaml" <<'Y'
name: twist
services:
  web:
    image: host
    command: [python3, -u, -c, "import time\nwhile True: time.sleep(1)"]
    environment: {GREETING: hello}
    deploy: {replicas: 2}
Y
lp up "$work/faults.yaml" --wait=60 >/dev/null; is $? 0 "the nodes are up"
in_node() { lp exec web-1 sh -c "$1" 2>/dev/null; }
faults() { lp faults -o json | jq -r '[.[].kind] | join(" ")'; }
healed() { [ -z "$(faults)" ] && [ ! -e "$root/faults" ]; }
kill_daemon() { # the process of the lock, unless its number is somebody else's by now
    local pid
    pid=$(cat "$root/lock")
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$root" && kill -9 "$pid"
    within 5 eval "! kill -0 $pid"
    lp daemon --background >/dev/null
}

# A command and its undo.
lp break web-1 exec --command 'echo $GREETING >/tmp/x' --undo 'rm /tmp/x' >/dev/null; is $? 0 "exec"
is "$(in_node 'cat /tmp/x')" hello "its command has run, in the application's environment"
out=$(timeout 60 "$LIMPET" --root "$root" break web-1 exec --command 'sleep 1000' --undo true --for 1s 2>&1)
is $? 1 "a fault whose time is over before its effect was seen fails"
like "$out" "f[0-9]+ was not seen before it was undone" "and it is told at once"
like "$(lp faults)" 'exec, for 300 s: echo \$GREETING >/tmp/x' "and is listed"
lp heal web-1 >/dev/null; is "$(in_node 'cat /tmp/x')$(faults)" "" "its undo has run"
out=$(lp break web-1 exec --command 'echo >/tmp/x; echo no good >&2; exit 3' --undo 'rm /tmp/x; echo undone >>/tmp/y' 2>&1)
is $? 1 "a command that fails"
like "$out" 'exited with code 3: no good' "its last line is told"
is "$(in_node 'cat /tmp/x /tmp/y')" undone "and what it did is undone when the verb returns"
out=$(lp break web-1 exec --command nosuch --undo true 2>&1); is $? 1 "a command that there is not"
like "$out" 'nosuch.*not found' "is told"
out=$(lp break web-1 exec --command true 2>&1); is $? 2 "without an undo"
like "$out" 'needs the option undo' "it is refused"
out=$(lp break host exec --command true --undo true 2>&1); is $? 2 "on the host"
like "$out" 'runs in a node' "it is refused, too"
lp break web-1 exec --command 'sleep 1000 & echo $! >/tmp/pid' --undo 'kill $(cat /tmp/pid)' --for 2s >/dev/null
in_node 'kill -0 $(cat /tmp/pid)'; ok $? "what it leaves running goes on"
within 3 healed && ! in_node 'kill -0 $(cat /tmp/pid)'; ok $? "until its time is over"
lp break web-1 exec --command true --undo 'echo out of luck; false' >/dev/null
out=$(lp heal --all); is $? 0 "an undo that fails"
like "$out" 'tried 3 times and failed: .*out of luck' "is told, and the fault is over"
lp break web-1 exec --command true --undo 'echo late >/tmp/y' --for 1m >/dev/null
lp break web-1 crash --for 2s >/dev/null
like "$(lp heal --all)" 'that life of the node is over' "a node that died: there is nothing to undo"
within 5 lp exec web-1 true; is "$(in_node 'cat /tmp/y')" "" "and nothing is"

# The daemon is killed: while the command runs, while the fault lasts, while the undo runs.
lp break web-1 exec --command 'echo begun >/tmp/x; sleep 15; echo done >/tmp/x' --undo 'rm -f /tmp/x; echo undone >/tmp/y' --no-wait >/dev/null
within 5 eval '[ "$(in_node "cat /tmp/x")" = begun ]'; ok $? "killed while the command runs"
kill_daemon
within 5 healed; ok $? "the next daemon ends the fault"
is "$(in_node 'cat /tmp/x /tmp/y')" undone "and undoes what was done"
like "$(lp why web-1)" 'the daemon ended while the command ran' "and says so"
lp break web-1 exec --command 'echo >/tmp/x' --undo 'rm /tmp/x; echo >>/tmp/z' --for 4s >/dev/null
kill_daemon
is "$(faults)" exec "killed while it lasts: the next daemon knows it"
within 6 healed; is "$(in_node 'ls /tmp/x; wc -l </tmp/z')" 1 "and undoes it at its time, once"
lp break web-1 exec --command true --undo 'echo begun >/tmp/u; sleep 2; echo done >>/tmp/u' >/dev/null
lp heal --all >/dev/null 2>&1 &
within 5 eval '[ "$(in_node "cat /tmp/u")" = begun ]'; ok $? "killed while the undo runs"
kill_daemon
within 6 healed; is "$(in_node 'cat /tmp/u')" $'begun\ndone' "the next one runs it to its end"
wait
lp break web-2 exec --command 'echo >/tmp/x' --undo 'rm /tmp/x' >/dev/null
finish
