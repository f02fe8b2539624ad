"""Every sample of the table of coverage under `jit`: value and gradient are those of eager evaluation.

A sample is recorded at one point and run at another, so that nothing of the first is left in the program.
"""

import importlib.util
import operator
from pathlib import Path

import numpy as np
import pytest

import wengert as wg
from wengert import trees
from wengert.errors import WengertError

_spec = importlib.util.spec_from_file_location("coverage_table", Path(__file__).parents[1] / "coverage" / "test_coverage.py")
table = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(table)

DATES = ("busday_offset", "datetime_as_string")  # a number of days that is an operand is no date for NumPy
ROWS = [
    row for row in table.ROWS
    if row["status"] in ("derivative", "zero", "value") and "random" not in row["group"] + row["sample"]
]  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore")


def assert_agree(found, wanted):
    left, right = trees.flatten(found)[0], trees.flatten(wanted)[0]
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        if type(b) in (bool, float, complex) and type(a) is not type(b):
            assert isinstance(a, np.generic)  # what `item` and `allclose` make of a traced value is NumPy's number
            b = a.dtype.type(b)
        kind = getattr(getattr(b, "dtype", None), "kind", "")
        if isinstance(b, type) or kind not in tuple("biufcUS"):
            assert type(a) is type(b)
            continue
        assert isinstance(a, np.ndarray) == isinstance(b, np.ndarray)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if kind in "fc":
            size = np.max(np.abs(b), initial=0, where=np.isfinite(b))
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9 * (1 + size), equal_nan=True)
        else:
            np.testing.assert_array_equal(a, b)


def fresh(values):
    """Copies, as a sample may write into them; numbers where there is no axis."""
    return [np.array(v)[()] for v in values]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['group']} {row['name']}")
def test_sample(row):
    sample = table.Sample(row["sample"])
    rng = np.random.default_rng(3)
    here = fresh(sample.values)
    there = [np.asarray(v + 1e-3 * rng.standard_normal(v.shape), v.dtype)[()] for v in here]
    functions = [lambda *values: sample.run(values, plain=False)]
    if row["status"] != "value" and here:
        functions.append(wg.grad(sample.number, argnums=tuple(range(len(here))), on_disconnected="zero"))
    with np.errstate(all="ignore"):
        for function in functions:
            jitted = wg.jit(function)
            if row["name"] in DATES:
                with pytest.raises((WengertError, TypeError)):
                    jitted(*fresh(here))
                continue
            for point in (here, there, here):
                try:
                    wanted = function(*fresh(point))
                except Exception as error:  # what is refused, is refused
                    with pytest.raises(type(error)):
                        jitted(*fresh(point))
                else:
                    assert_agree(jitted(*fresh(point)), wanted)


WRITTEN = {
    "a number": lambda x: operator.setitem(x, 0, 1),
    "a truth value": lambda x: operator.setitem(x, (slice(1, None), 0), True),
    "whole numbers": lambda x: operator.setitem(x, slice(0, 2), np.arange(3)),
    "at positions": lambda x: operator.setitem(x, [0, 2], np.arange(3)),
    "where a mask holds": lambda x: operator.setitem(x, x > 0, 2),
    "single precision": lambda x: operator.setitem(x, 0, np.ones(3, np.float32)),
    "on the diagonal": lambda x: np.fill_diagonal(x, 0),
    "put": lambda x: np.put(x, [1, 2], [3, 4]),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_numbers_of_other_dtypes_are_written_without_python(name):
    def loss(x):
        y = x * 2.0
        WRITTEN[name](y)
        return np.sum(y**2)

    x = np.random.default_rng(3).standard_normal((3, 3))
    compiled = wg.jit(wg.value_and_grad(loss))
    assert compiled.report(x).host_calls == ()
    value, slope = compiled(x)
    np.testing.assert_allclose(value, loss(x), rtol=1e-14)
    moved = [(loss(x + 1e-6 * e) - loss(x - 1e-6 * e)) / 2e-6 for e in np.eye(9).reshape(9, 3, 3)]
    np.testing.assert_allclose(slope.ravel(), moved, rtol=1e-6, atol=1e-8)
