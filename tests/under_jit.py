"""The eager suite with every derivative compiled.

    pytest --under-jit tests/laws tests/core tests/primitives tests/transforms tests/numpy tests/scipy tests/pains tests/examples

takes an hour and a half on two cores; `tests/compiler/test_under_jit.py` runs a part of it.

Functions that a transformation returns are jitted (`grad`, `value_and_grad`, `jacobian`, `hessian`, `vmap`, `wirtinger`), so are
calls of those that take the point at once (`jvp`, `hvp`), and `vjp` is taken of a jitted function; nested transformations are
jitted inside jitted ones.  What a test does that no compiled program can do is named in `eager_by_nature.txt`, with its reason.
"""

import functools
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import wengert
from wengert import api
from wengert.testing import gradients, programs
from wengert.transforms import repeats

LIST = Path(__file__).with_name("eager_by_nature.txt")
RETURNED = ("grad", "value_and_grad", "jacobian", "hessian", "vmap", "wirtinger")


def returned(transform):
    """A transformation whose results are jitted."""

    @functools.wraps(transform)
    def compiled(f, *settings, **named):
        found = transform(f, *settings, **named)
        return found if named.get("sparse") else wengert.jit(found)

    return compiled


def jvp(f, primals, tangents, has_aux=False):
    """The pushforward at a point as one program of primals and tangents."""
    if not (callable(f) and isinstance(primals, (tuple, list)) and isinstance(tangents, (tuple, list))):
        return api.jvp(f, primals, tangents, has_aux)
    return wengert.jit(lambda xs, dxs: api.jvp(f, xs, dxs, has_aux))(tuple(primals), tuple(tangents))


def vjp(f, *primals, has_aux=False):
    """The pullback of a compiled function, which is compiled itself."""
    return api.vjp(wengert.jit(f) if callable(f) else f, *primals, has_aux=has_aux)


def hvp(f, primals, tangents):
    """The product as one program."""
    return wengert.jit(lambda xs, dxs: api.hvp(f, xs, dxs))(primals, tangents) if callable(f) else api.hvp(f, primals, tangents)


def value_in_float(program, *args):
    """Compiled values have NumPy's to rounding, not to the last bit."""
    programs.check_value(program, *args, rtol=1e-14)


def equal_to_rounding(found, wanted, err_msg="", verbose=True, *, strict=False):
    """`assert_array_equal`, where the promise is "the same results to rounding": 4 units in the last place of floats."""
    eps = max((np.finfo(x.dtype).eps for x in (found, wanted) if getattr(getattr(x, "dtype", None), "kind", "") in tuple("fc")), default=0)
    if eps:
        np.testing.assert_allclose(found, wanted, 4 * eps, err_msg=err_msg, verbose=verbose, strict=strict)
    else:
        EXACTLY(found, wanted, err_msg, verbose, strict=strict)


EXACTLY = np.testing.assert_array_equal


def install():
    """From now on the public functions are compiled; eager tests that are imported later call these."""
    compiled = {name: returned(getattr(api, name)) for name in RETURNED} | {"jvp": jvp, "vjp": vjp, "hvp": hvp}
    for name, function in compiled.items():
        setattr(wengert, name, function)
    programs.wg = SimpleNamespace(**{name: getattr(api, name) for name in api.__all__} | compiled)
    programs._traced = lambda program, args: wengert.jit(program)(*args)
    programs.check_bits = value_in_float
    gradients.jvp, gradients.vjp = jvp, vjp
    repeats.LARGE = 10**9  # eager tests have long loops of Python's: no advice about them
    np.testing.assert_array_equal = equal_to_rounding


def exclusions():
    """(pattern of node ids, reason) of each line of the list."""
    lines = [line for line in LIST.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(part.strip() for part in line.split("  ", 1)) for line in lines]


def keep(items):
    """The tests that run under jit, and those that do not; a line of the list that hits no test of its file is out of date."""
    listed = exclusions()
    kept, left = [], []
    for item in items:
        (left if any(fnmatchcase(item.nodeid, pattern) for pattern, _ in listed) else kept).append(item)
    return kept, left


def stale(items):
    """The lines of the list whose file was collected whole and that hit no test."""
    files = {item.nodeid.partition("::")[0] for item in items}
    return [p for p, _ in exclusions() if p.partition("::")[0] in files and not any(fnmatchcase(x.nodeid, p) for x in items)]
