"""`check_grads`: are the derivatives of this function the limits of its differences?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert.api import jvp, vjp
from wengert.errors import CheckError, page
from wengert.testing.differences import directional
from wengert.transforms.selection import argument_name

MODES = ("fwd", "rev")
_DIRECTIONS = 2  # for each leaf: a wrong derivative that one random direction does not see, the other does


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = MODES,
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """`J dx = lim (f(x + t dx) - f(x - t dx)) / 2t` and `Re⟨ct, J dx⟩ = Re⟨Jᴴ ct, dx⟩`, up to the given order.

    Along random directions, one leaf of the arguments after the other, the derivatives of `f` are compared with
    central differences of its values; those of order two with differences of the derivatives of order one, every mode
    over every mode; and so on.

    Args:
        f: a function of arrays, or of any containers of arrays, whose output is one too.  Real and complex.
        args: the tuple of its arguments.  Floating and complex leaves are varied, all others stay as they are.
        order: the highest order that is checked.
        modes: `"fwd"` (forward, `jvp`), `"rev"` (reverse, `vjp`), or both.
        atol: how far a derivative may be from its differences: `atol + rtol * size`.  By default `1e-6` each for
            double precision and `3e-2` for single, and ten times more for each further order.
        rtol: the other part of it.
        eps: the largest step of the differences, which are extrapolated from `eps`, `eps/2` and `eps/4`.  By default
            `2⁻⁹` for double precision and `2⁻³` for single.

    Raises:
        CheckError (an `AssertionError`): the message names the argument, the modes and the order, and shows both numbers.
        TypeError: there is nothing to vary, or a mode is neither of the two.

    Example:
        >>> import numpy as np
        >>> from wengert.testing import check_grads
        >>> check_grads(lambda params, x: np.tanh(params["w"] @ x), ({"w": np.eye(2)}, np.ones(2)))

    Note:
        At a kink, such as `abs(x)` at 0, central differences tend to the mean of both sides, which is the derivative
        here too; but the derivative jumps there, so check the second order next to it.

    Source: L. F. Richardson (1927) for the extrapolation; the test of the adjoint is J. F. Claerbout's dot product.
    """
    unknown = set(modes) - set(MODES)
    if unknown or not modes:
        msg = f"modes are 'fwd', 'rev' or both, not {tuple(modes)!r}"
        raise TypeError(msg)
    checked = _Checked(f, args)
    if not checked.xs:
        msg = f"there is nothing to check: no argument of {checked.name} is floating or complex"
        raise TypeError(msg)
    is_single = any(x.dtype.itemsize // (1 + (x.dtype.kind == "c")) < 8 for x in checked.xs)
    usual = 3e-2 if is_single else 1e-6
    limits = _Limits(
        usual if atol is None else atol, usual if rtol is None else rtol, eps or (2.0**-3 if is_single else 2.0**-9)
    )
    _check_order(checked, checked.flat, order, tuple(modes), limits, ())


class _Limits:
    def __init__(self, atol: float, rtol: float, step: float) -> None:
        self.atol, self.rtol, self.step = atol, rtol, step

    def looser(self) -> _Limits:
        return _Limits(10 * self.atol, 10 * self.rtol, self.step)


class _Checked:
    """A function of containers as one of the flat list of the leaves that can vary, and what the user calls these."""

    def __init__(self, f: Callable[..., Any], args: Sequence[Any]) -> None:
        self.f, self.name = f, getattr(f, "__name__", type(f).__name__)
        self.rng = np.random.default_rng(0)
        leaves, self.structure = trees.flatten(tuple(args))
        leaves = [
            leaf if hasattr(leaf, "dtype") or not isinstance(leaf, (float, complex)) else np.asarray(leaf)[()]
            for leaf in leaves
        ]
        self.leaves = leaves
        self.places = [
            k for k, leaf in enumerate(leaves) if getattr(getattr(leaf, "dtype", None), "kind", "") in ("f", "c")
        ]
        self.xs = [leaves[k] for k in self.places]
        paths = [(k, path) for k, arg in enumerate(args) for path in trees.paths(arg)]
        self.names = [argument_name(f, paths[k][0]) + paths[k][1] for k in self.places]

    def flat(self, *xs: Any) -> list[Any]:
        leaves = list(self.leaves)
        for place, x in zip(self.places, xs, strict=True):
            leaves[place] = x
        ys = trees.flatten(self.f(*trees.unflatten(self.structure, leaves)))[0]
        ys = [y if hasattr(y, "dtype") else np.asarray(y)[()] for y in ys]
        return [y for y in ys if y.dtype.kind in "fc"]

    def direction(self, like: Any) -> Any:
        """Random, of length about 1, so that a step stays a step for large arrays too."""
        x = self.rng.standard_normal(like.shape)
        if like.dtype.kind == "c":
            x = x + 1j * self.rng.standard_normal(like.shape)
        return np.asarray(x / max(1.0, np.sqrt(np.size(x)))).astype(like.dtype)


def _check_order(
    checked: _Checked,
    flat: Callable[..., list[Any]],
    order: int,
    modes: tuple[str, ...],
    limits: _Limits,
    done: tuple[str, ...],
) -> None:
    """Check the first order of `flat`, which is a derivative by the modes `done`; then each of its derivatives."""
    xs = checked.xs
    ys = flat(*xs)
    for place in range(len(xs)):
        for _ in range(_DIRECTIONS):
            dxs = [checked.direction(x) if k == place else np.zeros_like(x) for k, x in enumerate(xs)]
            slopes, errors = directional(
                flat, xs, [dx if k == place else None for k, dx in enumerate(dxs)], limits.step, sharpen=False
            )
            if "fwd" in modes:
                _check_forward(checked, flat, place, dxs, (slopes, errors), limits, done)
            if "rev" in modes:
                _check_reverse(checked, flat, place, dxs, (slopes, errors), limits, done)
    if order > 1:
        dxs, cts = tuple(map(checked.direction, xs)), list(map(checked.direction, ys))
        firsts = {
            "fwd": lambda *at: jvp(flat, at, dxs)[1],
            "rev": lambda *at: list(vjp(flat, *at)[1](cts)),
        }
        for mode in modes:
            _check_order(checked, firsts[mode], order - 1, modes, limits.looser(), (*done, mode))


def _check_forward(
    checked: _Checked, flat: Any, place: int, dxs: list[Any], differences: Any, limits: _Limits, done: tuple[str, ...]
) -> None:
    found = jvp(flat, tuple(checked.xs), tuple(dxs))[1]
    for dy, slope, error in zip(found, *differences, strict=True):
        excess = np.abs(dy - slope) - (limits.atol + limits.rtol * np.abs(slope) + 10 * error)
        if np.any(~(excess <= 0) & ~(dy == slope)):
            worst = np.unravel_index(np.argmax(np.where(np.isnan(excess), np.inf, excess)), np.shape(excess))
            where = f" (output entry {tuple(map(int, worst))})" if worst else ""
            raise _wrong(checked, place, (*done, "fwd"), np.asarray(dy)[worst], np.asarray(slope)[worst], where)


def _check_reverse(
    checked: _Checked, flat: Any, place: int, dxs: list[Any], differences: Any, limits: _Limits, done: tuple[str, ...]
) -> None:
    ys, pullback = vjp(flat, *checked.xs)
    cts = list(map(checked.direction, ys))
    slopes, errors = differences
    wanted = sum(float(np.sum(np.real(np.conjugate(ct) * dy))) for ct, dy in zip(cts, slopes, strict=True))
    unsure = sum(float(np.sum(np.abs(ct) * e)) for ct, e in zip(cts, errors, strict=True))
    size = sum(float(np.sum(np.abs(ct * dy))) for ct, dy in zip(cts, slopes, strict=True))
    pulled = pullback(cts)[place]
    found = float(np.sum(np.real(np.conjugate(pulled) * dxs[place])))
    if not abs(found - wanted) <= limits.atol + limits.rtol * size + 10 * unsure:
        raise _wrong(checked, place, (*done, "rev"), found, wanted, " (as Re⟨ct, J dx⟩)")


def _wrong(checked: _Checked, place: int, modes: tuple[str, ...], found: Any, wanted: Any, where: str) -> CheckError:
    kind = " of ".join(reversed(modes))
    order = "" if len(modes) == 1 else f" (order {len(modes)})"
    return CheckError(
        page(
            f"the {kind} derivative of {checked.name} with respect to {checked.names[place]} is not the limit of differences{order}.",
            f"derivative    {found!r}{where}\ndifferences   {wanted!r}",
            "the rule that is wrong, if one is (wg.custom_rule, a card); at a kink or a jump a point next to it;\n"
            "a larger rtol or another eps where the function is noisy",
            "check",
        )
    )
