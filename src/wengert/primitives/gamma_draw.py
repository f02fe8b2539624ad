"""Cards: how a draw from a gamma distribution moves with its shape, at a fixed place in the distribution.

A draw `z` of shape `a` stays at `P(a, z) = u` when `a` moves, where `P` is the regularised incomplete gamma function and
`p` its density, so `dz/da = -∂P/∂a / p`.  Source: M. Figurnov, S. Mohamed and A. Mnih, Implicit reparameterization
gradients (2018).  The derivatives of `P` in `a` come from its series and its continued fraction (Abramowitz and Stegun,
6.5.29 and 6.5.31), run on polynomials in the change of `a`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.primitives.align import align_to_inexact, as_operand, common_shape
from wengert.primitives.elementwise import scaled
from wengert.primitives.families import smooth
from wengert.primitives.gamma import gammaln, polygamma, psi
from wengert.primitives.pattern import one_to_one
from wengert.primitives.special import of_order, of_scipy

_scipy_psi, _scipy_polygamma = of_scipy("psi"), of_scipy("polygamma")
_gammainc, _gammaincinv = of_scipy("gammainc"), of_scipy("gammaincinv")

Series = list[Any]  # the coefficients of a polynomial in ε, the change of `a`, cut off after some power


def _times(x: Series, y: Series) -> Series:
    return [sum(x[i] * y[n - i] for i in range(n + 1)) for n in range(len(x))]


def _over(x: Series, y: Series) -> Series:
    quotient: Series = []
    for n in range(len(x)):
        rest = x[n] - sum((quotient[i] * y[n - i] for i in range(n)), 0.0)
        quotient.append(rest / y[0])
    return quotient


def _density_ratio(a: Any, z: Any, order: int) -> Series:
    """`p(z; a + ε) / p(z; a) = exp(ε log z - log Γ(a + ε) + log Γ(a))`."""
    slopes = [np.log(z) - _scipy_psi(a)]
    slopes += [-_scipy_polygamma(j, a) / math.factorial(j + 1) for j in range(1, order)]
    ratio: Series = [np.ones_like(z)]
    for n in range(1, order + 1):
        ratio.append(sum((i + 1) * slopes[i] * ratio[n - 1 - i] for i in range(n)) / n)
    return ratio


def _lower(a: Any, z: Any, order: int) -> Series:
    """`P/p` at `a + ε`: `z Σ zⁿ / (a (a+1) ... (a+n))`."""
    term: Series = [z / a, *[z * (-1.0 / a) ** j / a for j in range(1, order + 1)]]
    total, n = term, 0
    while np.any(np.abs(term[-1]) > 1e-18 * np.abs(total[-1])) or n < order:
        n += 1
        b = a + n
        term = _times(term, [z / b * (-1.0 / b) ** j for j in range(order + 1)])
        total = [x + y for x, y in zip(total, term, strict=True)]
    return total


def _upper(a: Any, z: Any, order: int) -> Series:
    """`(1 - P)/p` at `a + ε`: `z / (z + 1 - a - 1(1 - a) / (z + 3 - a - ...))`, from the far end."""
    depth = 80 + int(12 * math.sqrt(np.max(a, initial=0.0)))
    rest = [np.zeros_like(z)] * max(order - 1, 0)

    def line(constant: Any, slope: float) -> Series:
        return [constant, np.full_like(z, slope), *rest][: order + 1]

    fraction = line(z + 2 * depth + 1 - a, -1.0)
    for n in range(depth, 0, -1):
        step = _over(line(n * (n - a), -float(n)), fraction)
        fraction = [x - y for x, y in zip(line(z + 2 * n - 1 - a, -1.0), step, strict=True)]
    return _over(line(z, 0.0), fraction)


_LARGE = 1e6  # beyond this shape series are long, and the expansion of the quantile is as good


@of_order
def _velocity(a: Any, z: Any, order: int) -> Any:
    """`-∂ⁿP/∂aⁿ / p`; a draw that has underflowed to 0 stays there."""
    with np.errstate(all="ignore"):
        is_usual = (z > 0) & (a > 0) & (a < _LARGE)
        shape, inside = np.where(is_usual, a, 1.0), np.where(is_usual, z, 1.0)
        is_low = inside < shape + 1
        low, high = np.where(is_low, inside, np.minimum(inside, shape)), np.where(is_low, shape + 1, inside)
        below = _times(_density_ratio(shape, low, order), _lower(shape, low, order))[order]
        above = _times(_density_ratio(shape, high, order), _upper(shape, high, order))[order]
        moved = math.factorial(order) * np.where(is_low, -below, above)
        return np.where(is_usual, moved, np.where(a >= _LARGE, _expanded(a, z, order), 0.0))


def _expanded(a: Any, z: Any, order: int) -> Any:
    """For a large shape: `z = a + x √a + (x² - 1)/3 + ...` with the normal quantile `x` (Abramowitz and Stegun, 26.4.18)."""
    root = np.sqrt(a)
    w = (z - a) / root
    x = w - (w * w - 1) / (3 * root)
    velocity = 1 + x / (2 * root)
    if order == 1:
        return velocity
    change = -z / (2 * a * a)  # of the velocity with the shape
    return change + velocity * np.log(z / a) if order == 2 else np.zeros_like(velocity)


def _of_shape(velocity: Any, a: Any, z: Any, n: Any) -> Any:
    """`∂/∂a (-∂ⁿP/p) = -∂ⁿ⁺¹P/p + (∂ⁿP/p) ∂ log p/∂a`."""
    return gamma_velocity(a, z, order=n + 1) - velocity * (np.log(z) - psi(a))


def _of_place(velocity: Any, a: Any, z: Any, n: Any) -> Any:
    """`∂/∂z (-∂ⁿP/p) = -∂ⁿp/p + (∂ⁿP/p) ∂ log p/∂z`."""
    return -_density_derivative(a, z, n) - velocity * ((a - 1) / z - 1)


def _density_derivative(a: Any, z: Any, n: int) -> Any:
    """`∂ⁿp/∂aⁿ / p`, by `B₀ = 1`, `Bₘ₊₁ = Σ C(m, i) Bₘ₋ᵢ Lᵢ₊₁` with `Lᵢ = ∂ⁱ log p/∂aⁱ`."""
    logs = [np.log(z) - psi(a), *[-polygamma(i, a) for i in range(1, n)]]
    found: list[Any] = [1.0]
    for m in range(n):
        found.append(sum(math.comb(m, i) * found[m - i] * logs[i] for i in range(m + 1)))
    return found[n]


def _velocity_differential(dxs: Sequence[Any], y: Any, a: Any, z: Any, order: int) -> Any:
    total = None
    if dxs[0] is not None:
        total = scaled(_of_shape(y, a, z, order), dxs[0])
    if dxs[1] is not None:
        term = scaled(_of_place(y, a, z, order), dxs[1])
        total = term if total is None else total + term
    return total


gamma_velocity: Primitive = smooth(
    "gamma_velocity",
    lambda a, z, order: _velocity(a, z, order),
    _velocity_differential,
    pattern=one_to_one,
    formula="-∂P(a, b) / p",
    laws=lambda make: [((np.abs(make(3)) + 0.5, np.abs(make(3)) + 0.3), {"order": n}) for n in (1, 2)],
)


def _moved_draw(a: Any, z: Any, drawn_at: Any) -> Any:
    """The draw of shape `a` at the place of the distribution where `z` was among those of shape `drawn_at`."""
    if np.all(a == drawn_at):
        return z + np.zeros_like(z)
    return np.where(a == drawn_at, z, _gammaincinv(a, _gammainc(drawn_at, z))).astype(z.dtype)[()]


def _log_density(a: Any, z: Any) -> Any:
    return (a - 1) * np.log(z) - z - gammaln(a)


def _moved_differential(dxs: Sequence[Any], y: Any, a: Any, z: Any, drawn_at: Any) -> Any:
    """`dy = v(a, y) da + (p(z; c) / p(y; a)) (dz - v(c, z) dc)` with the velocity `v` of a draw."""
    total = None if dxs[0] is None else scaled(gamma_velocity(a, y, order=1), dxs[0])
    for dx, slope in ((dxs[1], 1.0), (dxs[2], None)):
        if dx is None:
            continue
        stretch = np.exp(_log_density(drawn_at, z) - _log_density(a, y))
        factor = stretch if slope is not None else -stretch * gamma_velocity(drawn_at, z, order=1)
        term = scaled(factor, dx)
        total = term if total is None else total + term
    return total


_moved: Primitive = smooth(
    "moved_draw",
    _moved_draw,
    _moved_differential,
    pattern=one_to_one,
    formula="P⁻¹(a, P(c, b))",
    laws=lambda make: [((np.abs(make(3)) + 0.8, np.array([0.4, 1.1, 3.0]), np.array([0.8, 1.7, 2.0])), {})],
)


def moved_draw(a: Any, draws: Any, drawn_at: Any) -> Any:
    """`draws`, made at the shape `drawn_at`, as a function of the shape `a`, which has that value."""
    operands = align_to_inexact((a, draws, drawn_at))
    shape = common_shape([as_operand(x) for x in operands])
    return _moved(*[x if np.shape(x) == shape else np.broadcast_to(x, shape) for x in operands])
