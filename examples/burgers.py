"""A network that solves a partial differential equation, with no data but the equation.

Burgers' equation `u_t + u u_x = ν u_xx` on -1 < x < 1, from `u = -sin πx`: a wave that steepens into a front.  The
network is trained to make the equation's two sides equal at points drawn anew for each step (M. Raissi, P. Perdikaris
and G. E. Karniadakis, J. Comput. Phys. 378, 2019).  J. D. Cole's formula (1951) gives the exact solution to compare with.
"""

import argparse

import numpy as np

import wengert as wg
from wengert import nn, optim

NU = 0.1 / np.pi


def u(model, t, x):
    """The network, shaped so that start and boundary are met whatever it says."""
    return -np.sin(np.pi * x) + t * (1 - x**2) * model(np.stack([t, x], axis=1))[:, 0]


def residual(model, t, x):
    one = np.ones_like(x)
    along_x = lambda x: wg.jvp(lambda x: u(model, t, x), (x,), (one,))  # (u, u_x) of all points at once
    (value, u_x), (_, u_xx) = wg.jvp(along_x, (x,), (one,))
    u_t = wg.jvp(lambda t: u(model, t, x), (t,), (one,))[1]
    return u_t + value * u_x - NU * u_xx


def loss(model, t, x):
    return np.mean(residual(model, t, x) ** 2)


def exact(t, x):
    """The Cole-Hopf transformation makes it a heat equation, whose solution is an integral (Gauss-Hermite)."""
    z, weights = np.polynomial.hermite.hermgauss(100)
    y = x[:, None] - np.sqrt(4 * NU * t)[:, None] * z
    height = weights * np.exp(-np.cos(np.pi * y) / (2 * np.pi * NU))
    return -np.sum(np.sin(np.pi * y) * height, 1) / np.sum(height, 1)


def main(n_steps=12_000, n_points=512, width=32):
    def points(rng):
        while True:
            yield rng.uniform(0, 1, n_points), rng.uniform(-1, 1, n_points)

    model = nn.Sequential(
        nn.Linear(2, width, rng=0), nn.Tanh(), nn.Linear(width, width, rng=1), nn.Tanh(),
        nn.Linear(width, width, rng=2), nn.Tanh(), nn.Linear(width, 1, rng=3),
    ).astype(np.float64)  # fmt: skip
    rate = lambda step: 0.0025 * (1 + np.cos(np.pi * step / n_steps))
    result = wg.fit(model, loss, points, optim.Adam(rate), steps=n_steps, epoch_steps=max(n_steps // 20, 1))
    t, x = (grid.ravel() for grid in np.meshgrid(np.linspace(0, 1, 101), np.linspace(-1, 1, 201)))
    error = u(result.model, t, x) - exact(t, x)
    relative = np.linalg.norm(error) / np.linalg.norm(exact(t, x))
    print(f"{result.steps} steps; residual² {result.history['loss'][-1]:.1e}")
    print(f"error against the exact solution: {relative:.1e} of its norm, {np.abs(error).max():.1e} at most")
    return relative


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=12_000)
    main(parser.parse_args().steps)
