"""What is said when the loss is no longer a finite number: which operation made it so, where, and from which values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import wengert as wg
from wengert import trees
from wengert.errors import DivergedError, page
from wengert.learn.step import Layout

Point = tuple[Any, Sequence[Any]]  # a model and a batch


def broken(model: Any) -> list[str]:
    """The arrays of a model that are not all finite, by the way to each."""
    pairs = zip(trees.paths(model), trees.flatten(model)[0], strict=True)
    return [name for name, x in pairs if np.asarray(x).dtype.kind in "fc" and not np.all(np.isfinite(x))]


def examined(loss: Callable[..., Any], layout: Layout, point: Point) -> Any:
    """The loss and its gradient once more, interpreted, with every operation watched."""
    whole, batch = point

    def watched(model: Any, *batch: Any) -> Any:
        return loss(layout.with_parameters(whole, model), *batch)

    watched.__name__ = getattr(loss, "__name__", "loss")
    with np.errstate(all="ignore"):
        return wg.diagnose(watched)(layout.only_parameters(whole), *batch)


def diverged(loss: Callable[..., Any], layout: Layout, value: float, step: int, points: Sequence[Point]) -> DivergedError:
    """The error for a loss that became `value`; `points` are model and batch of this step, and of the one before."""
    lost = broken(points[0][0])
    is_earlier = bool(lost) and len(points) > 1
    diagnosis = examined(loss, layout, points[1] if is_earlier else points[0])
    found = "\n".join(map(str, diagnosis.bad[:2]))
    if is_earlier and found:
        why = f"The gradient of step {step - 1} was not finite, and has spoilt {named(lost)}:\n{found}"
    elif is_earlier:
        why = f"Step {step - 1} went so far that {named(lost)} left the range of its numbers; its gradient was finite."
    else:
        why = f"The model was finite, and the loss was not:\n{found}"
    write = (
        "wg.optim.Adam(lr=1e-4)   # a smaller learning rate, where the model has gone too far\n"
        "np.log(np.maximum(p, 1e-12))   # a loss that is finite wherever the model may go"
    )
    error = DivergedError(page(f"the loss became {value} in step {step}.", why, write, "diverged"))
    error.diagnosis = diagnosis
    return error


def named(paths: Sequence[str]) -> str:
    """`model.weight, model.bias and 3 more`."""
    shown = ", ".join(f"model{path}" for path in paths[:3])
    return shown + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
