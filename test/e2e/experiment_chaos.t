#!/usr/bin/env bash
# Experiments of the Chaos Toolkit, as they are: both formats, both providers, every tolerance,
# configuration and secrets, pauses, background, rollbacks, controls, and the journal.
. "$(dirname "$0")/tap.sh"
before=$(machine)
web=$(free_port)
try() { # FILE OPTIONS...: into $out, $work/out and $work/journal.json
    rm -rf "$work/out" "$work/journal.json"
    out=$(lp experiment run "$@" --out "$work/out" --journal "$work/journal.json" 2>&1)
}
journal() { jq -r "$@" "$work/journal.json"; }

# Tells what was asked of it: method, path, body and headers; and keeps one item.
cat >"$work/web.py" <<'P'
import http.server, json, sys
class Web(http.server.BaseHTTPRequestHandler):
    item = "whole"
    def reply(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if path == "/item" and self.command != "GET":
            Web.item = body
        status = int(path[8:]) if path.startswith("/status/") else 200
        kind, text = "application/json", json.dumps({"method": self.command, "query": query, "body": body,
            "type": self.headers.get("Content-Type"), "token": self.headers.get("X-Token"),
            "foo": [{"baz": "hello", "n": 1}, {"baz": "bonjour", "n": 2}, {"n": 3}]})
        if path == "/item":
            kind, text = "text/plain", Web.item
        if path == "/plain":
            kind, text = "text/plain", '{"a": 1}'
        if path == "/judge":
            status = 200 if '"status":200' in __import__("urllib.parse").parse.unquote(query) else 500
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())
    do_GET = do_POST = do_PUT = do_DELETE = reply
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Web).serve_forever()
P
python3 "$work/web.py" "$web" &
server=$!
within 10 curl -sf "http://127.0.0.1:$web/"

cat >"$work/http.json" <<Y
{"version": "1.0.0", "title": "the http provider at \${base}", "description": "as it is", "tags": ["a"],
 "contributions": {"reliability": "high"}, "extensions": [{"name": "other", "x": 1}],
 "controls": [{"name": "tracing", "provider": {"type": "python", "module": "chaostracing.control"}}],
 "runtime": {"rollbacks": {"strategy": "never"}},
 "configuration": {"base": "http://127.0.0.1:$web", "limit": {"type": "env", "key": "LIMIT", "env_var_type": "int"},
                   "there": {"type": "env", "key": "NOT_SET_AT_ALL", "default": "plain"}},
 "secrets": {"shop": {"token": {"type": "env", "key": "SHOP_TOKEN"}, "word": "whole"}},
 "steady-state-hypothesis": {"title": "all is well", "probes": [
  {"type": "probe", "name": "status", "tolerance": 200, "provider": {"type": "http", "url": "\${base}/", "timeout": [3, 5]}},
  {"type": "probe", "name": "one of", "tolerance": [200, 404, 500], "provider": {"type": "http", "url": "\${base}/status/404"}},
  {"type": "probe", "name": "one of two is no range", "tolerance": [200, 404], "provider": {"type": "http", "url": "\${base}/status/404"}},
  {"type": "probe", "name": "range", "tolerance": {"type": "range", "range": [200, 299], "target": "status"},
   "provider": {"type": "http", "url": "\${base}/status/204"}},
  {"type": "probe", "name": "regex", "tolerance": {"type": "regex", "pattern": "^\${word}\$", "target": "body"},
   "provider": {"type": "http", "url": "\${base}/item"}},
  {"type": "probe", "name": "text that looks like JSON", "tolerance": {"type": "regex", "pattern": "\"a\": 1", "target": "body"},
   "provider": {"type": "http", "url": "\${base}/\$there"}},
  {"type": "probe", "name": "jsonpath", "tolerance": {"type": "jsonpath", "path": "\$.foo.*[?(@.baz)].baz", "expect": ["hello", "bonjour"], "target": "body"},
   "provider": {"type": "http", "url": "\${base}/"}},
  {"type": "probe", "name": "jsonpath, one", "tolerance": {"type": "jsonpath", "path": "\$.foo[?(@.n >= 3)].n", "expect": 3, "target": "body"},
   "provider": {"type": "http", "url": "\${base}/"}},
  {"type": "probe", "name": "jsonpath, count", "tolerance": {"type": "jsonpath", "path": "\$..n", "count": 3, "target": "body"},
   "provider": {"type": "http", "url": "\${base}/"}},
  {"type": "probe", "name": "jsonpath of the whole output", "tolerance": {"type": "jsonpath", "path": "\$.body.token", "expect": "secret-7"},
   "provider": {"type": "http", "url": "\${base}/", "headers": {"X-Token": "\${token}"}}},
  {"type": "probe", "name": "arguments of GET", "tolerance": {"type": "jsonpath", "path": "\$.query", "expect": "q=a%20b&n=40", "target": "body"},
   "provider": {"type": "http", "url": "\${base}/", "arguments": {"q": "a b", "n": "\${limit}"}}},
  {"type": "probe", "name": "a form", "tolerance": {"type": "jsonpath", "path": "\$.body", "expect": "q=x", "target": "body"},
   "provider": {"type": "http", "url": "\${base}/", "method": "post", "arguments": {"q": "x"}}},
  {"type": "probe", "name": "JSON", "tolerance": {"type": "regex", "pattern": "POST.*application/json", "target": "body"},
   "provider": {"type": "http", "url": "\${base}/", "method": "POST", "headers": {"Content-Type": "application/json"}, "arguments": {"q": "x"}}},
  {"type": "probe", "name": "probe", "tolerance": {"type": "probe", "name": "judge", "provider": {"type": "http", "url": "\${base}/judge", "arguments": {"a": 1}}},
   "provider": {"type": "http", "url": "\${base}/"}}]},
 "method": [
  {"type": "action", "name": "break it", "provider": {"type": "http", "url": "\${base}/item", "method": "PUT", "arguments": "broken"}},
  {"type": "probe", "name": "look at it", "tolerance": 404, "provider": {"type": "http", "url": "\${base}/item"}},
  {"type": "action", "name": "nobody there", "provider": {"type": "http", "url": "http://127.0.0.1:1/", "timeout": 2}},
  {"type": "action", "name": "mend it", "provider": {"type": "http", "url": "\${base}/item", "method": "PUT", "arguments": "whole"}, "pauses": {"before": 0.1, "after": 0.1}}],
 "rollbacks": [{"type": "action", "name": "roll back", "provider": {"type": "http", "url": "\${base}/item", "method": "DELETE", "arguments": {"by": "rollback"}}}]}
Y
LIMIT=40 SHOP_TOKEN=secret-7 try "$work/http.json"; is $? 0 "the http provider, in JSON"
like "$out" 'its controls are not run' "controls are left out, aloud"
is "$(journal '[.steady_states.before.probes[] | select(.tolerance_met | not) | .activity.name] | join(", ")')" "" "every tolerance is met"
is "$(journal '.status, .deviated, .steady_states.after.steady_state_met' | paste -sd' ')" "completed false true" "the journal says so"
is "$(journal '[.run[] | .activity.name + " " + .status] | join(", ")')" \
    "break it succeeded, look at it succeeded, nobody there failed, mend it succeeded" \
    "the method goes on after an activity that failed; a tolerance in it is not judged"
is "$(journal '.run[1].output | .status, .body' | paste -sd' ')" "200 broken" "outputs are kept"
like "$(journal '.run[2].exception | tostring')" '127.0.0.1' "and what went wrong"
is "$(curl -s "http://127.0.0.1:$web/item")" "by=rollback" "rollbacks are always done, whatever the strategy"
is "$(journal '.experiment.configuration.base, .experiment.title' | paste -sd' ')" "http://127.0.0.1:$web the http provider at \${base}" "the experiment is copied as it was written"
is "$(grep -c secret-7 "$work/out/result.json")" 1 "a secret stands only where a reply had it"
curl -s -X PUT -d whole "http://127.0.0.1:$web/item" >/dev/null

# chaoslib's journal, field by field (reference/api/journal.md).
cat >"$work/journal.jq" <<'J'
def time: type == "string" and test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?$");
def record: (.activity | type == "object" and has("name") and has("provider")) and (.status | IN("succeeded", "failed"))
    and (.start | time) and (.end | time) and (.duration | type == "number") and has("output")
    and (if .status == "failed" then (.exception | type == "array" or type == "string") else true end);
def state: . == null or ((.steady_state_met | type == "boolean") and (.probes | type == "array" and all(record and (.tolerance_met | type == "boolean"))));
(."chaoslib-version" | type == "string") and (.platform | type == "string") and (.node | type == "string")
and (.experiment | type == "object" and has("title") and has("method")) and (.start | time) and (.end | time)
and (.duration | type == "number") and (.status | IN("completed", "failed", "aborted", "interrupted"))
and (.deviated | type == "boolean") and (.steady_states | has("before") and has("after") and (.during | type == "array"))
and (.steady_states.before | state) and (.steady_states.after | state)
and (.run | type == "array" and all(record)) and (.rollbacks | type == "array" and all(record))
and (."x-limpet".format == "limpet-experiment")
J
is "$(journal -f "$work/journal.jq")" true "the journal has every field of theirs, and ours beside them"

cat >"$work/process.yaml" <<Y
title: the process provider
description: in YAML, from \${where}
configuration:
  where: $work
  word: hello
secrets:
  any: {mark: {type: env, key: MARK, default: m-1}}
steady-state-hypothesis:
  title: nothing is broken
  probes:
    - {type: probe, name: exit code, tolerance: 0, provider: {type: process, path: "true"}}
    - {type: probe, name: not zero, tolerance: 1, provider: {type: process, path: test, arguments: ["-e", "\${where}/broken"]}}
    - {type: probe, name: "one of", tolerance: [0, 3], provider: {type: process, path: sh, arguments: [-c, exit 3]}}
    - name: stdout
      type: probe
      tolerance: {type: regex, pattern: "^\${word} m-1\$", target: stdout}
      provider: {type: process, path: echo, arguments: [-n, "\$word", "", "\${mark}"]}
    - name: stderr
      type: probe
      tolerance: {type: regex, pattern: oops, target: stderr}
      provider: {type: process, path: sh, arguments: {-c: "echo oops >&2"}}
    - name: through the shell
      type: probe
      tolerance: {type: range, range: [2, 2.5], target: stdout}
      provider: {type: process, path: printf, arguments: "'a\\\\nb\\\\n' | wc -l", timeout: 5}
    - name: jsonpath
      type: probe
      tolerance: {type: jsonpath, path: "\$.a[*].b", expect: [1, 2.0], target: stdout}
      provider: {type: process, path: echo, arguments: ['{"a": [{"b": 1}, {"b": 2}]}']}
    - name: judged by another
      type: probe
      tolerance: {type: probe, name: judge, provider: {type: process, path: $work/judge, arguments: {--want: "7"}}}
      provider: {type: process, path: echo, arguments: ["7"]}
method:
  - {name: break it, type: action, provider: {type: process, path: touch, arguments: $work/broken}}
  - {name: behind, type: action, background: true, provider: {type: process, path: sleep, arguments: ["1"]}}
  - {ref: stdout}
  - {name: mend it, type: action, provider: {type: process, path: rm, arguments: [$work/broken]}, pauses: {before: 0.1}}
rollbacks:
  - {name: first, type: action, provider: {type: process, path: sh, arguments: [-c, "echo first >>$work/rolled; exit 1"]}}
  - {name: second, type: action, provider: {type: process, path: sh, arguments: [-c, "echo second >>$work/rolled"]}}
Y
printf '#!/bin/sh\n[ "$1 $2 $3" = "--want 7 value" ] && echo "$4" | grep -q %s\n' "'\"stdout\":\"7'" >"$work/judge"
chmod +x "$work/judge"
try "$work/process.yaml"; is $? 0 "the process provider, in YAML"
is "$(journal '[.steady_states.before.probes[] | select(.tolerance_met | not) | .activity.name] | join(", ")')" "" "every tolerance is met"
is "$(journal '[.run[].activity.name] | join(", ")')" "break it, behind, stdout, mend it" "the method, in its order"
is "$(journal '.run[1].duration >= 1 and .run[2].start < .run[1].end')" true "what is in the background holds nobody up, and is waited for"
is "$(paste -sd' ' "$work/rolled")" "first second" "rollbacks in the order of the file; one that fails does not stop the next"
is "$(journal -f "$work/journal.jq")" true "its journal has every field, too"

sed "/mend it/d" "$work/process.yaml" >"$work/deviates.yaml"
try "$work/deviates.yaml"; is "$?$(journal '.status, .deviated, (.steady_states.after.probes[] | select(.tolerance_met | not) | .activity.name)' | paste -sd' ')" \
    "1failed true not zero" "a hypothesis that is not met afterwards: deviated"
is "$(journal -f "$work/journal.jq")" true "with a whole journal"
rm -f "$work/rolled"
try "$work/deviates.yaml"; is "$?$(journal '.status, .deviated, (.run | length), .steady_states.after' | paste -sd' ')" \
    "1failed false 0 null" "not met beforehand: nothing of the method is done"
is "$(paste -sd' ' "$work/rolled")" "first second" "and it is rolled back all the same"
is "$(journal -f "$work/journal.jq")" true "with a whole journal"
rm -f "$work/broken"
for tolerance in '1' '[1, 2]' '{type: range, range: [1, 9], target: status}' '{type: regex, pattern: x, target: stdout}' \
    '{type: jsonpath, path: "$.stdout", expect: [a, b]}' '{type: jsonpath, path: $.a, target: stdout}' \
    '{type: probe, name: p, provider: {type: process, path: "false"}}' '"0"' 'true'; do
    printf 'title: t\nmethod: []\nsteady-state-hypothesis: {title: h, probes: [{type: probe, name: n, tolerance: %s, provider: {type: process, path: echo, arguments: [a]}}]}\n' \
        "$tolerance" >"$work/unmet.yaml"
    try "$work/unmet.yaml"; is "$?$(journal .steady_states.before.steady_state_met)" 1false "not met: $tolerance"
done

refused() { # WORDS FILE_LINES: refused with place and words
    printf '%b' "$2" >"$work/refused.yaml"
    like "$(lp experiment check "$work/refused.yaml" 2>&1)" "refused.yaml:[0-9]+:[0-9]+: $1" "refused: $1"
}
refused 'Limpet runs no Python' 'title: t\nmethod: [{name: a, type: action, provider: {type: python, module: m, func: f}}]\n'
refused "type: vault: Limpet knows type: env" 'title: t\nmethod: []\nsecrets: {a: {b: {type: vault, key: k}}}\n'
refused "NOBODY is not in the environment" 'title: t\nmethod: []\nconfiguration: {a: {type: env, key: NOBODY}}\n'
refused "'tolerance' is missing" 'title: t\nmethod: []\nsteady-state-hypothesis: {title: h, probes: [{name: a, provider: {type: process, path: x}}]}\n'
refused "'jsonpth' is not probe, regex, jsonpath or range" 'title: t\nmethod: []\nsteady-state-hypothesis: {title: h, probes: [{name: a, tolerance: {type: jsonpth}, provider: {type: process, path: x}}]}\n'
kill $server; wait $server 2>/dev/null
finish
