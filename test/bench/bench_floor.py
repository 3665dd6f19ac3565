"""The floors by themselves: the journal beside the sqlite3 shell, lp_step, the simulator."""
import json
import os
import subprocess
import tempfile
import time

from bench_world import LIMPET, row

BUILD = os.path.dirname(LIMPET)
RECORDS = 50000
BATCH = 50


def shell_rate(path):
    """The same rows, batches and durability through the sqlite3 shell."""
    lines = ["PRAGMA journal_mode=WAL;", "PRAGMA synchronous=FULL;",
             "CREATE TABLE records(seq INTEGER PRIMARY KEY, at INTEGER, body TEXT);"]
    body = "x" * 120
    for first in range(0, RECORDS, BATCH):
        lines.append("BEGIN;")
        lines += [f"INSERT INTO records VALUES({first + i},{first},'{body}');"
                  for i in range(BATCH)]
        lines.append("COMMIT;")
    start = time.monotonic()
    subprocess.run(["sqlite3", path], input="\n".join(lines), text=True, check=True,
                   capture_output=True)
    return RECORDS / (time.monotonic() - start)


def journal_rows():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        out = subprocess.run([os.path.join(BUILD, "test/bench/store_bench"),
                              os.path.join(folder, "journal.db"), str(RECORDS), str(BATCH)],
                             check=True, capture_output=True, text=True)
        limpet = json.loads(out.stdout)["records_per_s"]
        peer = shell_rate(os.path.join(folder, "shell.db"))
    yield row(f"journal, durable, batches of {BATCH}", f"{limpet:,.0f} events/s",
              f"sqlite3 shell {peer:,.0f} rows/s", limpet / peer, ">= 5,000 events/s",
              limpet_per_s=limpet, shell_per_s=peer)


def step_rows():
    out = subprocess.run([os.path.join(BUILD, "test/bench/step_bench"), "--json"], check=True,
                         capture_output=True, text=True)
    rates = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
    first, last = rates[0], rates[-1]
    yield row(f"lp_step, 1,000 hosts, {last['nodes']:,} nodes",
              f"{last['events_per_s']:,.0f} events/s",
              f"itself with {first['nodes']:,} nodes {first['events_per_s']:,.0f} events/s",
              last["events_per_s"] / first["events_per_s"], ">= 200,000 events/s, flat",
              rates=rates)


def simulate_rows():
    out = subprocess.run([LIMPET, "simulate", "--seed", "1", "--count", "20", "--nodes", "6",
                          "--hours", "1", "-o", "json"], check=True, capture_output=True, text=True)
    runs = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
    rates = sorted(run["rate"] for run in runs if "rate" in run)
    median = rates[len(rates) // 2]
    yield row("simulated time per real second, 6 nodes", f"{median:,.0f}",
              "FoundationDB says 10, TigerBeetle 1,000 (published)", median / 1000, ">= 1,000",
              speeds=rates)
