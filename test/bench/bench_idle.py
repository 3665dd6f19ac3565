"""The daemon with 200 healthy nodes that are checked every second: memory and processor."""
import os
import subprocess
import tempfile
import shutil
import time

from bench_world import PODMAN, PODMAN_RUN, World, busybox_root, have, row, wait_answer

NODES = int(os.environ.get("BENCH_NODES", "200"))
SECONDS = 20
DESCRIPTOR = """
name: idle
services:
  web:
    image: {image}
    command: [/bin/busybox, httpd, -f, -p, "80", -h, /www]
    healthcheck: {{test: [HTTP, "http://localhost/"], interval: 1s, timeout: 1s, retries: 2}}
    deploy: {{replicas: {count}}}
"""


def status_kib(pid, key):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    return 0


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def conmon_kib(image):
    """Resident memory of podman's monitor process for one container."""
    subprocess.run([*PODMAN, *PODMAN_RUN, "--name", "lpidle", "--rootfs", image, "/bin/busybox",
                    "httpd", "-f", "-p", "127.0.0.1:18102", "-h", "/www"], check=True,
                   capture_output=True)
    try:
        wait_answer("127.0.0.1", 18102, 20)
        out = subprocess.run(["pgrep", "-f", "conmon.*lpidle"], capture_output=True, text=True,
                             check=True)
        return max(status_kib(int(pid), "VmRSS") for pid in out.stdout.split())
    finally:
        subprocess.run([*PODMAN, "rm", "-f", "-t", "0", "lpidle"], check=False,
                       capture_output=True)


def rows():
    base = tempfile.mkdtemp(prefix="limpet-bench-root-", dir="/var/tmp")
    try:
        image = busybox_root(os.path.join(base, "root"))
        with World() as world:
            world.up(DESCRIPTOR.format(image=image, count=NODES), "--wait=120")
            pid = world.daemon_pid()
            time.sleep(5)
            before = cpu_seconds(pid)
            time.sleep(SECONDS)
            share = (cpu_seconds(pid) - before) / SECONDS * 100
            rss = status_kib(pid, "VmRSS") / 1024
        peer = conmon_kib(image) * NODES / 1024 if have("podman") else None
        yield row(f"daemon with {NODES} nodes checked every second: memory", f"{rss:.1f} MiB",
                  f"{NODES} x conmon {peer:.0f} MiB" if peer else "podman is not installed",
                  rss / peer if peer else "", "<= 24 MiB", rss_mib=rss, conmon_mib=peer)
        yield row("the same: processor", f"{share:.1f} % of one core", "", "", "<= 5 %",
                  percent=share)
    finally:
        shutil.rmtree(base, ignore_errors=True)
