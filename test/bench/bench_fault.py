"""Faults on purpose: how soon they are in effect, and how true a delay is."""
import http.client
import json
import os
import socket
import subprocess
import sys
import time

from bench_world import World, quantile, row

TIMES = int(os.environ.get("BENCH_FAULTS", "100"))
DELAY_MS = 20
INFRA = """
name: bench
services:
  web:
    image: host
    command: [busybox, httpd, -f, -p, "80", -h, /www]
    configs: [{source: page, target: /www/index.html}]
    deploy: {replicas: 10, restart_policy: {condition: any, delay: 10ms, window: 1s}}
configs: {page: {content: "hello\\n"}}
"""


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("limpet", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def call(world, method, path, body=None):
    connection = Unix(os.path.join(world.root, "limpet.sock"))
    connection.request(method, path, json.dumps(body) if body else None)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def seconds_to_effect(world, fault, node, options=None):
    """(from the order until its effect was seen, until this process was told so).

    The first ends with the event's own time, whole milliseconds, rounded up. The second has in it
    what the daemon does about the fault in the same turn: it repairs before it answers who waits.
    """
    start, start_wall = time.monotonic(), time.time()
    asked = call(world, "POST", "/v1/faults",
                 {"infrastructure": "bench", "target": node, "fault": fault,
                  **({"options": options} if options else {}),
                  **({} if fault == "kill" else {"for": "1m"})})
    after = asked["journal_seq"]
    while True:
        page = call(world, "GET", f"/v1/events?after={after}&limit=100&wait_ms=1000")
        seen = [event for event in page["events"] if event["kind"] == "fault-active"]
        if seen:
            return (seen[0]["at"] + 1) / 1e3 - start_wall, time.monotonic() - start
        is_failed = any(event["kind"] == "fault-failed" for event in page["events"])
        if is_failed or time.monotonic() - start > 20:
            raise RuntimeError(f"{fault} had no effect: {page}")
        after = page["next"]


def is_healthy(world, node):
    return any(row["node"] == node and row["health"] == "healthy"
               for row in call(world, "GET", "/v1/nodes"))


def heal(world):
    call(world, "POST", "/v1/faults/heal", {"target": "all"})
    for _ in range(1000):
        if not call(world, "GET", "/v1/faults")["faults"]:
            return
        time.sleep(0.005)


def effect_rows(world):
    for fault in ("cut", "pause", "kill"):
        times, told = [], []
        for i in range(TIMES):
            node = f"web-{i % 10 + 1}"
            while not is_healthy(world, node):
                time.sleep(0.02)
            for found, seconds in zip((times, told), seconds_to_effect(world, fault, node)):
                found.append(seconds)
            if fault == "kill":
                time.sleep(0.2)  # no crash loop: a node's turn comes every two seconds
            else:
                heal(world)
        yield row(f"fault {fault}: ordered to in effect, p50 / p99 of {TIMES}",
                  f"{quantile(times, .5) * 1e3:.1f} / {quantile(times, .99) * 1e3:.1f} ms (told: "
                  f"{quantile(told, .5) * 1e3:.1f} / {quantile(told, .99) * 1e3:.1f} ms)", "", "",
                  "p99 <= 20 ms", seconds=times, told_seconds=told)


PINGER = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
for i in range(int(sys.argv[2])):
    start = time.monotonic()
    s.sendto(b'x', (sys.argv[1], 9))
    try:
        s.recv(10)
        print(time.monotonic() - start)
    except OSError:
        pass
    time.sleep(0.002)
"""
ECHO = ("import socket\\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\\ns.bind(('',9))\\n"
        "while True:\\n d,a=s.recvfrom(99)\\n s.sendto(d,a)")
ECHO_INFRA = f"""
name: bench
services:
  echo: {{image: host, command: [python3, -u, -c, "{ECHO}"]}}
  big:
    image: host
    command: [sh, -c, "mkdir -p /tmp/w && head -c 500000000 /dev/zero >/tmp/w/big && exec busybox httpd -f -p 80 -h /tmp/w"]
    readiness: {{test: [TCP, 80], interval: 100ms, timeout: 1s, start_period: 60s}}
"""


def round_trips(world, address, count):
    out = subprocess.run(["nsenter", f"--net={world.netns('bench')}", sys.executable, "-c", PINGER,
                          address, str(count)], check=True, capture_output=True, text=True)
    return sorted(float(line) for line in out.stdout.split())


def megabits(world, address):
    start = time.monotonic()
    out = subprocess.run(["nsenter", f"--net={world.netns('bench')}", "curl", "-s", "-o",
                          "/dev/null", "-w", "%{size_download}", f"http://{address}/big"],
                         check=True, capture_output=True, text=True)
    return float(out.stdout) * 8 / 1e6 / (time.monotonic() - start)


def relay_rows(world):
    nodes = {node["node"]: node["address"] for node in world.json("ps")}
    bare = round_trips(world, nodes["echo-1"], 300)
    world.run("break", "echo-1", "delay", "--delay", f"{DELAY_MS}ms", "--for", "2m")
    slow = round_trips(world, nodes["echo-1"], 300)
    world.run("heal", "--all")
    base = quantile(bare, .5)
    errors = sorted(abs(trip - base - 2 * DELAY_MS / 1e3) / 2 for trip in slow)
    yield row(f"delay of {DELAY_MS} ms each way: error of the added delay, p95 of {len(slow)}",
              f"{quantile(errors, .95) * 1e3:.2f} ms", "", "", "<= 1 ms", bare=bare, slow=slow)
    plain = megabits(world, nodes["big-1"])
    world.run("break", "big-1", "duplicate", "--share", "0%", "--for", "2m")
    relayed = max(megabits(world, nodes["big-1"]) for _ in range(3))
    world.run("heal", "--all")
    yield row("throughput through a relay that delays nothing", f"{relayed:,.0f} Mbit/s",
              f"without a relay {plain:,.0f} Mbit/s", relayed / plain, ">= 700 Mbit/s",
              relayed=relayed, plain=plain)


def rows():
    with World() as world:
        world.up(INFRA, "--wait=30")
        yield from effect_rows(world)
    with World() as world:
        world.up(ECHO_INFRA, "--wait=60")
        yield from relay_rows(world)
