#!/usr/bin/env bash
# The command line: help for every verb, spelling, exit codes, forms of output, mistakes.
. "$(dirname "$0")/tap.sh"
before=$(machine)
verbs=$("$LIMPET" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' | tr '\n' ' ')
is "$verbs" "up down plan check ps status events why logs log exec scale restart break heal faults images daemon shutdown load experiment doctor simulate version " \
    "--help lists the verbs"
bad=
for verb in $verbs; do
    [[ "$(lp "$verb" --help)" == "usage: limpet $verb"* ]] || bad+=" $verb"
    [[ "$(lp help "$verb")" == "usage: limpet $verb"* ]] || bad+=" help-$verb"
    lp "$verb" --no-such-option >/dev/null 2>&1
    [ $? = 2 ] || bad+=" $verb-option"
    grep -q "^\.Ss $verb\$" "$here/../../man/limpet.1" || bad+=" man-$verb"
done
is "$bad" "" "each verb has its help, refuses what it does not know, and has its place in the man page"
like "$(lp up --wiat 2>&1)" 'did you mean --wait' "an option's nearest spelling"
like "$(lp ps -o yaml 2>&1)" 'json and text' "the forms of output are named"
lp >/dev/null 2>&1; is $? 2 "no verb is bad usage"
lp why >/dev/null 2>&1; is $? 2 "a missing argument is bad usage"
lp ps a b >/dev/null 2>&1; is $? 2 "an argument too many, too"
like "$(lp why web-1 2>&1)" 'no daemon answers' "without a daemon that is said"
lp why web-1 >/dev/null 2>&1; is $? 1 "with exit code 1"
lp shutdown >/dev/null; is $? 0 "shutdown without a daemon: nothing to do"
ok "$(test ! -e "$root"; echo $?)" "none of this has touched the root"
is "$("$LIMPET" --version)" "$(lp version)" "--version is version"
lp logs -n -5 >/dev/null 2>&1; is $? 2 "a number of lines below one is none"
like "$(lp ps a b 2>&1)" "'b' is one argument too many" "and says which"
like "$(lp version -o json)" '^\{"version":"[0-9.]+"\}$' "version -o json"
(cd "$work" && "$LIMPET" check >/dev/null 2>"$work/err"); is $? 2 "check without a file"
like "$(cat "$work/err")" 'limpet.yaml' "says which file it looks for"

mkdir "$work/strange"; touch "$work/strange/mine"; chmod 755 "$work/strange"
"$LIMPET" --root "$work/strange" daemon --background >/dev/null 2>"$work/err"; is $? 1 "a folder with other things is no root"
like "$(cat "$work/err")" 'mine' "and says with what"
is "$(stat -c %a "$work/strange")" 755 "and it stays as it was"

cat >"$work/limpet.yaml" <<'Y'
name: ${NAME:-cli}
services:
  web:
    image: host
    command: [sleep, "${SECONDS_TO_SLEEP}"]
    deploy: {replicas: 2}
  extra: {image: host, command: [sleep, "1000"], profiles: [more]}
Y
echo 'SECONDS_TO_SLEEP=1000' >"$work/.env"
like "$(cd "$work" && lp check)" 'limpet.yaml: nothing wrong; cli has 1 service, 2 nodes' "limpet.yaml and .env are found"
is "$(cd "$work" && NAME=other lp check -o json | jq -r .name)" other "the environment wins"
is "$(cd "$work" && lp check --profile more -o json | jq -r '.services | keys | join(",")')" extra,web "--profile"
like "$(lp plan "$work/limpet.yaml" --scale web=1)" 'starts web-1' "plan works before there is a daemon"
ok "$(test ! -e "$root"; echo $?)" "and makes no root"
lp up "$work/limpet.yaml" --scale web=many >/dev/null 2>&1; is $? 2 "--scale wants a number"
lp up "$work/limpet.yaml" --scale wbe=2 >/dev/null 2>&1; is $? 2 "of a service that there is"
lp up "$work/limpet.yaml" --wait=soon >/dev/null 2>&1; is $? 2 "--wait wants seconds"

out=$(cd "$work" && lp up --wait=60 --scale web=1 2>&1); is $? 0 "up of the file in the folder"
like "$out" '^cli is up: 1 node healthy' "one line tells that it is up"
is "$(grep -c $'\033' <<<"$out")" 0 "nothing for terminals in a pipe"
is "$(lp -q ps -o json | jq length)" 1 "--scale was obeyed"
is "$(cd "$work" && lp up -q --wait 2>&1)" "" "-q is quiet"
all_healthy 2; ok $? "the file's number is in force again"
script -qec "$LIMPET --root $root up $work/limpet.yaml --scale web=3" /dev/null >"$work/live" </dev/null
like "$(cat "$work/live")" $'\033\\[[0-9]+A' "on a terminal it is drawn live"
is "$(grep -c $'\033\\[3[0-9]m' "$work/live")" 0 "NO_COLOR is honoured"
like "$(env -u NO_COLOR script -qec "$LIMPET --root $root ps" /dev/null </dev/null)" $'\033\\[32m' "with colours, healthy is green"
like "$(lp ps)" '^INFRASTRUCTURE +NODE +STATE +HEALTH +ADDRESS +RESTARTS +SINCE +IMAGE' "ps has a header"
is "$(lp ps | grep -c '[[:space:]]$')" 0 "and no blanks at the ends of lines"
like "$(lp status)" 'web +3/3' "status counts the healthy"
is "$(lp events -n 5 -o json | jq -s length)" 5 "events -n -o json: one object a line"
timeout 120 "$LIMPET" --root "$root" events -f -n 1 >"$work/followed" &
follower=$!
within 5 test -s "$work/followed" # the one record that was there: it follows from now on
lp restart web-1 >/dev/null; is $? 0 "restart"
within 3 grep -q 'restart web-1\|restart.*web-1' "$work/followed"; ok $? "events -f shows it as it happens"
kill $follower 2>/dev/null; wait $follower 2>/dev/null
like "$(lp why web 2>&1)" "'web' is a service: name one of its nodes, such as web-1" "why of a service says what is meant"
like "$(lp exec web-1 2>&1 | head -n 1)" 'which command' "exec without a command says what is missing"
like "$(lp why wbe-1 2>&1)" "did you mean 'web-1'" "a node's nearest spelling"
lp break web-1 burn >/dev/null 2>&1; is $? 2 "a fault that there is not"
lp scale web >/dev/null 2>&1; is $? 2 "scale without a number"

sed 's/${NAME:-cli}/second/' "$work/limpet.yaml" >"$work/second.yaml"
lp up "$work/second.yaml" --wait=60 >/dev/null; is $? 0 "a second infrastructure"
out=$(lp down 2>&1); is $? 2 "down of one of two must be named"
like "$out" 'cli, second' "and both are"
out=$(lp restart web-1 2>&1); is $? 2 "a node that both have must be named, too"
like "$out" 'cli, second' "and both are"
lp --infra second restart web-1 >/dev/null; is $? 0 "--infra before the verb"
lp why --infra second web-1 >/dev/null; is $? 0 "--infra behind it"
within 10 sh -c "test \$($LIMPET --root $root ps second -o json | jq '[.[] | select(.health == \"healthy\")] | length') = 2"
lp down "$work/second.yaml" >/dev/null; is $? 0 "down by the file"
is "$(lp status -o json | jq -r '.[].infrastructure')" cli "the other one stays"

# The daemon may go and come: nodes are adopted, down works without one.
is "$(lp ps -o json | jq -r '[.[].incarnation] | unique | length > 0')" true "nodes have their lives"
lives=$(lp ps -o json | jq -c '[.[] | [.node, .incarnation]]')
lp shutdown >/dev/null; is $? 0 "shutdown"
ok "$(test ! -e "$root/limpet.sock"; echo $?)" "returns when the daemon has ended"
lp daemon --background >/dev/null
within 5 all_healthy 3; ok $? "the next daemon finds the nodes"
is "$(lp ps -o json | jq -c '[.[] | [.node, .incarnation]]')" "$lives" "in the same lives"
lp shutdown >/dev/null
lp down cli >/dev/null; is $? 0 "down starts a daemon when there is a journal"

cat >"$work/never.yaml" <<'Y'
name: never
services:
  web:
    image: host
    command: [sleep, "1000"]
    healthcheck: {test: [TCP, 81], interval: 500ms, timeout: 200ms, retries: 100}
Y
out=$(lp up "$work/never.yaml" --wait=8 2>&1); is $? 3 "not healthy within --wait: exit code 3"
like "$out" 'web-1 is starting' "naming who is not"
like "$out" '81' "and why"
lp down never >/dev/null; is $? 0 "down of what never was healthy"
finish
