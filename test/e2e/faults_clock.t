#!/usr/bin/env bash
# The fault clock: programs in the node see another time, those elsewhere do not, and it is right
# again, also when the daemon is killed.
. "$(dirname "$0")/tap.sh"
before=$(machine)
# A small image of its own, for a node in a user namespace.
mkdir -p "$work/image"/{proc,sys,dev,tmp,etc}
for program in /bin/sh /bin/sleep /bin/date; do
    for file in "$program" $(ldd "$program" | grep -oE '/[^ ]+'); do
        mkdir -p "$work/image$(dirname "$file")" && cp -L "$file" "$work/image$file"
    done
done
cat >"$work/clock.yaml" <<Y
name: clocks
services:
  web:
    image: host
    clock: adjustable
    command: [python3, -u, -c, "import time\nwhile True: print(int(time.time()), time.monotonic()); time.sleep(0.05)"]
    volumes: ["$work/programs:/programs:ro"]
    deploy: {replicas: 2}
  static:
    image: host
    clock: adjustable
    command: [busybox, sleep, "1000"]
  plain: {image: host, command: [sleep, "1000"]}
  apart:
    image: $work/image
    user: "33"
    clock: adjustable
    command: [/bin/sh, -c, "while :; do /bin/sleep 0.2; done"]
Y
mkdir -p "$work/programs"
cp "$(dirname "$LIMPET")/test/drive_clock" "$work/programs/drive"
musl-gcc -o "$work/programs/drive-musl" "$here/drive_clock.c"; is $? 0 "a program of another C library (musl)"
lp up "$work/clock.yaml" --wait=60 >/dev/null; is $? 0 "the nodes are up"
in_node() { lp exec web-1 "$@" 2>/dev/null; }
off() { echo $(($(in_node date +%s) - $(date +%s))); }                 # of the node's clock, in seconds
is_off() { local o; o=$(off); [ "$o" -ge $(($1 - 2)) ] && [ "$o" -le $(($1 + 60)) ]; }
told() { lp logs web-1 -n 1 2>/dev/null | awk -v field="$1" '{ print $(field + 2) }'; } # by the application
app_is_off() { local o; o=$(($(told 1) - $(date +%s))); [ "$o" -ge $(($1 - 5)) ] && [ "$o" -le $(($1 + 5)) ]; }
faults() { lp faults -o json | jq -r '[.[].kind] | join(" ")'; }
healed() { [ -z "$(faults)" ] && [ ! -e "$root/faults" ]; }
kill_daemon() { # the process of the lock, unless its number is somebody else's by now
    local pid
    pid=$(cat "$root/lock")
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$root" && kill -9 "$pid"
    within 5 eval "! kill -0 $pid"
}
waits_are_right() { # of one program, three tries: the machine may be busy
    local way try
    for try in 1 2 3; do
        way=$(in_node "/programs/$1" | awk -v now="$(date +%s)" -v off="$2" '
            /^read/ { for (i = 2; i <= NF; i++) if ($i - now < off - 2 || $i - now > off + 60) print "reads", $i - now }
            /^wait/ { for (i = 3; i <= NF; i += 2) if ($i < 199 || $i > 1000) print $(i - 1), $i }
            END { if (NR != 2) print "says nothing" }')
        [ -z "$way" ] && return 0
    done
    echo "# $way"
    return 1
}
is_off 0; ok $? "its clock is right"
is "$(lp exec -e LD_PRELOAD=/own.so web-1 printenv LD_PRELOAD 2>/dev/null)" "/.limpet/clock.so:/own.so" \
    "a library that the application asks for itself stays"
waits_are_right drive 0; ok $? "and programs with the library wait as ever"

lp break web-1 clock --jump +1h >/dev/null; is $? 0 "an hour ahead"
is_off 3600; ok $? "date says so"
within 3 app_is_off 3600; ok $? "and so does the application, which runs on"
waits_are_right drive 3600; ok $? "all functions agree, and deadlines are kept"
waits_are_right drive-musl 3600; ok $? "of musl, too"
[ $(($(lp exec web-2 date +%s) - $(date +%s))) -le 60 ]; ok $? "another node's clock is right"
out=$(lp break web-1 clock --jump 1m 2>&1); is $? 1 "a second one on the same clock"
like "$out" 'set by the fault f[0-9]+ already' "is refused"
lp heal web-1 >/dev/null; is_off 0; ok $? "healed, it is right"
within 3 app_is_off 0; ok $? "for the application as well"
lp break web-1 clock --jump -5m --for 4s >/dev/null; is_off -300; ok $? "five minutes behind"
within 6 healed; is_off 0; ok $? "for its time"

# Twice the speed, for both clocks; what the monotonic one has gained it keeps.
was=$(told 2)
lp break web-1 clock --drift 2x >/dev/null
a=$(in_node cat /proc/uptime | cut -d' ' -f1) x=$(told 2); sleep 2
b=$(in_node cat /proc/uptime | cut -d' ' -f1) y=$(told 2)
awk "BEGIN { exit !($y - $x > 1.5 * ($b - $a)) }"; ok $? "twice the speed ($x to $y in $a to $b s)"
lp heal web-1 >/dev/null; is_off 0; ok $? "the clock of the day is right again"
sleep 0.2
awk "BEGIN { exit !($(told 2) >= $y) }"; ok $? "the monotonic one has not gone back"

# The daemon is killed; the node begins a new life.
lp break web-1 clock --jump 2h --for 9s >/dev/null
kill_daemon
is_off 7200; ok $? "without a daemon it stays as it is"
lp daemon --background >/dev/null
is_off 7200; ok $? "the next one does not set it twice"
lp break web-1 kill >/dev/null; within 3 is_off 7200; ok $? "a new process sees it"
within 12 healed; is_off 0; ok $? "and at its time it is right"
lp break web-1 clock --jump 3h >/dev/null
lp break web-1 crash >/dev/null
within 5 is_off 10800; ok $? "a new life of the node gets it, too"
kill_daemon
lp heal --all >/dev/null; is_off 0; ok $? "heal starts a daemon and undoes it"

lp break apart-1 clock --jump -2h >/dev/null; is $? 0 "an image of its own, in a user namespace, another user"
apart_is_off() { local o; o=$(($(lp exec -u 33 apart-1 /bin/date +%s) - $(date +%s))); [ $((o - $1)) -ge -2 ] && [ $((o - $1)) -le 60 ]; }
apart_is_off -7200; ok $? "sees it"
lp heal --all >/dev/null; apart_is_off 0; ok $? "and its end"

# Whose clock cannot be set.
out=$(lp break plain-1 clock --jump 1h 2>&1); is $? 1 "a node without the key"
like "$out" 'clock: adjustable' "is refused by its name"
out=$(lp break static-1 clock --jump 1h 2>&1); is $? 1 "a static program"
like "$out" 'none of the 1 processes of static-1' "is told to see nothing"
out=$(lp break web-1 clock 2>&1); is $? 2 "neither jump nor drift"
lp break web-2 clock --jump 1h >/dev/null
finish
