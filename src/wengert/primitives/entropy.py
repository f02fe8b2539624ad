"""Cards: entropies, logistic functions, and the losses of robust statistics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.primitives.elementwise import elementwise
from wengert.primitives.slopes import sech
from wengert.primitives.special import in_double, promoted, special

_INVERSE_E = 1 / math.e, -1.2428753672788363e-17  # 1/e as a number, and what its rounding lost


def _ratio(a: Any, b: Any) -> Any:
    """`a / b`, and 0 where `a` is 0: the slope of `a log b`, which is then 0 for every `b`."""
    return np.where(a == 0, a * 0.0, a / np.where(a == 0, 1, b))


def _log1p(x: Any) -> Any:
    """`log(1 + x)`; of complex numbers by SciPy, which keeps digits that NumPy loses."""
    return xlog1py(1.0, x) if np.iscomplexobj(x) else np.log1p(x)


def _relative_gap(a: Any, b: Any) -> Any:
    """`(b - a) / b`, and 1 where `a` is 0."""
    return np.where(a == 0, 1, (b - a) / np.where(a == 0, 1, b))


def _clipped(r: Any, d: Any) -> Any:
    """`r` within `-d` and `d`; 0, and not half of anything, where those meet."""
    return np.where(np.logical_and(np.equal(r, 0), np.equal(d, 0)), 0.0, np.maximum(np.minimum(r, d), -d))


def _one_plus_log(x: Any) -> Any:
    """`1 + log x`; near its zero `1/e`, from the distance to it."""
    root, rest = _INVERSE_E
    distance = ((x - root) - rest) * math.e
    near = np.abs(distance) < 0.5
    return np.where(near, np.log1p(np.where(near, distance, 0)), 1 + np.log(x))


def _log_ratio(a: Any, b: Any) -> Any:
    """`log(a / b)`; near its zero `a = b`, from their difference."""
    near = (a > 0.5 * b) & (b > 0.5 * a)
    distance = (a - b) / np.where(near, b, 1)
    return np.where(near, np.log1p(np.where(near, distance, 0)), np.log(a) - np.log(b))


# fmt: off - tables of cards: name, value, slope for each operand, or: name, slope for each operand
logit_slope  = elementwise("logit_slope",  in_double(lambda x: 1 / x / (1 - x)), lambda y, x: (2 * x - 1) * y * y,             formula="1 / (a (1 - a))",     domain=(0.1, 0.9))
ratio: Primitive = elementwise("ratio",    promoted(_ratio),                    lambda y, a, b: 1 / b, lambda y, a, b: -ratio(y, b), formula="a / b",              domain=((-2.0, 2.0), (0.5, 3.0)))
one_plus_log = elementwise("one_plus_log", in_double(_one_plus_log),             lambda y, x: 1 / x,                           formula="1 + log a",           domain=(0.3, 4.0))
log_ratio    = elementwise("log_ratio",    in_double(_log_ratio),                lambda y, a, b: 1 / a, lambda y, a, b: -1 / b, formula="log(a / b)",         domain=(0.3, 4.0))
relative_gap = elementwise("relative_gap", in_double(_relative_gap),  lambda y, a, b: -1 / b, lambda y, a, b: ratio(ratio(a, b), b), formula="(b - a) / b", domain=((-2.0, 2.0), (0.5, 3.0)))

expit: Primitive = special("expit",     lambda y, x: 0.25 * np.square(sech(0.5 * x)),  formula="1 / (1 + e⁻ᵃ)")
log_expit = special("log_expit", lambda y, x: expit(-x),                        formula="-log(1 + e⁻ᵃ)")
logit     = special("logit",     lambda y, x: logit_slope(x),                   formula="log(a / (1 - a))", domain=(0.1, 0.9))
xlogy     = special("xlogy",     lambda y, a, b: np.log(b),                     lambda y, a, b: ratio(a, b),        formula="a log b",             domain=((-2.0, 2.0), (0.3, 4.0)))
xlog1py: Primitive = special("xlog1py",   lambda y, a, b: _log1p(b),                      lambda y, a, b: ratio(a, 1 + b),    formula="a log(1 + b)",        domain=((-2.0, 2.0), (-0.7, 4.0)))
entr      = special("entr",      lambda y, x: -one_plus_log(x),                                                     formula="-a log a",            domain=(0.5, 4.0))
rel_entr  = special("rel_entr",  lambda y, a, b: 1 + log_ratio(a, b),           lambda y, a, b: -ratio(a, b),       formula="a log(a / b)",        domain=(0.3, 4.0))
kl_div    = special("kl_div",    lambda y, a, b: log_ratio(a, b),               lambda y, a, b: relative_gap(a, b), formula="a log(a / b) - a + b", domain=(0.3, 4.0))
exp10     = special("exp10",     lambda y, x: math.log(10) * y,                                                     formula="10ᵃ")
huber     = special("huber",     lambda y, d, r: np.maximum(np.abs(r) - d, 0.0), lambda y, d, r: _clipped(r, d), formula="huber(a, b)", domain=((0.5, 1.5), (-2.0, 2.0)))
# fmt: on
