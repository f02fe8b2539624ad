"""Nonlinear least squares on real measurements, with standard errors from the exact Jacobian.

Petal width as a saturating function of petal length for R. A. Fisher's 150 irises.  SciPy's `curve_fit` solves the
same problem with finite differences; the answers must agree.
"""

import numpy as np
from scipy.optimize import curve_fit, least_squares
from sklearn.datasets import load_iris

import wengert as wg


def growth(length, low, height, middle, spread):
    """A logistic curve from `low` to `low + height`."""
    return low + height / (1 + np.exp(-(length - middle) / spread))


def residuals(theta, length, width):
    return growth(length, *theta) - width


def main():
    flowers = load_iris().data
    length, width = flowers[:, 2], flowers[:, 3]
    start = np.array([0.2, 2.0, 4.0, 1.0])

    jacobian = wg.jacobian(residuals)
    fit = least_squares(residuals, start, jac=jacobian, args=(length, width), xtol=1e-15, ftol=1e-15, gtol=1e-15)

    J = jacobian(fit.x, length, width)  # 150 x 4
    variance = np.sum(fit.fun**2) / (len(width) - len(fit.x))
    errors = np.sqrt(np.diag(variance * np.linalg.inv(J.T @ J)))

    reference, covariance = curve_fit(growth, length, width, start, xtol=1e-12)
    print("                 exact Jacobian         curve_fit")
    for k, name in enumerate(["low", "height", "middle", "spread"]):
        theirs = f"{reference[k]:8.5f} ± {np.sqrt(covariance[k, k]):.5f}"
        print(f"{name:8} (cm)  {fit.x[k]:8.5f} ± {errors[k]:.5f}   {theirs}")
    slope = 2 * J.T @ fit.fun
    print(f"gradient of the sum of squares at the solution: {np.max(np.abs(slope)):.1e}")
    return np.max(np.abs(fit.x - reference) / errors)


if __name__ == "__main__":
    main()
