#!/usr/bin/env bash
# Up, look, names, ports, scale, down: nothing is left.
. "$(dirname "$0")/tap.sh"
before=$(machine)
port=$(free_port)
cat >"$work/site.yaml" <<Y
name: site
services:
  web:
    image: host
    command: [busybox, httpd, -f, -p, "80", -h, /www]
    configs:
      - {source: page, target: /www/index.html}
    deploy: {replicas: 2}
    healthcheck: {test: [HTTP, "http://localhost/"], interval: 1s, timeout: 5s, retries: 2}
    ports: ["127.0.0.1:$port:80"]
  client:
    image: host
    command: [sleep, "1000"]
    depends_on: {web: {condition: service_healthy}}
configs:
  page: {content: "hello from {{ node }}\n"}
Y
out=$(lp up "$work/site.yaml" --wait=60 2>&1)
is $? 0 "up succeeds"
like "$out" 'web-1' "up names the nodes"
within 2 all_healthy 3; ok $? "three nodes are healthy"
is "$(lp ps -o json | jq -r '[.[] | [.infrastructure, .service, .node, .runtime, .state] | join(" ")] | sort | join(",")')" \
    "site client client-1 crun up,site web web-1 crun up,site web web-2 crun up" "ps -o json has the documented keys"
is "$(lp ps -o json | jq -r '.[0] | has("address") and has("image") and has("restarts") and has("since") and has("health")')" true "and the others"
like "$(curl -s -m 10 "http://127.0.0.1:$port/")" '^hello from web-[12]$' "the published port answers"
seen=$(for _ in 1 2 3 4 5 6; do curl -s -m 10 "http://127.0.0.1:$port/"; done | sort -u | tr '\n' ' ')
is "$seen" "hello from web-1 hello from web-2 " "both nodes serve through it"
is "$(lp exec client-1 busybox wget -q -O - http://web-2/)" "hello from web-2" "a node's name resolves in another node"
is "$(lp exec client-1 sh -c 'getent ahostsv4 web | cut -d" " -f1 | sort -u | wc -l')" 2 "a service's name leads to all its nodes"
lp exec client-1 sh -c 'exit 7'; is $? 7 "exec gives the command's exit status"
lp scale web=3 >/dev/null; is $? 0 "scale succeeds"
within 15 all_healthy 4; ok $? "a third web node comes up"
within 5 sh -c "$LIMPET --root $root exec client-1 getent ahostsv4 web | cut -d' ' -f1 | sort -u | wc -l | grep -qx 3"
ok $? "its address is published"
lp scale web=1 >/dev/null
are_left() { [ "$(lp ps -o json | jq length)" = "$1" ]; }
within 20 are_left 2; ok $? "scaled in again"
is "$(lp ps -o json | jq -r '[.[].node] | sort | join(" ")')" "client-1 web-1" "the highest numbers went first"
like "$(lp logs web-1 2>&1; lp status)" 'site' "status names the infrastructure"
out=$(lp up "$work/site.yaml" --wait=60 2>&1); is $? 0 "up again"
lp down site >/dev/null; is $? 0 "down succeeds"
is "$(lp ps -o json)" "[]" "no node is left"
finish
