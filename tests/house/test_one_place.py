"""A primitive is one card in one place.

A new card in a module of its own obeys every law, and is reached by every transformation, without another edit; and
a wrong card is caught by the law that it breaks, whichever of its facts is wrong.
"""

import importlib.util
import sys

import numpy as np
import pytest

import wengert as wg
from wengert.core.array import FRONT
from wengert.core.primitive import REGISTRY
from wengert.errors import CheckError
from wengert.primitives.elementwise import elementwise, step
from wengert.primitives.families import linear, multilinear, smooth
from wengert.testing import LAWS, check_card, check_law

CARDS = '''
"""Four new cards, one of each family with a derivative."""

import numpy as np

from wengert.primitives.elementwise import elementwise
from wengert.primitives.families import linear, multilinear, smooth
from wengert.primitives.index import selection
from wengert.primitives.pattern import dense_pattern
from wengert.primitives.structure import conjugate

softsign = elementwise(
    "test_softsign", lambda x: x / (1 + abs(x)), lambda y, x: np.square(1 - np.abs(y)), formula="a / (1 + |a|)"
)
mirror = selection("test_mirror", lambda x: x[..., ::-1], laws=lambda make: [((make(2, 3),), {})])
total = linear(
    "test_total",
    lambda x: np.sum(x, -1, keepdims=True),
    lambda ct, x: np.broadcast_to(ct, x.shape) + 0,
    laws=lambda make: [((make(2, 3),), {}), ((make(4, kind="c"),), {})],
)
shrink = smooth(
    "test_shrink",
    lambda x: x / (1 + np.sum(x * x, -1, keepdims=True)),
    lambda dxs, y, x: (dxs[0] - 2 * y * np.sum(x * dxs[0], axis=-1, keepdims=True)) / (1 + np.sum(x * x, axis=-1, keepdims=True)),
    laws=lambda make: [((make(3),), {}), ((make(2, 3),), {})],
)
'''


@pytest.fixture
def scratch():
    """Cards made in a test are forgotten after it."""
    cards, fronts = dict(REGISTRY), dict(FRONT)
    yield
    REGISTRY.clear(), REGISTRY.update(cards)
    FRONT.clear(), FRONT.update(fronts)


@pytest.fixture
def new_cards(tmp_path, scratch):
    path = tmp_path / "new_cards.py"
    path.write_text(CARDS, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("new_cards", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("new_cards", None)


@pytest.mark.parametrize("name", ["softsign", "mirror", "total", "shrink"])
def test_a_new_card_obeys_every_law(new_cards, name):
    counts = check_card(getattr(new_cards, name))
    assert counts.keys() == LAWS.keys()
    assert all(count > 0 for law, count in counts.items() if law != "kinks")


def test_a_new_card_is_reached_by_every_transformation(new_cards):
    softsign = new_cards.softsign
    x = np.array([-1.0, 0.5, 2.0])
    slope, bend = 1 / (1 + np.abs(x)) ** 2, -2 * np.sign(x) / (1 + np.abs(x)) ** 3
    np.testing.assert_allclose(wg.grad(lambda x: softsign(x).sum())(x), slope, rtol=1e-14)
    np.testing.assert_allclose(wg.jvp(softsign, (x,), (np.ones(3),))[1], slope, rtol=1e-14)
    np.testing.assert_allclose(wg.jacobian(softsign)(x), np.diag(slope), rtol=1e-14)
    np.testing.assert_allclose(wg.hessian(lambda x: softsign(x).sum())(x), np.diag(bend), rtol=1e-13)
    np.testing.assert_allclose(wg.vmap(wg.grad(softsign))(x), slope, rtol=1e-14)
    assert [node.primitive for node in wg.trace(lambda x: softsign(x))(x).nodes] == [softsign]


def sum_all(x):
    return np.sum(x, -1, keepdims=True)


ONE = {"laws": lambda make: [((make(2, 3),), {})]}

# name -> (a card with one wrong fact, the laws that must find it)
WRONG = {
    "slope": (lambda: elementwise("wrong", np.sin, lambda y, x: np.cos(x) + 1e-5, numpy=()), {"forward"}),
    "slope of the slope": (lambda: elementwise("wrong", np.sin, lambda y, x: np.cos(wg.stop_gradient(x)), numpy=()), {"second"}),
    "kink": (lambda: elementwise("wrong", np.abs, lambda y, x: np.where(x >= 0, 1.0, -1.0), numpy=()), {"kinks"}),
    "strong zero": (lambda: multilinear("wrong", np.multiply, lambda slot, ct, a, b: ct * (b if slot == 0 else a),
                                        batch=lambda xs, flags, params: REGISTRY["wrong"](*xs),
                                        pattern=lambda slot, y, xs, params: np.eye(np.size(y), dtype=bool),
                                        laws=lambda make: [((make(3), make(3)), {})]), {"zeros"}),
    "function of NumPy's": (lambda: elementwise("wrong", lambda x: np.sin(x) * (1 + 1e-15), lambda y, x: np.cos(x), numpy=(np.sin,)), {"value"}),
    "dtype": (lambda: elementwise("wrong", lambda x: np.sin(x) * np.float64(1), lambda y, x: np.cos(x), numpy=(np.sin,)), {"value"}),
    "not constant": (lambda: step("wrong", lambda x: x * 1, numpy=()), {"forward"}),
    "adjoint": (lambda: linear("wrong", sum_all, lambda ct, x: 1.001 * np.broadcast_to(ct, x.shape), **ONE), {"transpose"}),
    "conjugate in the adjoint": (lambda: linear("wrong", lambda x: x * 1j, lambda ct, x: ct * 1j,
                                                laws=lambda make: [((make(3, kind="c"),), {})]), {"transpose"}),
    "dtype of the adjoint": (lambda: linear("wrong", sum_all, lambda ct, x: np.broadcast_to(ct, x.shape).astype(float), **ONE), {"transpose"}),
    "differential": (lambda: smooth("wrong", lambda x: x**3, lambda dxs, y, x: 3 * x * dxs[0], **ONE), {"forward"}),
    "not linear": (lambda: smooth("wrong", lambda x: x**3, lambda dxs, y, x: 3 * x**2 * np.abs(dxs[0]), **ONE), {"linear"}),
    "pattern": (lambda: smooth("wrong", lambda x: x * sum_all(x), lambda dxs, y, x: dxs[0] * np.sum(x, axis=-1, keepdims=True) + x * np.sum(dxs[0], axis=-1, keepdims=True),
                               pattern=lambda slot, y, xs, params: np.eye(np.size(y), dtype=bool), **ONE), {"pattern"}),
    "batch": (lambda: smooth("wrong", lambda x: x / np.sum(x), lambda dxs, y, x: (dxs[0] - y * np.sum(dxs[0])) / np.sum(x), **ONE), {"batch"}),
    "params that no text holds": (lambda: linear("wrong", lambda x, f: x * f(2.0), lambda ct, x, f: ct * f(2.0),
                                                 laws=lambda make: [((make(3),), {"f": abs})]), {"type"}),
    "no cases": (lambda: smooth("wrong", np.sin, lambda dxs, y, x: np.cos(x) * dxs[0]), set(LAWS)),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_card_is_caught(fault, scratch):
    make, laws = WRONG[fault]
    card = make()
    for law in laws:
        with pytest.raises(CheckError, match="'wrong'"):
            check_law(card, law)


def test_the_message_says_what_was_found(scratch):
    card = elementwise("wrong", np.sin, lambda y, x: 2 * np.cos(x), numpy=())
    with pytest.raises(CheckError, match=r"breaks the law of forward on \(float64\[3\]\)") as caught:
        check_card(card)
    assert "J dx at (0,) is" in str(caught.value)
    assert "test_one_place.py" in str(caught.value)
