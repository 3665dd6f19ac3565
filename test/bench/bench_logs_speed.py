"""The whole way from bytes to a top list (log_speed.c), beside grep on the same file in the same run.

Without LIMPET_LOG_DATA (a folder with linux/Linux.log.zst) a log of our own making stands in."""
import json
import os
import random
import subprocess
import tempfile

from bench_world import LIMPET, have, row

BUILD = os.path.dirname(LIMPET)
SIZE = int(os.environ.get("BENCH_LOG_BYTES", str(1 << 30)))
RUNS = 5


def sample():
    """Some megabytes of log lines, and what they are."""
    path = os.path.join(os.environ.get("LIMPET_LOG_DATA", ""), "linux/Linux.log.zst")
    if os.path.exists(path) and have("zstd"):
        return subprocess.run(["zstd", "-dcf", path], check=True, capture_output=True).stdout, "Linux"
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefgh", k=draw.randint(3, 9))) for _ in range(300)]
    forms = [" ".join(draw.choices(words, k=8)) for _ in range(600)]
    lines = [f"Jun 14 15:{i // 60 % 60:02d}:{i % 60:02d} host {draw.choice(words[:20])}[{i}]: "
             f"{draw.choice(forms)} user={i} 10.0.0.{i % 256}\n" for i in range(25000)]
    return "".join(lines).encode(), "synthetic"


def many_templates(count, lines):
    draw = random.Random(2)
    word = ["".join(draw.choices("abcdefghijkl", k=6)) for _ in range(400)]
    forms = [f"{word[i % 400]} {word[i // 400 % 400]} {word[(i * 7) % 400]} done" for i in range(count)]
    out = bytearray()
    for i in range(lines):
        out += f"Jun 14 15:16:01 host d{i % 7}[{i}]: {forms[draw.randrange(count)]} {i}\n".encode()
    return bytes(out)


def repeat(folder, name, text, size):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        for _ in range(max(1, size // len(text))):
            file.write(text)
    return path


def log_speed(path):
    with open(path, "rb") as file:
        out = subprocess.run([os.path.join(BUILD, "test/bench/log_speed"), "100"], stdin=file,
                             check=True, capture_output=True, text=True)
    run = json.loads(out.stdout)
    run["seconds"] = run["read_s"] + run["train_s"] + run["rank_s"]
    return run


def grep(path, *words):
    import time

    start = time.monotonic()
    subprocess.run(["grep", *words, path], check=False, stdout=subprocess.PIPE,
                   env={**os.environ, "LC_ALL": "C"})
    return time.monotonic() - start


def speed_rows(folder, text, name):
    path = repeat(folder, "large", text, SIZE)
    runs, counts, digits = [], [], []
    for _ in range(RUNS):  # in turn, so that what else the machine does hits all alike
        runs.append(log_speed(path))
        counts.append(grep(path, "-c", ""))
        digits.append(grep(path, "-cE", "[0-9]{5,}"))
    best = min(runs, key=lambda run: run["seconds"])
    rate = best["bytes"] / best["seconds"] / 1e6
    text = f"{rate:,.0f} MB/s, {best['lines'] / best['seconds'] / 1e6:.1f} M lines/s"
    for words, peer, must in (("grep -c ''", min(counts), .15), ("grep -cE '[0-9]{5,}'", min(digits), .4)):
        yield row(f"whole pipeline, one thread, {best['bytes'] / 1e9:.1f} GB of {name} log", text,
                  f"{words} {best['bytes'] / peer / 1e6:,.0f} MB/s", peer / best["seconds"],
                  f">= {must}", runs=runs, peers=[counts, digits])
    yield row("its memory", f"{max(run['rss_kib'] for run in runs) / 1024:.0f} MiB", "", "",
              "<= 64 MiB")
    yield row("beside Drain3 (published, not run)",
              f"{best['lines'] / best['seconds']:,.0f} lines/s", "14,400 lines/s",
              best["lines"] / best["seconds"] / 14400, "")
    os.unlink(path)


def growth_rows(folder, text, name):
    lines = text.count(b"\n")
    half = repeat(folder, "half", text, 5_000_000 // lines * len(text))
    whole = repeat(folder, "whole", text, 10_000_000 // lines * len(text))
    short = min(log_speed(half)["seconds"] for _ in range(3))
    runs = [log_speed(whole) for _ in range(3)]
    long = min(run["seconds"] for run in runs)
    yield row(f"growth: second 5 M lines against the first, {name}", f"{long - short:.2f} s",
              f"the first {short:.2f} s", (long - short) / short, "within 10 %",
              seconds=[short, long])
    memory = max(run["rss_kib"] for run in runs) / 1024
    yield row(f"memory, {runs[0]['lines'] / 1e6:.1f} M lines, {name}", f"{memory:.0f} MiB",
              f"of it the lines' states {runs[0]['lines'] * 2 / 2**20:.0f} MiB", "", "<= 64 MiB")
    os.unlink(half)
    os.unlink(whole)


def rows():
    text, name = sample()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield from speed_rows(folder, text, name)
        yield from growth_rows(folder, text, name)
        yield from growth_rows(folder, many_templates(50000, 500000), "50,000 templates")
