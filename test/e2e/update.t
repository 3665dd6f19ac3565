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
lp up "$work/u.yaml" --wait=30 >/dev/null 2>&1
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

sed -i 's/sleep, "1000"/sleep, "2000"/' "$work/u.yaml"
out=$(lp plan "$work/u.yaml"); like "$out" 'other-1' "plan names the node that changes"
[[ $out != *web-1* ]]; ok $? "and no other"
lp up "$work/u.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "up with a changed command"
like "$(lp exec other-1 ps ax -o args 2>/dev/null || lp exec other-1 sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "')" 'sleep 2000' "the new command runs"
like "$(lives)" 'web-1=1 web-2=1' "web was not restarted"
lp down upd >/dev/null; is $? 0 "down"
finish
