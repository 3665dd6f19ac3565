#!/usr/bin/env bash
# limpet log watch --infra: the output of all nodes, while nodes come, go, and come again, with the
# daemon and without, and over an end of the watch itself.
. "$(dirname "$0")/tap.sh"
before=$(machine)
cd "$work" || exit 1
LIMPET=$(realpath "$LIMPET")
watcher=""
trap '[ -n "$watcher" ] && kill "$watcher" 2>/dev/null; sweep' EXIT

cat >limpet.yaml <<'Y'
name: talk
services:
  box:
    image: host
    scale: 2
    command: [sh, -c, "while sleep 0.01; do echo tick; echo tack; done"]
Y
watch() { # in the background, until it watches
    : >told; : >"$work/err"
    "$LIMPET" --root "$root" --infra talk log watch -m talk.model --learn 200 --bits 8 >told 2>"$work/err" &
    watcher=$!
    within 10 grep -q 'watching' "$work/err"
}
unwatch() { kill -TERM $watcher; wait $watcher; watcher=; }
log_of() { echo "$root/nodes/talk/box-$1/log/box.log"; }
told() { grep -q "box-$1/log/box.log:[0-9]*: .*bell $2" told; }
talks() { local at; at=$(stat -c %s "$(log_of "$1")") && sleep 0.1 && [ "$(stat -c %s "$(log_of "$1")")" -gt "$at" ]; }
# As if the application of node NUMBER had said it, between what it says.
rings() { within 10 talks "$1" && echo "bell $2" >>"$(log_of "$1")" && within 10 told "$1" "$2"; }
busy() { [ "$(cat "$root"/nodes/talk/box-*/log/box.log | wc -l)" -gt "$1" ]; }

lp up limpet.yaml --wait=30 -q; is $? 0 "two nodes that talk"
within 20 busy 400
watch; ok $? "watch --infra learns what they said so far"
rings 1 one; ok $? "and tells what is odd"
lp scale box=3 -q; rings 3 two; ok $? "a new node is watched"
lp restart box-2 -q; rings 2 three; ok $? "and one that was restarted"
lp shutdown -q; rings 1 four; ok $? "also while no daemon runs"
lp daemon --background >/dev/null; rings 1 five; ok $? "and with the next one"
was=$(stat -c %i "$(log_of 3)")
lp scale box=2 -q; within 10 test ! -e "$(log_of 3)"
held() { ls -l /proc/$watcher/fd | grep -q deleted; }
not_held() { ! held; }
within 10 not_held; ok $? "the log of a node that is gone is not held open"
lp scale box=3 -q; rings 3 six; ok $? "and that of the next node of this name is watched (inode $was, $(stat -c %i "$(log_of 3)"))"
unwatch
is "$(grep -c '^[0-9].*was not expected' told)" 6 "each once"
within 10 talks 1; echo 'bell seven' >>"$(log_of 1)"; within 10 talks 1
lp scale box=4 -q; within 10 talks 4; echo 'bell eight' >>"$(log_of 4)"; within 10 talks 4
watch; ok $? "watch begun again"
within 10 told 1 seven; ok $? "tells what it missed"
within 10 told 4 eight; ok $? "also of a node that is new"
is "$(grep -cE 'bell (one|two|three|four|five|six)' told)" 0 "and nothing twice"
is "$(grep -vc 'lines learnt, watching' "$work/err")" 0 "nothing was lost"
unwatch
lp down talk -q --wait=30
watch; ok $? "nodes that are all gone"
like "$(cat "$work/err")" 'was followed before and is not now' "are told"
unwatch
finish
