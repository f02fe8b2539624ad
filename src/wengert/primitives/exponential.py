"""Cards: exponentials, logarithms and hyperbolic functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.primitives.elementwise import elementwise


def _sech(x: Any) -> Any:
    """`1 / cosh x` without overflow, to full relative precision in the tails."""
    if np.iscomplexobj(x):
        return 1 / np.cosh(x)
    u = np.exp(-np.abs(x))
    return 2 * u / (1 + u * u)



# fmt: off - a table of cards: name, value, slope for each operand
exp    = elementwise("exp",    np.exp,    lambda y, x: y,                        formula="exp a")
exp2   = elementwise("exp2",   np.exp2,   lambda y, x: math.log(2) * y,          formula="2ᵃ")
expm1  = elementwise("expm1",  np.expm1,  lambda y, x: np.exp(x),                formula="exp a - 1")
log    = elementwise("log",    np.log,    lambda y, x: 1 / x,                    formula="log a",     domain=(0.1, 4.0))
log2   = elementwise("log2",   np.log2,   lambda y, x: 1 / (math.log(2) * x),    formula="log₂ a",    domain=(0.1, 4.0))
log10  = elementwise("log10",  np.log10,  lambda y, x: 1 / (math.log(10) * x),   formula="log₁₀ a",   domain=(0.1, 4.0))
log1p  = elementwise("log1p",  np.log1p,  lambda y, x: 1 / (1 + x),              formula="log(1+a)",  domain=(-0.9, 4.0))
sinh   = elementwise("sinh",   np.sinh,   lambda y, x: np.cosh(x),               formula="sinh a")
cosh   = elementwise("cosh",   np.cosh,   lambda y, x: np.sinh(x),               formula="cosh a")
sech   = elementwise("sech",   _sech,     lambda y, x: -y * np.tanh(x),          formula="sech a")
tanh   = elementwise("tanh",   np.tanh,   lambda y, x: np.square(sech(x)),       formula="tanh a")
arcsinh = elementwise("arcsinh", np.arcsinh, lambda y, x: sech(y),               formula="arsinh a")
arccosh = elementwise("arccosh", np.arccosh, lambda y, x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)), formula="arcosh a", domain=(1.2, 4.0))
arctanh = elementwise("arctanh", np.arctanh, lambda y, x: 1 / ((1 - x) * (1 + x)), formula="artanh a", domain=(-0.9, 0.9))
logaddexp  = elementwise("logaddexp",  np.logaddexp,  lambda y, a, b: _share(a, b), lambda y, a, b: _share(b, a), formula="log(eᵃ+eᵇ)")
logaddexp2 = elementwise("logaddexp2", np.logaddexp2, lambda y, a, b: _share(math.log(2) * a, math.log(2) * b), lambda y, a, b: _share(math.log(2) * b, math.log(2) * a), formula="log₂(2ᵃ+2ᵇ)")
logistic: Primitive = elementwise("logistic", lambda x: _logistic(x), lambda y, x: y * logistic(-x), formula="1/(1+e⁻ᵃ)")
# fmt: on


def _logistic(x: Any) -> Any:
    u = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + u), u / (1 + u))[()]


def _share(a: Any, b: Any) -> Any:
    """`e^a / (e^a + e^b)`; one half each where both are the same infinity."""
    return logistic(np.where(a == b, 0.0, a - np.where(a == b, 0.0, b)))
