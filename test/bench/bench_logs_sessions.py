#!/usr/bin/env python3
"""Which sessions `limpet log sessions` finds, as JSON rows: HDFS blocks and OpenStack instances.

Needs LIMPET_LOG_DATA, a folder with hdfs-deeplog/ and openstack-kalaki/; says so without it."""
import json
import os
import random
import re
import subprocess
import sys
import tempfile

LIMPET = os.environ.get("LIMPET", os.path.abspath("build/limpet"))
INSTANCE = "instance: ([0-9a-f-]{36})"
SEEDS = range(1, 6)


def anomalous(folder, train, tests, *options, group=()):
    """How many sessions of each of `tests` are anomalous to a model of `train`: (how many, of how many)."""
    model = os.path.join(folder, "model")
    subprocess.run([LIMPET, "log", "sessions", "train", "-o", model, *options, *group, train], check=True,
                   stdout=subprocess.DEVNULL)
    found = []
    for test in tests:
        out = subprocess.run([LIMPET, "log", "sessions", "score", "-m", model, *group, "-o", "json", test],
                             check=True, capture_output=True, text=True).stdout
        last = json.loads(out.splitlines()[-1])
        found.append((last["anomalous"], last["sessions"]))
    return found


def hdfs_rows(folder, data):
    data = os.path.join(data, "hdfs-deeplog")
    normal = os.path.join(folder, "normal")
    with open(normal, "w", encoding="utf-8") as file:
        for name in ("robust_log_train.csv", "robust_log_valid.csv"):
            with open(os.path.join(data, name), encoding="utf-8") as rows:
                file.writelines(row.split(",")[0] + "\n" for row in rows if row.strip().endswith(",0"))
    train, abnormal = (os.path.join(data, name) for name in ("hdfs_train", "hdfs_test_abnormal"))
    constants = "clipping and r: DeepLog's split, this one"
    for options in ((), ("--order",)):
        (hits, positives), (alarms, negatives) = anomalous(folder, train, [abnormal, normal], *options)
        what = " ".join(("HDFS", *options))
        yield {"figure": f"{what}: recall on {positives} abnormal sessions", "value": hits / positives,
               "must": 0.995, "ambitious": 0.999, "chosen_on": constants}
        yield {"figure": f"{what}: false positives of {negatives} normal sessions", "value": alarms,
               "must": 12, "ambitious": 4, "chosen_on": constants}
    counts = [anomalous(folder, train, [normal], "--seed", str(seed))[0][0] for seed in range(1, 12)]
    yield {"figure": "HDFS: false positives with seeds 1 to 11 of the folds", "value": counts, "must": 12,
           "ambitious": 4, "chosen_on": constants}


def instances(data, name):
    """The lines of each instance, in order of their first lines."""
    text = subprocess.run(["zstd", "-dcf", os.path.join(data, "openstack-kalaki", name)], check=True,
                          capture_output=True).stdout.decode(errors="replace")
    found = {}
    for line in text.splitlines(keepends=True):
        match = re.search(INSTANCE, line)
        if match:
            found.setdefault(match[1], []).append(line)
    return found


def lines_write(path, groups):
    with open(path, "w", encoding="utf-8") as file:
        for lines in groups:
            file.writelines(lines)
    return path


def openstack_f1(folder, normal, abnormal, *options, failed=()):
    """Train on the first half of the normal instances; F1 on the second half and the abnormal ones.
    failed: those of the normal ones that count as abnormal when they stand in the second half."""
    half = len(normal) // 2
    train, rest = normal[:half], [lines for lines in normal[half:] if lines not in failed]
    abnormal = abnormal + [lines for lines in normal[half:] if lines in failed]
    paths = [lines_write(os.path.join(folder, name), lines) for name, lines in
             (("train", train), ("normal", rest), ("abnormal", abnormal))]
    (alarms, _), (hits, positives) = anomalous(folder, paths[0], paths[1:], *options,
                                               group=("--group-by", INSTANCE))
    return 2 * hits / (hits + alarms + positives)


def openstack_rows(folder, data):
    abnormal = instances(data, "openstack-vm-destroy-immediately-after-create.log.zst")
    sample = instances(data, "openstack-nova-sample.log.zst")
    normal = [lines for name, lines in sample.items() if name not in abnormal]
    abnormal = list(abnormal.values())
    for options in ((), ("--allowed", "0")):
        values = []
        for seed in SEEDS:
            drawn = list(normal)
            random.Random(seed).shuffle(drawn)
            values.append(openstack_f1(folder, drawn, abnormal, *options))
        what = " ".join(("OpenStack", *options))
        yield {"figure": f"{what}: F1, halves drawn by chance, mean of {len(values)}",
               "value": sum(values) / len(values), "each": values, "must": 0.98, "ambitious": 0.995,
               "chosen_on": "constants: HDFS, DeepLog's split"}
        yield {"figure": f"{what}: F1, first half on second half in time order",
               "value": openstack_f1(folder, normal, abnormal, *options), "must": None,
               "ambitious": None, "chosen_on": "constants: HDFS, DeepLog's split"}
    yield from openstack_outage_rows(folder, normal, abnormal)


def openstack_outage_rows(folder, normal, abnormal):
    """In time order the labels hide an outage: its instances have lines of the level ERROR."""
    failed = [lines for lines in normal if any(line.lstrip().startswith("ERROR ") for line in lines)]
    first = min(number for number, lines in enumerate(normal) if lines in failed)
    row = {"must": None, "ambitious": None, "chosen_on": "constants: HDFS, DeepLog's split"}
    yield {"figure": f"OpenStack: F1 in time order, {len(failed)} instances with an ERROR counted as abnormal",
           "value": openstack_f1(folder, normal, abnormal, failed=failed), **row}
    yield {"figure": f"OpenStack: F1 in time order, of the {first} instances before the first ERROR",
           "value": openstack_f1(folder, normal[:first], abnormal), **row}


def main():
    data = os.environ.get("LIMPET_LOG_DATA")
    if not data or not os.path.isdir(data):
        sys.exit("bench_logs_sessions: skipped, LIMPET_LOG_DATA names no folder with data")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        for rows in (hdfs_rows, openstack_rows):
            for row in rows(folder, data):
                print(json.dumps(row), flush=True)


main()
