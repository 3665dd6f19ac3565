"""The floors by themselves: the journal beside the sqlite3 shell, lp_step, the simulator."""
import json
import os
import re
import subprocess
import tempfile
import time

from bench_world import LIMPET, have, row

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


def step_instructions(nodes, events=64000):
    """Instructions of one event (its turn: the step, and the bench's obeying), by callgrind."""
    with tempfile.TemporaryDirectory() as folder:
        out = subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=turn_step",
                              f"--callgrind-out-file={folder}/out",
                              os.path.join(BUILD, "test/bench/step_bench"), "--json", str(nodes),
                              str(events)], check=True, capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", out.stderr)
    return int(collected.group(1)) / (2 * events)  # one stream with the hint, one without


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
    yield row("the same, without the hint at coming events",
              f"{last['bare_events_per_s']:,.0f} events/s",
              f"{first['nodes']:,} nodes {first['bare_events_per_s']:,.0f} events/s",
              last["bare_events_per_s"] / first["bare_events_per_s"], "")
    if have("valgrind"):
        large, small = step_instructions(last["nodes"]), step_instructions(first["nodes"])
        yield row("the same, instructions an event", f"{large:,.0f}",
                  f"{first['nodes']:,} nodes {small:,.0f}", large / small, "flat",
                  instructions=[small, large])


def simulate_rows():
    out = subprocess.run([LIMPET, "simulate", "--seed", "1", "--count", "20", "--nodes", "6",
                          "--hours", "1", "-o", "json"], check=True, capture_output=True, text=True)
    runs = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
    rates = sorted(run["rate"] for run in runs if "rate" in run)
    median = rates[len(rates) // 2]
    yield row("simulated time per real second, 6 nodes", f"{median:,.0f}",
              "FoundationDB says 10, TigerBeetle 1,000 (published)", median / 1000, ">= 1,000",
              speeds=rates)
