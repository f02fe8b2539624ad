"""Optimisers of tensors move them as the pure optimisers move arrays."""

import numpy as np
import pytest

import wengert as wg
import wengert.tensor as torch
from wengert.optim import tensors

RULES = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "Adam": {"lr": 0.05},
    "AdamW": {"lr": 0.05},
    "RMSprop": {"lr": 0.02},
    "Adagrad": {"lr": 0.1},
    "Lion": {"lr": 0.01},
}


def start():
    return np.array([1.0, -2.0, 0.5]), np.array([[0.3], [0.7]])


def loss(a, b):
    return (a**2).sum() + ((b - 1) ** 4).sum() + (a[:2] * b[:, 0]).sum()


@pytest.mark.parametrize("name", RULES)
def test_as_the_pure_one(name):
    params = [torch.tensor(x, requires_grad=True) for x in start()]
    opt = getattr(tensors, name)(params, **RULES[name])
    pure = opt.rule(**RULES[name])
    arrays = list(start())
    state = pure.init(arrays)
    for _ in range(5):
        opt.zero_grad()
        loss(*params).backward()
        opt.step()
        arrays, state = pure.update(arrays, list(wg.grad(loss, argnums=(0, 1))(*arrays)), state)
    for p, x in zip(params, arrays, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), x, rtol=1e-13)
        assert p.is_leaf
        assert p.requires_grad


def test_groups_settings_and_closures():
    a, b = (torch.tensor(x, requires_grad=True) for x in start())
    opt = tensors.SGD([{"params": [a], "lr": 0.5}, {"params": b}], lr=0.1)
    opt.param_groups[1]["lr"] = 0.0

    def closure():
        opt.zero_grad(set_to_none=False)
        value = (a**2).sum() + (b**2).sum()
        value.backward()
        return value

    value = opt.step(closure)
    np.testing.assert_allclose(value.item(), 1 + 4 + 0.25 + 0.09 + 0.49)
    np.testing.assert_array_equal(a.detach().numpy(), np.zeros(3))
    np.testing.assert_array_equal(b.detach().numpy(), start()[1])
    assert "lr=0.5" in repr(opt)


def test_a_tensor_without_a_gradient_stays():
    a, b = (torch.tensor(x, requires_grad=True) for x in start())
    opt = tensors.Adam([a, b], lr=0.1)
    (a**2).sum().backward()
    opt.step()
    np.testing.assert_array_equal(b.detach().numpy(), start()[1])
    assert not np.array_equal(a.detach().numpy(), start()[0])


def test_going_on_from_a_state():
    def run(n, opt, p):
        for _ in range(n):
            opt.zero_grad()
            ((p - 1) ** 2).sum().backward()
            opt.step()

    whole = torch.tensor(start()[0], requires_grad=True)
    run(6, tensors.Adam([whole], lr=0.1), whole)
    half = torch.tensor(start()[0], requires_grad=True)
    first = tensors.Adam([half], lr=0.1)
    run(3, first, half)
    second = tensors.Adam([half], lr=0.5)
    second.load_state_dict(first.state_dict())
    run(3, second, half)
    np.testing.assert_array_equal(half.detach().numpy(), whole.detach().numpy())
