"""Cards: exponentials, logarithms and hyperbolic functions."""

from __future__ import annotations

import math

import numpy as np

from wengert.primitives.elementwise import elementwise
from wengert.primitives.slopes import arccosh_slope, arcsinh_slope, arctanh_slope, exp2_share, exp_share, sech

# fmt: off - a table of cards: name, value, slope for each operand
exp    = elementwise("exp",    np.exp,    lambda y, x: y,                        formula="exp a", code="exp(a)")
exp2   = elementwise("exp2",   np.exp2,   lambda y, x: math.log(2) * y,          formula="2ᵃ", code="exp2(a)")
expm1  = elementwise("expm1",  np.expm1,  lambda y, x: np.exp(x),                formula="exp a - 1", code="expm1(a)")
log    = elementwise("log",    np.log,    lambda y, x: 1 / x,                    formula="log a",     domain=(0.1, 4.0), code="log(a)")
log2   = elementwise("log2",   np.log2,   lambda y, x: 1 / math.log(2) / x,    formula="log₂ a",    domain=(0.1, 4.0), code="log2(a)")
log10  = elementwise("log10",  np.log10,  lambda y, x: 1 / math.log(10) / x,   formula="log₁₀ a",   domain=(0.1, 4.0), code="log10(a)")
log1p  = elementwise("log1p",  np.log1p,  lambda y, x: 1 / (1 + x),              formula="log(1+a)",  domain=(-0.9, 4.0), code="log1p(a)")
sinh   = elementwise("sinh",   np.sinh,   lambda y, x: np.cosh(x),               formula="sinh a", code="sinh(a)")
cosh   = elementwise("cosh",   np.cosh,   lambda y, x: np.sinh(x),               formula="cosh a", code="cosh(a)")
tanh   = elementwise("tanh",   np.tanh,   lambda y, x: np.square(sech(x)),       formula="tanh a", code="tanh(a)")
arcsinh = elementwise("arcsinh", np.arcsinh, lambda y, x: arcsinh_slope(x),      formula="arsinh a", code="asinh(a)")
arccosh = elementwise("arccosh", np.arccosh, lambda y, x: arccosh_slope(x),      formula="arcosh a", domain=(1.2, 4.0), code="acosh(a)")
arctanh = elementwise("arctanh", np.arctanh, lambda y, x: arctanh_slope(x),      formula="artanh a", domain=(-0.9, 0.9), code="atanh(a)")
logaddexp  = elementwise("logaddexp",  np.logaddexp,  lambda y, a, b: exp_share(a, b),  lambda y, a, b: exp_share(b, a),  formula="log(eᵃ+eᵇ)", code="a + log(2) if a == b else (a if a > b else b) + log1p(exp(-abs(a - b)))")
logaddexp2 = elementwise("logaddexp2", np.logaddexp2, lambda y, a, b: exp2_share(a, b), lambda y, a, b: exp2_share(b, a), formula="log₂(2ᵃ+2ᵇ)", code="a + 1 if a == b else (a if a > b else b) + log1p(exp2(-abs(a - b))) / log(2)")
# fmt: on
