"""What is said when the loss is no longer a finite number: which operation made it so, where, and from which values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert.errors import DivergedError, describe, page


def broken(model: Any) -> list[str]:
    """The arrays of a model that are not all finite, by the way to each."""
    pairs = zip(trees.paths(model), trees.flatten(model)[0], strict=True)
    return [name for name, x in pairs if np.asarray(x).dtype.kind in "fc" and not np.all(np.isfinite(x))]


def extent(name: str, x: Any) -> str:
    """`data[0]: float64[32,4], from -3.1 to 2.7`."""
    x = np.asarray(x)
    if x.size == 0 or x.dtype.kind not in "biuf":
        return f"{name}: {describe(x)}"
    n_odd = int(np.sum(~np.isfinite(x)))
    odd = f", {n_odd} not finite" if n_odd else ""
    return f"{name}: {describe(x)}, from {np.min(x):.3g} to {np.max(x):.3g}{odd}"


def diverged(loss: Callable[..., Any], value: float, step: int, points: Sequence[tuple[Any, Any]]) -> DivergedError:
    """The error for a loss that became `value`; `points` are model and batch of this step, and of the one before."""
    model, batch = points[0]
    lost = broken(model)
    if lost:
        why = f"The step before had made {', '.join(f'model{name}' for name in lost[:3])} infinite or NaN: its gradient was, or the rate is too large."
    else:
        named = [*zip(trees.paths(model), trees.flatten(model)[0], strict=True)]
        given = [*zip(trees.paths(batch), trees.flatten(batch)[0], strict=True)]
        shown = [extent(f"model{n}", x) for n, x in named][:6] + [extent(f"batch{n}", x) for n, x in given][:4]
        why = "The model was finite, and so the loss made it of these values:\n" + "\n".join(
            f"  {line}" for line in shown
        )
    write = "wg.optim.Adam(lr=1e-4)   # a smaller learning rate\nnp.log(np.maximum(p, 1e-12))   # a loss that is finite wherever the model may go"
    return DivergedError(page(f"the loss became {value} in step {step}.", why, write, "diverged"))
