"""Cards: trigonometric functions and their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.primitives.elementwise import elementwise
from wengert.primitives.slopes import arcsin_slope, arctan2_slope, arctan_slope, sech

_DEGREE = np.pi / 180


def _tan_slope(y: Any, x: Any) -> Any:
    """`1 + y²`; in the complex plane, where that cancels far from the real axis, `1 / cos² x`."""
    return np.square(sech(1j * x)) if x.dtype.kind == "c" else 1 + np.square(y)


# fmt: off - a table of cards: name, value, slope for each operand
sin     = elementwise("sin",     np.sin,     lambda y, x: np.cos(x),                       formula="sin a", code="sin(a)")
cos     = elementwise("cos",     np.cos,     lambda y, x: -np.sin(x),                      formula="cos a", code="cos(a)")
tan     = elementwise("tan",     np.tan,     _tan_slope,                                   formula="tan a", domain=(-1.4, 1.4), code="tan(a)")
arcsin  = elementwise("arcsin",  np.arcsin,  lambda y, x: arcsin_slope(x),                 formula="arcsin a", domain=(-0.9, 0.9), code="asin(a)")
arccos  = elementwise("arccos",  np.arccos,  lambda y, x: -arcsin_slope(x),                formula="arccos a", domain=(-0.9, 0.9), code="acos(a)")
arctan  = elementwise("arctan",  np.arctan,  lambda y, x: arctan_slope(x),                 formula="arctan a", code="atan(a)")
arctan2 = elementwise("arctan2", np.arctan2, lambda y, a, b: arctan2_slope(a, b), lambda y, a, b: -arctan2_slope(b, a), formula="atan2(a, b)", code="atan2(a, b)")
deg2rad = elementwise("deg2rad", np.deg2rad, _DEGREE,                                      formula="π a / 180", code="a * (pi / 180)")
rad2deg = elementwise("rad2deg", np.rad2deg, 1 / _DEGREE,                                  formula="180 a / π", code="a * (180 / pi)")
radians = elementwise("radians", np.radians, _DEGREE,                                      formula="π a / 180", code="a * (pi / 180)")
degrees = elementwise("degrees", np.degrees, 1 / _DEGREE,                                  formula="180 a / π", code="a * (180 / pi)")
# fmt: on
