"""Every card on the tape: first and second derivatives are those of `wg.vjp` and of its nesting."""

import warnings

import numpy as np
import pytest

import wengert as wg
import wengert.tensor as torch
from wengert.core.primitive import REGISTRY
from wengert.testing.cases import central_cases
from wengert.testing.comparing import outputs

CARDS = [name for name, card in REGISTRY.items() if card.pull is not None and (card.laws is not None or card.domain is not None)]


def weights(ys, seed):
    rng = np.random.default_rng(seed)
    made = [rng.uniform(0.5, 1.5, np.shape(y)).astype(np.asarray(y).real.dtype) for y in ys]
    return [w + 0.25j if np.iscomplexobj(y) else w for w, y in zip(made, ys, strict=True)]


def plain(value):
    return value.numpy(force=True) if isinstance(value, torch.Tensor) else np.asarray(value)


def pulled(function, xs, cts):
    """`Jᴴ ct` on the tape, with a history."""
    ys = function(*xs)
    pairs = [(y, torch.as_tensor(ct)) for y, ct in zip(ys, cts, strict=True) if isinstance(y, torch.Tensor) and y.requires_grad]
    if not pairs:
        return [None] * len(xs)
    return torch.autograd.grad([y for y, _ in pairs], xs, [ct for _, ct in pairs], create_graph=True, allow_unused=True)


def agree(found, expected, xs):
    for g, e, x in zip(found, expected, xs, strict=True):
        zero = np.zeros(np.shape(x))
        np.testing.assert_allclose(plain(zero if g is None else g), plain(zero if e is None else e), rtol=1e-9, atol=1e-9)


def sweep(name, case):
    card = REGISTRY[name]
    active = case.active

    def function(*xs):
        operands = list(case.operands)
        for slot, x in zip(active, xs, strict=True):
            operands[slot] = x
        return [y for y in outputs(card, case, operands) if y.dtype.kind in "fc"]

    arrays = [np.asarray(case.operands[slot]) for slot in active]
    ys, pull = wg.vjp(lambda *xs: function(*xs), *arrays)
    cts = weights(ys, 1)
    leaves = [torch.tensor(x, requires_grad=True) for x in arrays]
    first = pulled(function, leaves, cts)
    agree(first, pull(cts), arrays)

    def gradient(*xs):
        return list(wg.vjp(function, *xs)[1](cts))

    gs, again = wg.vjp(gradient, *arrays)
    us = weights(gs, 2)
    second = [(g, torch.as_tensor(u)) for g, u in zip(first, us, strict=True) if g is not None and g.requires_grad]
    found = [None] * len(leaves)
    if second:
        found = torch.autograd.grad([g for g, _ in second], leaves, [u for _, u in second], allow_unused=True)
    agree(found, again(us), arrays)


@pytest.mark.parametrize("name", CARDS)
def test_card(name):
    cases = [case for case in central_cases(REGISTRY[name]) if case.active]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in cases[:2]:
            sweep(name, case)
