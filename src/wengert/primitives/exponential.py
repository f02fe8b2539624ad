"""Cards: exponentials, logarithms and hyperbolic functions."""

from __future__ import annotations

import math

import numpy as np

from wengert.primitives.elementwise import elementwise
from wengert.primitives.slopes import arccosh_slope, arcsinh_slope, arctanh_slope, exp2_share, exp_share, sech

# fmt: off - a table of cards: name, value, slope for each operand
exp    = elementwise("exp",    np.exp,    lambda y, x: y,                        formula="exp a")
exp2   = elementwise("exp2",   np.exp2,   lambda y, x: math.log(2) * y,          formula="2ᵃ")
expm1  = elementwise("expm1",  np.expm1,  lambda y, x: np.exp(x),                formula="exp a - 1")
log    = elementwise("log",    np.log,    lambda y, x: 1 / x,                    formula="log a",     domain=(0.1, 4.0))
log2   = elementwise("log2",   np.log2,   lambda y, x: 1 / math.log(2) / x,    formula="log₂ a",    domain=(0.1, 4.0))
log10  = elementwise("log10",  np.log10,  lambda y, x: 1 / math.log(10) / x,   formula="log₁₀ a",   domain=(0.1, 4.0))
log1p  = elementwise("log1p",  np.log1p,  lambda y, x: 1 / (1 + x),              formula="log(1+a)",  domain=(-0.9, 4.0))
sinh   = elementwise("sinh",   np.sinh,   lambda y, x: np.cosh(x),               formula="sinh a")
cosh   = elementwise("cosh",   np.cosh,   lambda y, x: np.sinh(x),               formula="cosh a")
tanh   = elementwise("tanh",   np.tanh,   lambda y, x: np.square(sech(x)),       formula="tanh a")
arcsinh = elementwise("arcsinh", np.arcsinh, lambda y, x: arcsinh_slope(x),      formula="arsinh a")
arccosh = elementwise("arccosh", np.arccosh, lambda y, x: arccosh_slope(x),      formula="arcosh a", domain=(1.2, 4.0))
arctanh = elementwise("arctanh", np.arctanh, lambda y, x: arctanh_slope(x),      formula="artanh a", domain=(-0.9, 0.9))
logaddexp  = elementwise("logaddexp",  np.logaddexp,  lambda y, a, b: exp_share(a, b),  lambda y, a, b: exp_share(b, a),  formula="log(eᵃ+eᵇ)")
logaddexp2 = elementwise("logaddexp2", np.logaddexp2, lambda y, a, b: exp2_share(a, b), lambda y, a, b: exp2_share(b, a), formula="log₂(2ᵃ+2ᵇ)")
# fmt: on
