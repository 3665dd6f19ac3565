#!/usr/bin/env bash
# Every check of an experiment, good and bad, and how long each has to hold; what a person is asked.
. "$(dirname "$0")/tap.sh"
command -v busybox >/dev/null || skip_all 'busybox is missing'
before=$(machine)
web=$(free_port) port=$(free_port)
result() { jq -r "$1" "$work/out/result.json"; } # of the run before
try() {
    rm -rf "$work/out"
    out=$(lp experiment run "$@" --out "$work/out" 2>&1)
}
checks() { # FILTER: of the checks of the stages that break, by name
    result "[.runs[0].stages[] | select(.kind == \"break\") | .checks[]] | $1"
}
cat >"$work/web.py" <<'P'
import http.server, json, sys, time
class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = {"/metrics": '# TYPE jobs gauge\njobs{queue="a"} 2\njobs{queue="b"} 3\njobs_total 9\n',
                "/json": json.dumps({"list": [{"name": "x", "ok": True}]})}.get(self.path)
        if self.path == "/slow":
            time.sleep(0.3)
            body = "late"
        if self.path.startswith("/api/v1/query?query=sum%28up%29"):
            body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [
                {"metric": {}, "value": [1, "4"]}]}})
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write((body or "").encode())
    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.send_response(201 if body == "item" and self.headers.get("X-Key") == "k" else 400)
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Web).serve_forever()
P
python3 "$work/web.py" "$web" &
server=$!
within 10 curl -sf "http://127.0.0.1:$web/json"

# What needs no infrastructure.
here_is=http://127.0.0.1:$web
closed=$(free_port)
cat >"$work/checks.yaml" <<Y
title: checks of what is not an infrastructure
steady_state: {for: 1ms, checks: [{http: "$here_is/json", status: 2xx}]}
stages:
  - break: []
    checks:
      - {http: "$here_is/json", status: [201, 200-204], contains: list, regex: '^."list'}
      - {http: "$here_is/json", contains: nothing of the kind, expect: fail}
      - {http: "$here_is/json", regex: '^list', expect: fail}
      - {http: "$here_is/json", json: {path: "list[0].ok", equals: true}, latency: 4s}
      - {http: "$here_is/json", json: {path: "list[0].name", equals: y}, expect: fail}
      - {http: "$here_is/json", json: "list[3]", expect: fail}
      - {http: "$here_is/slow", latency: 100ms, expect: fail}
      - {http: "$here_is/slow", timeout: 100ms, expect: fail}
      - {http: {url: "$here_is/item", method: PUT, body: item, headers: {X-Key: k}}, status: 201}
      - {http: {url: "$here_is/item", method: PUT, body: other}, status: 201, expect: fail}
      - {http: "$here_is/nothing", expect: fail}
      - {http: "$here_is/nothing", status: 404}
      - {http: "http://127.0.0.1:$closed/", expect: fail}
      - {metric: jobs, url: "$here_is/metrics", equals: 5}
      - {metric: 'jobs{queue="b"}', url: "$here_is/metrics", equals: 3}
      - {metric: jobs_total, url: "$here_is/metrics", most: 8, expect: fail}
      - {metric: jobs_other, url: "$here_is/metrics", least: 0, expect: fail}
      - {promql: sum(up), url: "$here_is/", least: 4}
      - {promql: sum(up), url: "$here_is/", most: 3, expect: fail}
      - {promql: nothing, url: "$here_is/", least: 0, expect: fail}
      - {exec: [sh, -c, "echo out; exit 3"], exit: 3, regex: "^o"}
      - {exec: [sh, -c, "exit 3"], expect: fail}
      - {exec: [echo, out], contains: in, expect: fail}
      - {exec: [sleep, "9"], timeout: 200ms, expect: fail}
      - {ping: 127.0.0.1}
      - {tcp: 127.0.0.1, port: $web}
      - {tcp: 127.0.0.1, port: $closed, expect: fail}
Y
try "$work/checks.yaml"; is $? 0 "http, metric, promql, exec, ping and tcp"
is "$(checks 'map(select(.status != "passed") | .name) | join(", ")')" "" "each comes out as expected"
is "$(checks 'map(.readings | length) | unique | join(",")')" 1 "by one reading, when nothing else is said"

# How long.
cat >"$work/times.yaml" <<Y
title: how long
steady_state: [{ping: 127.0.0.1, for: 1ms}]
load: {url: "$here_is/json", rate: 20, for: 1500ms}
stages:
  - break: [{name: later, background: true, exec: [sh, -c, "sleep 2; touch $work/there"]}]
    checks:
      - {name: within, exec: [test, -e, $work/there], within: 60s, every: 50ms}
      - {name: within and for, exec: [test, -e, $work/there], within: 60s, for: 300ms, every: 50ms}
      - {name: for, ping: 127.0.0.1, for: 400ms, every: 100ms}
      - {name: every, ping: 127.0.0.1, for: 1500ms, every: 500ms}
      - {name: not yet, exec: [test, -e, $work/there], for: 100ms, every: 50ms, expect: fail}
      - {name: load-end, ping: 127.0.0.1, until: load-end, every: 100ms}
  - break: []
    checks:
      - {name: too late, exec: [test, -e, $work/nowhere], within: 300ms, every: 50ms}
      - {name: does not hold, exec: [sh, -c, "test ! -e $work/second && touch $work/second"], for: 60s, every: 50ms}
Y
try "$work/times.yaml"; is "$?$(result .status)" 1failed "a check that does not come true in time, and one that does not hold"
is "$(checks 'map(select(.status == "failed") | .name) | join(", ")')" "too late, does not hold" "those, and no other"
one() { checks "map(select(.name == \"$1\"))[0] | $2"; }
is "$(one within '(.readings[0].ok | not) and .readings[-1].ok and (.readings[:-1] | all(.ok | not))')" true "within: read again until it is good"
is "$(one 'within and for' '.ended - ([.readings[] | select(.ok)][0].at) >= 300')" true "within and for: from when it is good on, it has to hold"
is "$(one for '(.readings | all(.ok)) and .ended - .started >= 400')" true "for: every reading is good for so long"
is "$(one every '.readings | length <= 4')" true "every: not oftener"
is "$(one 'not yet' '.readings | all(.ok | not)')" true "expect: fail, for a time"
is "$(result '.runs[0] | ([.stages[].checks[] | select(.name == "load-end")][0].ended) >= (.load.start_wall_us / 1000 + 1400)')" true "until: load-end"
is "$(one 'too late' '.ended - .started >= 300')" true "within: not given up before"
is "$(one 'does not hold' '.readings | length')" 2 "for: one bad reading is enough"

# What needs one. The line "born" is written when an application starts.
cat >"$work/pair.yaml" <<Y
name: pair
services:
  web:
    image: host
    command: [sh, -c, "echo born; exec busybox httpd -f -p 80 -h /www"]
    ports: ["127.0.0.1:$port:80"]
    configs: [{source: page, target: /www/index.html}, {source: page, target: /www/deep/page.html}]
    healthcheck: {test: [HTTP, "http://localhost/"], interval: 200ms, timeout: 1s, retries: 2}
    deploy: {replicas: 2}
configs:
  page: {content: "page\n"}
Y
lp up "$work/pair.yaml" >/dev/null; is $? 0 "an infrastructure that runs already"
cat >"$work/nodes.yaml" <<Y
title: checks of an infrastructure
infrastructure: pair
steady_state: [{http: {service: web}, for: 1ms}]
stages:
  - setup: [{name: out of the way, wait: 50ms}]
  - break: []
    checks:
      - {http: {service: web, contains: page}}
      - {http: {service: web, port: 80, path: /deep/page.html}}
      - {http: {service: web, path: /nothing}, expect: fail}
      - {http: {service: web, port: 81}, expect: fail}
      - {http: {node: web-2, path: /deep/page.html}}
      - {http: {node: web-2, port: 81}, expect: fail}
      - {tcp: {service: web}}
      - {tcp: {node: web-2, port: 80}}
      - {tcp: {node: web-2, port: 81}, expect: fail}
      - {ping: web-1}
      - {exec: [cat, /www/index.html], node: web-1, contains: page}
      - {exec: [test, -e, /nothing], node: web-1, exit: 1}
      - {node: web}
      - {node: web-1, is: healthy, for: 300ms, every: 50ms}
      - {node: web-1, is: up}
      - {node: web-1, is: repairing, expect: fail}
      - {metric: healthy, service: web, equals: 2}
      - {metric: wanted, service: web, least: 2, most: 2}
      - {metric: nodes, service: web, most: 1, expect: fail}
      - {name: before, log: web, contains: born, expect: fail}
  - name: kill
    break: [{break: web-1, fault: kill}]
    checks:
      - {name: after, log: web-1, regex: '^born', within: 30s, every: 50ms}
      - {name: the other, log: web-2, contains: born, expect: fail}
  - name: crash
    break: [{break: web-1, fault: crash, for: 4s}]
    checks:
      - {name: no ping, ping: web-1, timeout: 200ms, expect: fail, within: 3s, every: 50ms}
      - {name: not well, node: web-1, expect: fail, within: 5s, every: 50ms}
      - {name: the other goes on, http: {node: web-2}, until: faults-end, every: 100ms}
  - heal: [{heal: all}]
    checks: [{node: web, within: 60s, every: 50ms}]
Y
try "$work/nodes.yaml"; is $? 0 "http, tcp, ping, exec, node, metric and log of nodes and services"
is "$(result '[.runs[0].stages[].checks[] | select(.status != "passed") | .name] | join(", ")')" "" "each comes out as expected"
is "$(result '.runs[0] | .faults[1].healed as $h | [.stages[].checks[] | select(.name == "the other goes on")][0].ended >= $h')" true "until: faults-end"
is "$(result '.runs[0] | [.stages[] | select(.kind == "break" and (.steps | length) > 0) | (.steps[-1].ended) <= ([.checks[].readings[0].at] | min)] | all')" true \
    "no check is read before what breaks is done"
is "$(result '.runs[0] as $r | [$r.faults[] | . as $f | ($r.stages[] | select(.steps[].faults == [$f.fault])) | [.checks[].readings[0].at] | min >= $f.active] | all')" true \
    "and by the journal's clock, each of its faults was seen in effect before"
is "$(lp ps -o json | jq length)" 2 "what ran before runs on"

# A person.
cat >"$work/ask.yaml" <<'Y'
title: a person looks
steady_state: [{ping: 127.0.0.1, for: 1ms}]
stages: [{break: [{ask: Is it well?}]}]
Y
echo y | lp experiment run "$work/ask.yaml" --interactive --out "$work/ask" >"$work/ask.out" 2>&1; is $? 0 "a person who is asked says yes"
like "$(cat "$work/ask.out")" 'Is it well\? \[y/n\]' "having been asked"
echo no | lp experiment run "$work/ask.yaml" --interactive --out "$work/ask" >/dev/null 2>&1
is "$?$(jq -r .status "$work/ask/result.json")" "1failed" "or no"
lp experiment run "$work/ask.yaml" --interactive --out "$work/ask" >/dev/null 2>&1 </dev/null
is "$?$(jq -r .status "$work/ask/result.json")" "1failed" "nobody there is no yes"
echo no | lp experiment run "$work/ask.yaml" --out "$work/ask" >"$work/ask.out" 2>&1
is "$?$(grep -c 'y/n' "$work/ask.out")" "00" "without --interactive nobody is asked"
like "$(jq -r '.runs[0].stages[].steps[].text' "$work/ask/result.json")" 'nobody was asked' "and the result says so"
kill $server; wait $server 2>/dev/null
finish
