"""The main job: an explained example, a network trained on real images, and a fit to real measurements.

Everything runs on data that scikit-learn ships; nothing is fetched.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from wengert import _optional
from wengert.demo.digits import train_digits
from wengert.demo.explained import explain_example
from wengert.demo.fit import fit_diabetes

Part = Callable[[Any, Path, int], bool]
PARTS: dict[str, tuple[str, Part]] = {
    "explain": ("f(x, y) = (x + y)(x - y) at (3, 2), walked forwards and backwards", explain_example),
    "digits": ("handwritten digits: a network in plain NumPy, minibatch SGD", train_digits),
    "fit": ("442 patients: a nonlinear fit, exact against finite differences", fit_diabetes),
}


def run(argv: Sequence[str] = ()) -> int:
    """`wengert demo`: writes its pictures into a folder; returns the exit status."""
    parser = argparse.ArgumentParser(prog="wengert demo", description=__doc__)
    parser.add_argument("--output", metavar="DIR", default="wengert-demo", help="folder for pictures and tables")
    parser.add_argument("--seed", type=int, default=0, help="of the split, the weights and the batches")
    parser.add_argument("--only", choices=list(PARTS), help="one part alone")
    options = parser.parse_args(list(argv))
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    console = _optional.load("rich.console", "the demo", "demo").Console(highlight=False)
    begin, before = time.perf_counter(), {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    failed = []
    for number, (name, (title, part)) in enumerate(PARTS.items(), 1):
        if options.only in (None, name):
            console.print()
            console.rule(f"[bold]{number}  {title}", align="left")
            if not part(console, folder, options.seed):
                failed.append(name)
    console.print()
    console.rule(f"[bold]done in {time.perf_counter() - begin:.1f} s", align="left")
    for path in sorted(folder.iterdir()):
        if before.get(path) != path.stat().st_mtime_ns:
            console.print(f"  wrote {path}")
    for name in failed:
        console.print(f"[bold red]{name} missed its goal")
    return 1 if failed else 0
