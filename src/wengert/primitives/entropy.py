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
logit_slope  = elementwise("logit_slope",  in_double(lambda x: 1 / x / (1 - x)), lambda y, x: (2 * x - 1) * y * y,             formula="1 / (a (1 - a))",     domain=(0.1, 0.9), code="in double: 1 / a / (1 - a)")
ratio: Primitive = elementwise("ratio",    promoted(_ratio),                    lambda y, a, b: 1 / b, lambda y, a, b: -ratio(y, b), formula="a / b",              domain=((-2.0, 2.0), (0.5, 3.0)), code="a * 0 if a == 0 else a / b")
one_plus_log = elementwise("one_plus_log", in_double(_one_plus_log),             lambda y, x: 1 / x,                           formula="1 + log a",           domain=(0.3, 4.0), code="in double: d = ((a - 0.36787944117144233) - -1.2428753672788363e-17) * 2.718281828459045; log1p(d) if abs(d) < 0.5 else 1 + log(a)")
log_ratio    = elementwise("log_ratio",    in_double(_log_ratio),                lambda y, a, b: 1 / a, lambda y, a, b: -1 / b, formula="log(a / b)",         domain=(0.3, 4.0), code="in double: log1p((a - b) / b) if a > 0.5 * b and b > 0.5 * a else log(a) - log(b)")
relative_gap = elementwise("relative_gap", in_double(_relative_gap),  lambda y, a, b: -1 / b, lambda y, a, b: ratio(ratio(a, b), b), formula="(b - a) / b", domain=((-2.0, 2.0), (0.5, 3.0)), code="in double: 1 if a == 0 else (b - a) / b")

expit: Primitive = special("expit",     lambda y, x: 0.25 * np.square(sech(0.5 * x)),  formula="1 / (1 + e⁻ᵃ)", code="1 / (1 + exp(-a))")
log_expit = special("log_expit", lambda y, x: expit(-x),                        formula="-log(1 + e⁻ᵃ)", code="t = log1p(exp(-abs(a))); a - t if a < 0 else -t")
logit     = special("logit",     lambda y, x: logit_slope(x),                   formula="log(a / (1 - a))", domain=(0.1, 0.9), code="s = 2 * (a - 0.5); log(a / (1 - a)) if a < 0.3 or a > 0.65 else log1p(s) - log1p(-s)")
xlogy     = special("xlogy",     lambda y, a, b: np.log(b),                     lambda y, a, b: ratio(a, b),        formula="a log b",             domain=((-2.0, 2.0), (0.3, 4.0)), code="in double: 0 if a == 0 and b == b else a * log(b)")
xlog1py: Primitive = special("xlog1py",   lambda y, a, b: _log1p(b),                      lambda y, a, b: ratio(a, 1 + b),    formula="a log(1 + b)",        domain=((-2.0, 2.0), (-0.7, 4.0)), code="in double: 0 if a == 0 and b == b else a * log1p(b)")
entr      = special("entr",      lambda y, x: -one_plus_log(x),                                                     formula="-a log a",            domain=(0.5, 4.0), code="in double: a if a != a else -a * log(a) if a > 0 else 0 if a == 0 else -inf")
rel_entr  = special("rel_entr",  lambda y, a, b: 1 + log_ratio(a, b),           lambda y, a, b: -ratio(a, b),       formula="a log(a / b)",        domain=(0.3, 4.0), code="in double: r = a / b; a + b if a != a or b != b else (0 if a == 0 and b >= 0 else inf) if a <= 0 or b <= 0 else a * log1p((a - b) / b) if r > 0.5 and r < 2 else a * log(r) if r > tiny and r < inf else a * (log(a) - log(b))")
kl_div    = special("kl_div",    lambda y, a, b: log_ratio(a, b),               lambda y, a, b: relative_gap(a, b), formula="a log(a / b) - a + b", domain=(0.3, 4.0), code="in double: a + b if a != a or b != b else a * log(a / b) - a + b if a > 0 and b > 0 else b if a == 0 and b >= 0 else inf")
exp10     = special("exp10",     lambda y, x: math.log(10) * y,                                                     formula="10ᵃ", code="exp10(a)")
huber     = special("huber",     lambda y, d, r: np.maximum(np.abs(r) - d, 0.0), lambda y, d, r: _clipped(r, d), formula="huber(a, b)", domain=((0.5, 1.5), (-2.0, 2.0)), code="in double: r = abs(b); inf if a < 0 else 0.5 * b * b if r <= a else a * (r - 0.5 * a)")
# fmt: on
