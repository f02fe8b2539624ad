"""The traced array under Python's operators, beside everything that may stand on the other side of them."""

import operator

import numpy as np
import pytest

import wengert as wg
from wengert.core.array import Array
from wengert.errors import AssignmentError
from wengert.testing.programs import check_program

X = np.array([[0.3, -1.7, 2.6], [1.2, 0.43, -0.8]])
ROW = np.array([1.5, 2.0, 0.7])

BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.mod, operator.floordiv, operator.pow, divmod,
]  # fmt: skip
OTHERS = {
    "array": ROW,
    "list": [1.5, 2.0, 0.7],
    "nested tuple": ((1.5,), (2.5,)),
    "float": 2.5,
    "int": 3,
    "bool": True,
    "float64": np.float64(1.25),
    "int64": np.int64(2),
    "0-d": np.array(1.5),
}


@pytest.mark.parametrize("other", OTHERS, ids=str)
@pytest.mark.parametrize("operate", BINARY, ids=lambda f: f.__name__)
def test_operators_on_both_sides(operate, other):
    value = OTHERS[other]
    check_program(lambda x: (operate(x, value), operate(value, x)), np.abs(X) + 0.11, batch=False, rtol=1e-5, order=1)


def test_operators_in_batches_and_second_order():
    check_program(lambda x: (ROW * x / 2 - 3**x, [1.0, 2.0, 3.0] @ x.T, x @ ROW, 2 % (x + 9), -x, +x, abs(x)), X)


def test_matrix_products_on_both_sides():
    matrix = np.arange(6.0).reshape(3, 2)
    check_program(lambda x: (matrix @ x, x @ matrix, ROW @ x.T, x @ ROW, x @ [1.0, 2.0, 3.0]), X)

    def in_place(x):
        y = x * 1.0
        y @= np.diag(ROW)
        return y

    check_program(in_place, X)


def test_bits_and_shifts_of_a_batch():
    k = np.array([[3, 5], [6, 1]])
    f = lambda k: (k << 2, 3 << k, k >> 1, 64 >> k, k & 3, 5 & k, k | 8, 8 | k, k ^ 1, 1 ^ k, ~k, k // 2, 7 // k, k % 2, 2**k, -k)
    for found, right in zip(wg.vmap(f)(k), zip(*map(f, k))):
        np.testing.assert_array_equal(found, right)

    def in_place(k):
        k = k + 0
        k <<= 3
        k >>= 1
        k |= 1
        k &= 13
        k ^= 2
        k //= 2
        return k

    np.testing.assert_array_equal(wg.vmap(in_place)(k), [in_place(row) for row in k])


IN_PLACE = [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.imod, operator.ifloordiv, operator.ipow]


@pytest.mark.parametrize("operate", IN_PLACE, ids=lambda f: f.__name__)
def test_in_place(operate):
    def program(x):
        y = x * 1.0
        view, whole = y[::-1, 1], y
        y = operate(y, x[0] + 1.3)
        assert y is whole
        view = operate(view, 2.5)
        return y, view

    check_program(program, np.abs(X) + 0.11, rtol=1e-5)


@pytest.mark.parametrize("operate", IN_PLACE, ids=lambda f: f.__name__)
def test_in_place_on_a_plain_array(operate):
    table = np.ones((2, 3))
    with pytest.raises(AssignmentError, match="plain array"):
        wg.grad(lambda x: np.sum(operate(table, x)))(X)
    np.testing.assert_array_equal(table, 1.0)


def test_numbers_do_not_change_in_place():
    """`x[0]` and `np.sum(x)` are numbers in NumPy: `+=` gives the name another one, and other names keep theirs."""

    def f(x):
        first = x[0, 0]
        total = first
        total += x[0, 1]
        kept = loss = np.sum(x * x)
        loss *= 2.0
        running = []
        for k in range(3):
            total += x[1, k]
            running.append(total)
        return first * 3 + total + kept * loss + running[0] * running[1]

    check_program(f, X)


def test_arrays_without_axes_change_in_place():
    def f(x):
        y = np.zeros_like(x[0, 0])
        other = y
        y += x[0, 1] * 2
        other *= x[1, 1]
        z = x * 1.0
        entry = z[0, 1, ...]
        entry += 5.0
        entry[...] = entry * x[1, 0]
        return y + other, z

    check_program(f, X, batch=False)


def test_views_without_axes_in_a_batch():
    def f(x):
        z = x * 1.0
        entry = z[0, 1, ...]
        entry += 5.0
        return z * entry

    check_program(f, X)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: operator.iadd(x, 1j), TypeError),
        (lambda x: operator.iadd(x, np.ones((4, 2, 3))), ValueError),
        (lambda x: operator.iadd(x, np.ones(4)), ValueError),
        (lambda x: x + np.ones(4), ValueError),
        (lambda x: x @ x, ValueError),
        (lambda x: x + None, TypeError),
        (lambda x: x + "a", TypeError),
        (lambda x: "a" + x, TypeError),
        (lambda x: x < None, TypeError),
        (lambda x: x < "a", TypeError),
        (lambda x: x & 1, TypeError),
        (lambda x: x << 1, TypeError),
        (lambda x: ~x, TypeError),
        (lambda x: pow(x, 2, 3), TypeError),
        (lambda x: bool(x), ValueError),
        (lambda x: x[0.5], IndexError),
        (lambda x: x["a"], IndexError),
        (lambda x: x[0, 0, 0], IndexError),
        (lambda x: x[5], IndexError),
        (lambda x: operator.setitem(x, 0, np.ones(4)), ValueError),
        (lambda x: operator.setitem(x, 7, 1.0), IndexError),
        (lambda x: operator.delitem(x, 0), (ValueError, TypeError, AttributeError)),
        (lambda x: x(), TypeError),
    ],
)
def test_errors_are_numpys(call, error):
    with pytest.raises(error):
        call(X.copy())
    with pytest.raises(error):
        wg.grad(lambda x: np.sum(call(x * 1.0)))(X)


def test_comparisons_with_none_and_text():
    def f(x):
        for value in (None, "a", b"a", object()):
            np.testing.assert_array_equal(x == value, np.zeros_like(X, bool))
            np.testing.assert_array_equal(x != value, np.ones_like(X, bool))
            np.testing.assert_array_equal(value == x, np.zeros_like(X, bool))
        return np.sum(x)

    wg.grad(f)(X)


class Stranger:
    """Knows what to do with anything on its left."""

    __array_ufunc__ = None

    def __radd__(self, other):
        return "added"

    def __rmatmul__(self, other):
        return "multiplied"

    def __eq__(self, other):
        return "equal"

    __hash__ = None


class Prior:
    __array_priority__ = 100.0

    def __rmul__(self, other):
        return "multiplied"


def test_others_may_take_over():
    def f(x):
        assert x + Stranger() == "added"
        assert x @ Stranger() == "multiplied"
        assert (x == Stranger()) == "equal"
        assert x * Prior() == "multiplied"
        with pytest.raises(TypeError):
            x - Stranger()
        y = x * 1.0
        y += Stranger()
        assert y == "added"
        return np.sum(x)

    wg.grad(f)(X)


def test_truth_and_branches_look_at_the_value():
    f = lambda x: x**2 if x > 0 else -x
    assert wg.grad(f)(1.5) == 3.0
    assert wg.grad(f)(-1.5) == -1.0
    assert wg.grad(lambda x: max(x[0], x[1]) * 2 if x[0] in x else 0.0)(ROW)[1] == 2.0
    assert wg.grad(lambda x: sorted(x)[0])(ROW)[2] == 1.0
    assert wg.grad(lambda x: sum(x))(ROW).tolist() == [1.0, 1.0, 1.0]


def test_text():
    def f(x):
        assert repr(x) == f"Array({X!r})"
        assert str(x) == str(X)
        assert f"{x[0, 0]:.2f}" == "0.30"
        assert f"{x}" == f"{X}"
        with pytest.raises(TypeError):
            format(x, ".2f")
        assert isinstance(x, Array)
        return np.sum(x)

    wg.grad(f)(X)
