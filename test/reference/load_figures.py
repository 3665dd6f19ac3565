#!/usr/bin/env python3
"""The figures of a load, written down a second time from docs/load.md, beside those of the binary.

usage: load_figures.py RECORD FIGURES [FAULT_US EFFECT_US DETECTED_US REPAIRED_US]
RECORD: what `limpet load --out` wrote. FIGURES: what `limpet load show RECORD -o json --series` says
of it. A mark that is not there is -1. All figures are integers and must be equal; exit
status 3: one is not.
"""
import json
import struct
import sys

ENDINGS = ["good", "not-sent", "connect", "timeout", "closed", "protocol", "status", "body",
           "aborted", "kept", "lost", "unread"]
FAILURES = ENDINGS[1:8]
SECOND = 1000000


class Row:
    def __init__(self, fields):
        self.due, self.sent, self.answered, self.status, ending, self.flags, self.write = fields
        self.ending = ENDINGS[ending]
        self.is_good = self.ending == "good"
        self.is_failed = self.ending in FAILURES
        self.latency = self.answered - self.due


def read(path):
    with open(path, "rb") as file:
        line, _, rows = file.read().partition(b"\n")
    rows = list(struct.iter_unpack("<qqqHBBI", rows[:len(rows) // 32 * 32]))
    is_whole = bool(rows) and rows[-1][4] == 255
    return json.loads(line), [Row(row) for row in (rows[:-1] if is_whole else rows)], is_whole


def rank(values, permille):
    """The smallest value that at least so large a share does not exceed."""
    for value in sorted(set(values)):
        if sum(other <= value for other in values) * 1000 >= permille * len(values):
            return value
    return None


def spread(values, parts=("p50", "p99", "p999", "max")):
    at = {"p50": 500, "p99": 990, "p999": 999, "max": 1000}
    return {f"{part}_us": rank(values, at[part]) for part in parts}


def spread_counted(values):
    return {"count": len(values), **spread(values)}


def gap(requests, end):
    """(how long, since when): the longest time without a good reply, the earliest of equals."""
    stops = sorted(row.answered for row in requests if row.is_good)
    starts = [min(row.due for row in requests)] + stops
    pairs = [(stop - start, -start) for start, stop in zip(starts, stops + [end])]
    longest = max(pair for pair in pairs)
    return max(longest[0], 0), -longest[1] if longest[0] > 0 else 0


def full_since(requests, since, end):
    """The first good reply since then from which on good replies keep up for one second."""
    replies = sorted(row.answered for row in requests if row.is_good and row.answered >= since)
    for start in replies:
        if start + SECOND > end:
            return None
        good = sum(start <= at < start + SECOND for at in replies)
        offered = sum(start <= row.due < start + SECOND for row in requests)
        if offered and good * 100 >= offered * 95:
            return start
    return None


def fault_figures(requests, marks, end):
    fault, effect, detected, repaired = marks
    found = {}
    since = max(fault, effect)
    failed = [row.due for row in requests if row.is_failed and row.due >= fault]
    if failed:
        since = max(since, min(failed))
    good = [row.answered for row in requests if row.is_good and row.due >= since]
    full = full_since(requests, min(good), end) if good else None
    moments = {"to_effect_us": effect, "to_detect_us": detected, "to_repair_us": repaired,
               "to_first_failure_us": min(failed, default=None),
               "to_last_failure_us": max(failed, default=None),
               "to_first_good_us": min(good, default=None), "to_full_us": full}
    for name, moment in moments.items():
        is_there = moment is not None and moment >= fault >= 0
        found[name] = moment - fault if is_there else None
    until = repaired if repaired >= 0 else full
    latencies = {"before": [], "during": [], "after": []}
    for row in requests:
        if row.is_good:
            is_over = until is not None and row.due >= until
            when = ("before" if fault < 0 or row.due < fault else "after" if is_over else "during")
            latencies[when].append(row.latency)
    found.update((when, spread_counted(values)) for when, values in latencies.items())
    return found


def no_fault_figures(requests):
    found = {f"to_{what}_us": None for what in ("effect", "detect", "repair", "first_failure",
                                                "last_failure", "first_good", "full")}
    found["before"] = spread_counted([row.latency for row in requests if row.is_good])
    return {**found, "during": spread_counted([]), "after": spread_counted([])}


def seconds_of(requests):
    """Is each second good in which something was due?"""
    found = {}
    for row in requests:
        second = row.due // SECOND
        found[second] = found.get(second, True) and row.is_good
    return found


def series(requests, step_us, count):
    found = []
    for step in range(count):
        due = [row for row in requests if row.due // step_us == step]
        replies = [row.latency for row in requests
                   if row.is_good and row.answered // step_us == step]
        found.append({"offered": len(due), "failed": sum(row.is_failed for row in due),
                      "good": len(replies), **spread(replies, ("p50", "p99", "max"))})
    return found


def figures(head, rows, is_whole, marks, said):
    requests = [row for row in rows if row.is_good or row.is_failed]
    good = [row for row in requests if row.is_good]
    seconds = seconds_of(requests)
    end = said["end_us"]  # follows from the plan, which is not read here
    delayed_after = duration_us(head["plan"]["delayed_after"])
    longest, since = gap(requests, end)
    acknowledged = sum(row.write > 0 for row in good)
    ends = {ending: sum(row.ending == ending for row in rows) for ending in ENDINGS}
    return {
        "run": head["run"], "is_whole": is_whole, "start_wall_us": head["start_wall_us"],
        "end_us": end, "requests": len(requests), "good": len(good),
        "failed": len(requests) - len(good),
        "delayed": sum(row.latency > delayed_after for row in good), "endings": ends,
        "availability_ppm": len(good) * 1000000 // len(requests), "seconds": len(seconds),
        "good_seconds": sum(seconds.values()),
        "availability_seconds_ppm": sum(seconds.values()) * 1000000 // len(seconds),
        "longest_gap_us": longest, "longest_gap_from_us": since,
        "writes": {"acknowledged": acknowledged, "kept": ends["kept"],
                   "acknowledged_then_lost": ends["lost"],
                   "unread": acknowledged - ends["kept"] - ends["lost"]},
        "latency": spread_counted([row.latency for row in good]),
        "own_lateness": spread_counted([row.sent - row.due for row in requests
                                        if row.flags & 0x80 and row.sent >= 0]),
        **(fault_figures(requests, marks, end) if marks[0] >= 0 else no_fault_figures(requests)),
        "series": series(requests, SECOND, len(said["series"])), "plan": said["plan"],
        "steps": said["steps"] and {
            "step_us": said["steps"]["step_us"],
            "rows": series(requests, said["steps"]["step_us"], len(said["steps"]["rows"]))},
    }


def duration_us(text):
    for unit, us in (("ms", 1000), ("us", 1), ("s", SECOND), ("m", 60 * SECOND)):
        if text.endswith(unit):
            return int(float(text[:-len(unit)]) * us)
    raise ValueError(text)


def main():
    head, rows, is_whole = read(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as file:
        said = json.load(file)
    marks = [int(word) for word in sys.argv[3:7]] or [-1] * 4
    wanted = figures(head, rows, is_whole, marks, said)
    wrong = [name for name in sorted({*wanted, *said}) if wanted.get(name, "-") != said.get(name, "-")]
    for name in wrong:
        print(f"{name}: {said.get(name, '-')}, but the record says {wanted.get(name, '-')}")
    answers = max((row.answered for row in rows), default=0)
    for name, found in (("series", said["series"]), ("steps", (said["steps"] or {}).get("rows"))):
        if found is not None and sum(step["good"] for step in found) != wanted["good"]:
            print(f"{name}: misses good replies; the last came at {answers} us")
            wrong.append(name)
    print(f"{len(wanted)} figures of {len(rows)} rows")
    sys.exit(3 if wrong else 0)


if __name__ == "__main__":
    main()
