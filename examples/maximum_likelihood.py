"""Maximum likelihood with standard errors from the exact Hessian.

The malic acid in 178 real wines follows a mixture of two normal distributions.  `scipy.optimize` finds the maximum
with `wg.grad`; the inverse of `wg.hessian` there is the covariance of the estimates.  A bootstrap checks the errors.
"""

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_wine

import wengert as wg

NAMES = ("logit of the share", "mean 1", "mean 2", "log scale 1", "log scale 2")


def negative_log_likelihood(theta, x):
    """`-Σ log(p N(x; μ₁, σ₁) + (1 - p) N(x; μ₂, σ₂))`, up to a constant."""
    share, mean, scale = theta[0], theta[1:3], theta[3:5]
    weights = np.stack([-np.logaddexp(0.0, -share), -np.logaddexp(0.0, share)])  # log p, log(1 - p)
    z = (x[:, None] - mean) / np.exp(scale)
    terms = weights - scale - 0.5 * z**2
    return -np.sum(np.logaddexp(terms[:, 0], terms[:, 1]))


def fit(x, start):
    found = minimize(negative_log_likelihood, start, args=(x,), jac=wg.grad(negative_log_likelihood), method="BFGS")
    theta = found.x
    for _ in range(3):  # to rounding
        H, g = wg.hessian(negative_log_likelihood)(theta, x), wg.grad(negative_log_likelihood)(theta, x)
        theta = theta - np.linalg.solve(H, g)
    return theta


def main(n_bootstrap=100):
    x = load_wine().data[:, 1]
    theta = fit(x, np.array([0.0, 1.7, 3.5, -1.0, 0.0]))
    errors = np.sqrt(np.diag(np.linalg.inv(wg.hessian(negative_log_likelihood)(theta, x))))

    rng = np.random.default_rng(0)
    samples = np.array([fit(rng.choice(x, len(x)), theta) for _ in range(n_bootstrap)])
    spread = np.subtract(*np.percentile(samples, [84, 16], axis=0)) / 2

    print("                      estimate   from the Hessian   from a bootstrap")
    for name, value, error, other in zip(NAMES, theta, errors, spread, strict=True):
        print(f"{name:20}  {value:8.4f}   ± {error:.4f}           ± {other:.4f}")
    print(f"gradient at the maximum: {np.max(np.abs(wg.grad(negative_log_likelihood)(theta, x))):.1e}")
    return errors / spread


if __name__ == "__main__":
    main()
