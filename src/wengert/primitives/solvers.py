"""Values that SciPy's solvers ask a user's function for, in Python, before their compiled code does.

That code turns what it gets into numbers, and goes on where this fails: `brentq` returns something else, or reports a
sign, and `fsolve` prints the error away.  Both look at the value in Python first, with one function of NumPy each.
There the conversion is tried, so that its error comes out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.array import FRONT, implements
from wengert.core.trace import Tracer
from wengert.primitives import arithmetic, joining

KNOWN_BY = (arithmetic, joining)  # the modules whose functions are looked at here come first

_LOOKS = {"f_raise": "_zeros_py.py", "_check_func": "_minpack_py.py"}  # functions of `scipy.optimize`, and their files


def _tried(front: Callable[..., Any]) -> Callable[..., Any]:
    def looked_at(x: Any, *rest: Any, **settings: Any) -> Any:
        code = sys._getframe(2).f_code  # who called NumPy's function
        if code.co_filename.endswith(_LOOKS.get(code.co_name, "nobody")) and isinstance(x, Tracer):
            np.asarray(x) if x.shape else float(x)  # type: ignore[arg-type]  # which is an error, and said to be one
        return front(x, *rest, **settings)

    return looked_at


for _function in (np.isnan, np.atleast_1d):
    implements(_function)(_tried(FRONT[_function]))
