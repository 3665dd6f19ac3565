#!/usr/bin/env bash
# limpet-init as PID 1 of a pid namespace, driven by the clients that the daemon and exec use.
. "$(dirname "$0")/tap.sh"
build=$(dirname "$LIMPET")
init=$build/src/init/limpet-init drive=$build/test/drive_init
[ "$(id -u)" = 0 ] || skip_all "needs root for a pid namespace"
unshare -fp --mount-proc true 2>/dev/null || skip_all "no pid namespaces here"
for program in "$init" "$drive"; do [ -x "$program" ] || skip_all "$program is not built"; done

node=$root/nodes/demo/db-1
sock=$node/init.sock
mkdir -p "$node/log"
printf '%08x' 1 >"$root/id"
"$drive" listen "$sock" unshare -fp --mount-proc "$init" --node db-1 --incarnation 3 \
    --log "$node/log" --done "$node/done" --capabilities 25 &
outer=$!
trap 'kill -9 $outer 2>/dev/null; pkill -9 -P $outer 2>/dev/null; rm -rf "$work"' EXIT
within 5 test -S "$sock"
drive() { timeout 120 "$drive" "$1" "$sock" "${@:2}"; }
log() { cat "$node/log/$1.log"; }
settle() { within 5 grep -q "$2" "$node/log/$1.log"; }

is "$(drive start 0 1 db GREETING="hello world" sh -c 'echo pid $$ of $PPID; exec sleep 1000')" \
    $'hello db-1/3\nstarted app=0 run=1' "starts an application"
settle db pid
like "$(log db)" '^pid [0-9]+ of 1$' "whose parent is PID 1"
is "$(drive list | tail -n 2)" $'state app=0 run=1 running status=0\nsynced' "lists it"

# Orphans of orphans are reaped.
"$LIMPET" --root "$root" exec db-1 sh -c '(sh -c "sleep 0.1 & sleep 0.2" &); exit 3' 2>/dev/null
is $? 3 "exec gives the command's exit status"
no_zombie() { ! "$LIMPET" --root "$root" exec db-1 ps -eo stat= | grep -q Z; }
within 5 no_zombie
ok $? "no zombie is left"
is "$(echo in | "$LIMPET" --root "$root" exec -i db-1 sh -c 'cat; echo $A; pwd' 2>&1)" $'in\n\n/' \
    "exec -i passes standard input on"
is "$("$LIMPET" --root "$root" exec db-1 printenv GREETING)" "hello world" \
    "exec sees the application's environment"
is "$("$LIMPET" --root "$root" exec db-1 grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status | sort -u | awk '{ print $2 }' | sort -u)" \
    0000000000000025 "and has just the capabilities that the node may have"
is "$("$LIMPET" --root "$root" exec -e A=b -w /usr -u daemon db-1 sh -c 'echo $A; pwd; id -un')" \
    $'b\n/usr\ndaemon' "exec -e -w -u"
"$LIMPET" --root "$root" exec db-1 no-such-thing 2>"$work/err"
is "$?:$(cat "$work/err")" "127:limpet exec: command not found: no-such-thing" "exec of nothing"
"$LIMPET" --root "$root" exec db-1 sh -c 'kill -TERM $$' 2>/dev/null
is $? 143 "exec of what is killed"

is "$(drive stop 0 1 5000 | tail -n 1)" "exited app=0 run=1 status=271" "stops it with SIGTERM"
drive start 0 2 db sh -c 'trap "" TERM; echo deaf; while :; do sleep 0.1; done' >/dev/null
settle db deaf
is "$(drive stop 0 2 200 | tail -n 1)" "exited app=0 run=2 status=265" "and kills what does not obey"

# The daemon comes and goes; limpet-init goes on.
drive start 1 1 worker sh -c 'for i in 1 2 3; do echo tick $i; sleep 0.1; done; exit 7' >/dev/null
settle worker 'tick 3'
has_ended() { drive list | grep -q 'state app=1 run=1 ended status=7'; }
within 3 has_ended; ok $? "what it missed is told afterwards"
is "$("$LIMPET" --root "$root" logs --no-prefix db-1/worker)" $'tick 1\ntick 2\ntick 3' "logs NODE/APP"
is "$("$LIMPET" --root "$root" logs -n 1 db-1/worker)" 'db-1/worker | tick 3' "logs -n 1"

# A disk that is full: the application goes on, and a line tells how much is missing.
mkdir "$work/small"
if mount -t tmpfs -o size=64k limpet-e2e-small "$work/small" 2>/dev/null; then
    trap 'kill -9 $outer 2>/dev/null; pkill -9 -P $outer 2>/dev/null; umount -l "$work/small"; rm -rf "$work"' EXIT
    "$drive" listen "$work/small.sock" unshare -fp --mount-proc "$init" --log "$work/small" \
        --done "$work/done" &
    within 5 test -S "$work/small.sock"
    timeout 120 "$drive" start "$work/small.sock" 0 1 full sh -c \
        "head -c 200000 /dev/zero | tr '\\0' x; : >'$work/written'; until [ -e '$work/go' ]; do sleep 0.05; done; echo; echo after" >/dev/null
    is_full() { [ -e "$work/written" ] && [ "$(df --output=avail "$work/small" | tail -n 1)" -lt 8 ]; }
    within 5 is_full
    : >"$work/small/full.log"
    : >"$work/go"
    within 5 grep -q after "$work/small/full.log"
    like "$(cat "$work/small/full.log")" 'limpet: [0-9]+ bytes of output could not be kept' \
        "a full disk loses output, and says so"
    timeout 120 "$drive" halt "$work/small.sock" 100 >/dev/null
fi

# Broken frames end their own connection; nothing leaks.
if command -v python3 >/dev/null; then
    fds() { pid=$(pgrep -P "$outer" -f -- '--node db-1' | head -n 1); ls "/proc/$pid/fd" | wc -l; }
    quiet() { [ "$(fds)" = "$fds_before" ]; }
    fds_before=$(fds)
    timeout 120 python3 "$here/storm_init.py" "$sock" 700
    for app in $(seq 3 31); do for run in 1 2 3; do drive stop $app $run 0 >/dev/null; done; done
    within 10 quiet
    is "$(fds)" "$fds_before" "a storm of broken frames leaves no file descriptor behind"
fi

drive start 2 1 last sh -c 'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done' >/dev/null
settle last up
is "$(drive halt 5000 | tail -n 1)" "exited app=2 run=1 status=0" "halt stops the applications"
wait "$outer"
is $? 0 "and limpet-init has ended"
is "$(log last)" $'up\nbye' "all output was kept"
echo "1..$tests"
exit $((failures > 0))
