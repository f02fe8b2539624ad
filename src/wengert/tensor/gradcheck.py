"""`gradcheck`: the gradients of a function of tensors against differences of its values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.errors import CheckError, page
from wengert.tensor.backward import grad
from wengert.tensor.traced import Tensor, leaf, plain


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Whether `Jᴴ` as the walk back gives it agrees with central differences, for every input that requires grad.

    Complex inputs are moved along both axes.  Use float64: of float32 too few digits are left.

    Raises:
        CheckError: they differ; with `raise_exception=False` the result is `False`.

    Example:
        >>> import wengert as wg
        >>> x = wg.tensor([0.5, 2.0], dtype=wg.tensor.float64, requires_grad=True)
        >>> wg.autograd.gradcheck(lambda x: x.sin() * x, x)
        True
    """
    xs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    outputs = _differentiable(func(*xs))
    for k, x in enumerate(xs):
        if not (isinstance(x, Tensor) and x.extra is not None):
            continue
        for j, y in enumerate(outputs):
            exact = _rows_back(y, x)
            estimate = _columns(func, xs, k, j, eps).T
            if not np.allclose(exact, estimate, rtol, atol):
                if not raise_exception:
                    return False
                worst = np.unravel_index(np.argmax(np.abs(exact - estimate)), exact.shape)
                raise CheckError(
                    page(
                        f"the derivative of output {j} with respect to input {k} is {exact[worst]:.6g}, and differences say {estimate[worst]:.6g}.",
                        f"Of all entries this one, {tuple(map(int, worst))} of the matrix, differs most.",
                        "x = x.double()   # if it is float32: differences of so few digits say little",
                        "check",
                    )
                )
    return True


def _differentiable(output: Any) -> list[Any]:
    many = output if isinstance(output, (tuple, list)) else (output,)
    return [y for y in many if isinstance(y, Tensor) and y.extra is not None]


def _parts(value: Any) -> Any:
    """A complex array as its real and imaginary parts, and a real one as it is, as a vector."""
    flat = np.ravel(value)
    return np.concatenate([flat.real, flat.imag]) if flat.dtype.kind == "c" else flat


def _rows_back(y: Any, x: Any) -> Any:
    """The Jacobian of the real parts, a row for each entry of the output, by walks back."""
    rows = []
    for unit in _units(y):
        (ct,) = grad(y, x, plain(unit), retain_graph=True, allow_unused=True)
        rows.append(_parts(np.zeros(x.shape, x.dtype) if ct is None else ct.value))
    return np.array(rows)


def _units(y: Any) -> list[Any]:
    """The unit vectors in the space of the output, real and imaginary."""
    found = []
    for factor in (1, 1j) if y.dtype.kind == "c" else (1,):
        for place in range(y.value.size):
            unit = np.zeros(y.value.size, y.dtype)
            unit[place] = factor
            found.append(unit.reshape(y.shape))
    return found


def _columns(func: Callable[..., Any], xs: Sequence[Any], k: int, j: int, eps: float) -> Any:
    """The transposed Jacobian by central differences, a row for each direction of the input."""
    rows = []
    for unit in _units(xs[k]):
        ends = []
        for side in (eps, -eps):
            moved = [x.detach() if isinstance(x, Tensor) else x for x in xs]
            moved[k] = leaf(np.asarray(xs[k].value + side * unit, xs[k].dtype))
            ends.append(_parts(_differentiable(func(*moved))[j].value))
        rows.append((ends[0] - ends[1]) / (2 * eps))
    return np.array(rows)


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, **settings: Any) -> bool:
    """`gradcheck` of the gradient: whether derivatives of second order agree with differences of those of first order."""
    xs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    active = [k for k, x in enumerate(xs) if isinstance(x, Tensor) and x.extra is not None]
    outputs = _differentiable(func(*xs))
    rng = np.random.default_rng(0)
    weights = grad_outputs or [plain(rng.uniform(0.5, 1.5, y.shape).astype(y.dtype)) for y in outputs]

    def gradients(*ys: Any) -> tuple[Any, ...]:
        found = grad(_differentiable(func(*ys)), [ys[k] for k in active], list(weights), create_graph=True, allow_unused=True)
        return tuple([ct for ct in found if ct is not None])

    return gradcheck(gradients, xs, **settings)
