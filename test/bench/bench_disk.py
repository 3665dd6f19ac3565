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
# Seconds of one process in the node. The disk is another one every few seconds: the folders take
# turns, a few operations each.
WORK = """
import json, os, sqlite3, sys, time
block = b'x' * 4096
class Folder:
    def __init__(self, base):
        self.base, self.file = base, os.open(base + '/f', os.O_RDWR | os.O_CREAT)
        for i in range(1000): os.pwrite(self.file, block, i * 4096)
        os.fsync(self.file)
        self.c = sqlite3.connect(base + '/base', isolation_level=None)
        self.c.execute('pragma journal_mode=wal'); self.c.execute('pragma synchronous=full')
        self.c.execute('create table if not exists t (n integer, s text)')
    def sync(self):
        for i in range(10): os.pwrite(self.file, block, i * 4096); os.fdatasync(self.file)
        return 10
    def commit(self):
        for i in range(10): self.c.execute('insert into t values (?, ?)', (i, 'x' * 100))
        return 10
    def write(self):
        for i in range(300): os.pwrite(self.file, block, i * 4096)
        return 300
    def stream(self):
        for i in range(5): os.pwrite(self.file, block * 256, i << 20)
        return 5
    def read(self):
        for i in range(1000): os.pread(self.file, 4096, i * 7 % 1000 * 4096)
        return 1000
    def names(self):
        for i in range(30): os.close(os.open(f'{self.base}/n{i}', os.O_CREAT | os.O_WRONLY))
        for i in range(30): os.unlink(f'{self.base}/n{i}')
        return 60
folders, rates = [Folder(base) for base in sys.argv[1:]], {}
for name in ('sync', 'commit', 'write', 'stream', 'read', 'names'):
    seconds, counts = [0] * len(folders), [0] * len(folders)
    for _ in range(20):
        for i, folder in enumerate(folders):
            start = time.monotonic()
            counts[i] += getattr(folder, name)()
            seconds[i] += time.monotonic() - start
    rates[name] = [count / second for count, second in zip(counts, seconds)]
print(json.dumps(rates))
"""
NAMES = {"sync": "writes of 4 KiB, each synced", "commit": "commits of SQLite (WAL, synchronous=full)",
         "write": "writes of 4 KiB, not synced", "stream": "writes of 1 MiB, not synced",
         "read": "reads of 4 KiB from the cache", "names": "names made and removed"}


def rows():
    with World() as world:
        world.up(INFRA, "--wait=30")
        rounds = [json.loads(world.run("exec", "db-1", "python3", "-c", WORK, "/layered",
                                       "/plain").stdout) for _ in range(ROUNDS)]
        for name, words in NAMES.items():
            layered = [rates[name][0] for rates in rounds]
            plain = [rates[name][1] for rates in rounds]
            ours, theirs = quantile(layered, .5), quantile(plain, .5)
            yield row(f"a volume with faults: true: {words}, median of {ROUNDS}", f"{ours:,.0f}/s",
                      f"without {theirs:,.0f}/s", ours / theirs, "", layered=layered, plain=plain)
        times = []
        for _ in range(TIMES):
            times.append(seconds_to_effect(world, "read-only", "db-1",
                                           {"volume": "layered"})[0])
            heal(world)
        yield row(f"fault read-only of it: ordered to in effect, p50 / p99 of {TIMES}",
                  f"{quantile(times, .5) * 1e3:.1f} / {quantile(times, .99) * 1e3:.1f} ms", "", "",
                  "", seconds=times)
