"""A whole program against NumPy: its value, its derivatives of two orders in every mode, and its batches.

The differences are taken of the program run on plain arrays, so nothing of wengert stands on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert import api as wg
from wengert import trees
from wengert.core.trace import lowest

Program = Callable[..., Any]


def _leaves(value: Any) -> list[Any]:
    """The arrays of an output, in order."""
    return [leaf if hasattr(leaf, "dtype") else np.asarray(leaf)[()] for leaf in trees.flatten(value)[0]]


def _flat(program: Program) -> Callable[..., list[Any]]:
    return lambda *args: [y for y in _leaves(program(*args)) if y.dtype.kind in "fc"]


def _random_like(rng: np.random.Generator, x: Any) -> Any:
    real = rng.standard_normal(x.shape)
    value = real + 1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else real
    return np.asarray(value, x.dtype)


def _moved(xs: Sequence[Any], dxs: Sequence[Any], h: float) -> list[Any]:
    return [x + h * dx for x, dx in zip(xs, dxs, strict=True)]


def difference(function: Callable[..., list[Any]], xs: Sequence[Any], dxs: Sequence[Any], h: float = 2e-3) -> list[Any]:
    """`(f(x + h dx) - f(x - h dx)) / 2h`, extrapolated twice (Richardson), so the error is of order `h⁶`."""

    def central(step: float) -> list[Any]:
        after, before = function(*_moved(xs, dxs, step)), function(*_moved(xs, dxs, -step))
        return [(a - b) / (2 * step) for a, b in zip(after, before, strict=True)]

    table = [central(h), central(h / 2), central(h / 4)]
    once = [[(4 * b - a) / 3 for a, b in zip(table[k], table[k + 1], strict=True)] for k in range(2)]
    return [(16 * b - a) / 15 for a, b in zip(once[0], once[1], strict=True)]


def _close(found: Any, right: Any, what: str, rtol: float, atol: float) -> None:
    found, right = np.asarray(found), np.asarray(right)
    assert found.shape == right.shape, f"{what}: shape {found.shape}, and {right.shape} is right"
    np.testing.assert_allclose(found, right, rtol=rtol, atol=atol, err_msg=what)


def check_value(program: Program, *args: Any, rtol: float = 1e-13) -> None:
    """Value, dtype, shape and Python type of every output, traced, are NumPy's."""
    right, found = _leaves(program(*args)), _leaves(_traced(program, args))
    assert len(found) == len(right), f"{len(found)} outputs, and {len(right)} are right"
    eps = max([float(np.finfo(x.dtype).eps) for x in args], default=0.0)
    for k, (y, z) in enumerate(zip(found, right, strict=True)):
        assert y.dtype == z.dtype, f"output {k}: dtype {y.dtype}, and {z.dtype} is right"
        _close(y, z, f"value of output {k}", rtol * eps / np.finfo(float).eps, 4 * eps)


def check_bits(program: Program, *args: Any) -> None:
    """Value, dtype and shape of every output, traced, are NumPy's to the last bit, NaN included."""
    right, found = _leaves(program(*args)), _leaves(_traced(program, args))
    assert len(found) == len(right), f"{len(found)} outputs, and {len(right)} are right"
    for y, z in zip(found, right, strict=True):
        np.testing.assert_array_equal(y, z, strict=True)


def _traced(program: Program, args: Sequence[Any]) -> Any:
    kept: list[Any] = []

    def watched(*xs: Any) -> Any:
        y = program(*xs)
        kept.append(trees.map_leaves(lowest, y))
        return sum((np.sum(np.abs(part)) for part in _leaves(y) if part.dtype.kind in "fc"), start=0.0)

    wg.grad(watched, tuple(range(len(args))), on_disconnected="zero")(*args)
    return kept[0]


def check_derivatives(
    program: Program, *args: Any, order: int = 2, rtol: float = 1e-6, atol: float = 1e-7, h: float = 2e-3, seed: int = 0
) -> None:
    """Forward against central differences, reverse against forward, and both once more if `order` is 2."""
    flat, rng = _flat(program), np.random.default_rng(seed)
    dxs = [_random_like(rng, x) for x in args]
    ys, dys = wg.jvp(lambda *xs: tuple(flat(*xs)), args, dxs)
    for k, (dy, right) in enumerate(zip(dys, difference(flat, args, dxs, h), strict=True)):
        _close(dy, right, f"forward derivative of output {k}", rtol, atol)
    cts = tuple(_random_like(rng, y) for y in ys)
    _, pull = wg.vjp(lambda *xs: tuple(flat(*xs)), *args)
    pulled = pull(cts)
    for x, ct in zip(args, pulled, strict=True):
        assert (ct.dtype, ct.shape) == (x.dtype, x.shape), f"gradient {ct.dtype}{ct.shape} of {x.dtype}{x.shape}"
    _close(_inner(pulled, dxs), _inner(cts, dys), "reverse against forward", 1e-9, 1e-9)
    if order == 2:
        _check_second(flat, args, dxs, cts, rng, rtol, atol, h)


def _inner(us: Sequence[Any], vs: Sequence[Any]) -> Any:
    """The real inner product of lists of arrays."""
    return sum((np.sum(np.real(np.conjugate(u) * v)) for u, v in zip(us, vs, strict=True)), start=0.0)


def _check_second(
    flat: Callable[..., list[Any]], args: Sequence[Any], dxs: Any, cts: Any, rng: Any, rtol: float, atol: float, h: float
) -> None:
    n = tuple(range(len(args)))

    def loss(*xs: Any) -> Any:
        ys = flat(*xs)
        weighted = [np.conjugate(ct) * y if ct.dtype.kind == "c" else ct * y for ct, y in zip(cts, ys, strict=True)]
        return _inner(cts, ys) + 0.5 * _inner(ys, weighted)

    gradient = wg.grad(loss, n, on_disconnected="zero")
    right = difference(lambda *xs: list(gradient(*xs)), args, dxs, h)
    _, found = wg.jvp(gradient, args, dxs)
    for k, (a, b) in enumerate(zip(found, right, strict=True)):
        _close(a, b, f"forward over reverse in argument {k}", 10 * rtol, 10 * atol)
    turned = wg.grad(lambda *xs: _inner(gradient(*xs), dxs), n, on_disconnected="zero")(*args)
    for k, (a, b) in enumerate(zip(turned, found, strict=True)):
        _close(a, b, f"reverse over reverse in argument {k}", 1e-7, 1e-7)
    _, twice = wg.jvp(lambda *xs: wg.jvp(loss, xs, dxs)[1], args, dxs)
    _close(twice, _inner(found, dxs), "forward over forward", 1e-7, 1e-7)
    mixed = wg.grad(lambda *xs: wg.jvp(loss, xs, dxs)[1], n, on_disconnected="zero")(*args)
    for k, (a, b) in enumerate(zip(mixed, found, strict=True)):
        _close(a, b, f"reverse over forward in argument {k}", 1e-7, 1e-7)


def check_batch(program: Program, *args: Any, rtol: float = 1e-10, atol: float = 1e-10, seed: int = 1) -> None:
    """`vmap` of the program and of its gradient equals a loop over the members; arguments one by one and together."""
    flat, rng = _flat(program), np.random.default_rng(seed)
    n = tuple(range(len(args)))
    gradient = wg.grad(lambda *xs: sum((np.sum(np.real(y * y)) for y in flat(*xs)), start=0.0), n, on_disconnected="zero")
    members = [[np.asarray(x + 1e-3 * k * _random_like(rng, x), x.dtype) for k in range(3)] for x in args]
    choices = [range(len(args))] + ([[k] for k in range(len(args))] if len(args) > 1 else [])
    for chosen in choices:
        axes = tuple(0 if k in chosen else None for k in range(len(args)))
        stacks = [np.stack(m) if k in chosen else m[0] for k, m in enumerate(members)]
        rows = [[m[j] if k in chosen else m[0] for k, m in enumerate(members)] for j in range(3)]
        found = wg.vmap(lambda *xs: tuple(flat(*xs)), axes)(*stacks)
        _against_loop(found, [flat(*row) for row in rows], f"batch over {list(chosen)}", rtol, atol)

        found = wg.vmap(gradient, axes)(*stacks)
        _against_loop(found, [gradient(*row) for row in rows], f"batch of gradients over {list(chosen)}", rtol, atol)


def _against_loop(found: Sequence[Any], rows: Sequence[Sequence[Any]], what: str, rtol: float, atol: float) -> None:
    for k, y in enumerate(found):
        right = np.stack([row[k] for row in rows])
        assert y.dtype == right.dtype, f"{what}: dtype {y.dtype}, and {right.dtype} is right"
        _close(y, right, f"{what}, output {k}", rtol, atol)


def check_program(program: Program, *args: Any, order: int = 2, batch: bool = True, **tolerances: Any) -> None:
    """All of it; and once more in single precision, for the value and its dtype."""
    check_value(program, *args)
    check_derivatives(program, *args, order=order, **tolerances)
    if batch:
        check_batch(program, *args)
    single = {"d": np.float32, "D": np.complex64}
    check_value(program, *[np.asarray(x, single.get(x.dtype.char, x.dtype)) for x in args], rtol=1e-12)


class Programs(dict[str, tuple[Program, tuple[Any, ...], dict[str, Any]]]):
    """Named programs with arguments to try them on: `programs("det", np.linalg.det, a)`, then `programs.check("det")`."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)

    def __call__(self, name: str, program: Program, *args: Any, **options: Any) -> None:
        """Add a program; `options` are those of `check_program`."""
        if name in self:
            msg = f"there are two programs named {name!r}"
            raise ValueError(msg)
        self[name] = program, args, options

    def check(self, name: str) -> None:
        """`check_program` of one of them."""
        program, args, options = self[name]
        check_program(program, *args, **options)

    def normal(self, *shape: int, kind: str = "f") -> Any:
        """Standard normal numbers, complex ones for the kind `"c"`."""
        x = self.rng.standard_normal(shape)
        return np.asarray(x + 1j * self.rng.standard_normal(shape) if kind == "c" else x)


def check_error(program: Program, *args: Any) -> None:
    """Bad input raises the exception that NumPy raises, or one derived from it, whether traced or not."""
    try:
        program(*args)
    except Exception as error:  # whatever NumPy raises is right
        expected = type(error)
    else:
        msg = "NumPy raises nothing here"
        raise AssertionError(msg)
    try:
        wg.jvp(program, args, args)
    except expected:
        return
    except Exception as error:
        msg = f"NumPy raises {expected.__name__} here, and the traced program {type(error).__name__}: {error}"
        raise AssertionError(msg) from error
    msg = f"NumPy raises {expected.__name__} here, and the traced program nothing"
    raise AssertionError(msg)
