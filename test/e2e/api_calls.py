"""Calls every operation of openapi.yaml on a live daemon and validates every answer.

usage: api_calls.py OPENAPI SOCKET CANONICAL; prints "ok WORDS" or "bad WORDS" lines.
"""
import http.client
import json
import socket
import sys
import time

import jsonschema
import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    API = yaml.safe_load(file)
SOCKET = sys.argv[2]
with open(sys.argv[3], encoding="utf-8") as file:
    CANONICAL = file.read()
called = set()


def say(is_good, words):
    print("ok" if is_good else "bad", words, flush=True)


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def resolve(node):
    """The same with every $ref put in its place."""
    if isinstance(node, list):
        return [resolve(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = API
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return resolve(target)
    return {key: resolve(value) for key, value in node.items()}


def send(method, path, body=None):
    connection = Connection("limpet", timeout=120)
    raw = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    try:
        connection.request(method, path, raw)
    except BrokenPipeError:
        pass  # refused before all of the body was sent: the answer is there to read
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, answer.getheader("Content-Type"), json.loads(text), answer


def call(operation, wanted, query="", body=None, name=None):
    """Call an operation by its id; its answer must be as the file says."""
    for path, item in API["paths"].items():
        for method in ("get", "put", "post", "delete"):
            if item.get(method, {}).get("operationId") != operation:
                continue
            called.add(operation)
            status, kind, answer, _ = send(method.upper(), path.replace("{name}", name or "") + query, body)
            words = f"{method.upper()} {path}{query}: {wanted}"
            declared = item[method]["responses"].get(str(status))
            if status != wanted or not declared:
                say(False, f"{words} (got {status}: {json.dumps(answer)[:200]})")
                return answer
            content = resolve(declared)["content"]
            try:
                jsonschema.Draft202012Validator(content[kind]["schema"]).validate(answer)
                if wanted == 200 and body is not None and isinstance(body, dict):
                    request = resolve(item[method]["requestBody"])
                    jsonschema.Draft202012Validator(
                        request["content"]["application/json"]["schema"]).validate(body)
                say(True, words)
            except (jsonschema.ValidationError, KeyError) as error:
                say(False, f"{words}: {str(error).splitlines()[0]}")
            return answer
    raise SystemExit(f"no operation {operation}")


def wait_until(what, seconds=120):
    end = time.time() + seconds
    while time.time() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def is_settled():
    infras = send("GET", "/v1/infrastructures")[2]
    return infras and infras[0]["is_settled"]


def main_job():
    version = call("getVersion", 200)
    say(version["journal_seq"] >= 1, "the journal has begun")
    call("getMetrics", 200)
    say(call("listInfrastructures", 200) == [], "nothing runs yet")
    call("listNodes", 200)
    call("listServices", 200)
    call("plan", 200, body={"descriptor": CANONICAL})
    steps = call("plan", 200, body={"descriptor": json.loads(CANONICAL)})["steps"]
    say(any(s["subject"] == "api/web-2" for s in steps), "the plan has the nodes, given as an object too")
    put = call("putInfrastructure", 200, name="api",
               body={"descriptor": CANONICAL, "secrets": {"key": "hunter2"}})
    for kind in ("listNodes", "listServices", "listInfrastructures"):
        call(kind, 200, "?infrastructure=api")
    news = call("listEvents", 200, f"?after={put['journal_seq']}&wait_ms=5000&limit=5000")
    say(len(news["events"]) > 0, "waiting for events ends when there are some")
    say(wait_until(is_settled), "all of it comes up")
    nodes = call("listNodes", 200)
    say([n["node"] for n in nodes] == ["web-1", "web-2", "job-1"], "three nodes are listed")
    call("listEvents", 200, "?infrastructure=api&node=web-1&limit=3")
    say(len(call("listEvents", 200, "?limit=3")["events"]) == 3, "limit is kept")
    call("why", 200, "?node=web-1")
    call("why", 200, "?infrastructure=api&node=job-1")
    plan = call("planIf", 200, body={"if": "node web-1 lost"})
    say(any(s["action"] == "start-node" for s in plan["steps"]), "plan-if starts the node anew")
    call("planIf", 200, body={"infrastructure": "api", "if": "host local lost"})
    call("scaleService", 200, body={"infrastructure": "api", "service": "web", "replicas": 1})
    say(wait_until(lambda: len(send("GET", "/v1/nodes")[2]) == 2 and is_settled()), "scaled in")
    call("restart", 200, body={"infrastructure": "api", "target": "web-1"})
    say(wait_until(is_settled), "restarted")
    call("suspect", 200, body={"infrastructure": "api", "target": "web-1/web", "because": "its log"})
    call("breakTarget", 200, body={"infrastructure": "api", "target": "web-1/web", "fault": "kill"})
    say(wait_until(is_settled), "and healed")
    held = call("breakTarget", 200, body={"infrastructure": "api", "target": "web-1", "fault": "pause", "for": "1m"})
    say(wait_until(lambda: [f["phase"] for f in call("listFaults", 200)["faults"]] == ["active"]), "a fault is in effect")
    call("healTarget", 200, body={"target": held["faults"][0]})
    say(wait_until(lambda: call("listFaults", 200)["faults"] == []), "and undone")
    call("lockFaults", 200, body={"locked": True})
    call("breakTarget", 409, body={"infrastructure": "api", "target": "web-1", "fault": "pause"})
    call("lockFaults", 200, body={"locked": False})
    say(wait_until(is_settled), "all is well again")


def waiting():
    seq = send("GET", "/v1/version")[2]["journal_seq"]
    start = time.time()
    quiet = call("listEvents", 200, f"?after={seq + 1000}&wait_ms=700")
    waited = time.time() - start
    say(quiet["events"] == [] and 0.6 < waited < 20, "waiting for nothing ends in time")
    # Many may wait, and the daemon answers others meanwhile.
    waiters = []
    for _ in range(20):
        connection = Connection("limpet", timeout=120)
        connection.request("GET", f"/v1/events?after={seq + 1000}&wait_ms=5000")
        waiters.append(connection)
    start = time.time()
    send("GET", "/v1/version")
    say(time.time() - start < 4, "waiting callers do not hold up others")
    say(all(w.getresponse().status == 200 for w in waiters), "all that waited get an answer")


def slow_clients():
    slow = []
    for text in (b"", b"GET /v1/ver", b"PUT /v1/infrastructures/api HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"desc"):
        client = socket.socket(socket.AF_UNIX)
        client.connect(SOCKET)
        client.sendall(text)
        slow.append(client)
    start = time.time()
    status = send("GET", "/v1/version")[0]
    say(status == 200 and time.time() - start < 0.5, "clients that stop in the middle hold up nobody")
    for client in slow:
        client.close()
    garbage = socket.socket(socket.AF_UNIX)
    garbage.connect(SOCKET)
    garbage.sendall(bytes(range(256)) * 64)
    garbage.close()
    say(send("GET", "/v1/version")[0] == 200, "garbage harms nothing")


def refusals():
    call("listNodes", 404, "?infrastructure=nowhere")
    call("listInfrastructures", 404, "?infrastructure=nowhere")
    call("listServices", 404, "?infrastructure=nowhere")
    call("deleteInfrastructure", 404, name="nowhere")
    call("why", 400)
    call("why", 404, "?node=db-1")
    call("listEvents", 400, "?node=web-1")
    call("listEvents", 400, "?limit=5001")
    call("listEvents", 400, "?after=-1")
    text = call("listEvents", 400, "?afterr=1")["text"]
    say("'after'" in text, "a misspelt parameter is told with the right one")
    for body in (b"", b"{", b"[]", b'{"replicas":1,"replicas":2}', {"service": "web"},
                 {"infrastructure": "api", "service": "web", "replicas": -1},
                 {"infrastructure": "api", "service": "web", "replicas": 10001},
                 {"infrastructure": "api", "service": "web", "replicas": "2"},
                 {"infrastructure": "api", "service": "web", "replicas": 2, "x": 1}):
        call("scaleService", 400, body=body)
    call("scaleService", 404, body={"infrastructure": "api", "service": "db", "replicas": 1})
    call("restart", 404, body={"infrastructure": "api", "target": "db-1"})
    call("restart", 400, body={"infrastructure": "api"})
    call("suspect", 404, body={"infrastructure": "api", "target": "db-1/db", "because": "its log"})
    call("suspect", 400, body={"infrastructure": "api", "target": "web-1", "because": "its log"})
    call("suspect", 400, body={"infrastructure": "api", "target": "web-1/web"})
    call("breakTarget", 404, body={"infrastructure": "api", "target": "db-1", "fault": "kill"})
    call("breakTarget", 400, body={"infrastructure": "api", "target": "web"})
    call("healTarget", 404, body={"target": "db-1"})
    call("planIf", 400, body={"if": "pigs fly"})
    call("planIf", 404, body={"if": "node db-1 lost"})
    call("plan", 400, body={"descriptor": "name: [\n"})
    call("putInfrastructure", 400, name="other", body={"descriptor": CANONICAL})
    call("putInfrastructure", 400, name="api", body={"descriptor": CANONICAL, "secrets": {"key": 1}})
    call("putInfrastructure", 400, name="api", body={"descriptor": CANONICAL, "secret": {}})
    call("putInfrastructure", 400, name="api", body={"descriptor": '{"name":"api"}'})
    for method, path, wanted in (("GET", "/v2/nodes", 404), ("GET", "/v1/infrastructures/a/b", 404),
                                 ("GET", "/", 404), ("POST", "/v1/nodes", 405),
                                 ("DELETE", "/v1/version", 405), ("PATCH", "/v1/infrastructures/api", 405)):
        status, _, answer, raw = send(method, path)
        allowed = raw.getheader("Allow")
        say(status == wanted and answer["text"] and (wanted != 405 or allowed), f"{method} {path}: {wanted} {allowed or ''}")
    status, _, answer, _ = send("POST", "/v1/restart", b" " * 70000)
    say(status == 413 and answer["error"] == "full", "a body that is too long: 413")
    status, _, answer, _ = send("GET", "/v1/nodes?infrastructure=" + "x" * 9000)
    say(status in (404, 414, 431), "a very long query is refused")


def finish():
    call("deleteInfrastructure", 200, "?volumes=true", name="api")
    say(wait_until(lambda: send("GET", "/v1/infrastructures")[2] == []), "taken down")
    call("shutdown", 200)
    operations = {item[m]["operationId"] for item in API["paths"].values()
                  for m in ("get", "put", "post", "delete", "patch") if m in item}
    say(operations == called, f"every operation was called {operations - called or ''}")


main_job()
waiting()
slow_clients()
refusals()
finish()
print("# end")
