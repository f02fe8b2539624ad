"""Cards: trigonometric functions and their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.primitives.elementwise import elementwise

_DEGREE = np.pi / 180


def _angle_slope(part: Any, a: Any, b: Any) -> Any:
    """`part / (a² + b²)` without overflow, and 0 at the origin, where every direction has a partner."""
    length = np.hypot(a, b)
    nonzero = np.where(length == 0, 1.0, length)
    return np.where(length == 0, 0.0, part / nonzero / nonzero)


# fmt: off - a table of cards: name, value, slope for each operand
sin     = elementwise("sin",     np.sin,     lambda y, x: np.cos(x),                       formula="sin a")
cos     = elementwise("cos",     np.cos,     lambda y, x: -np.sin(x),                      formula="cos a")
tan     = elementwise("tan",     np.tan,     lambda y, x: 1 / np.square(np.cos(x)),        formula="tan a", domain=(-1.4, 1.4))
arcsin  = elementwise("arcsin",  np.arcsin,  lambda y, x: 1 / np.sqrt(-(x - 1) * (x + 1)),  formula="arcsin a", domain=(-0.9, 0.9))
arccos  = elementwise("arccos",  np.arccos,  lambda y, x: -1 / np.sqrt(-(x - 1) * (x + 1)), formula="arccos a", domain=(-0.9, 0.9))
arctan  = elementwise("arctan",  np.arctan,  lambda y, x: 1 / (1 + np.square(x)),          formula="arctan a")
arctan2 = elementwise("arctan2", np.arctan2, lambda y, a, b: _angle_slope(b, a, b), lambda y, a, b: _angle_slope(-a, a, b), formula="atan2(a, b)")
deg2rad = elementwise("deg2rad", np.deg2rad, _DEGREE,                                      formula="π a / 180")
rad2deg = elementwise("rad2deg", np.rad2deg, 1 / _DEGREE,                                  formula="180 a / π")
radians = elementwise("radians", np.radians, _DEGREE,                                      formula="π a / 180")
degrees = elementwise("degrees", np.degrees, 1 / _DEGREE,                                  formula="180 a / π")
# fmt: on
