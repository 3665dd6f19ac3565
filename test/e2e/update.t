#!/usr/bin/env bash
# `up` again touches only what changed; dependents never keep stale addresses.
. "$(dirname "$0")/tap.sh"
before=$(machine)
cat >"$work/u.yaml" <<'Y'
name: upd
services:
  web:
    image: host
    command: [busybox, httpd, -f, -p, "80", -h, /www]
    configs: [{source: page, target: /www/index.html}]
    healthcheck: {test: [TCP, 80], interval: 1s, retries: 2}
    deploy: {replicas: 2}
  lb:
    image: host
    command: [sh, -c, "trap 'echo reloaded' HUP; while :; do sleep 0.05; done"]
    configs: [{source: list, target: /etc/backends}]
    reload: {signal: SIGHUP}
  other: {image: host, command: [sleep, "1000"]}
configs:
  page: {content: "first\n"}
  list: {content: "{{ each web }}server {{ .name }} {{ .address }}\n{{ end }}"}
Y
lp up "$work/u.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "up"
like "$(lp exec lb-1 cat /etc/backends)" '^server web-2 10\.' "the template lists the nodes"
lives() { lp ps -o json | jq -r '[.[] | "\(.node)=\(.incarnation)"] | sort | join(" ")'; }
first=$(lives)
like "$(lp plan "$work/u.yaml")" '[Nn]othing' "plan of the same file: nothing to do"
lp up "$work/u.yaml" --wait=60 >/dev/null 2>&1
is "$(lives)" "$first" "up with the same file touches nothing"

lp scale web=3 >/dev/null
within 10 sh -c "$LIMPET --root $root exec lb-1 grep -q web-3 /etc/backends"; ok $? "scaling renders the dependent's file anew"
within 5 sh -c "$LIMPET --root $root logs lb-1 | grep -q reloaded"; ok $? "and its reload signal is sent"
lp scale web=2 >/dev/null
within 10 sh -c "! $LIMPET --root $root exec lb-1 grep -q web-3 /etc/backends"; ok $? "and again after scaling in"

sed -i 's/first/second/' "$work/u.yaml"
like "$(lp plan "$work/u.yaml")" 'web-1' "plan names the nodes whose config changed"
lp up "$work/u.yaml" --wait=60 >/dev/null 2>&1
within 10 sh -c "$LIMPET --root $root exec web-1 cat /www/index.html | grep -qx second"; ok $? "the config's new content is there"
is "$(lp ps -o json | jq -r '.[] | select(.node == "other-1") | .incarnation')" 1 "other-1 was not touched"

# A secret that alone changed reaches the nodes that use it, by render and reload.
cat >"$work/s.yaml" <<'Y'
name: sec
services:
  safe:
    image: host
    command: [sh, -c, 'trap "echo again" HUP; while :; do sleep 0.1; done']
    secrets: [word, pin]
    reload: {signal: SIGHUP}
  aside: {image: host, command: [sleep, "1000"]}
secrets:
  word: {environment: SAFE_WORD}
  pin: {file: ./pin.txt}
Y
echo 1234 >"$work/pin.txt"
SAFE_WORD=xyzzy-one lp up "$work/s.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "up with secrets"
with_secrets=$(lives)
is "$(lp exec safe-1 cat /run/secrets/word)" xyzzy-one "the secret is in the node"
like "$(SAFE_WORD=xyzzy-one lp plan "$work/s.yaml")" '[Nn]othing' "plan with the same secrets: nothing to do"
SAFE_WORD=xyzzy-two lp up "$work/s.yaml" --wait=60 >/dev/null 2>&1
within 5 sh -c "$LIMPET --root $root exec safe-1 grep -qx xyzzy-two /run/secrets/word"; ok $? "up with another one renders it"
within 5 sh -c "$LIMPET --root $root logs safe-1 | grep -q again"; ok $? "and reloads"
echo 4321 >"$work/pin.txt"
like "$(SAFE_WORD=xyzzy-two lp plan "$work/s.yaml")" 'renders the files of safe-1' "plan sees a changed file of a secret"
SAFE_WORD=xyzzy-two lp up "$work/s.yaml" --wait=60 >/dev/null 2>&1
within 5 sh -c "$LIMPET --root $root exec safe-1 grep -qx 4321 /run/secrets/pin"; ok $? "and up renders it"
is "$(lives)" "$with_secrets" "no node was replaced"
is "$(grep -laE 'xyzzy|4321' "$root"/journal.db* "$root"/daemon.log)" "" "no secret is in the journal or the log"
lp down sec >/dev/null

sed -i 's/sleep, "1000"/sleep, "2000"/' "$work/u.yaml"
out=$(lp plan "$work/u.yaml"); like "$out" 'other-1' "plan names the node that changes"
[[ $out != *web-1* ]]; ok $? "and no other"
lp up "$work/u.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "up with a changed command"
like "$(lp exec other-1 ps ax -o args 2>/dev/null || lp exec other-1 sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "')" 'sleep 2000' "the new command runs"
like "$(lives)" 'web-1=1 web-2=1' "web was not restarted"
lp down upd >/dev/null; is $? 0 "down"
finish
