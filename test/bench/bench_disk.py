"""A layer that lets everything pass (`faults: true`), beside the same folder without one."""
import json

from bench_fault import heal, seconds_to_effect
from bench_world import World, quantile, row

ROUNDS, TIMES = 5, 50
INFRA = """
name: bench
services:
  db:
    image: host
    command: [sleep, "100000"]
    volumes: ["layered:/layered:faults", "plain:/plain"]
volumes: {layered: {}, plain: {}}
"""
# Rates a second of one process; in the node.
WORK = """
import json, os, sqlite3, sys, time
base, block, rates = sys.argv[1], b'x' * 4096, {}
def rate(name, count, work):
    start = time.monotonic(); work(); rates[name] = count / (time.monotonic() - start)
f = os.open(base + '/f', os.O_RDWR | os.O_CREAT)
def write():
    for i in range(3000): os.pwrite(f, block, i % 1000 * 4096)
def sync():
    for i in range(200): os.pwrite(f, block, i * 4096); os.fdatasync(f)
def read():
    for i in range(20000): os.pread(f, 4096, i * 7 % 1000 * 4096)
def stream():
    for i in range(100): os.pwrite(f, block * 256, i << 20)
def names():
    for i in range(300): os.close(os.open(f'{base}/n{i}', os.O_CREAT | os.O_WRONLY))
    for i in range(300): os.unlink(f'{base}/n{i}')
def commit():
    c = sqlite3.connect(base + '/base', isolation_level=None)
    c.execute('pragma journal_mode=wal'); c.execute('pragma synchronous=full')
    c.execute('create table if not exists t (n integer, s text)')
    for i in range(200): c.execute('insert into t values (?, ?)', (i, 'x' * 100))
rate('writes of 4 KiB, each synced', 200, sync)
rate('commits of SQLite (WAL, synchronous=full)', 200, commit)
rate('writes of 4 KiB, not synced', 3000, write)
rate('writes of 1 MiB, not synced', 100, stream)
rate('reads of 4 KiB from the cache', 20000, read)
rate('names made and removed', 600, names)
print(json.dumps(rates))
"""


def work(world, folder):
    out = world.run("exec", "db-1", "python3", "-c", WORK, folder)
    return json.loads(out.stdout)


def rows():
    with World() as world:
        world.up(INFRA, "--wait=30")
        layered, plain = [], []
        for _ in range(ROUNDS):
            layered.append(work(world, "/layered"))
            plain.append(work(world, "/plain"))
        for name in plain[0]:
            ours = quantile([rates[name] for rates in layered], .5)
            theirs = quantile([rates[name] for rates in plain], .5)
            yield row(f"a volume with faults: true: {name}, median of {ROUNDS}", f"{ours:,.0f}/s",
                      f"without {theirs:,.0f}/s", ours / theirs, "",
                      layered=[rates[name] for rates in layered],
                      plain=[rates[name] for rates in plain])
        times = []
        for _ in range(TIMES):
            times.append(seconds_to_effect(world, "read-only", "db-1",
                                           {"volume": "layered"})[0])
            heal(world)
        yield row(f"fault read-only of it: ordered to in effect, p50 / p99 of {TIMES}",
                  f"{quantile(times, .5) * 1e3:.1f} / {quantile(times, .99) * 1e3:.1f} ms", "", "",
                  "", seconds=times)
