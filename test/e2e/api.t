#!/usr/bin/env bash
# docs/openapi.yaml and the daemon hold each other: every operation is called, every answer is
# validated; what is wrong is refused; nobody can block the daemon.
. "$(dirname "$0")/tap.sh"
python3 -c 'import yaml, jsonschema' 2>/dev/null || skip_all 'python3-yaml or python3-jsonschema is missing'
before=$(machine)
cat >"$work/api.yaml" <<Y
name: api
services:
  web:
    image: host
    command: [busybox, httpd, -f, -p, "80", -h, /etc]
    healthcheck: {test: [TCP, 80], interval: 1s, retries: 2}
    ports: ["127.0.0.1:$(free_port):80"]
    secrets: [key]
    deploy: {replicas: 2}
  job:
    image: host
    command: ["true"]
    restart: "no"
    depends_on: [web]
secrets:
  key: {environment: SECRET_KEY}
Y
export SECRET_KEY=hunter2
lp check "$work/api.yaml" -o json >"$work/api.json"; is $? 0 "the canonical form is printed"
lp daemon --background >/dev/null; is $? 0 "the daemon runs in the background"
is "$(stat -c %a "$root/limpet.sock")" 600 "the socket is root's alone"
lp daemon >"$work/out" 2>&1; is $? 1 "a second daemon is refused"
like "$(cat "$work/out")" "$(cat "$root/lock")" "and told which process has the root"
python3 "$here/api_calls.py" "$here/../../docs/openapi.yaml" "$root/limpet.sock" "$work/api.json" >"$work/tap"
while read -r verdict words; do
    [ "$verdict" = ok ]; ok $? "$words"
done < <(grep -E '^(ok|bad) ' "$work/tap")
grep -vE '^(ok|bad) ' "$work/tap"
like "$(tail -n 1 "$work/tap")" '^# end$' "the calls came to their end"
within 5 test ! -e "$root/limpet.sock"; ok $? "shutdown ends the daemon"
lp daemon --background >/dev/null
pid=$(cat "$root/lock")
lp events -f -n 1 >/dev/null 2>&1 &
follower=$!
sleep 0.2
rm "$root/limpet.sock"
within 5 lp status; ok $? "a socket that somebody removed is made anew"
is "$(cat "$root/lock")" "$pid" "by the same daemon"
is "$(stat -c %a "$root/limpet.sock")" 600 "and is root's alone"
mv "$root/limpet.sock" "$root/elsewhere"
within 5 lp status; ok $? "one that was moved away, too"
rm -f "$root/elsewhere"
kill $follower 2>/dev/null; wait $follower 2>/dev/null
lp shutdown >/dev/null
is "$(grep -rl hunter2 "$root" --include=journal.db* --include=daemon.log 2>/dev/null)" "" "the secret is in no journal and no log"
lp daemon --background >/dev/null
finish
