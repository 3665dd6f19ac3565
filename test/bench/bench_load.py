"""The load generator: 20,000 requests/s of small GETs against nginx, its own lateness; beside wrk."""
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile

from bench_world import LIMPET, have, quantile, row, wait_answer

RATE = 20000
SECONDS = int(os.environ.get("BENCH_LOAD_SECONDS", "10"))
RUNS = int(os.environ.get("BENCH_LOAD_RUNS", "5"))
PORT = 18181
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""


@contextlib.contextmanager
def nginx():
    folder = tempfile.mkdtemp(prefix="limpet-bench-load-", dir="/var/tmp")
    os.chmod(folder, 0o755)  # the workers are not root
    os.makedirs(os.path.join(folder, "www"))
    with open(os.path.join(folder, "www/index.html"), "w", encoding="utf-8") as file:
        file.write("hello\n")
    path = os.path.join(folder, "nginx.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(NGINX.format(folder=folder, port=PORT))
    server = subprocess.Popen(["nginx", "-p", folder, "-c", path], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        if wait_answer("127.0.0.1", PORT, 10) is None:
            raise RuntimeError("nginx does not answer")
        yield f"http://127.0.0.1:{PORT}/"
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def limpet_run(url):
    out = subprocess.run([LIMPET, "load", url, "--rate", str(RATE), "--for", f"{SECONDS}s",
                          "--fail-above", "100%", "-o", "json"], check=True, capture_output=True,
                         text=True)
    return json.loads(out.stdout)


def wrk_run(url):
    """As fast as it goes: what the two cores give at most."""
    out = subprocess.run(["wrk", "-t1", "-c64", f"-d{SECONDS}", "--latency", url], check=True,
                         capture_output=True, text=True)
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", out.stdout)[1])


def rows():
    if not have("nginx"):
        yield row("load generator", "not measured: nginx is not installed", "", "", "")
        return
    runs, peers = [], []
    with nginx() as url:
        for _ in range(RUNS):
            runs.append(limpet_run(url))
            if have("wrk"):
                peers.append(wrk_run(url))
    rates = [run["good"] / SECONDS for run in runs]
    lateness = [run["own_lateness"]["p99_us"] / 1000 for run in runs]
    latency = [run["latency"]["p99_us"] / 1000 for run in runs]
    rate, late = quantile(rates, .5), quantile(lateness, .5)
    peer = f"wrk, as fast as it goes: {quantile(peers, .5):,.0f}/s" if peers else "wrk is missing"
    yield row(f"load generator at {RATE:,} requests/s, open loop",
              f"{rate:,.0f} good/s, own lateness p99 {late:.2f} ms (worst run {max(lateness):.2f}),"
              f" latency p99 {quantile(latency, .5):.1f} ms",
              peer, "", "20,000/s, lateness p99 <= 2 ms",
              rates=rates, lateness_p99_ms=lateness, latency_p99_ms=latency, wrk_per_s=peers)
