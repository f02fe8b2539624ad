"""wengert as a tool of GradBench (https://github.com/gradbench/gradbench): reads messages line by line, and answers each.

    python benchmarks/gradbench/tool.py [--threads N]

The first run of a function on an input records and compiles it.  It is timed by itself, as `compile`; the runs after it as `evaluate`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import traceback
from typing import Any

from evals.function import Function

import wengert as wg

EVALS = ("hello", "gmm", "ba", "ht", "lstm", "kmeans", "llsq", "lse", "ode", "particle", "saddle", "det")


def functions_of(module: str) -> dict[str, Function]:
    """The functions that an eval asks for."""
    if module not in EVALS:
        msg = f"there is no eval {module!r} here"
        raise LookupError(msg)
    return importlib.import_module(f"evals.{module}").FUNCTIONS


def evaluate(function: Function, data: Any) -> dict[str, Any]:
    """Run a function as often as its input wants, and tell how long each run took."""
    arguments = function.prepare(data)
    runs, seconds = (data.get("min_runs", 1), data.get("min_seconds", 0.0)) if isinstance(data, dict) else (1, 0.0)
    result, first = timed(function, arguments)
    timings = [{"name": "compile", "nanoseconds": first}]
    spent = 0
    while len(timings) < 1 + runs or spent < seconds * 1e9:
        result, took = timed(function, arguments)
        timings.append({"name": "evaluate", "nanoseconds": took})
        spent += took
    return {"success": True, "output": function.finish(result), "timings": timings}


def timed(function: Function, arguments: tuple[Any, ...]) -> tuple[Any, int]:
    """A result, and the nanoseconds that it took."""
    start = time.perf_counter_ns()
    result = function.compute(*arguments)
    return result, time.perf_counter_ns() - start


def answer(message: dict[str, Any]) -> dict[str, Any]:
    """What a message is answered with, besides its number."""
    kind = message["kind"]
    if kind == "start":
        return {"tool": "wengert", "config": {"version": wg.__version__, "threads": wg.get_threads()}}
    if kind not in ("define", "evaluate"):
        return {}
    try:
        functions = functions_of(message["module"])
        return {"success": True} if kind == "define" else evaluate(functions[message["function"]], message["input"])
    except Exception:
        return {"success": False, "error": traceback.format_exc()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="native threads; GradBench compares single ones")
    wg.set_threads(parser.parse_args().threads)
    for line in sys.stdin:
        message = json.loads(line)
        print(json.dumps({"id": message["id"], **answer(message)}), flush=True)


if __name__ == "__main__":
    main()
