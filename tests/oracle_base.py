"""Oracle of src/base: random numbers from NumPy's Philox, shortest decimals from CPython's repr.

Writes tests/fixtures/base.h; run from the repository root: python3 tests/oracle_base.py
"""
import math
import random
import struct

import numpy as np

MASK = 2**64 - 1


def raw(seed, stream, n):
    return [int(v) for v in np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)).random_raw(n)]


def below(values, n):
    """Values under the smallest multiple of n from the bottom (2^64 mod n of them) are refused."""
    for v in values:
        if v >= 2**64 % n:
            yield v % n


def shuffled(values, n):
    items, values = list(range(n)), iter(values)
    for i in range(n - 1, 0, -1):
        j = next(below(values, i + 1))
        items[i], items[j] = items[j], items[i]
    return items


def plain(value):
    """repr without the pieces that only Python needs: 1e-05 -> 1e-5, 1e+20 -> 1e20, 2.0 -> 2."""
    text = repr(value)
    if "e" in text:
        digits, exponent = text.split("e")
        return f"{digits}e{int(exponent)}"
    return text[:-2] if text.endswith(".0") else text


def reals():
    values = [0.0, -0.0, 1.0, 0.1, 0.1 + 0.2, 1 / 3, 1e-3, 1e-4, 1e-5, 9.999e-5, 40000.0, 1e15, 9999999999999998.0,
              1e16, 1e17, 1e20, 1e22, 1e23, 2.0**53, 2.0**53 + 2, 2.0**63, 5e-324, 2.2250738585072014e-308,
              1.7976931348623157e308, math.pi, -math.e, 1e-8, 0.98, 123456789.0, -0.000123]
    rng = random.Random(1)
    while len(values) < 300:
        value = struct.unpack("<d", rng.getrandbits(64).to_bytes(8, "little"))[0]
        values += [value] if math.isfinite(value) else []
        values += [round(rng.uniform(-1e4, 1e4), rng.randrange(6)), rng.uniform(0, 1) ** 8]
    return values


def main():
    out = ["/* Written by tests/oracle_base.py: NumPy's Philox and CPython's repr. */"]
    seeds = [(0, 0), (1, 0), (42, 0), (2**32, 0), (MASK, 0), (0, 1), (7, 2), (7, 1 << 16), (MASK, MASK)]
    out.append("static const struct {\n    uint64_t seed, stream, raw[9];\n    double uniform[3], normal[3];\n"
               "    uint64_t below_10[4], below_huge[3];\n} philox_cases[] = {")
    huge = 2**63 + 2**62 + 12345  # a quarter of all values is refused
    for seed, stream in seeds:
        v = raw(seed, stream, 64)
        u = [(x >> 11) * 2.0**-53 for x in v]
        if stream == 0:
            generator = np.random.Generator(np.random.Philox(key=seed))
            assert [generator.random() for _ in range(5)] == u[:5]
        normal = [math.sqrt(-2 * math.log(1 - u[2 * i])) * math.cos(2 * math.pi * u[2 * i + 1]) for i in range(3)]
        def number(x):
            return f"UINT64_C({x})"
        lists = [map(number, v[:9]), map(float.hex, u[:3]), map(float.hex, normal),
                 map(number, list(below(v, 10))[:4]), map(number, list(below(v, huge))[:3])]
        body = ",\n     ".join("{" + ", ".join(one) + "}" for one in lists)
        out.append(f"    {{{number(seed)}, {number(stream)},\n     {body}}},")
    out.append(f"}};\nstatic const uint64_t huge_bound = UINT64_C({huge});")
    order = ", ".join(map(str, shuffled(raw(5, 1 << 16, 200), 40)))
    out.append(f"/* 0 .. 39 shuffled with seed 5, stream 65536 */\nstatic const int32_t shuffle_case[] = {{{order}}};")
    out.append("static const struct {\n    double value;\n    const char *text;\n} real_cases[] = {")
    out += [f"    {{{value.hex()}, \"{plain(value)}\"}}," for value in reals()]
    out.append("};")
    with open("tests/fixtures/base.h", "w", encoding="ascii") as file:
        file.write("\n".join(out) + "\n")


main()
