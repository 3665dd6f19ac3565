"""200 one-process nodes, from nothing to all answering HTTP; beside a bare crun loop and podman."""
import json
import os
import shutil
import subprocess
import tempfile
import time

from bench_world import (PODMAN, PODMAN_RUN, World, answers, busybox_root, enter_netns, have, row,
                         wait_answer)

NODES = int(os.environ.get("BENCH_NODES", "200"))
PODMAN_NODES = 10
DESCRIPTOR = """
name: many
services:
  web:
    image: {image}
    command: [/bin/busybox, httpd, -f, -p, "80", -h, /www]
    deploy: {{replicas: {count}}}
"""


def limpet_seconds(image):
    with World() as world:
        world.run("daemon", "--background")
        start = time.monotonic()
        world.up(DESCRIPTOR.format(image=image, count=NODES), "--detach")
        child = os.fork()
        if child == 0:  # the prober stands in the infrastructure's network namespace
            os._exit(0 if all_answer(world) else 1)
        _, status = os.waitpid(child, 0)
        if status != 0:
            raise RuntimeError("not all nodes answered within 120 s")
        return time.monotonic() - start


def all_answer(world):
    end = time.monotonic() + 120
    nodes = []
    while len(nodes) < NODES and time.monotonic() < end:
        nodes = world.json("ps") or []
    path = world.netns("many")
    while not os.path.exists(path):
        time.sleep(0.005)
    enter_netns(path)
    waiting = [node["address"] for node in nodes]
    while waiting and time.monotonic() < end:
        waiting = [address for address in waiting if not answers(address, 80)]
        time.sleep(0.005)
    return not waiting


def crun_spec(folder):
    """crun's own default configuration with the web server in it; made once for all."""
    subprocess.run(["crun", "spec"], cwd=folder, check=True)
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    config["process"]["terminal"] = False
    config["process"]["args"] = ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
    config["root"] = {"path": "rootfs", "readonly": False}
    return config


def crun_one(base, image, index, config):
    """What a shell script does for one container: overlay, network, crun run, first answer."""
    name = f"lpb{index}"
    folder = os.path.join(base, name)
    for part in ("upper", "work", "rootfs"):
        os.makedirs(os.path.join(folder, part))
    rootfs = os.path.join(folder, "rootfs")
    subprocess.run(["mount", "-t", "overlay", "ov", "-o",
                    f"lowerdir={image},upperdir={folder}/upper,workdir={folder}/work", rootfs],
                   check=True)
    address = f"10.99.{index // 250}.{index % 250 + 2}"
    mac = "02:4c:" + ":".join(f"{int(part):02x}" for part in address.split("."))
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-batch", "-"], check=True, text=True, input=(
        f"link add v{name} type veth peer name eth0 address {mac} netns {name}\n"
        f"link set v{name} master lpbr0 up\n"))
    subprocess.run(["ip", "-n", name, "-batch", "-"], check=True, text=True, input=(
        f"addr add {address}/16 dev eth0\nlink set lo up\nlink set eth0 up\n"))
    for namespace in config["linux"]["namespaces"]:
        if namespace["type"] == "network":
            namespace["path"] = f"/run/netns/{name}"
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    subprocess.run(["crun", "run", "-d", "--bundle", folder, name], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    if wait_answer(address, 80, limit=20) is None:
        raise RuntimeError(f"{name} does not answer")
    return name


def crun_clean(base, names):
    for name in names:
        subprocess.run(["crun", "delete", "-f", name], check=False, capture_output=True)
        subprocess.run(["umount", os.path.join(base, name, "rootfs")], check=False,
                       capture_output=True)
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    shutil.rmtree(base, ignore_errors=True)


def crun_loop(image):
    """In a child with a network and a mount namespace of its own (cgroup v2 out of crun's sight)."""
    subprocess.run(["ip", "link", "add", "lpbr0", "type", "bridge"], check=True)
    subprocess.run(["ip", "addr", "add", "10.99.0.1/16", "dev", "lpbr0"], check=True)
    subprocess.run(["ip", "link", "set", "lpbr0", "up"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    base = tempfile.mkdtemp(prefix="limpet-bench-crun-", dir="/var/tmp")
    config = crun_spec(base)
    names, start = [], time.monotonic()
    try:
        for index in range(NODES):
            names.append(crun_one(base, image, index, config))
        return time.monotonic() - start
    finally:
        crun_clean(base, names)


def crun_seconds(image):
    script = ("import sys; sys.path.insert(0, sys.argv[1]); import bench_bringup; "
              "print(bench_bringup.crun_loop(sys.argv[2]))")
    here = os.path.dirname(os.path.abspath(__file__))
    inner = ("umount /sys/fs/cgroup/unified 2>/dev/null; "
             "exec python3 -c \"$0\" \"$1\" \"$2\"")
    out = subprocess.run(["unshare", "--net", "--mount", "--propagation", "slave", "sh", "-c",
                          inner, script, here, image], check=True, capture_output=True, text=True)
    return float(out.stdout)


def podman_seconds(image):
    """Per container; on the host's network, which is cheaper than one of its own."""
    names, start = [], time.monotonic()
    try:
        for index in range(PODMAN_NODES):
            name = f"lpbench{index}"
            names.append(name)
            subprocess.run([*PODMAN, *PODMAN_RUN, "--name", name, "--rootfs", image,
                            "/bin/busybox", "httpd", "-f", "-p", f"127.0.0.1:{18200 + index}",
                            "-h", "/www"], check=True, capture_output=True)
            wait_answer("127.0.0.1", 18200 + index, limit=20)
        return (time.monotonic() - start) / PODMAN_NODES
    finally:
        subprocess.run([*PODMAN, "rm", "-f", "-t", "0", *names], check=False, capture_output=True)


def rows():
    base = tempfile.mkdtemp(prefix="limpet-bench-root-", dir="/var/tmp")
    image = busybox_root(os.path.join(base, "root"))
    try:
        limpet = [limpet_seconds(image) for _ in range(3)]
        crun = [crun_seconds(image) for _ in range(2)]
        best = sorted(limpet)[1]
        yield row(f"{NODES} nodes to all answering HTTP", f"{best:.2f} s",
                  f"serial crun loop {min(crun):.2f} s", best / min(crun), "<= 1.00",
                  limpet_s=limpet, crun_s=crun)
        if have("podman"):
            podman = podman_seconds(image)
            yield row("the same, per node", f"{best / NODES * 1e3:.1f} ms",
                      f"podman {podman * 1e3:.0f} ms", best / NODES / podman, "<= 0.10",
                      podman_s=podman)
    finally:
        shutil.rmtree(base, ignore_errors=True)
