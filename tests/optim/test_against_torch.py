"""Thirty steps of every optimiser and schedule beside PyTorch's (`record.py`): each point of the trajectory, eager and compiled."""

import sys
from pathlib import Path

import numpy as np
import pytest

import wengert as wg
from wengert import optim

sys.path.insert(0, str(Path(__file__).parent))
from optimiser_cases import RULES, SCHEDULES, STEPS, problem

RECORD = np.load(Path(__file__).parent / "recorded" / "torch.npz")
NAMES = {**vars(optim), **vars(optim.schedules)}


def loss(params, x, y):
    return np.mean(np.square(np.tanh(x @ params["a"] + params["b"]) @ params["c"] - y))


def trajectory(optimiser, dtype=np.float64, transform=lambda f: f, seen=lambda params, state: params):
    params, x, y = problem()
    params, x, y = {name: p.astype(dtype) for name, p in params.items()}, x.astype(dtype), y.astype(dtype)
    state = optimiser.init(params)
    step = transform(lambda params, state, x, y: optimiser.update(params, wg.grad(loss)(params, x, y), state))
    path = []
    for _ in range(STEPS):
        params, state = step(params, state, x, y)
        assert all(p.dtype == dtype for p in params.values())
        path.append(np.concatenate([np.ravel(p) for p in seen(params, state).values()]))
    return np.array(path)


@pytest.mark.parametrize("name", RULES)
def test_rule(name):
    found = trajectory(eval(RULES[name][1], NAMES))
    np.testing.assert_allclose(found, RECORD[f"rule {name}"], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("transform", [lambda f: f, wg.jit], ids=["eager", "compiled"])
@pytest.mark.parametrize("name", RULES)
def test_rule_in_float32(name, transform):
    found = trajectory(eval(RULES[name][1], NAMES), np.float32, transform)
    np.testing.assert_allclose(found, RECORD[f"rule {name}"], rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name):
    schedule = eval(SCHEDULES[name][1], NAMES)
    want = RECORD[f"schedule {name}"]
    np.testing.assert_allclose([float(schedule(np.array(k))) for k in range(len(want))], want, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("name", SCHEDULES)
def test_scheduled_steps(name):
    found = trajectory(optim.SGD(lr=eval(SCHEDULES[name][1], NAMES), momentum=0.9))
    np.testing.assert_allclose(found, RECORD[f"scheduled {name}"], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ["longer restarts", "one cycle", "piecewise"])
def test_scheduled_steps_compiled(name):
    found = trajectory(optim.SGD(lr=eval(SCHEDULES[name][1], NAMES), momentum=0.9), transform=wg.jit)
    np.testing.assert_allclose(found, RECORD[f"scheduled {name}"], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("transform", [lambda f: f, wg.jit], ids=["eager", "compiled"])
def test_wrappers(transform):
    def check(optimiser, name, **kwargs):
        found = trajectory(optimiser, transform=transform, **kwargs)
        np.testing.assert_allclose(found, RECORD[name], rtol=1e-10, atol=1e-12, err_msg=name)

    sgd, adam = optim.SGD(lr=0.05), optim.Adam(lr=0.05)
    check(optim.Clipped(sgd, max_norm=0.5), "clipped norm")
    check(optim.Clipped(sgd, max_value=0.1), "clipped value")
    for optimiser, name in ((optim.Averaged(adam, 0.9), "exponential average"), (optim.Averaged(adam, None), "equal average")):
        check(optimiser, name, seen=optimiser.average)
