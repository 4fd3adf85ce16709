"""What the peers share: options, timing, one JSON line a measurement.

Each peer script prints lines such as
    {"loop": "mlp-256", "variant": "eager", "threads": 1, "ms_per_step": 0.21, "best_ms": 0.2, "samples": 900, ...}
with the loop names of `groklab bench`. One process measures with one number of threads: compiled code keeps the number
that it was compiled for.
"""
import argparse
import json
import statistics
import time


def options(description, loops, variants):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", default=",".join(loops), help="loops, of " + ", ".join(loops))
    parser.add_argument("--variant", default=",".join(variants), help="of " + ", ".join(variants))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement")
    chosen = parser.parse_args()
    chosen.only = [loop for loop in loops if loop in chosen.only.split(",")]
    chosen.variant = [v for v in variants if v in chosen.variant.split(",")]
    return chosen


def timed(step, seconds, calls=1, warm_up=3, least=3):
    """Seconds of each call: `step` does `calls` of them. Some go first, unmeasured."""
    for _ in range(warm_up):
        step()
    samples = []
    begin = time.perf_counter()
    while len(samples) < least or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        step()
        samples.append((time.perf_counter() - start) / calls)
    return samples


def fastest(forms):
    """Of {name: samples}, the one with the smallest median."""
    return min(forms.items(), key=lambda item: statistics.median(item[1]))


def say(loop, variant, threads, samples, **more):
    line = {"loop": loop, "variant": variant, "threads": threads, "ms_per_step": 1e3 * statistics.median(samples),
            "best_ms": 1e3 * min(samples), "samples": len(samples)}
    print(json.dumps({**line, **more}), flush=True)
