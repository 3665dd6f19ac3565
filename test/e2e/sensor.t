#!/usr/bin/env bash
# What is odd in an application's log is a suspicion: it confirms a check that fails, and alone it
# changes nothing.
. "$(dirname "$0")/tap.sh"
cd "$work" || exit 1
before=$(machine)
watcher=
trap '[ -n "$watcher" ] && kill "$watcher" 2>/dev/null; sweep' EXIT
cat >limpet.yaml <<'Y'
name: talk
services:
  box:
    image: host
    command: [sh, -c, "while sleep 0.01; do echo tick; echo tack; done"]
    healthcheck: {test: [CMD, test, "!", -e, /tmp/sick], interval: 2s, retries: 5}
Y
lp up limpet.yaml --wait=30 >/dev/null; is $? 0 "a node that talks"
lp log watch --sensor >/dev/null 2>err; is $? 2 "--sensor wants nodes"
like "$(cat err)" '--sensor is for the nodes of --infra NAME' "and says so"
"$LIMPET" --root "$root" --infra talk log watch --sensor --learn 200 >told 2>err &
watcher=$!
within 10 grep -q watching err; ok $? "log watch --sensor"
log=$(find "$root/nodes" -name box.log)
lines=$(wc -l <"$log")
has_talked() { [ "$(wc -l <"$log")" -gt $((lines + 400)) ]; }
within 10 has_talked # so long it learns; what is odd needs what is usual
sleep 1
odd() { echo "$1" >>"$log"; }
suspected() { [ "$(lp events -n 1000 -o json | grep -c suspicion)" -ge 1 ]; }
odd 'alarm bell rings'
within 10 suspected; ok $? "the daemon is told what is odd"
like "$(lp why box-1)" 'A sensor beside its check doubts box in box-1: .*alarm bell rings' "and why repeats it"
sleep 3
is "$(lp ps -o json | jq -r '.[0] | [.health, .restarts] | join(" ")')" "healthy 0" "alone it changes nothing"
lp exec box-1 touch /tmp/sick; is $? 0 "the check begins to fail"
for word in flood fire frost famine fever; do
    odd "$word breaks out"
    sleep 0.5
done
killed() { lp why box-1 | grep -q 'Limpet kills box'; }
within 20 killed; ok $? "and the node is repaired"
like "$(lp why box-1)" 'Limpet kills box in box-1.*its check failed 4 times, and another sensor doubts it, too' \
    "one failed reading earlier"
kill -TERM "$watcher"; wait "$watcher"; is $? 0 "SIGTERM ends the watch"; watcher=
curl -s --unix-socket "$root/limpet.sock" http://limpet/v1/suspicions -d \
    '{"infrastructure":"talk","target":"box-1","because":"x"}' >answer
like "$(cat answer)" 'no application of a node' "a node is none"
lp down talk >/dev/null; is $? 0 "down"
lp shutdown >/dev/null
finish
