"""An inverse problem: what was the temperature before it spread?

A rod cools by the nonlinear heat equation `u_t = (k(u) u_x)_x` with `k(u) = 0.2 + u²`, stepped in plain NumPy.  From the
final temperature, measured with noise, the initial one is found by Gauss-Newton.  `wg.linearize` gives the
derivative of the whole simulation as a linear operator, and SciPy's LSQR solves with it: no matrix is ever formed.
"""

import numpy as np
from scipy.sparse.linalg import LinearOperator, lsqr

import wengert as wg


def simulate(u, n_steps, dt, dx):
    """Explicit steps; the ends are insulated."""
    for _ in range(n_steps):
        middle = (u[1:] + u[:-1]) / 2
        flow = (0.2 + middle**2) * (u[1:] - u[:-1]) / dx
        change = np.zeros_like(u)
        change[:-1] += flow / dx
        change[1:] -= flow / dx
        u = u + dt * change
    return u


def main(n=60, n_steps=60):
    x = np.linspace(0.0, 1.0, n)
    dx = x[1] - x[0]
    truth = np.exp(-200 * (x - 0.3) ** 2) + 0.6 * np.exp(-100 * (x - 0.7) ** 2)
    settings = (n_steps, 0.2 * dx**2, dx)
    noise = 1e-3
    measured = simulate(truth, *settings) + noise * np.random.default_rng(0).standard_normal(n)

    def smoothness(v):  # second differences: the solution should not wiggle more than the data demand
        return 0.01 * np.diff(v, 2, prepend=0, append=0)

    u = measured.copy()
    for k in range(6):
        predicted, J = wg.linearize(lambda u: simulate(u, *settings), u)
        both = LinearOperator(
            (2 * n, n),
            matvec=lambda v: np.concatenate([J @ v, smoothness(v)]),
            rmatvec=lambda w: J.T @ w[:n] + smoothness(w[n:]),  # second differences are symmetric
        )
        u = u + lsqr(both, np.concatenate([measured - predicted, -smoothness(u)]), iter_lim=40)[0]
        misfit = np.sqrt(np.mean((simulate(u, *settings) - measured) ** 2)) / noise
        error = np.linalg.norm(u - truth) / np.linalg.norm(truth)
        print(f"Gauss-Newton step {k + 1}: misfit {misfit:7.3f} of the noise, relative error {error:.4f}")
    blurred = np.linalg.norm(measured - truth) / np.linalg.norm(truth)
    print(f"relative error of the final temperature {blurred:.3f}, of the recovered one {error:.3f}")
    return error / blurred


if __name__ == "__main__":
    main()
