"""From the fault to the first right answer: a killed process, a hung one; beside runit, podman, HAProxy."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from bench_world import (PODMAN, PODMAN_RUN, World, answers, busybox_root, enter_netns, have,
                         milliseconds, quantile, row, wait_answer)

KILLS = int(os.environ.get("BENCH_KILLS", "100"))
HANGS = int(os.environ.get("BENCH_HANGS", "10"))
# Services of one node each, broken in turn, each no sooner than this after its last repair: what
# dies more often is a crash loop, and is answered with back-off and replacement, as it is meant to be.
SERVICES = 6
REST = 5.5
SERVICE = """
  web{number}:
    image: {image}
    command: [/bin/busybox, httpd, -f, -p, "80", -h, /www]
    healthcheck: {{test: [HTTP, "http://localhost/"], interval: 1s, timeout: 1s, retries: 2}}
    deploy: {{restart_policy: {{condition: any, delay: 10ms, window: 1s}}}}
"""


@contextlib.contextmanager
def image_folder():
    base = tempfile.mkdtemp(prefix="limpet-bench-root-", dir="/var/tmp")
    try:
        yield busybox_root(os.path.join(base, "root"))
    finally:
        shutil.rmtree(base, ignore_errors=True)


def pids_of(pids, needle):
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if needle.encode() in file.read().replace(b"\0", b" "):
                    found.append(pid)
    return found


def repeat(count, targets, fault, pause):
    """Seconds from each fault to the first right answer; targets: (find_pid, address, port)."""
    times = []
    for number in range(count):
        find_pid, address, port = targets[number % len(targets)]
        pid = find_pid()
        start = time.monotonic()
        os.kill(pid, fault)
        while answers(address, port, 0.05):
            if fault == signal.SIGKILL or time.monotonic() - start > 30:
                break  # killed: an answer now is already the new process's
        if wait_answer(address, port, 30) is None:
            raise RuntimeError("no answer within 30 s")
        times.append(time.monotonic() - start)
        time.sleep(pause)
    return times


def in_netns(path, work):
    """Run work() in a child that stands in the network namespace; its result comes back as JSON."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        try:
            enter_netns(path)
            with os.fdopen(write_end, "w") as out:
                json.dump(work(), out)
            os._exit(0)
        except BaseException as why:
            print(why, flush=True)
            os._exit(1)
    os.close(write_end)
    with os.fdopen(read_end) as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError("the prober failed")
    return json.loads(text)


def limpet_times(image, count, fault):
    with World() as world:
        services = [SERVICE.format(image=image, number=i) for i in range(SERVICES)]
        world.up("name: heal\nservices:" + "".join(services), "--wait=30")

        def finder(node):
            def find_pid():
                for _ in range(2000):
                    pids = pids_of(world.node_pids("heal", node), "httpd -f")
                    if pids:
                        return pids[-1]
                    time.sleep(0.005)
                raise RuntimeError(f"no httpd in {node}")
            return find_pid

        targets = [(finder(node["node"]), node["address"], 80) for node in world.json("ps")]
        times = in_netns(world.netns("heal"),
                         lambda: repeat(count, targets, fault, REST / SERVICES))
        metrics = subprocess.run(["curl", "-s", "--unix-socket", f"{world.root}/limpet.sock",
                                  "http://limpet/v1/metrics"], capture_output=True, text=True,
                                 check=False).stdout
        return times, json.loads(metrics) if metrics.startswith("{") else {}


def runit_times(image, count):
    folder = tempfile.mkdtemp(prefix="limpet-bench-runit-")
    service = os.path.join(folder, "web")
    os.makedirs(service)
    run = os.path.join(service, "run")
    with open(run, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\nexec {image}/bin/busybox httpd -f -p 127.0.0.1:18100 -h {image}/www\n")
    os.chmod(run, 0o755)
    runsv = subprocess.Popen(["runsv", service], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        wait_answer("127.0.0.1", 18100, 10)

        def find_pid():
            while True:
                with contextlib.suppress(OSError, ValueError):
                    with open(os.path.join(service, "supervise/pid"), encoding="utf-8") as file:
                        return int(file.read())
                time.sleep(0.005)

        return repeat(count, [(find_pid, "127.0.0.1", 18100)], signal.SIGKILL, 1.2)
    finally:
        runsv.send_signal(signal.SIGTERM)
        runsv.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def podman_pid(name):
    out = subprocess.run([*PODMAN, "inspect", "-f", "{{.State.Pid}}", name], check=True,
                         capture_output=True, text=True)
    if int(out.stdout) == 0:  # being restarted: kill(0) would hit the bench itself
        raise RuntimeError(f"{name} does not run")
    return int(out.stdout)


def podman_remove(name, container):
    """Whatever became of it: a restart under way may win against the first attempt."""
    for _ in range(5):
        subprocess.run([*PODMAN, "rm", "-f", "-t", "0", name], check=False, capture_output=True)
        is_there = subprocess.run([*PODMAN, "container", "exists", name], check=False,
                                  capture_output=True).returncode == 0
        if not is_there:
            break
        time.sleep(0.5)
    # What podman has forgotten, the runtime may still keep.
    if container and os.path.exists(f"/run/runc/{container}"):
        subprocess.run(["runc", "delete", "-f", container], check=False, capture_output=True)


@contextlib.contextmanager
def podman_web(image, options):
    made = subprocess.run([*PODMAN, *PODMAN_RUN, *options, "--name", "lpheal", "--rootfs", image,
                           "/bin/busybox", "httpd", "-f", "-p", "127.0.0.1:18101", "-h", "/www"],
                          check=False, capture_output=True, text=True)
    try:
        made.check_returncode()
        if wait_answer("127.0.0.1", 18101, 20) is None:
            raise RuntimeError("it does not answer")
        yield [(lambda: podman_pid("lpheal"), "127.0.0.1", 18101)]
    finally:
        podman_remove("lpheal", made.stdout.strip())


def podman_kill_times(image, count):
    with podman_web(image, ["--restart", "always"]) as targets:
        return repeat(count, targets, signal.SIGKILL, 1.0)


def podman_check(name):
    return subprocess.run([*PODMAN, "healthcheck", "run", name], check=False,
                          capture_output=True).returncode == 0


def podman_hang_times(image, count):
    """podman's own check, count of failures and restart; only the clock is ours.

    podman has its checks run by timers of systemd, a second after the last one ended; where that is
    not PID 1, a loop does what they would do.
    """
    # Its own `wget -T` crashes in a static busybox: a check that always fails would always restart.
    command = "/bin/busybox timeout 1 /bin/busybox wget -q -O /dev/null http://127.0.0.1:18101/"
    options = ["--health-cmd", command, "--health-interval", "disable", "--health-retries", "2",
               "--health-on-failure", "restart", "--stop-timeout", "1"]
    with podman_web(image, options) as targets:
        if not podman_check("lpheal"):
            raise RuntimeError("its check fails although it is well")
        over = threading.Event()

        def timer():
            while not over.wait(1.0):
                podman_check("lpheal")

        thread = threading.Thread(target=timer)
        thread.start()
        try:
            return repeat(count, targets, signal.SIGSTOP, 3.0)
        finally:
            over.set()
            thread.join()


HAPROXY = """
defaults
  mode http
  timeout connect 500ms
  timeout client 10s
  timeout server 1s
frontend front
  bind 127.0.0.1:18110
  default_backend back
backend back
  option httpchk GET /
  timeout check 1s
  server a 127.0.0.1:18111 check inter 1s fall 2 rise 1
  server b 127.0.0.1:18112 check inter 1s fall 2 rise 1
"""


def haproxy_times(image, count):
    """One of two servers freezes; seconds until 20 requests in a row are answered."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "haproxy.cfg")
        with open(config, "w", encoding="utf-8") as file:
            file.write(HAPROXY)
        web = [os.path.join(image, "bin/busybox"), "httpd", "-f", "-h", f"{image}/www", "-p"]
        servers = [subprocess.Popen([*web, f"127.0.0.1:{port}"]) for port in (18111, 18112)]
        proxy = subprocess.Popen(["haproxy", "-db", "-f", config], stderr=subprocess.DEVNULL)
        try:
            wait_answer("127.0.0.1", 18110, 10)
            for _ in range(count):
                time.sleep(3)
                start = time.monotonic()
                servers[0].send_signal(signal.SIGSTOP)
                in_a_row, end = 0, start
                while in_a_row < 20 and time.monotonic() - start < 30:
                    is_good = answers("127.0.0.1", 18110, 1.5)
                    in_a_row = in_a_row + 1 if is_good else 0
                    end = time.monotonic() if in_a_row == 1 or not is_good else end
                times.append(end - start)
                servers[0].send_signal(signal.SIGCONT)
        finally:
            for process in (*servers, proxy):
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
    return times


def kill_rows():
    goal = "p50 <= 40 ms"
    with image_folder() as image:
        times, metrics = limpet_times(image, KILLS, signal.SIGKILL)
        if have("runsv"):
            peer = runit_times(image, min(KILLS, 30))
            yield row("kill -9 to first right answer", milliseconds(times),
                      f"runit {milliseconds(peer)}", quantile(times, .5) / quantile(peer, .5), goal,
                      limpet_s=times, runit_s=peer)
        if have("podman"):
            try:
                peer = podman_kill_times(image, 5)
                yield row("the same", milliseconds(times), f"podman --restart {milliseconds(peer)}",
                          quantile(times, .5) / quantile(peer, .5), goal, podman_s=peer)
            except (RuntimeError, subprocess.CalledProcessError) as why:
                yield row("the same", milliseconds(times), f"podman --restart: {why}", "", goal)
        if "restart_us" in metrics:
            spans = metrics["restart_us"]
            yield row(f"of that, exit seen to start ordered, {metrics['restarts']} of them",
                      f"p50 {spans['p50'] / 1e3:.2f} ms, p99 {spans['p99'] / 1e3:.2f} ms", "", "",
                      "p99 <= 5 ms", metrics=metrics)


def hang_rows():
    goal = "<= 3.5 s"
    with image_folder() as image:
        times, _ = limpet_times(image, HANGS, signal.SIGSTOP)
        text = f"p50 {quantile(times, .5):.2f} s, max {max(times):.2f} s"
        if have("haproxy"):
            peer = haproxy_times(image, min(HANGS, 5))
            yield row("hung application to serving again", text,
                      f"HAProxy, same check, routes around it: p50 {quantile(peer, .5):.2f} s",
                      quantile(times, .5) / quantile(peer, .5), goal, limpet_s=times,
                      haproxy_s=peer)
        else:
            yield row("hung application to serving again", text, "haproxy is not installed", "",
                      goal, limpet_s=times)
        if have("podman"):
            try:
                peer = podman_hang_times(image, min(HANGS, 3))
                yield row("the same", text, "podman's check and restart on failure, a loop in place "
                          f"of systemd's timer: p50 {quantile(peer, .5):.2f} s",
                          quantile(times, .5) / quantile(peer, .5), goal, podman_s=peer)
            except (RuntimeError, subprocess.CalledProcessError) as why:
                yield row("the same", text, f"podman healthcheck: {why}", "", goal)
