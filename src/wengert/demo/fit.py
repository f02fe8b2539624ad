"""Part 3: a nonlinear fit to real measurements, exact derivatives against finite differences.

B. Efron, T. Hastie, I. Johnstone and R. Tibshirani (2004) measured ten variables of 442 diabetes patients, and
the progression of the disease a year later.  The model: the progression is `exp(β₀ + x β)` times an error whose
logarithm has a Student distribution with scale `exp(γ₀ + x γ)`; 22 parameters, fitted by maximum likelihood.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wengert import _optional
from wengert.api import grad, hessian

FREEDOM = 5.0  # degrees of freedom of the errors: robust against a few odd patients
GOAL = 1e-12
VARIABLES = {
    "age": "age", "sex": "sex", "bmi": "body mass index", "bp": "blood pressure", "s1": "total cholesterol",
    "s2": "LDL cholesterol", "s3": "HDL cholesterol", "s4": "total / HDL", "s5": "log triglycerides", "s6": "blood sugar",
}  # fmt: skip


def location_and_scale(theta: Any, x: Any) -> tuple[Any, Any]:
    """The logarithm of the typical progression, and of the scale of its errors, for each patient."""
    half = len(theta) // 2
    return theta[0] + x @ theta[1:half], theta[half] + x @ theta[half + 1 :]


def negative_log_likelihood(theta: Any, x: Any, y: Any) -> Any:
    """Up to a constant, for each patient."""
    location, scale = location_and_scale(theta, x)
    residual = (np.log(y) - location) / np.exp(scale)
    return np.mean(scale + 0.5 * (FREEDOM + 1) * np.log1p(residual**2 / FREEDOM))


@dataclass
class Fit:
    """One run of `scipy.optimize.minimize`."""

    theta: Any
    iterations: int
    values: int
    gradients: int
    hessians: int
    seconds: float


class Counter:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, theta: Any, *data: Any) -> Any:
        self.calls += 1
        return self.function(theta, *data)


def fit_diabetes(console: Any, folder: Path, seed: int) -> bool:
    """The same fits twice: with exact gradients and Hessians, and with differences of values."""
    data = _optional.load("sklearn.datasets", "the measurements", "demo").load_diabetes(scaled=False)
    x = (data.data - data.data.mean(0)) / data.data.std(0)
    start = np.zeros(2 * (1 + x.shape[1]))
    start[0] = np.mean(np.log(data.target))
    fits = {
        "Newton, exact": measure(start, x, data.target, "trust-exact", exact=True),
        "Newton, differences": measure(start, x, data.target, "trust-exact", exact=False),
        "BFGS, exact": measure(start, x, data.target, "BFGS", exact=True),
        "BFGS, differences": measure(start, x, data.target, "BFGS", exact=False),
    }
    best = optimum(next(iter(fits.values())).theta, x, data.target)
    console.print(as_table(fits, best, x, data.target))
    covariance = np.linalg.inv(len(x) * hessian(negative_log_likelihood)(best, x, data.target))
    errors = np.sqrt(np.diag(covariance))
    console.print("clearest effects of one standard deviation on log progression (± by Hessian):")
    for k in np.argsort(-np.abs(best[1:11] / errors[1:11]))[:4]:
        console.print(f"  {VARIABLES[data.feature_names[k]]:18} {best[1 + k]:+.3f} ± {errors[1 + k]:.3f}")
    draw_fit(folder, best, x, data.target)
    return bool(error_of(fits["Newton, exact"].theta, best) < GOAL)


def measure(start: Any, x: Any, y: Any, method: str, *, exact: bool) -> Fit:
    """Run SciPy's minimiser; whatever differences it takes are evaluations of the function."""
    minimize = _optional.load("scipy.optimize", "the fit", "demo").minimize
    value = Counter(negative_log_likelihood)
    gradient = Counter(grad(negative_log_likelihood))
    curvature = Counter(hessian(negative_log_likelihood))
    slopes = {"jac": gradient, "hess": curvature} if exact else differences(value)
    if method == "BFGS":
        slopes.pop("hess")
    begin = time.perf_counter()
    found = minimize(value, start, args=(x, y), method=method, options={"gtol": 1e-12}, **slopes)
    seconds = time.perf_counter() - begin
    return Fit(found.x, found.nit, value.calls, gradient.calls, curvature.calls, seconds)


def differences(value: Callable[..., Any]) -> dict[str, Any]:
    """Gradient and Hessian from values alone: forward differences of steps √ε and ∜ε."""
    eps = np.finfo(float).eps

    def gradient(theta: Any, *data: Any, step: float = eps**0.5) -> Any:
        base = value(theta, *data)
        return np.array([(value(theta + step * unit, *data) - base) / step for unit in np.eye(len(theta))])

    def curvature(theta: Any, *data: Any) -> Any:
        step = eps**0.25
        base = gradient(theta, *data, step=step)
        rows = [(gradient(theta + step * unit, *data, step=step) - base) / step for unit in np.eye(len(theta))]
        return (np.array(rows) + np.array(rows).T) / 2

    return {"jac": gradient, "hess": curvature}


def optimum(theta: Any, x: Any, y: Any) -> Any:
    """The optimum to rounding: Newton steps with exact derivatives until they change nothing more."""
    for _ in range(5):
        slope, curvature = grad(negative_log_likelihood)(theta, x, y), hessian(negative_log_likelihood)(theta, x, y)
        theta = theta - np.linalg.solve(curvature, slope)
    return theta


def error_of(theta: Any, best: Any) -> float:
    """The distance from the optimum, relative to its length."""
    return float(np.linalg.norm(theta - best) / np.linalg.norm(best))


def as_table(fits: dict[str, Fit], best: Any, x: Any, y: Any) -> Any:
    """Evaluations, time and final error of each fit, side by side."""
    box = _optional.load("rich.box", "the table", "demo").SIMPLE_HEAD
    table = _optional.load("rich.table", "the table", "demo").Table(box=box, pad_edge=False)
    for heading in ("", "steps", "f", "∇f", "∇²f", "time", "|∇f|", "θ error"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, fit in fits.items():
        slope = np.max(np.abs(grad(negative_log_likelihood)(fit.theta, x, y)))
        counts = [str(n) for n in (fit.iterations, fit.values, fit.gradients, fit.hessians)]
        table.add_row(name, *counts, f"{1e3 * fit.seconds:.1f} ms", f"{slope:.1e}", f"{error_of(fit.theta, best):.1e}")
    return table


def draw_fit(folder: Path, theta: Any, x: Any, y: Any) -> None:
    """What was measured against what the model expects, with the band that holds nine patients in ten."""
    figure = _optional.load("matplotlib.figure", "pictures", "demo").Figure(figsize=(6.4, 4.2), layout="constrained")
    quantile = _optional.load("scipy.stats", "the band", "demo").t(FREEDOM).ppf(0.95)
    location, scale = location_and_scale(theta, x)
    axes = figure.subplots()
    order = np.argsort(location)
    low, high = (np.exp(location + sign * quantile * np.exp(scale)) for sign in (-1, 1))
    inside = np.mean((y > low) & (y < high))
    axes.vlines(np.exp(location[order]), low[order], high[order], color="#0072b2", alpha=0.12, label="90 % of the model")
    axes.plot(np.exp(location), y, ".", color="#d55e00", markersize=4, label=f"442 patients, {inside:.0%} inside")
    axes.plot(*[np.exp(location[order])] * 2, color="#0072b2", label="typical progression")
    axes.set(xlabel="progression that the model expects", ylabel="measured progression", title="Diabetes after one year")
    axes.legend(frameon=False, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "fit.png", dpi=150)
