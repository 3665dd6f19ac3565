"""A Limpet of its own for a benchmark, and the tools to look at it from outside."""
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

LIMPET = os.environ.get("LIMPET", os.path.abspath("build/limpet"))
CLONE_NEWNET = 0x40000000


class World:
    """A root folder with a daemon; leaving the `with` block takes all of it down."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="limpet-bench-", dir="/var/tmp")
        self.root = os.path.join(self.folder, "root")
        return self

    def __exit__(self, *_):
        for infra in self.json("status") or []:
            self.run("down", infra["infrastructure"], "--volumes", check=False)
        self.run("shutdown", check=False)
        time.sleep(0.5)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *words, check=True):
        return subprocess.run([LIMPET, "--root", self.root, *words], check=check,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def json(self, *words):
        out = self.run(*words, "-o", "json", check=False)
        return json.loads(out.stdout) if out.returncode == 0 else None

    def up(self, text, *options):
        path = os.path.join(self.folder, "limpet.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return self.run("up", path, *options)

    def netns(self, infra):
        with open(os.path.join(self.root, "id"), encoding="utf-8") as file:
            return f"/run/netns/limpet-{file.read().strip()}-{infra}"

    def daemon_pid(self):
        with open(os.path.join(self.root, "lock"), encoding="utf-8") as file:
            return int(file.read().split()[0])

    def node_pids(self, infra, node):
        """Host pids of the node's processes, by its cgroup."""
        for base, _, files in os.walk("/sys/fs/cgroup"):
            if base.endswith(f"/{infra}/{node}") and "cgroup.procs" in files:
                with open(os.path.join(base, "cgroup.procs"), encoding="utf-8") as file:
                    pids = [int(line) for line in file]
                if pids:
                    return pids
        return []


def enter_netns(path):
    import ctypes

    fd = os.open(path, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)


def answers(address, port, timeout=1.0):
    """One HTTP GET / ; True when it is answered with 200."""
    try:
        connection = http.client.HTTPConnection(address, port, timeout=timeout)
        connection.request("GET", "/")
        is_ok = connection.getresponse().status == 200
        connection.close()
        return is_ok
    except (OSError, http.client.HTTPException, socket.timeout):
        return False


def wait_answer(address, port, limit=60.0, step=0.001):
    """Seconds until the first right answer; None past the limit."""
    start = time.monotonic()
    while time.monotonic() - start < limit:
        if answers(address, port):
            return time.monotonic() - start
        time.sleep(step)
    return None


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def milliseconds(values):
    return f"p50 {quantile(values, .5) * 1e3:.1f} ms, p99 {quantile(values, .99) * 1e3:.1f} ms"


def have(program):
    return shutil.which(program) is not None


def row(figure, limpet, peer, ratio, goal, **raw):
    ratio = f"{ratio:.2f}" if isinstance(ratio, float) else ratio
    return {"figure": figure, "limpet": limpet, "peer": peer, "ratio": ratio, "goal": goal,
            "raw": raw}


PODMAN = ["podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
PODMAN_RUN = ["run", "-d", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=512:512",
              "--network", "host"]


def busybox_root(folder):
    """A root file system of one program, for peers that cannot use the host's."""
    for name in ("bin", "proc", "sys", "dev", "etc", "tmp", "www", "run"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    shutil.copy(shutil.which("busybox"), os.path.join(folder, "bin/busybox"))
    if not os.path.lexists(os.path.join(folder, "bin/sh")):
        os.symlink("busybox", os.path.join(folder, "bin/sh"))
    with open(os.path.join(folder, "www/index.html"), "w", encoding="utf-8") as file:
        file.write("hello\n")
    return folder
