"""Small work, where the call itself counts: NumPy's arrays in and out."""

from __future__ import annotations

import numpy as np
from peers import Case, autograd_step, casadi_functions, has, jax_step_on_numpy, torch_gradient

import wengert as wg

LENGTHS, OFFSETS = (0.0, -0.42, -0.39, 0.0, 0.0, 0.0), (0.09, 0.0, 0.0, 0.11, 0.09, 0.08)
TWISTS = (np.pi / 2, 0.0, 0.0, np.pi / 2, -np.pi / 2, 0.0)


def nothing(x):
    """What is left is the call."""
    return x + 1.0


def rosenbrock(x):
    return (1.0 - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2


def lorenz(u):
    return np.stack([10.0 * (u[1] - u[0]), u[0] * (28.0 - u[2]) - u[1], u[0] * u[1] - 8.0 / 3.0 * u[2]])


def arm(angles):
    """Where the hand of an arm with six joints is."""
    pose = np.eye(4)
    for k in range(6):
        pose = pose @ joint(angles[k], LENGTHS[k], OFFSETS[k], np.cos(TWISTS[k]), np.sin(TWISTS[k]))
    return pose[:3, 3]


def joint(angle, length, offset, c, s):
    """Denavit and Hartenberg's matrix of one joint."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([
        np.stack([cosine, -sine * c, sine * s, length * cosine]),
        np.stack([sine, cosine * c, -cosine * s, length * sine]),
        np.array([0.0, s, c, offset]),
        np.array([0.0, 0.0, 0.0, 1.0]),
    ])  # fmt: skip


def logistic(w, x, y):
    return np.sum(np.log(1.0 + np.exp(-y * (x @ w))))


def with_peers(title, name, objective, arguments, *, by_casadi=True):
    """A derivative (`grad` or `jacobian`) by everybody."""
    ours = wg.jit(getattr(wg, name)(objective))
    steps = {"wengert": lambda: ours(*arguments)}
    if has("jax"):
        import jax

        steps["jax"] = jax_step_on_numpy(getattr(jax, name), objective, arguments)
    if has("casadi") and by_casadi:
        steps |= casadi_functions({"grad": "gradient"}.get(name, name), objective, arguments[0])
    if has("autograd") and name == "grad":
        steps["autograd"] = autograd_step(lambda lib: lib.grad, objective, arguments)
    if has("torch") and name == "grad":
        steps["torch, value too"] = torch_gradient(objective, arguments)
    return Case(title, steps, unlike=frozenset({"torch, value too"}))


def cases(scale=1.0):
    rng = np.random.default_rng(0)
    x = np.array([1.2])
    ours, plain = wg.jit(nothing), lambda v: v
    yield Case(
        "the call alone (x + 1.0, one element)",
        {"wengert": lambda: ours(x), "numpy": lambda: nothing(x), "an empty Python function": lambda: plain(x)},
        unlike=frozenset({"an empty Python function"}),
    )
    yield with_peers("Rosenbrock in 2 variables, gradient", "grad", rosenbrock, (np.array([1.2, 0.7]),))
    yield with_peers("Lorenz right-hand side, Jacobian", "jacobian", lorenz, (np.array([1.0, 2.0, 3.0]),))
    yield with_peers("arm with 6 joints, Jacobian", "jacobian", arm, (np.linspace(0.1, 1.0, 6),))
    data = rng.standard_normal((100, 20)), rng.choice([-1.0, 1.0], 100)
    weights = rng.standard_normal(20)
    yield with_peers("logistic regression 100 x 20, gradient", "grad", logistic, (weights, *data), by_casadi=False)
