#!/usr/bin/env python3
"""Writes tests/fixtures/similarity.h: what src/algebra/similarity.c must give, by NumPy in float64.

Run from the repository root: python3 tests/oracle_similarity.py
Inputs are made from SplitMix64 here and in tests/algebra.h alike, so that only results are stored.
"""
import numpy as np

MASK = (1 << 64) - 1


def splitmix(seed, n):
    """n doubles in [-1, 1), the same bits as algebra_fill() in tests/algebra.h."""
    out, state = np.empty(n), seed
    for i in range(n):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        out[i] = (z >> 11) * 2.0**-52 - 1.0
    return out


LINES = []


def emit(name, values):
    text = ["NAN" if np.isnan(v) else repr(float(v)) for v in np.ravel(values)]
    LINES.append(f"static const double {name}[{len(text)}] = {{{', '.join(text)}}};")


# Two 9 x 9 matrices, of which the block [2:7, 3:8] is compared, too.
a, b = splitmix(5, 81).reshape(9, 9), splitmix(6, 81).reshape(9, 9)
rows = []
for x, y in ((a, b), (a[2:7, 3:8], b[2:7, 3:8])):
    off = ~np.eye(len(x), dtype=bool)
    for u, v in ((x.ravel(), y.ravel()), (x[off], y[off])):
        rows.append([u @ v / np.sqrt((u @ u) * (v @ v)), np.corrcoef(u, v)[0, 1]])
emit("expect_similarity", rows)

# Spectra with negative rounding.
s, t = splitmix(7, 12), splitmix(8, 12)
s, t = np.clip(s, 0, None), np.clip(t, 0, None)
emit("expect_distance", [np.abs(s / s.sum() - t / t.sum()).sum() / 2])

# A 26 x 26 feature matrix of division mod 13, in the order of its group: x = g^i, y = g^-j.
p, g = 13, [pow(2, k, 13) for k in range(12)]  # 2 is the smallest primitive root of 13
m = splitmix(9, 4 * p * p).reshape(2 * p, 2 * p)
inverse = [pow(v, -1, p) for v in g]
order = g + [p + v for v in inverse]
emit("expect_division", m[np.ix_(order, order)])

with open("tests/fixtures/similarity.h", "w") as out:
    out.write("/* similarity.h: written by tests/oracle_similarity.py. */\n/* clang-format off */\n")
    out.write("\n".join(LINES) + "\n")
