"""Parameters of a differential equation from noisy observations, by differentiating the solver itself.

The Lotka-Volterra equations are integrated by a Runge-Kutta method written in plain NumPy: a loop that writes its
steps into an array.  Gauss-Newton on the exact Jacobian of the whole integration recovers the four rates.
"""

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares

import wengert as wg


def rates_of_change(state, theta):
    prey, predators = state[0], state[1]
    birth, hunting, growth, death = theta
    return np.stack([birth * prey - hunting * prey * predators, growth * prey * predators - death * predators])


def integrate(theta, start, times):
    """The classical Runge-Kutta method of order four."""
    path = np.zeros_like(theta, shape=(len(times), 2))
    path[0] = start
    for k in range(len(times) - 1):
        h, y = times[k + 1] - times[k], path[k]
        k1 = rates_of_change(y, theta)
        k2 = rates_of_change(y + h / 2 * k1, theta)
        k3 = rates_of_change(y + h / 2 * k2, theta)
        k4 = rates_of_change(y + h * k3, theta)
        path[k + 1] = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return path


def main(n_steps=200):
    truth = np.array([1.0, 0.4, 0.1, 0.6])
    start, times = np.array([8.0, 3.0]), np.linspace(0.0, 20.0, n_steps)
    clean = solve_ivp(lambda t, y: rates_of_change(y, truth), (0, 20), start, t_eval=times, rtol=1e-10, atol=1e-10).y.T
    observed = clean * np.exp(0.05 * np.random.default_rng(1).standard_normal(clean.shape))

    def residuals(theta):
        return (np.log(integrate(theta, start, times)) - np.log(observed)).ravel()

    fit = least_squares(residuals, np.array([0.8, 0.3, 0.15, 0.8]), jac=wg.jacobian(residuals), method="lm")
    J = wg.jacobian(residuals)(fit.x)
    errors = 0.05 * np.sqrt(np.diag(np.linalg.inv(J.T @ J)))
    for name, value, error, true in zip(["birth", "hunting", "growth", "death"], fit.x, errors, truth, strict=True):
        print(f"{name:8} {value:.4f} ± {error:.4f}   (true {true})")
    print(f"{fit.nfev} integrations and {fit.njev} Jacobians of {J.shape[0]} x {J.shape[1]}")
    return np.max(np.abs(fit.x - truth) / errors)


if __name__ == "__main__":
    main()
