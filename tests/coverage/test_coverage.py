"""The coverage table `docs/coverage.csv` and the implementation agree, row by row.

Each row has a sample: a line of ordinary NumPy in the operands below.  It is run on plain arrays by NumPy alone, and
on traced arrays in every mode.

| status       | what is tested                                                                                      |
|--------------|-----------------------------------------------------------------------------------------------------|
| `derivative` | value and dtype are NumPy's; the derivative is that of central differences of NumPy                  |
| `zero`       | the same, and the derivative is zero                                                                 |
| `implicit`   | a random draw at its place in the distribution; its derivative, which is not that of NumPy's way of  |
|              | drawing, is tested in tests/primitives/test_gamma_draw.py, and here its modes against each other      |
| `value`      | the result has no derivative (bools, integers, text, shapes) and is NumPy's                          |
| `error`      | a derivative would be lost: `LostDerivativeError` says so                                            |
| `unsupported`| no rule: `UnsupportedFunctionError` says so                                                          |

`modes` are those that work: `forward`, `reverse`, `second` (both ways), `batch`.  A mode that is not named raises one of
our errors.  Run this file itself to print the count.
"""

import ast
import copy
import csv
import io
import operator
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.special

import wengert as wg
import wengert.numpy as wnp
import wengert.scipy.special as wspecial
from wengert import errors, trees
from wengert.core.trace import Tracer, lowest

TABLE = Path(__file__).resolve().parents[2] / "docs" / "coverage.csv"
MODES = ("forward", "reverse", "second", "batch")
rng = np.random.default_rng(7)
OPERANDS = {
    "s": np.float64(0.6),
    "x": np.array([0.37, 0.72, 0.48]),
    "y": np.array([0.93, 0.22, 0.56]),
    "u": np.array([0.34, 1.25, 0.81, -0.47, 0.66, -1.3]),
    "z": np.array([0.4 + 0.3j, -0.2 + 0.8j, 0.7 - 0.5j]),
    "M": np.array([[2.1, 0.3, -0.4], [0.5, 1.4, 0.2], [-0.3, 0.6, 1.8]]),
    "A": np.round(rng.uniform(0.1, 0.9, (3, 4)), 3),
    "T": np.round(rng.uniform(-0.9, 0.9, (2, 3, 4)), 3),
}  # fmt: skip
SAVED = io.BytesIO()
np.save(SAVED, np.arange(3.0))
RAW = Path(tempfile.mkdtemp(), "raw")
RAW.write_bytes(np.arange(3.0).tobytes())
FIXED = {
    "np": np, "copy": copy, "io": io, "operator": operator, "special": scipy.special, "mask": np.array([True, False, True]), "SAVED": SAVED.getvalue(),
    "RAW": RAW,
}  # fmt: skip


def read_table():
    with TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


ROWS = read_table()


class Sample:
    """A row's sample as a function of the operands that it names."""

    def __init__(self, text):
        *statements, last = text.split("; ")
        self.statements = [compile(s, text, "exec") for s in statements]
        self.last = compile(last, text, "eval")
        used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        self.names = [name for name in OPERANDS if name in used]
        self.values = [OPERANDS[name] for name in self.names]

    def run(self, values, *, plain):
        """The leaves of the result; by NumPy and SciPy alone where `plain`."""
        names = dict(FIXED, wnp=np if plain else wnp, wspecial=scipy.special if plain else wspecial)
        names.update(zip(self.names, (np.array(v)[()] if plain else v for v in values), strict=True))
        for statement in self.statements:
            exec(statement, names)
        leaves, _ = trees.flatten(eval(self.last, names))
        return leaves

    def inexact(self, *values):
        """The leaves that could have a derivative, on traced arrays."""
        return [y for y in self.run(values, plain=False) if is_inexact(y)]

    def number(self, *values):
        """A real number that every output enters, not linearly."""
        ys = self.inexact(*values)
        return sum(np.sum(np.real(y * (0.3 + 0.1 * k)) + np.real(y * np.conj(y))) for k, y in enumerate(ys))


def is_inexact(y):
    return getattr(getattr(y, "dtype", None), "kind", type(y).__name__[0]) in "fc"


def directions(values, seed):
    rng = np.random.default_rng(seed)
    found = []
    for v in values:
        t = rng.standard_normal(v.shape) + (1j * rng.standard_normal(v.shape) if v.dtype.kind == "c" else 0)
        found.append(np.asarray(t, v.dtype)[()])
    return found


def central_difference(function, values, tangents):
    """`J t` by central differences, extrapolated once."""

    def difference(h):
        up, down = (function(*[v + sign * h * t for v, t in zip(values, tangents, strict=True)]) for sign in (1, -1))
        return [(a - b) / (2 * h) for a, b in zip(up, down, strict=True)]

    coarse, fine = difference(2e-4), difference(1e-4)
    return [(4 * b - a) / 3 for a, b in zip(coarse, fine, strict=True)]


def close(found, expected, what, tolerance=1e-6):
    assert len(found) == len(expected), what
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


def same(found, expected):
    """Same leaves as NumPy's: values, dtypes, and kinds of things."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        a = lowest(a)
        if isinstance(b, (np.ndarray, np.generic, float, complex)):
            assert isinstance(a, (np.ndarray, np.generic)) or type(a) is type(b)
            assert np.asarray(a).dtype == np.asarray(b).dtype
            if np.asarray(b).dtype.kind in "fc":
                np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)  # cards are held to the bit by the laws
            else:
                np.testing.assert_array_equal(a, b)
        else:
            assert type(a) is type(b)
            assert a == b


# --- one function for each mode -----------------------------------------------------------------------------------


def plain_inexact(sample, values):
    return [np.asarray(y) for y in sample.run(values, plain=True) if is_inexact(y)]


def forward(sample):
    tangents = directions(sample.values, 1)
    expected = central_difference(lambda *v: plain_inexact(sample, v), sample.values, tangents)
    _, found = wg.jvp(sample.inexact, sample.values, tangents)
    close(found, expected, "forward")
    return any(np.any(np.abs(d) > 1e-7) for d in expected)


def reverse(sample, *, is_implicit=False):
    tangents = directions(sample.values, 2)
    ys, pull = wg.vjp(sample.inexact, *sample.values)
    cts = directions([np.asarray(y) for y in ys], 3)
    if is_implicit:
        expected = wg.jvp(sample.inexact, sample.values, tangents)[1]
    else:
        expected = central_difference(lambda *v: plain_inexact(sample, v), sample.values, tangents)
    left = sum(np.real(np.vdot(ct, dy)) for ct, dy in zip(cts, expected, strict=True))
    pulled = pull(cts)
    right = sum(np.real(np.vdot(ct, t)) for ct, t in zip(pulled, tangents, strict=True))
    np.testing.assert_allclose(right, left, rtol=1e-6, atol=1e-6, err_msg="reverse")
    for ct, v in zip(pulled, sample.values, strict=True):
        assert ct.dtype == v.dtype and ct.shape == v.shape


def second(sample, *, is_implicit=False):
    argnums = tuple(range(len(sample.values)))
    gradient = wg.grad(sample.number, argnums=argnums, on_disconnected="zero")
    tangents = directions(sample.values, 4)
    pushed = wg.jvp(gradient, sample.values, tangents)[1]
    expected = pushed if is_implicit else central_difference(gradient, sample.values, tangents)
    close(pushed, expected, "forward over reverse", 1e-5)

    def along(*values):
        return sum(np.sum(np.real(np.conj(t) * g)) for t, g in zip(tangents, gradient(*values), strict=True))

    close(wg.grad(along, argnums, on_disconnected="zero")(*sample.values), expected, "reverse over reverse", 1e-5)


def batch(sample):
    shifted = [v + 0.01 * t for v, t in zip(sample.values, directions(sample.values, 5), strict=True)]
    members = [sample.values, shifted]
    stacked = [np.stack(pair) for pair in zip(*members, strict=True)]
    is_array = []

    def arrays(*values):
        leaves = sample.run(values, plain=False)
        is_array[:] = [isinstance(y, (Tracer, np.ndarray, np.generic)) for y in leaves]
        return [y for y, chosen in zip(leaves, is_array, strict=True) if chosen]

    found = wg.vmap(arrays)(*stacked)
    for k, member in enumerate(members):
        expected = [y for y, chosen in zip(sample.run(member, plain=True), is_array, strict=True) if chosen]
        close([y[k] for y in found], expected, "batch", 1e-12)


def value(sample):
    """Traced in reverse and in forward mode, every leaf is NumPy's."""
    expected = sample.run(sample.values, plain=True)
    seen = []

    def watched(*values):
        seen[:] = sample.run(values, plain=False)
        return [y for y in seen if isinstance(y, Tracer)]

    wg.vjp(watched, *sample.values)
    same(seen, expected)
    wg.jvp(watched, sample.values, directions(sample.values, 6))
    same(seen, expected)


# --- the rows -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['group']}.{row['name']}" for row in ROWS])
def test_row(row):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        check_row(row)


def check_row(row):
    sample, status, modes = Sample(row["sample"]), row["status"], row["modes"].split()
    assert set(modes) <= set(MODES)
    if status in ("error", "unsupported"):
        assert modes == []
        kind = errors.LostDerivativeError if status == "error" else errors.UnsupportedFunctionError
        with pytest.raises(kind):
            wg.vjp(sample.inexact, *sample.values)
        with pytest.raises(kind):
            wg.jvp(sample.inexact, sample.values, directions(sample.values, 1))
        return
    value(sample)
    if status == "value":
        assert set(modes) <= {"batch"}
    else:
        is_implicit = status == "implicit"
        assert is_implicit or status == ("derivative" if forward(sample) else "zero")
        assert {"forward", "reverse", "second"} <= set(modes)
        reverse(sample, is_implicit=is_implicit)
        second(sample, is_implicit=is_implicit)
    if "batch" in modes:
        batch(sample)
    else:
        with pytest.raises((errors.WengertError, TypeError)):
            batch(sample)


def numpy_names():
    """Every public function of NumPy's three rooms, as the table names them."""
    for group, room, prefix in (("np", np, ""), ("np.linalg", np.linalg, ""), ("np.fft", np.fft, "")):
        for name in dir(room):
            thing = getattr(room, name, None)
            is_class = isinstance(thing, type)
            if name[0] != "_" and callable(thing) and not is_class:
                yield group, prefix + name


def test_no_function_of_numpy_is_missing():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        public = list(numpy_names())
    named = {row["name"].split("(")[0].split(".")[-1] for row in ROWS}
    aliases = {"row_stack", "in1d", "trapz"}  # gone from later versions of NumPy
    missing = [f"{group}.{name}" for group, name in public if name not in named | aliases]
    assert not missing, missing


def test_priorities_one_and_two_are_there():
    """Every everyday and common row of NumPy works: only what must be an error is one."""
    lacking = [row["name"] for row in ROWS if row["priority"] in "12" and row["status"] == "unsupported"]
    assert not lacking, lacking


def test_names_are_unique():
    twice = [key for key, n in Counter((row["group"], row["name"]) for row in ROWS).items() if n > 1]
    assert not twice


def count():
    counts = Counter((row["priority"], row["status"]) for row in ROWS)
    lines = [f"coverage: {len(ROWS)} rows"]
    for priority in "123":
        parts = [f"{n} {status}" for (p, status), n in sorted(counts.items()) if p == priority]
        lines.append(f"  priority {priority}: {', '.join(parts)}")
    return "\n".join(lines)


def test_count():
    print(count())
    assert sum(row["status"] in ("derivative", "zero", "implicit") for row in ROWS if row["priority"] in "12") >= 310


if __name__ == "__main__":
    print(count())
