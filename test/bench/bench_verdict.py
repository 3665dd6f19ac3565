"""The verdict's repair time, beside what a prober that shares nothing with it sees every millisecond."""
import json
import os
import signal
import subprocess
import tempfile
import time

from bench_world import LIMPET, World, quantile, row, wait_answer

CRASHES = int(os.environ.get("BENCH_VERDICT_CRASHES", "16"))
KILLS = int(os.environ.get("BENCH_VERDICT_KILLS", "20"))
PROBER = os.path.join(os.path.dirname(LIMPET), "test/bench/prober")
ADDRESS, PORT = "127.0.0.1", 18182
SECONDS = 2.0
# Who starts the server again does not matter here, only when it answers.
SERVER = 'while :; do busybox httpd -f -p %s:%d -h "$1" & echo $! >"$1/pid"; wait $!; ' \
         'sleep 0.1; done' % (ADDRESS, PORT)


def probes(text):
    """[(due, sent, ended, is good)], microseconds of the monotonic clock."""
    return [(int(due), int(sent), int(ended), good == "1")
            for due, sent, ended, good in (line.split() for line in text.splitlines())]


def back_us(seen, broken_us):
    """The end of the longest time without a good answer since something was broken."""
    good = [broken_us] + sorted(ended for _, _, ended, good in seen if good and ended > broken_us)
    return max(zip(good, good[1:]), key=lambda pair: pair[1] - pair[0])[1]


def kill_once(folder):
    """Seconds from the kill to the first good answer after a failure: the verdict's, the prober's."""
    file = os.path.join(folder, "load")
    load = subprocess.Popen([LIMPET, "load", f"http://{ADDRESS}:{PORT}/", "--rate", "1000", "--for",
                             f"{SECONDS}s", "--no-keep-alive", "--fail-above", "100%", "--out",
                             file], stdout=subprocess.DEVNULL)
    prober = subprocess.Popen([PROBER, ADDRESS, str(PORT), str(SECONDS)], stdout=subprocess.PIPE,
                              text=True)
    time.sleep(SECONDS / 2)
    with open(os.path.join(folder, "pid"), encoding="ascii") as pid:
        number = int(pid.read())
    killed_us = time.monotonic_ns() // 1000
    os.kill(number, signal.SIGKILL)
    seen = probes(prober.communicate(timeout=30)[0])
    load.wait(30)
    with open(file, "rb") as record:
        start_us = json.loads(record.readline())["start_monotonic_us"]
    at_ms = -((start_us - killed_us) // 1000)  # marks are whole milliseconds
    killed_us, at = start_us + at_ms * 1000, f"{at_ms}ms"
    out = subprocess.run([LIMPET, "load", "show", file, "-o", "json", "--fault-at", at,
                          "--effect-at", at], check=True, capture_output=True, text=True)
    verdict_us = json.loads(out.stdout)["to_first_good_us"]
    late_us = quantile([sent - due for due, sent, _, _ in seen], .99)
    return verdict_us, back_us(seen, killed_us) - killed_us, late_us


def kill_row():
    with tempfile.TemporaryDirectory(prefix="limpet-bench-verdict-") as folder:
        with open(os.path.join(folder, "index.html"), "w", encoding="ascii") as page:
            page.write("hello\n")
        server = subprocess.Popen(["sh", "-c", SERVER, "sh", folder], start_new_session=True,
                                  stderr=subprocess.DEVNULL)
        try:
            if wait_answer(ADDRESS, PORT, 10) is None:
                raise RuntimeError("the server does not answer")
            found = [kill_once(folder) for _ in range(KILLS)]
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)
    return apart_row("time to the first good reply", f"killed server, {len(found)} times", found)


# A server that keeps many connections waiting: while its node is down the load's gather, and what a
# short queue refuses when it is back comes again 200 ms or a second later, whoever asks.
INFRA = f"""
name: verdict
services:
  web:
    image: host
    command: [nginx, -c, /etc/web.conf]
    configs: [{{source: page, target: /www/index.html}}, {{source: web, target: /etc/web.conf}}]
    ports: ["{PORT}:80"]
    healthcheck: {{test: [HTTP, "http://localhost/"], interval: 1s, timeout: 1s, retries: 2}}
configs:
  page: {{content: "hello\\n"}}
  web:
    content: |
      daemon off;
      error_log stderr;
      pid /tmp/pid;
      events {{ worker_connections 1024; }}
      http {{ access_log off; server {{ listen 80 backlog=4096; root /www; }} }}
"""
EXPERIMENT = f"""
title: The verdict beside a prober
infrastructure: verdict.yaml
repeat: {CRASHES}
load: {{service: web, rate: 1000, for: {SECONDS}s, keep_alive: false}}
steady_state: {{for: 300ms, checks: [{{http: {{service: web}}, every: 100ms}}]}}
stages:
  - break:
      - wait: {{load: 1s}}
      - {{break: web-1, fault: crash}}
    checks: [{{http: {{service: web}}, within: 5s}}]
"""


def crash_rows():
    """Whole experiments: the order to break is theirs, too, and the repair is Limpet's."""
    with World() as world:
        paths = [os.path.join(world.folder, name) for name in ("verdict.yaml", "experiment.yaml")]
        for path, text in zip(paths, (INFRA, EXPERIMENT)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        prober = subprocess.Popen([PROBER, ADDRESS, str(PORT), str(CRASHES * (SECONDS + 4) + 5)],
                                  stdout=subprocess.PIPE, text=True)
        try:
            out = os.path.join(world.folder, "out")
            world.run("experiment", "run", paths[1], "--out", out)
            prober.send_signal(signal.SIGINT)
            seen = probes(prober.communicate(timeout=60)[0])
        finally:
            prober.kill()
            prober.wait(10)
        with open(os.path.join(out, "result.json"), encoding="utf-8") as file:
            loads = [run["load"] for run in json.load(file)["runs"]]
        found, said = [], []
        for load in loads:
            with open(os.path.join(out, load["file"]), "rb") as record:
                start_us = json.loads(record.readline())["start_monotonic_us"]
            broken_us = start_us + load["marks"]["fault_us"]
            near = [probe for probe in seen if 0 <= probe[2] - broken_us < SECONDS / 2 * 1e6]
            seen_us = back_us(near, broken_us) - broken_us
            late_us = quantile([sent - due for due, sent, _, _ in near], .99)
            found.append((load["outcome"]["to_first_good_us"], seen_us, late_us))
            said.append((load["outcome"]["to_repair_us"], seen_us, late_us))
    what = f"crashed node in an experiment, {len(found)} times"
    yield apart_row("time to the first good reply", what, found)
    yield apart_row("time to repair, by the controller", what, said)


def apart_row(figure, what, found):
    """found: [(the verdict's, the prober's, how late the prober was at p99)], microseconds."""
    apart = [abs(verdict - seen) / 1000 for verdict, seen, _ in found]
    repair = [verdict / 1000 for verdict, _, _ in found]
    return row(f"verdict's {figure}, {what}: apart from a prober's",
               f"median {quantile(apart, .5):.2f} ms, most {max(apart):.2f} ms",
               f"of {quantile(repair, .5):.0f} ms; one GET a millisecond", "", "<= 5 ms",
               found_us=found)


def rows():
    yield kill_row()
    yield from crash_rows()
