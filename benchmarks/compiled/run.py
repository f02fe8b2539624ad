"""Compiled derivatives beside their peers, in one process, in turn; ratios of medians.

    python benchmarks/compiled/run.py [--one-core] [--quick] [--cpu] [names]

Names are those of the modules here: gmm bundle calls chain dtypes products networks hessians loops first_calls.  Peers (`jax`, `torch`, `casadi`,
`autograd`) are left out where they are not installed, and so are derivatives written by hand in C++ (`native/`) where there is no g++.  A number in brackets is the time as a multiple of wengert's.
JAX's arrays stay its own and its results are waited for, but in `calls`, where NumPy's arrays go in and come out.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

NAMES = ("calls", "chain", "dtypes", "products", "hessians", "bundle", "gmm", "networks", "loops", "first_calls")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"some of: {' '.join(NAMES)}")
    parser.add_argument("--one-core", action="store_true", help="keep everybody on one core")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--cpu", action="store_true", help="processor time instead of time, for a busy machine; with --one-core")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    if options.one_core:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    warnings.simplefilter("ignore")  # what peers deprecate is no concern of these tables
    for name in options.names or NAMES:
        print(f"\n{name}", flush=True)
        for case in importlib.import_module(name).cases(0.2 if options.quick else 1.0):
            print(line(case, clock), flush=True)


def line(case, clock):
    """The times of one case, and who disagrees about its result."""
    wrong = case.disagreements()
    found = case.measured(clock)
    ours = found["wengert"]
    cells = [f"{name} {in_words(value)} ({value / ours:.2f})" for name, value in found.items()]
    rows = [f"  {case.title}", "    " + "   ".join(cells), *(f"    {note}" for note in case.notes)]
    rows += [f"    {name} DISAGREES" for name in wrong]
    return "\n".join(rows)


def in_words(microseconds):
    if microseconds < 1_000:
        return f"{microseconds:.3g} µs"
    return f"{microseconds / 1e3:.3g} ms" if microseconds < 1e6 else f"{microseconds / 1e6:.3g} s"


if __name__ == "__main__":
    main()
