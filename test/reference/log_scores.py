#!/usr/bin/env python3
"""The scores of lines, computed plainly from docs/logs-arithmetic.md: slow, easy to hold against it.

Reads logs and the scores that the library gave them (print_scores.c writes them) and says whether
each is the same to the last bit.
"""
import math
import sys
from collections import Counter

ONE = 1 << 60
BIT = 256
TABLE = [math.floor(BIT * math.log2(1 + i / 2048) + 0.5) for i in range(2048)]
BRIDGE_TRIES, SURPRISE_MAX, DISPLACED_FROM, OFFSET = 64, 10 * BIT, 4 * BIT, 10 * BIT
NEAR, LATE, UNFIT_MAX, ALONE_MAX, COMPANY_MAX = 8, 2 * BIT, 4 * BIT, 4 * BIT, 4 * BIT
NO_SCORE = -(1 << 63)


def log2(x):
    e = x.bit_length() - 1
    return BIT * e + TABLE[(x << 11 >> e) - 2048]


def one_of(n, kinds, whole):
    """The share of one kind that was seen n times of `whole`; one kind more may come."""
    if whole + kinds == 0:
        return ONE
    return (n * (kinds + 1) + kinds) * ONE // ((whole + kinds) * (kinds + 1))


class Counts:
    def __init__(self, *logs):
        self.count, self.N, self.out = Counter(), Counter(), Counter()
        self.A, self.nA, self.B, self.nB = Counter(), Counter(), Counter(), Counter()
        for x in logs:
            for i in range(len(x)):
                self.add(x, i)

    def add(self, x, i):
        """Line i, with what ends at it."""
        self.count[x[i]] += 1
        if i >= 1:
            self.N[x[i - 1], x[i]] += 1
            self.out[x[i - 1]] += 1
        if i >= 3:
            self.nA[x[i - 3]] += 1
            self.nB[x[i]] += 1
            for m in set(x[i - 2 : i + 1]):
                self.A[x[i - 3], m] += 1
            for m in set(x[i - 3 : i]):
                self.B[m, x[i]] += 1


def rarity_of(counts, m):
    return (counts.count[m] + 1).bit_length() - 1


class Scores:
    """rarities: of a streaming log, of each state when it was met first."""

    def __init__(self, counts, tags, rarities=None, is_left_out=True):
        self.c, self.tags, self.rarities, self.is_left_out = counts, tags, rarities, is_left_out
        self.n, self.kinds, self.T = Counter(), Counter(), Counter()
        self.NG, self.outG, self.TG = Counter(), Counter(), Counter()
        for m, k in counts.count.items():
            self.n[self.g(m)] += k
            self.kinds[self.g(m)] += 1
        for (a, b), k in counts.N.items():
            self.T[a] += 1
            self.NG[self.g(a), self.g(b)] += k
            self.outG[self.g(a)] += k
        for g, _ in self.NG:
            self.TG[g] += 1

    def g(self, m):
        return self.tags[m], rarity_of(self.c, m) if self.rarities is None else self.rarities[m]

    def L(self, a, b, is_left_out):
        g, h = self.g(a), self.g(b)
        N, out, T = self.c.N[a, b], self.c.out[a], self.T[a]
        NG, outG, TG = self.NG[g, h], self.outG[g], self.TG[g]
        count, n, kinds = self.c.count[b], self.n[h], self.kinds[h]
        G, M = len(self.n), sum(self.n.values())
        if is_left_out:
            N, out, NG, outG = (max(0, v - 1) for v in (N, out, NG, outG))
            count, n, M = (max(0, v - 1) for v in (count, n, M))
            T = max(0, T - (N == 0))
            TG = max(0, TG - (NG == 0))
            kinds = max(0, kinds - (count == 0))
            G = max(0, G - (n == 0))
        P0 = one_of(count, kinds, n)
        Q = one_of(n, G, M)
        Pg = (NG * ONE + TG * Q) // (outG + TG) if outG + TG else Q
        R = Pg * P0 // ONE
        if out + T == 0:
            return log2(max(1, R)) - BIT * 60
        return log2(max(1, N * ONE + T * R)) - BIT * 60 - log2(out + T)

    def ins(self, a, b, c):
        left_out = self.is_left_out
        return self.L(a, c, False) - self.L(a, b, left_out) - self.L(b, c, left_out)

    def burst(self, b, is_near, again, near, reach=2 * NEAR):
        """What INS of b loses. again, near: of the other lines. reach: lines looked at beside it."""
        others = self.c.count[b] - self.is_left_out
        if others == 0:
            return 0
        total = sum(self.c.count.values())
        likely, chance = (near, reach * others) if is_near else (again - near, total)
        bits = log2(2 * likely + 1) - log2(2 * again + 2)
        return max(-ALONE_MAX, bits - log2(chance) + log2(reach * others + total))

    def bridge(self, a, c):
        """Bits, and the state that is missing."""
        followers = sorted((-k, m) for (x, m), k in self.c.N.items() if x == a and k >= 2)
        best = (0, None)
        for k, m in followers[:BRIDGE_TRIES]:
            if m in (a, c) or self.c.N[m, c] < 2:
                continue
            bits = log2(-k) + log2(self.c.N[m, c]) - log2(self.c.out[a]) - log2(self.c.out[m])
            bits += min(SURPRISE_MAX, -self.L(a, c, self.is_left_out))
            if bits > best[0]:
                best = (bits, m)
        return best

    def habit(self, m, k, n):
        total, count = sum(self.c.count.values()), self.c.count[m]
        if count >= total:
            return 0
        by_chance = 3 * (log2(total) - log2(total - count))
        return max(0, log2(2 * n + 2) - log2(2 * (n - k) + 1) - by_chance)

    def misfit(self, a, m, c):
        if m in (a, c):
            return -UNFIT_MAX
        without = max(-SURPRISE_MAX, self.L(a, c, self.is_left_out))
        return max(-UNFIT_MAX, min(0, self.L(a, m, False) + self.L(m, c, False) - without))

    def miss(self, x, i, known):
        a, c = x[i], x[i + 1]
        bits = Counter()
        for (first, m), k in self.c.A.items():
            n = self.c.nA[a]
            if first == a and k >= 2 and 10 * k >= 7 * n and m not in x[i + 1 : i + 4]:
                late = is_late(x[i : min(i + 9, known)], m)
                bits[m] += max(0, self.habit(m, k, n) - LATE * late)
        for (m, last), k in self.c.B.items():
            n = self.c.nB[c]
            if last == c and k >= 2 and 10 * k >= 7 * n and m not in x[max(0, i - 2) : i + 1]:
                late = is_late(x[max(0, i - 7) : i + 2][::-1], m)
                bits[m] += max(0, self.habit(m, k, n) - LATE * late)
        bits = {m: k + self.misfit(a, m, c) for m, k in bits.items()}
        best = max([0, *bits.values()])
        return best, min((m for m in bits if bits[m] == best), default=None)


def is_late(window, m):
    """The line window[0] has an m coming, and so has each line like it: does one more come?"""
    owed = 1
    for state in window[1:]:
        owed += state == window[0]
        if state == m:
            owed -= 1
            if owed == 0:
                return True
    return False


def is_near(x, j, known):
    return x[j] in x[max(0, j - NEAR) : j] + x[j + 1 : min(j + 1 + NEAR, known)]


def judge(scores, x, i, ins, known):
    """UNEXPECTED (or None) and MISSING of line i. ins: INS less bursts; known: lines that are."""

    def contrast(j):
        around = [ins[q] for q in ins if 2 <= abs(q - j) <= 8]
        return ins[j] - 5 * max([0] + around) // 16 + company(scores, x, j, known)

    def displaced(m):
        return max([0] + [ins[q] - DISPLACED_FROM for q in ins if x[q] == m and abs(q - i) <= 8])

    bits, m = scores.bridge(x[i], x[i + 1])
    if is_late(x[i : min(i + 9, known)], m) or is_late(x[max(0, i - 7) : i + 2][::-1], m):
        bits -= LATE
    gaps = (bits, m), scores.miss(x, i, known)
    missing = sum(max(0, bits - displaced(m)) for bits, m in gaps)
    return max((contrast(j) for j in (i, i + 1) if j in ins), default=None), missing


def company(scores, x, j, known):
    """What usually stands within three lines of line j: is it there?"""
    bits, c = 0, scores.c
    for ahead in (True, False):
        window = x[j + 1 : min(j + 4, known)] if ahead else x[max(0, j - 3) : j]
        if len(window) < 3:
            continue
        there, broken, is_there = 0, 0, False
        for m in c.count:
            k, n = (c.A[x[j], m], c.nA[x[j]]) if ahead else (c.B[m, x[j]], c.nB[x[j]])
            if m == x[j] or k < 2 or 10 * k < 7 * n:
                continue
            if m in window:
                is_there = True
                there = max(there, log2(sum(c.count.values())) - log2(3 * c.count[m]))
            else:
                broken = max(broken, scores.habit(m, k, n))
        bits += -min(COMPANY_MAX, there) if is_there else min(COMPANY_MAX, broken)
    return bits


def lists(unexpected, missing, bonus):
    merged = missing if unexpected is None else max(unexpected - OFFSET, missing)
    return [NO_SCORE if unexpected is None else unexpected, missing or NO_SCORE, merged + bonus]


def rareness(found, total):
    """What `found` of `total` neighbours are worth."""
    return 12 * max(0, log2(total) - log2(50 * found)) if found else 0


def bonus_of(unseen, total, train):
    if unseen == 0:
        return 0
    once = sum(k == 1 for k in train.N.values())
    return max(rareness(unseen, total), rareness(once + 1, sum(train.N.values()) + 1))


def bonuses(x, train):
    """The bonus of each line: of new neighbours, or of those beyond what training as long would have."""
    here, t, s = Counter(zip(x, x[1:])), len(x) - 1, sum(train.N.values())
    more = {pair: max(0, k * s - train.N[pair] * t) for pair, k in here.items()}
    new = bonus_of(sum(k for pair, k in here.items() if not train.N[pair]), t, train)
    often = rareness(sum(more.values()) // s, t) if s else 0
    return [often * more[pair] // (here[pair] * s) if train.N[pair] else new for pair in zip(x, x[1:])]


def batch(train, x, tags):
    known, scores = Counts(train), Scores(Counts(train, x), tags)
    near = {j: is_near(x, j, len(x)) for j in range(len(x)) if scores.c.count[x[j]] > 1}
    again, nears, ins = len(near), sum(near.values()), {}
    for j in range(1, len(x) - 1):
        ins[j] = scores.ins(*x[j - 1 : j + 2])
        if j in near:
            ins[j] -= scores.burst(x[j], near[j], again - 1, nears - near[j])
    bonus = bonuses(x, known)
    return [lists(*judge(scores, x, i, ins, len(x)), bonus[i]) for i in range(len(x) - 1)]


class Stream:
    def __init__(self, train, x, tags):
        self.known, self.counts, self.x, self.tags = Counts(train), Counts(train), x, tags
        self.rarities = {m: rarity_of(self.counts, m) for m in [*train, *x]}
        self.ins, self.unseen, self.again, self.nears, self.found = {}, 0, 0, 0, []

    def ins_take(self, scores, j, known):
        near, reach = is_near(self.x, j, known), NEAR + min(NEAR, known - 1 - j)
        again, nears = self.again, self.nears
        is_again = self.counts.count[self.x[j]] > scores.is_left_out
        self.ins[j] = scores.ins(*self.x[j - 1 : j + 2]) - scores.burst(self.x[j], near, again, nears, reach)
        return is_again, is_again and near

    def step(self, known):
        """Line known - 1 has come: line known - 4 is counted, the next one's INS is told for now."""
        self.counts.add(self.x, known - 4)
        self.ins_take(Scores(self.counts, self.tags, self.rarities, False), known - 3, known)

    def judge(self, i, known):
        scores = Scores(self.counts, self.tags, self.rarities, i + 1 < known - 3)
        is_again, near = self.ins_take(scores, i + 1, known)
        self.again, self.nears = self.again + is_again, self.nears + near
        is_new = self.known.N[self.x[i], self.x[i + 1]] == 0
        self.unseen += is_new
        bonus = is_new * bonus_of(self.unseen, i + 1, self.known)
        self.found.append(lists(*judge(scores, self.x, i, self.ins, known), bonus))


def streaming(train, x, tags):
    stream = Stream(train, x, tags)
    for known in range(4, len(x) + 1):
        stream.step(known)
        if known >= 12:
            stream.judge(known - 12, known)
    for i in range(max(0, len(x) - 11), len(x) - 3):
        stream.judge(i, len(x))
    return stream.found


def s3(train, x, tags):
    def share(counts, a, b):
        if counts.out[a] == 0:
            return ONE if a == b and counts.count[a] else 0
        return counts.N[a, b] * ONE // counts.out[a]

    states, kinds = Counts(train), Counts([tags[m] for m in train])
    found = []
    for a, b in zip(x, x[1:]):
        message = share(states, a, b)
        both = message + share(kinds, tags[a], tags[b])
        found.append([BIT * 60 - log2(p) if p else 64 * BIT for p in (message, both)])
    return found


def main():
    compared = wrong = 0
    for text in sys.stdin:
        word, *rest = text.split()
        numbers = list(map(int, rest))
        if word == "tags":
            tags = numbers
        elif word == "train":
            train = numbers
        elif word == "test":
            log = train, numbers, tags
            expected = [[a + b for a, b in zip(batch(*log), s3(*log))], streaming(*log)]
        else:
            is_streaming, which, line, score = numbers
            right = expected[is_streaming][line - 1][which]
            compared += 1
            if score != right:
                wrong += 1
                print(f"line {line}, list {which}, streaming {is_streaming}: {score}, not {right}")
    print(f"{compared} scores compared, {wrong} differ")
    return 1 if wrong or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
