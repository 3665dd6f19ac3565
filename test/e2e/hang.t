#!/usr/bin/env bash
# A container runtime that never ends: the daemon goes on, says so after its limit (30 s), tries
# again, and down works meanwhile. The daemon runs where that one is mounted upon crun.
. "$(dirname "$0")/tap.sh"
before=$(machine)
printf '#include <unistd.h>\nint main(void) { for (;;) pause(); }\n' >"$work/crun.c"
gcc -o "$work/crun" "$work/crun.c" || skip_all 'no C compiler'
cat >"$work/hang.yaml" <<'Y'
name: hang
services:
  web: {image: host, command: [sleep, "1000"], deploy: {replicas: 2}}
Y
unshare -m sh -c 'mount --bind "$1" "$(command -v crun)" && exec "$2" --root "$3" daemon --background' \
    sh "$work/crun" "$LIMPET" "$root" >/dev/null
is $? 0 "a daemon whose crun hangs"
hanging() { pgrep -f "crun --root .*$root|crun --root .*limpet-$(cat "$root/id")" | wc -l; }
lp up "$work/hang.yaml" --detach >/dev/null; is $? 0 "up --detach returns"
out=$(lp up "$work/hang.yaml" --wait=2 2>&1); is $? 3 "up is told that it is not healthy"
like "$out" 'web-1 is starting' "and that it is starting"
timeout 20 "$LIMPET" --root "$root" ps >/dev/null; is $? 0 "the daemon answers meanwhile"
lp scale web=1 >/dev/null; is $? 0 "and takes requests"
said() { lp why web-1 | grep -q 'web-1 could not be started: crun did not end within 30 s'; }
within 40 said; ok $? "after its limit it says what hangs"
again() { lp why web-1 | grep -q 'Limpet starts web-1 (life [2-9].*because the node could not be started'; }
within 10 again; ok $? "and tries again"
[ "$(hanging)" -ge 1 ]; ok $? "which hangs as the first did"
timeout 60 "$LIMPET" --root "$root" down hang >/dev/null; is $? 0 "down works although it hangs"
is "$(lp ps -o json)$(lp status -o json)" "[][]" "nothing is left of it"
is "$(hanging)" 0 "no process that hung is left"
lp shutdown >/dev/null
lp up "$work/hang.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "up works with a crun that works"
lp down hang >/dev/null; is $? 0 "and down"
finish
