"""Bayesian logistic regression by Hamiltonian Monte Carlo: 569 tumours, benign or malignant, by thirty measurements.

Four chains at once (`vmap`), each trajectory a loop (`fori_loop`), all one compiled program.  S. Duane et al. (1987); R-hat and
effective sample size as in A. Vehtari et al. (2021).  Laplace's approximation gives the masses, and something to compare with.
"""

import argparse

import numpy as np
from sklearn.datasets import load_breast_cancer

import wengert as wg

N_CHAINS, N_LEAPS = 4, 16
data = load_breast_cancer()
x = np.column_stack([np.ones(len(data.target)), (data.data - data.data.mean(0)) / data.data.std(0)])
sign = np.where(data.target == 0, 1.0, -1.0)  # malignant: +1


def potential(w):
    """`-log p(w | data)`: a normal prior of scale 1 (10 for the intercept), and `log(1 + exp(-margin))` for each tumour."""
    return np.sum(np.logaddexp(0, -sign * (x @ w))) + 0.5 * np.sum(w[1:] ** 2) + 0.5 * (w[0] / 10) ** 2


def transition(w, p, u, root, step):
    """Leapfrog along `H = U(w) + |p|²/2`, with `root` so that the posterior looks round to the momentum; then Metropolis."""
    slope = wg.grad(potential)

    def leap(k, state):
        w, p = state
        w = w + step * root @ p
        return w, p - step * root.T @ slope(w)

    new, end = wg.fori_loop(0, N_LEAPS, leap, (w, p - 0.5 * step * root.T @ slope(w)))
    end = end + 0.5 * step * root.T @ slope(new)  # the last step was a whole one, and should be a half
    change = potential(w) - potential(new) + 0.5 * np.sum(p**2) - 0.5 * np.sum(end**2)
    accept = np.exp(np.minimum(change, 0))
    return np.where(u < accept, new, w), accept


def laplace():
    """The peak of the posterior by Newton's method, and a root of its covariance there."""
    w = np.zeros(x.shape[1])
    for _ in range(20):
        w = w - np.linalg.solve(wg.hessian(potential)(w), wg.grad(potential)(w))
    return w, np.linalg.cholesky(np.linalg.inv(wg.hessian(potential)(w)))


def diagnose(draws):
    """`(R-hat, effective sample size)` of each weight, from draws of shape `(draws, chains, weights)`, each chain halved."""
    n = len(draws) // 2
    halves = np.concatenate([draws[:n], draws[n : 2 * n]], axis=1)
    within = halves.var(0, ddof=1).mean(0)
    total = (n - 1) / n * within + halves.mean(0).var(0, ddof=1)
    spectrum = np.abs(np.fft.rfft(halves - halves.mean(0), 2 * n, axis=0)) ** 2
    rho = 1 - (within - np.fft.irfft(spectrum, axis=0)[:n].mean(1) / (n - 1)) / total
    pairs = np.minimum.accumulate(np.maximum(rho[0 : n - 1 : 2] + rho[1::2], 0), axis=0)  # positive and falling: C. Geyer (1992)
    return np.sqrt(total / within), halves.shape[0] * halves.shape[1] / (2 * pairs.sum(0) - 1)


def main(n_draws=2000, n_warm=300, seed=0):
    rng, (peak, root) = np.random.default_rng(seed), laplace()
    w = peak + rng.normal(size=(N_CHAINS, len(peak))) @ root.T
    move, step, draws = wg.jit(wg.vmap(transition, (0, 0, 0, None, None))), 0.3, []
    for k in range(n_warm + n_draws):
        w, accept = move(w, rng.normal(size=w.shape), rng.uniform(size=N_CHAINS), root, step * rng.uniform(0.6, 1.4))
        step *= np.exp(0.1 * (np.mean(accept) - 0.8)) if k < n_warm else 1.0  # towards four accepted in five
        draws += [w] if k >= n_warm else []
    (r_hat, size), mean, scale = diagnose(draws := np.array(draws)), np.mean(draws, (0, 1)), np.std(draws, (0, 1))
    print(f"{n_draws} draws of {N_CHAINS} chains: R-hat at most {r_hat.max():.4f}, effective sample size at least {size.min():.0f}")
    ratio = scale / np.sqrt((root**2).sum(1))
    print(f"Laplace's peak is {np.max(np.abs(mean - peak) / scale):.2f} deviations off; ours are {ratio.min():.2f} to {ratio.max():.2f} of its")
    return draws, r_hat, size


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=2000)
    main(parser.parse_args().draws)
