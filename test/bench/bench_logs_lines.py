"""What `limpet log` finds of anomalies that are put into logs (P@10), beside S3's own scores in the same run.

Needs LIMPET_LOG_DATA, a folder with loghub-2k/, linux/, openstack-kalaki/, proxifier/, hdfs-raw/ and
thunderbird/. The protocol: docs/logs.md."""
import csv
import io
import itertools
import json
import os
import subprocess
import tempfile

from bench_world import LIMPET, row

REPEATS = 10
SYSTEMS = ("Android", "HDFS", "Linux", "OpenStack", "Proxifier", "Spark", "Thunderbird", "Zookeeper")
# Which figures are which: list, damage, must and ambitious of the batch and of the streaming form.
GOALS = (("unexpected", "insertions"), ("missing", "deletions"), ("merged", "both"))


def letters(number):
    """A word without digits for each number: digits would be cleaned away."""
    word = ""
    while True:
        number, rest = divmod(number, 26)
        word = chr(ord("a") + rest) + word
        if number == 0:
            return word


def evaluate(train, test, *options):
    """{(pairing, damage, list): P@10, ...} of one pair of logs."""
    out = subprocess.run([LIMPET, "log", "evaluate", "--train", train, "--test", test, "-o", "json",
                          *options], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in out.splitlines():
        cell = json.loads(line)
        found[cell["pairing"], cell["anomalies"], cell["list"]] = cell
    return found


def halves(folder, name, lines):
    paths = [os.path.join(folder, f"{name}-{part}.log") for part in ("first", "second")]
    for path, part in zip(paths, (lines[:len(lines) // 2], lines[len(lines) // 2:])):
        with open(path, "wb") as file:
            file.writelines(part)
    return paths


def raw_lines(data, system):
    with open(os.path.join(data, "loghub-2k", f"{system}_2k.log"), "rb") as file:
        return [line.rstrip(b"\r\n") + b"\n" for line in file.read().splitlines()]


def labelled_lines(data, system):
    """The same log with the data set's own templates and components in place of ours."""
    path = os.path.join(data, "loghub-2k", f"{system}_2k.log_structured.csv")
    ids = {}
    lines = []
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        for entry in csv.DictReader(file):
            number = ids.setdefault(entry["EventId"], len(ids))
            tag = "".join(c for c in entry.get("Component", "") if c.isalpha()) or "none"
            lines.append(f"Jan  1 00:00:00 host {tag}: event {letters(number)}\n".encode())
    return lines


def figure_rows(what, cells, pairing, goals, chosen_on):
    """cells: a list of evaluate()'s results; each figure is the mean over them."""
    for (name, damage), (must, ambitious) in zip(GOALS, goals):
        def mean(which):
            return sum(cell[pairing, damage, which]["p_at_10"] for cell in cells) / len(cells)

        ours = mean(name)
        theirs = max(mean("s3-message"), mean("s3-tag"))
        sd = sum(cell[pairing, damage, name]["p_at_10_sd"] for cell in cells) / len(cells)
        goal = f">= {must}, ambitious {ambitious}" if must else "not below S3"
        yield row(f"{what}: {name} on {damage}, P@10", f"{ours:.3f} (sd {sd:.2f})",
                  f"S3's better score {theirs:.3f}", ours / theirs if theirs else float("inf"), goal,
                  value=ours, s3_message=mean("s3-message"), s3_tag=mean("s3-tag"),
                  each=[cell[pairing, damage, name]["p_at_10"] for cell in cells],
                  chosen_on=chosen_on)


def loghub_rows(folder, data):
    batch, stream = ((.75, .88), (.35, .50), (.75, .88)), ((.55, .70), (.30, .45), (.55, .72))
    chosen = "Linux, OpenStack, Thunderbird chosen on; the others kept or dropped on"
    for what, read in (("our templates", raw_lines), ("the set's templates", labelled_lines)):
        for form, goals, options in (("", batch, ()), (", streaming", stream, ("--stream",))):
            cells = []
            for system in SYSTEMS:
                first, second = halves(folder, system, read(data, system))
                cells.append(evaluate(first, second, "--windows", "1", "--repeat", str(REPEATS),
                                      *options))
            yield from figure_rows(f"Loghub-2k, {len(SYSTEMS)} systems, halves, {what}{form}", cells,
                                   "other log", goals, chosen)


def grouping(ours, theirs):
    """Grouping accuracy: the share of lines whose group is, line for line, one of theirs."""
    groups, kinds = {}, {}
    for number, (state, kind) in enumerate(zip(ours, theirs)):
        groups.setdefault(state, set()).add(number)
        kinds.setdefault(kind, set()).add(number)
    return sum(len(kind) for kind in kinds.values() if groups[ours[min(kind)]] == kind) / len(ours)


def grouping_rows(data):
    tool = os.path.join(os.path.dirname(LIMPET), "test/bench/log_lines")
    for system in SYSTEMS:
        out = subprocess.run([tool], input=b"".join(raw_lines(data, system)), capture_output=True,
                             check=True).stdout.decode()
        states = [tuple(line.split("\t", 1)) for line in out.splitlines()]
        path = os.path.join(data, "loghub-2k", f"{system}_2k.log_structured.csv")
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            events = [entry["EventId"] for entry in csv.DictReader(file)]
        tagged = [(tag, event) for (tag, _), event in zip(states, events)]
        value = grouping(states, tagged)
        alone = grouping([template for _, template in states], events)
        yield row(f"Loghub-2k, {system}: grouping accuracy, states beside the set's kinds within our tags",
                  f"{value:.3f}", "", "", f"templates alone {alone:.3f}", value=value, alone=alone)


def unpacked(folder, data, path):
    target = os.path.join(folder, os.path.basename(path)[:-len(".zst")])
    subprocess.run(["zstd", "-dqf", os.path.join(data, path), "-o", target], check=True)
    return target


def hdfs_log(folder, data):
    """The first 35,000 lines, as they were before they were taken apart."""
    packed = os.path.join(data, "hdfs-raw", "HDFS_100k.log_structured.csv.zst")
    text = subprocess.run(["zstd", "-dcq", packed], check=True, capture_output=True).stdout.decode()
    target = os.path.join(folder, "hdfs.log")
    with open(target, "w", encoding="utf-8") as file:
        for entry in itertools.islice(csv.DictReader(io.StringIO(text)), 35000):
            file.write("{Date} {Time} {Pid} {Level} {Component}: {Content}\n".format(**entry))
    return target


def thunderbird_log(folder, data):
    """The node an566: numbers of templates, without tags."""
    with open(os.path.join(data, "thunderbird", "an566"), encoding="utf-8") as file:
        events = file.read().split(",", 1)[1].split()
    target = os.path.join(folder, "thunderbird.log")
    with open(target, "w", encoding="utf-8") as file:
        file.writelines(f"Jan  1 00:00:00 host none: event {letters(int(event))}\n" for event in events)
    return target


def same_window_rows(name, cells):
    for damage in ("insertions", "deletions", "both"):
        ours = cells["same window", damage, "merged"]
        theirs = cells["same window", damage, "s3-message"]
        yield row(f"{name}, train = test window: merged on {damage}, P@10",
                  f"{ours['p_at_10']:.3f} (R@R {ours['r_at_r']:.3f})",
                  f"S3, message {theirs['p_at_10']:.3f} (R@R {theirs['r_at_r']:.3f})",
                  ours["p_at_10"] / theirs["p_at_10"] if theirs["p_at_10"] else float("inf"),
                  "never below", ours=ours, s3=theirs)


def window_rows(folder, data):
    periods = "42 pairings of different periods"
    none = ((None, None),) * 3
    for name, log, goals, chosen_on in (
            ("Linux", unpacked(folder, data, "linux/Linux.log.zst"),
             ((.80, .92), (.33, .55), (.80, .92)), "Linux, this one"),
            ("Thunderbird, node an566", thunderbird_log(folder, data),
             ((.72, .88), (.09, .25), (None, None)), "older constants: this one"),
            ("HDFS, 35,000 lines", hdfs_log(folder, data), none, "none on this one"),
            ("OpenStack", unpacked(folder, data, "openstack-kalaki/openstack-nova-sample.log.zst"), none,
             "OpenStack, this one"),
            ("Proxifier", unpacked(folder, data, "proxifier/Proxifier.log.zst"), none,
             "seen while choosing")):
        cells = evaluate(log, log, "--repeat", "10")
        yield from figure_rows(f"{name}, {periods}", [cells], "other period", goals, chosen_on)
        yield from same_window_rows(name, cells)


def rows():
    data = os.environ.get("LIMPET_LOG_DATA")
    if not data or not os.path.isdir(data):
        yield row("lines, P@10", "skipped: LIMPET_LOG_DATA names no folder with data", "", "", "")
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield from loghub_rows(folder, data)
        yield from grouping_rows(data)
        yield from window_rows(folder, data)
