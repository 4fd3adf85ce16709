"""Oracle of src/task: label tables by Python's own parser, their form by rank and by exhaustion, splits by NumPy
and by CPython's random.

Writes tests/fixtures/task.h; run from the repository root: python3 tests/oracle_task.py
"""
import hashlib
import itertools
import random
import re
from math import gcd

import numpy as np

NAMED = {"add": "x+y", "sub": "x-y", "mul": "x*y", "div": "x/y"}


class Undefined(Exception):
    pass


class Mod:
    """A residue whose `/` raises Undefined where the divisor is not a unit."""

    def __init__(self, value, p):
        self.value, self.p = value % p, p

    def lift(self, other):
        return other if isinstance(other, Mod) else Mod(other, self.p)

    def __add__(self, other):
        return Mod(self.value + self.lift(other).value, self.p)

    def __sub__(self, other):
        return Mod(self.value - self.lift(other).value, self.p)

    def __mul__(self, other):
        return Mod(self.value * self.lift(other).value, self.p)

    def __truediv__(self, other):
        divisor = self.lift(other).value
        if gcd(divisor, self.p) != 1:
            raise Undefined
        return Mod(self.value * pow(divisor, -1, self.p), self.p)

    def __pow__(self, exponent):
        return Mod(pow(self.value, exponent, self.p), self.p)

    def __neg__(self):
        return Mod(-self.value, self.p)

    def __pos__(self):
        return self




def labels(op, p):
    """[p, p] int32, -1 where undefined. Integers that are not exponents become residues before Python divides them."""
    text = re.sub(r"(?<![\^\d])(\d+)", r"M(\1)", NAMED.get(op, op).replace(" ", "")).replace("^", "**")
    code = compile(text, op, "eval")
    table = np.full((p, p), -1, np.int32)
    for x, y in itertools.product(range(p), repeat=2):
        try:
            table[x, y] = eval(code, {"x": Mod(x, p), "y": Mod(y, p), "M": lambda v: Mod(v, p)}).value
        except Undefined:
            pass
    return table


def is_prime(p):
    return p > 1 and all(p % q for q in range(2, int(p**0.5) + 1))


def factors(table, p, combine):
    """Exhaustion over every u in Z_p^p: is there a v(y) for each column with combine(u(x), v) = z where defined?"""
    columns = [(np.nonzero(table[:, y] >= 0)[0], y) for y in range(p)]
    v = np.arange(p)
    for u in itertools.product(range(p), repeat=p):
        u = np.array(u)
        if all(len(rows) == 0 or (combine(u[rows][:, None], v) % p == table[rows, y][:, None]).all(0).any()
               for rows, y in columns):
            return True
    return False


def form(table, p):
    """0 none, 1 sum, 2 product; None where neither rule below can say."""
    z = table.astype(np.int64)
    if (table >= 0).all():
        if not ((z - z[:, :1] - z[:1] + z[0, 0]) % p).any():
            return 1
        if not is_prime(p):
            return 0
        # z = u v^T over a field: rank 1, that is every 2 x 2 minor with a nonzero pivot vanishes.
        pivots = np.argwhere(z > 0)
        if len(pivots) == 0:
            return 2
        i, j = pivots[0]
        return 0 if ((z * z[i, j] - z[:, j : j + 1] * z[i : i + 1]) % p).any() else 2
    if p > 5:
        return None
    if factors(table, p, lambda a, b: a + b):
        return 1
    return 2 if is_prime(p) and factors(table, p, lambda a, b: a * b) else 0


def random_expression(rng, depth):
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(["x", "y", "x", "y", str(rng.choice([0, 1, 2, 3, 10, 123456789012345678901]))])
    a, b = random_expression(rng, depth - 1), random_expression(rng, depth - 1)
    kind = rng.randrange(8)
    if kind < 4:
        return f"{a}{rng.choice(['+', '-', ' * ', '*', '/', ' - '])}{b}"
    if kind == 4:
        return f"-{a}"
    if kind == 5:
        return f"({a})^{rng.choice([0, 1, 2, 3, 7, 1000003])}"
    return f"({a}{rng.choice(['+', '-'])}{b}){rng.choice(['*', '/'])}({b})"


def label_cases():
    ops = ["add", "sub", "x*y", "x/y", "x^2+y^2", "x^2*y^3", "x^2+x*y+y^2", "-x^2", "x-y-x", "x/y/x", "2*x-3*y+4",
           "x+(y)", "1/x+y", "x+1/y", "1/(x-y)", "(x+1)*y", "(x*y)^3", "x^0", "x-x", "x^2*0", "(1/x)^0",
           "x*x*x+x*y^2+y",
           "-(-x)--y", " x ^ 2 + y ", "(x-y)/(x-y)*(x+y)", "x*y/(x-y)*(x-y)", "x*(y-1)/(x*(y-1))", "x^2/y^2", "3", "0"]
    cases = [(op, p) for op in ops for p in (2, 3, 4, 5, 6, 7, 11, 60, 61)]
    cases += [(op, p) for op in ("mul", "div") for p in (2, 3, 5, 7, 61, 113)]
    rng = random.Random(7)
    while len(cases) < 480:
        op = random_expression(rng, rng.choice([1, 2, 3]))
        cases += [(op, rng.choice([2, 3, 4, 5, 5, 7, 8, 9, 13, 30, 31]))] if len(op) < 100 else []
    return cases


def write_labels(out):
    out.append("static const struct {\n    int p, n_pairs, form; /* form -1: not told */\n"
               "    const char *op, *sha256; /* of the labels as little-endian int32 */\n} label_cases[] = {")
    for op, p in label_cases():
        table = labels(op, p)
        n = int((table >= 0).sum())
        if n == 0:
            continue
        found = form(table, p)
        digest = hashlib.sha256(table.astype("<i4").tobytes()).hexdigest()
        out.append(f'    {{{p}, {n}, {-1 if found is None else found}, "{op}",\n     "{digest}"}},')
    out.append("};")


def split_csv(table, train):
    p = len(table)
    lines = ["x,y,z,part"]
    for x, y in itertools.product(range(p), repeat=2):
        if table[x, y] >= 0:
            lines.append(f"{x},{y},{table[x, y]},{'train' if (x, y) in train else 'test'}")
    return "\n".join(lines) + "\n"


def split(table, fraction, seed, generator):
    pairs = [(x, y) for x in range(len(table)) for y in range(len(table)) if table[x, y] >= 0]
    n_train = int(fraction * len(pairs))
    if generator == "philox":
        chosen = np.argsort(np.random.Philox(key=seed).random_raw(len(pairs)), kind="stable")[:n_train]
        return len(pairs), {pairs[i] for i in chosen}
    shuffled = list(pairs)
    random.seed(seed)
    random.shuffle(shuffled)
    return len(pairs), set(shuffled[:n_train])


def write_splits(out):
    out.append("static const struct {\n    const char *op;\n    int p;\n    double train_fraction;\n    uint64_t seed;\n"
               "    const char *generator;\n    int n_pairs, n_train;\n    const char *sha256;\n} split_cases[] = {")
    cases = [("add", 113, 0.3, seed, "python") for seed in (0, 1, 2)]
    cases += [("add", 61, 0.5, seed, g) for g in ("philox", "python") for seed in (
        0, 1, 42, 2**31, 2**32 - 1, 2**32, 2**63 + 5, 2**64 - 1)]
    cases += [(op, p, f, 3, g) for g in ("philox", "python") for op, p, f in (
        ("sub", 60, 0.175), ("mul", 61, 0.95), ("div", 97, 0.4), ("x^2+x*y+y^2", 59, 0.7), ("x/y", 12, 0.29),
        ("x*y", 64, 0.5), ("1/(x-y)", 9, 0.5), ("add", 2, 0.25), ("add", 2, 0.75), ("div", 3, 1.0), ("add", 5, 0.04),
        ("x", 7, 0.999), ("add", 7, 0.9999999999999999), ("add", 64, 0.9999999999999999))]
    cases += [("add", 1009, 0.3, 11, "philox"), ("add", 1009, 0.01, 11, "python")]
    for op, p, fraction, seed, generator in cases:
        table = labels(op, p) if p < 1000 else np.add.outer(np.arange(p), np.arange(p)) % p
        n_pairs, train = split(table, fraction, seed, generator)
        digest = hashlib.sha256(split_csv(table, train).encode()).hexdigest()
        out.append(f'    {{"{op}", {p}, {fraction!r}, UINT64_C({seed}), "{generator}", {n_pairs}, {len(train)},\n'
                   f'     "{digest}"}},')
    out.append("};")


def main():
    out = ["/* Written by tests/oracle_task.py: Python's parser, NumPy's Philox, CPython's random. */"]
    write_labels(out)
    write_splits(out)
    with open("tests/fixtures/task.h", "w", encoding="ascii") as file:
        file.write("\n".join(out) + "\n")


main()
