"""Cases on which the laws are tried for loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.parse import parse


def laws_of_scan(make: Any) -> list[Any]:
    """Cases: a state of two parts with constants and results; the last step first; no state; no step; checkpoints."""
    body = parse("""graph(w:float64[2,2], s:float64[2,1], t:float64[], x:float64[2,1]) {
      a:float64[2,1] = matmul w s
      b:float64[2,1] = multiply a x
      c:float64[2,1] = sin b
      p:float64[2,1] = multiply c x
      d:float64[] = sum p {axis=(-2, -1), keepdims=False}
      u:float64[] = add t d
      return c u p
    }""")
    sums = parse("graph(x:float64[3]) {\n y:float64[3] = multiply x x\n return y\n}")
    operands = (make(2, 2), make(2, 1), make(), make(3, 2, 1))
    params = {"body": body, "n_consts": 1, "n_carry": 2, "checkpoint": None, "length": 3, "reverse": False}
    return [
        (operands, params),
        (operands, {**params, "reverse": True, "checkpoint": 2}),
        ((*operands[:3], make(0, 2, 1)), {**params, "length": 0}),
        ((make(2, 3),), {**params, "body": sums, "n_consts": 0, "n_carry": 0, "length": 2}),
    ]


def laws_of_while(make: Any) -> list[Any]:
    """Cases: a number of trips that depends on the state, with constants; no trip."""
    test = parse("graph(n:float64[], s:float64[2], k:float64[]) {\n g:bool[] = less k n\n return g\n}")
    body = parse("""graph(w:float64[2], s:float64[2], k:float64[]) {
      const one:float64[] = 1.0
      a:float64[2] = multiply w s
      b:float64[2] = sin a
      c:float64[] = add k one
      return b c
    }""")
    params = {"body": body, "n_consts": 1, "n_carry": 2, "checkpoint": None, "test": test, "n_test": 1}
    operands = (np.float64(2.3), make(2), make(2), np.float64(0.4))
    return [(operands, params), ((np.float64(0.0), *operands[1:]), params), (operands, {**params, "checkpoint": "recursive"})]
