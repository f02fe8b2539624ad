"""Every card under `jit`: value, forward, reverse and second derivatives are those of eager evaluation.

A program is recorded at one point and run at others, so that nothing of the first is left in it.
"""

import numpy as np
import pytest

import wengert as wg
from wengert import trees
from wengert.core.primitive import REGISTRY
from wengert.testing.cases import cases_of, central_cases
from wengert.testing.comparing import direction, directions, point, program

pytestmark = pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
CARDS = dict(REGISTRY)
LOOSE = {"e": 2e-2, "f": 2e-4, "F": 2e-4}


def readings(flat):
    """All readings of a flat function in one program."""

    def pulled(xs, cts):
        return list(wg.vjp(lambda *v: flat(*v), *xs)[1](list(cts)))

    def everything(xs, dxs, cts, es):
        if not cts:
            return flat(*xs)
        y, dy = wg.jvp(lambda *v: flat(*v), tuple(xs), tuple(dxs))
        ct, second = wg.jvp(lambda *v: pulled(v, cts), tuple(xs), tuple(es))
        return y, dy, ct, second

    return everything


def assert_agree(found, wanted, what):
    left, structure = trees.flatten(found)
    right, expected = trees.flatten(wanted)
    assert structure == expected
    for a, b in zip(left, right, strict=True):
        assert type(a) is type(b), (what, type(a), type(b))
        assert (a.dtype, a.shape) == (b.dtype, b.shape), what
        if b.dtype.kind not in "fc":
            np.testing.assert_array_equal(a, b)
            continue
        rtol = LOOSE.get(b.dtype.char, 1e-8)
        size = np.max(np.abs(b), initial=0, where=np.isfinite(b))
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * (1e-2 + size), equal_nan=True, err_msg=what)


def moved(rng, xs):
    """The same operands a little further on; an array stays one."""
    return [np.asarray(x + 1e-3 * direction(rng, x), x.dtype) if isinstance(x, np.ndarray) else x + x.dtype.type(1e-3) for x in xs]


def sample(rng, xs, ys):
    return xs, directions(rng, xs), directions(rng, ys), directions(rng, xs)


@pytest.mark.parametrize("name", CARDS)
def test_card(name):
    card, rng = CARDS[name], np.random.default_rng(1)
    tried = 0
    with np.errstate(all="ignore"):
        for case in central_cases(card):
            flat, xs = program(card, case), point(case)
            if not xs:
                continue
            ys = flat(*xs)
            function = readings(flat)
            jitted = wg.jit(function)
            for operands in (xs, moved(rng, xs), xs):
                args = sample(rng, operands, ys)
                assert_agree(jitted(*args), function(*args), f"{name} on {case}")
                tried += 1
    assert tried or not any(case.active for case in central_cases(card))


@pytest.mark.parametrize("name", CARDS)
def test_values_of_every_type_and_layout(name):
    card = CARDS[name]
    with np.errstate(all="ignore"):
        for case in cases_of(card):
            case = case.settled()
            arrays = [k for k, x in enumerate(case.operands) if hasattr(x, "dtype")]

            def function(*values, case=case, arrays=arrays):
                operands = list(case.operands)
                for slot, x in zip(arrays, values, strict=True):
                    operands[slot] = x
                y = card(*operands, **case.params)
                parts = [y] if card.n_outputs is None else list(y)
                return parts if case.observe is None else list(case.observe(*parts))

            xs = [case.operands[k] for k in arrays]
            if arrays:
                assert_agree(wg.jit(function)(*xs), function(*xs), f"{name} on {case}")
