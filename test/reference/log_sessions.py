#!/usr/bin/env python3
"""The session detector, computed plainly from docs/logs-arithmetic.md: slow, easy to hold against it.

Reads sets of sessions and what the library said of them (print_sessions.c writes them) and says
whether each threshold, score and reason is the same to the last bit.
"""
import math
import sys
from collections import Counter, defaultdict

ONE = 1 << 60
BIT = 256
MASK = (1 << 64) - 1
FOLDS = 10
TABLE = [math.floor(BIT * math.log2(1 + i / 2048) + 0.5) for i in range(2048)]


def log2(x):
    e = x.bit_length() - 1
    return BIT * e + TABLE[(x << 11 >> e) - 2048]


def value(n):
    return n if n <= 4 else 4 + math.floor(math.log2(n - 3))


class Random:
    """xoshiro256**, seeded by SplitMix64."""

    def __init__(self, seed):
        self.s = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & MASK
            z = seed
            z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
            z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
            self.s.append(z ^ z >> 31)

    def next(self):
        s = self.s
        turn = lambda x, k: (x << k | x >> 64 - k) & MASK
        result = turn(s[1] * 5 & MASK, 7) * 9 & MASK
        t = s[1] << 17 & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = turn(s[3], 45)
        return result

    def below(self, bound):
        limit = MASK - MASK % bound
        while True:
            drawn = self.next()
            if drawn < limit:
                return drawn % bound


class Tree:
    def __init__(self, sessions):
        self.N = len(sessions)
        frequency = Counter(e for s in sessions for e in s)
        kept = sorted(frequency, key=lambda e: (-frequency[e], e))[:2000]
        self.events = sorted(kept)
        rows = [{e: value(s.count(e)) for e in self.events} for s in sessions]
        self.own = {e: Counter(r[e] for r in rows) for e in self.events}
        shared = {(a, b): self.information(rows, a, b) for a in self.events for b in self.events}
        total = {a: sum(shared[a, b] for b in self.events) for a in self.events}
        self.order, self.parent = [], {}
        best = {}
        if self.events:
            self.add(min(self.events, key=lambda e: (-total[e], e)), None, shared, best)
        while best:
            e = min(best, key=lambda e: (-best[e][0], e))
            self.add(e, best[e][1], shared, best)
        self.pairs, self.sums, self.kinds = {}, {}, {}
        for e, p in self.parent.items():
            pairs = Counter((r[p] if p is not None else 0, r[e]) for r in rows)
            self.pairs[e], self.sums[e], self.kinds[e] = pairs, Counter(), Counter()
            for (v, _), n in pairs.items():
                self.sums[e][v] += n
                self.kinds[e][v] += 1

    def add(self, event, parent, shared, best):
        best.pop(event, None)
        self.order.append(event)
        self.parent[event] = parent
        for e in self.events:
            if e not in self.parent and (e not in best or shared[event, e] > best[e][0]):
                best[e] = (shared[event, e], event)

    def information(self, rows, a, b):
        if a == b:
            return 0
        joint = Counter((r[a], r[b]) for r in rows)
        return sum(n * (log2(n) + log2(self.N) - log2(self.own[a][v]) - log2(self.own[b][w]))
                   for (v, w), n in joint.items())

    def bits(self, e, of_parent, own):
        share = (16 * self.own[e][own] + 1) * ONE // (16 * (self.N + 1))
        cases, kinds = self.sums[e][of_parent], self.kinds[e][of_parent]
        if self.parent[e] is None or not cases:
            return BIT * 60 - log2(share)
        return BIT * 60 + log2(cases + kinds) - log2(self.pairs[e][of_parent, own] * ONE + kinds * share)

    def score(self, session):
        """S_max, S_sum, the event of S_max and the value expected of it."""
        most, total, odd = None, 0, None
        for e in self.order:
            p = self.parent[e]
            of_parent = value(session.count(p)) if p is not None else 0
            bits = self.bits(e, of_parent, value(session.count(e)))
            total += bits
            if most is None or bits > most:
                most, odd = bits, (e, of_parent)
        if most is None:
            return 0, 0, None, 0
        likely = min(range(36), key=lambda v: (self.bits(odd[0], odd[1], v), v))
        return most, total, odd[0], likely if likely <= 4 else 3 + 2 ** (likely - 4)


class Order:
    def __init__(self, sessions):
        self.c, self.followers = Counter(), defaultdict(Counter)
        self.V = len({e for s in sessions for e in s})
        for s in sessions:
            x = ["START", *s, "END"]
            for i in range(1, len(x)):
                for j in range(min(i, 2) + 1):
                    self.followers[tuple(x[i - j : i])][x[i]] += 1

    def score(self, session):
        x = ["START", *session, "END"]
        most, at = None, 0
        for i in range(1, len(x)):
            p = ONE // (self.V + 1)
            for j in range(min(i, 2) + 1):
                seen = self.followers.get(tuple(x[i - j : i]))
                if not seen:
                    break
                p = (seen[x[i]] * ONE + len(seen) * p) // (sum(seen.values()) + len(seen))
            bits = BIT * 60 - log2(max(1, p))
            if most is None or bits > most:
                most, at = bits, i - 1
        return most, at


def thresholds(sessions, seed, allowed):
    folds = [i % FOLDS for i in range(len(sessions))]
    chance = Random(seed)
    for i in range(len(sessions) - 1, 0, -1):
        k = chance.below(i + 1)
        folds[i], folds[k] = folds[k], folds[i]
    held = [[], [], []]
    for fold in range(FOLDS):
        others = [s for s, f in zip(sessions, folds) if f != fold]
        tree, order = Tree(others), Order(others)
        for s in (s for s, f in zip(sessions, folds) if f == fold):
            for scores, score in zip(held, (*tree.score(s)[:2], order.score(s)[0])):
                scores.append(score)
    return [sorted(scores, reverse=True)[min(allowed, len(scores) - 1)] for scores in held]


def verdict(tree, order, limits, known, session):
    for e in session:
        if e not in known:
            return f"1 new 0 {e} {session.count(e)} 0 0 0"
    most, total, odd, likely = tree.score(session)
    worst, at = order.score(session)
    above = [most - limits[0], total - limits[1], worst - limits[2]]
    channel = above.index(max(above))
    if above[channel] > 0 and channel == 2:
        event = session[at] if at < len(session) else 0
        return f"1 order {worst} {event} 0 0 {int(at > 0)} {session[at - 1] if at > 0 else 0}"
    parent = tree.parent[odd]
    tail = f"{odd} {session.count(odd)} {likely} {int(parent is not None)} {parent or 0}"
    if above[channel] > 0 and channel == 1:
        return f"1 sum {total} {tail}"
    is_odd = above[channel] > 0
    return f"{int(is_odd)} {'count' if is_odd else 'none'} {most} {tail}"


def set_check(head, lines):
    """The differences in one set, and how many verdicts were compared."""
    seed, allowed, train_count, test_count = map(int, head[1:])
    read = lambda: [int(e) for e in next(lines).split(",")[1].split()]
    train = [read() for _ in range(train_count)]
    test = [read() for _ in range(test_count)]
    limits = thresholds(train, seed, allowed)
    found = []
    if limits != [int(n) for n in next(lines).split()]:
        found.append(f"set {seed}: thresholds {limits}")
    tree, order, known = Tree(train), Order(train), {e for s in train for e in s}
    kinds = Counter()
    for i, session in enumerate(test):
        said, computed = next(lines).strip(), verdict(tree, order, limits, known, session)
        kinds[said.split()[1]] += 1
        if said != computed:
            found.append(f"set {seed}, session {i + 1}: '{said}', by the formulas '{computed}'")
    return found, kinds


def main():
    lines = iter(sys.stdin)
    found, kinds = [], Counter()
    for line in lines:
        differences, seen = set_check(line.split(), lines)
        found += differences
        kinds += seen
    for difference in found[:10]:
        print(difference)
    print(", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())), "compared")
    sys.exit(bool(found) or len(kinds) < 4)


main()
