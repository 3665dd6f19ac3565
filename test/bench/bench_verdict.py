"""The verdict's repair time, beside what a prober of its own process sees, one GET a millisecond."""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

from bench_world import LIMPET, quantile, row, wait_answer

KILLS = int(os.environ.get("BENCH_VERDICT_KILLS", "10"))
PORT = 18182
SECONDS = 2.0
# Who starts the server again does not matter here, only when it answers.
SERVER = 'while :; do busybox httpd -f -p 127.0.0.1:%d -h "$1" & echo $! >"$1/pid"; wait $!; ' \
         'sleep 0.1; done' % PORT


def probe(seconds):
    """[when it was sent, was it good], by the wall clock; at most one GET a millisecond."""
    seen, end = [], time.time() + seconds
    while time.time() < end:
        sent, good = time.time(), False
        try:
            with socket.create_connection(("127.0.0.1", PORT), 0.02) as link:
                link.sendall(b"GET / HTTP/1.0\r\n\r\n")
                good = b" 200 " in link.recv(64)
        except OSError:
            pass
        seen.append((sent, time.time(), good))
        time.sleep(max(0, sent + 0.001 - time.time()))
    return seen


def kill_once(folder):
    """(the verdict's, the prober's) seconds from the kill to the first good answer after a failure."""
    file = os.path.join(folder, "load")
    load = subprocess.Popen([LIMPET, "load", f"http://127.0.0.1:{PORT}/", "--rate", "1000", "--for",
                             f"{SECONDS}s", "--no-keep-alive", "--fail-above", "100%", "--out",
                             file], stdout=subprocess.DEVNULL)
    prober = subprocess.Popen([sys.executable, os.path.abspath(__file__), str(SECONDS)],
                              stdout=subprocess.PIPE, text=True)
    time.sleep(SECONDS / 2)
    with open(os.path.join(folder, "pid"), encoding="ascii") as pid:
        number = int(pid.read())
    killed = time.time()
    os.kill(number, signal.SIGKILL)
    seen = json.loads(prober.communicate(timeout=30)[0])
    load.wait(30)

    def shown(*marks):
        out = subprocess.run([LIMPET, "load", "show", file, "-o", "json", *marks], check=True,
                             capture_output=True, text=True)
        return json.loads(out.stdout)
    at_us = int(killed * 1e6) - shown()["start_wall_us"]
    verdict = shown("--fault-at", f"{at_us}us", "--effect-at", f"{at_us}us")["to_first_good_us"]
    failed = next(sent for sent, ended, good in seen if ended >= killed and not good)
    first = next(answered for sent, answered, good in seen if good and sent >= failed)
    return verdict / 1e6, first - killed


def rows():
    with tempfile.TemporaryDirectory(prefix="limpet-bench-verdict-") as folder:
        with open(os.path.join(folder, "index.html"), "w", encoding="ascii") as page:
            page.write("hello\n")
        server = subprocess.Popen(["sh", "-c", SERVER, "sh", folder], start_new_session=True)
        try:
            if wait_answer("127.0.0.1", PORT, 10) is None:
                raise RuntimeError("the server does not answer")
            pairs = [kill_once(folder) for _ in range(KILLS)]
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)
    apart = [abs(verdict - seen) * 1000 for verdict, seen in pairs]
    yield row("verdict's repair time, apart from a 1 ms prober's",
              f"median {quantile(apart, 0.5):.2f} ms, most {max(apart):.2f} ms",
              f"{len(pairs)} kills", "", "<= 5 ms", pairs=pairs)


if __name__ == "__main__":
    print(json.dumps(probe(float(sys.argv[1]))))
