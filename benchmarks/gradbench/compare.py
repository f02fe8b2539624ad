"""Several tools through GradBench's own evals, and their times side by side.

    python benchmarks/gradbench/compare.py CHECKOUT [--tools wengert manual jax pytorch] [--evals "det -l 9" "lse -n 320000" ...]

CHECKOUT is a checkout of https://github.com/gradbench/gradbench whose `tools/manual` has been built (`make -C tools/manual`; it also
validates the answers).  The Python that runs this needs pydantic, and what the peers need.  The evals send the inputs and judge the
answers; here their messages are only passed on, as GradBench's own `gradbench run` does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LARGEST = (
    "hello", "gmm -d 64 -k 50", "ba --min 3 --max 3", "ht --min 6 --max 6", "lstm -l 4 -c 4096", "kmeans -k 1000 -n 10000 -d 16",
    "llsq -n 8196", "lse -n 320000", "ode -n 10000 -s 100", "particle", "saddle", "det -l 9",
)  # fmt: skip
WAITING = """
import jax
from gradbench import wrap
from gradbench.tools.jax import run

def waits(decorator):
    return lambda **how: lambda function: decorator(**how)(lambda data: jax.block_until_ready(function(data)))

wrap.function, wrap.multiple_runs = waits(wrap.function), waits(wrap.multiple_runs)
run.main()
"""  # GradBench's own tool for JAX times until a computation has begun, and not until its result is there


def command(tool: str) -> list[str]:
    """How a tool is started."""
    if tool == "wengert":
        return [sys.executable, str(HERE / "tool.py")]
    if tool == "jax":
        return [sys.executable, "-c", WAITING]
    if tool == "pytorch":
        return [sys.executable, "-m", "gradbench.tools.pytorch.run"]
    return [sys.executable, "-m", "gradbench.cpp", tool]


def session(checkout: Path, tool: str, words: list[str]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every message of an eval, with the tool's answer, until the eval is done or the tool gives none."""
    python = checkout / "python" / "gradbench"
    folders = [python, python / "gradbench" / "tools" / tool, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    pipes = {"cwd": checkout, "env": environment, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    judge = subprocess.Popen([sys.executable, "-m", f"gradbench.evals.{words[0]}.run", *words[1:]], **pipes)
    judged = subprocess.Popen(command(tool), **pipes)
    for line in judge.stdout:
        judged.stdin.write(line)
        judged.stdin.flush()
        answer = judged.stdout.readline()
        if not answer:  # it has died
            judge.kill()
            break
        yield json.loads(line), json.loads(answer)
        judge.stdin.write(answer)
        judge.stdin.flush()
    judged.stdin.close()
    judge.wait()
    judged.wait()


def results(checkout: Path, tool: str, words: list[str]) -> dict[str, str]:
    """For each function and input: the median time in milliseconds, and what the eval said."""
    found: dict[str, str] = {}
    names: dict[int, str] = {}
    for message, answer in session(checkout, tool, words):
        if message["kind"] == "evaluate":
            name = names[message["id"]] = f"{words[0]} {message['function']} {message.get('description', '')}".strip()
            times = [t["nanoseconds"] for t in answer.get("timings") or [] if t["name"] == "evaluate"]
            found[name] = f"{statistics.median(times) / 1e6:.4g}" if times else "failed"
        elif message["kind"] == "analysis" and not message["valid"]:
            found[names[message["of"]]] += " (not valid)"
        elif message["kind"] == "define" and not answer.get("success"):
            return {}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--tools", nargs="+", default=["wengert", "manual"])
    parser.add_argument("--evals", nargs="+", default=LARGEST)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each function is run, at least")
    parser.add_argument("--runs", type=int, default=5, help="how often, at least: the first run of a tool may compile")
    options = parser.parse_args()
    print("milliseconds, medians: " + ", ".join(options.tools))
    for words in map(str.split, options.evals):
        seconds = [] if words[0] == "hello" else ["--min-seconds", str(options.seconds), "--min-runs", str(options.runs)]
        columns = [results(options.checkout.resolve(), tool, [*words, *seconds]) for tool in options.tools]
        for name in dict.fromkeys(key for column in columns for key in column):
            print(f"  {name:44s}" + "".join(f"{column.get(name, '-'):>18s}" for column in columns), flush=True)


if __name__ == "__main__":
    main()
