"""The main job: an explained example, a network trained on real images, and a fit to real measurements.

Everything runs on data that scikit-learn ships; nothing is fetched.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wengert import _optional, api, viz

Params = dict[str, Any]


def run(argv: Sequence[str] = ()) -> int:
    """`wengert demo`: writes its pictures into a folder; returns the exit status."""
    parser = argparse.ArgumentParser(prog="wengert demo", description=__doc__)
    parser.add_argument("--out", default="wengert-demo", help="folder for pictures and tables")
    parser.add_argument("--epochs", type=int, default=60, help="passes over the training images")
    parser.add_argument("--only", choices=["explain", "digits", "fit"], help="one part alone")
    options = parser.parse_args(list(argv))
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    console = _optional.load("rich.console", "the demo", "demo").Console()
    parts: dict[str, Callable[[], bool]] = {
        "explain": lambda: explain_example(console, folder),
        "digits": lambda: train_digits(console, folder, options.epochs),
        "fit": lambda: fit_iris(console, folder),
    }
    wanted = [options.only] if options.only else list(parts)
    succeeded = [parts[name]() for name in wanted]
    console.print(f"\nwritten to {folder}{os.sep}: {', '.join(sorted(p.name for p in folder.iterdir()))}")
    return 0 if all(succeeded) else 1


# --- 1: the textbook example, explained ----------------------------------------------------------------------------


def product(x: Any, y: Any) -> Any:
    """The example of the textbooks: `(x + y)(x - y)`."""
    a = x + y
    b = x - y
    return a * b


def explain_example(console: Any, folder: Path) -> bool:
    """Both walks of the chain rule through `(x + y)(x - y)` at (3, 2), as tables, SVG and HTML."""
    console.rule("1  f(x, y) = (x + y)(x - y) at (3, 2), walked forwards and backwards")
    explanation = viz.explain(product)(3.0, 2.0)
    console.print(explanation)
    (folder / "explained.html").write_text(explanation.html, encoding="utf-8")
    drawing = viz.draw(product)(3.0, 2.0)
    drawing.save(folder / "graph.svg")
    drawing.save(folder / "graph.html")
    return True


# --- 2: digits ---------------------------------------------------------------------------------------------------------


def initial_network(rng: np.random.Generator, sizes: Sequence[int]) -> list[Params]:
    """Weights of variance `1/n`, biases of zero, for layers of these sizes."""
    return [
        {"w": rng.standard_normal((n, m)) / np.sqrt(n), "b": np.zeros(m)}
        for n, m in zip(sizes[:-1], sizes[1:], strict=True)
    ]


def logits(network: Sequence[Params], images: Any) -> Any:
    """A multilayer perceptron in plain NumPy."""
    h = images
    for layer in network[:-1]:
        h = np.tanh(h @ layer["w"] + layer["b"])
    return h @ network[-1]["w"] + network[-1]["b"]


def cross_entropy(network: Sequence[Params], images: Any, labels: Any) -> Any:
    """The mean of `-log p(label)`, with `log p = z - log Σ exp z` taken stably."""
    z = logits(network, images)
    top = np.max(z, axis=1, keepdims=True)
    log_total = np.log(np.sum(np.exp(z - top), axis=1)) + top[:, 0]
    return np.mean(log_total - z[np.arange(len(labels)), labels])


def train_digits(console: Any, folder: Path, epochs: int) -> bool:
    """Minibatch SGD with momentum on 1,797 real images; a fifth is held out."""
    console.rule("2  handwritten digits: a network in plain NumPy, trained by minibatch SGD")
    data = _optional.load("sklearn.datasets", "the digits", "demo").load_digits()
    rng = np.random.default_rng(0)
    order = rng.permutation(len(data.target))
    test, train = order[: len(order) // 5], order[len(order) // 5 :]
    images, labels = data.data / 16.0, data.target
    network = initial_network(rng, (64, 128, 10))
    start = time.perf_counter()
    network, losses = minibatch_sgd(network, images[train], labels[train], rng, epochs)
    seconds = time.perf_counter() - start
    guess = np.argmax(logits(network, images[test]), axis=1)
    wrong = test[guess != labels[test]]
    accuracy = 1 - len(wrong) / len(test)
    console.print(f"held-out accuracy {accuracy:.2%} on {len(test)} images; {len(losses)} steps in {seconds:.1f} s")
    _draw_training(folder, losses, data.images[wrong], labels[wrong], guess[guess != labels[test]])
    return accuracy >= 0.97 or epochs < 30


def minibatch_sgd(
    network: list[Params], images: Any, labels: Any, rng: np.random.Generator, epochs: int
) -> tuple[list[Params], list[float]]:
    """`v ← 0.9 v - rate ∇L`, `w ← w + v` over shuffled batches of 32, with a progress bar."""
    progress = _optional.load("rich.progress", "the progress bar", "demo")
    step = api.value_and_grad(cross_entropy)
    velocity = [{name: np.zeros_like(value) for name, value in layer.items()} for layer in network]
    losses: list[float] = []
    batches = len(labels) // 32
    columns = [*progress.Progress.get_default_columns(), progress.TextColumn("loss {task.fields[loss]:.4f}")]
    with progress.Progress(*columns) as bar:
        task = bar.add_task("training", total=epochs * batches, loss=float("nan"))
        for epoch in range(epochs):
            rate = 0.1 * (1 - epoch / epochs)
            order = rng.permutation(len(labels))
            for batch in np.array_split(order, batches):
                loss, gradient = step(network, images[batch], labels[batch])
                for layer, v, g in zip(network, velocity, gradient, strict=True):
                    for name in layer:
                        v[name] = 0.9 * v[name] - rate * g[name]
                        layer[name] = layer[name] + v[name]
                losses.append(float(loss))
                bar.update(task, advance=1, loss=float(loss))
    return network, losses


def _draw_training(folder: Path, losses: Sequence[float], images: Any, labels: Any, guesses: Any) -> None:
    matplotlib = _optional.load("matplotlib", "pictures", "demo")
    matplotlib.use("Agg")
    plt = _optional.load("matplotlib.pyplot", "pictures", "demo")
    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    axes.semilogy(losses, linewidth=0.4, alpha=0.4, label="each step")
    window = max(1, len(losses) // 60)
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    axes.semilogy(np.arange(len(smooth)) + window // 2, smooth, label=f"mean of {window}")
    axes.set(xlabel="step", ylabel="cross-entropy", title="Training on digits")
    axes.legend()
    figure.savefig(folder / "loss.png", dpi=150)
    plt.close(figure)
    n = max(1, len(images))
    figure, grid = plt.subplots(1, n, figsize=(1.3 * n, 1.9), layout="constrained", squeeze=False)
    for axes, image, label, guess in zip(grid[0], images, labels, guesses, strict=False):
        axes.imshow(image, cmap="gray_r")
        axes.set_title(f"{label}, read {guess}", fontsize=8)
    for axes in grid[0]:
        axes.axis("off")
    figure.suptitle("The misread digits", fontsize=10)
    figure.savefig(folder / "misread.png", dpi=150)
    plt.close(figure)


# --- 3: a nonlinear fit ------------------------------------------------------------------------------------------------


def growth(theta: Any, length: Any) -> Any:
    """Petal width as a logistic function of petal length (both in cm)."""
    return theta[3] + theta[0] / (1 + np.exp(-(length - theta[1]) / theta[2]))


def negative_log_likelihood(theta: Any, length: Any, width: Any) -> Any:
    """Gaussian errors whose logarithmic scale is linear in the length, up to a constant."""
    log_scale = theta[4] + theta[5] * length
    residual = (width - growth(theta, length)) / np.exp(log_scale)
    return np.sum(0.5 * residual**2 + log_scale)


def fit_iris(console: Any, folder: Path) -> bool:
    """Maximum likelihood on R. A. Fisher's irises (150 flowers), exact derivatives against finite differences."""
    console.rule("3  petals of 150 irises: a nonlinear fit, exact derivatives against finite differences")
    data = _optional.load("sklearn.datasets", "the irises", "demo").load_iris().data
    minimize = _optional.load("scipy.optimize", "the fit", "demo").minimize
    length, width = data[:, 2], data[:, 3]
    exact, hess = api.grad(negative_log_likelihood), api.hessian(negative_log_likelihood)
    start = np.array([2.0, 4.0, 1.0, 0.2, -1.5, 0.0])
    methods: dict[str, dict[str, Any]] = {
        "Newton (trust-exact), exact gradient and Hessian": {"method": "trust-exact", "jac": exact, "hess": hess},
        "BFGS, exact gradient": {"method": "BFGS", "jac": exact},
        "BFGS, finite differences": {"method": "BFGS", "jac": "2-point"},
        "trust-constr, finite differences of both": {"method": "trust-constr", "jac": "2-point", "hess": "2-point"},
    }
    rows = {}
    for name, settings in methods.items():
        rows[name] = measured_fit(minimize, start, (length, width), exact, settings)
    best = newton_polish(rows["Newton (trust-exact), exact gradient and Hessian"]["x"], exact, hess, (length, width))
    _print_fits(console, rows, best)
    _draw_fit(folder, best, length, width)
    return bool(rows["Newton (trust-exact), exact gradient and Hessian"]["slope"] < 1e-6)


def measured_fit(minimize: Any, start: Any, data: Any, exact: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """One run of `scipy.optimize.minimize`: evaluations, seconds, and where it ended."""
    calls = 0

    def counted(theta: Any, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        return negative_log_likelihood(theta, *args)

    begin = time.perf_counter()
    with np.errstate(all="ignore"):
        if settings["method"] == "trust-constr":
            settings = {**settings, "options": {"maxiter": 300}, "hess": _optional.load("scipy.optimize", "the fit", "demo").BFGS()}
        found = minimize(counted, start, args=data, **settings)
    seconds = time.perf_counter() - begin
    return {
        "x": found.x, "value": found.fun, "calls": calls, "gradients": found.get("njev", 0), "hessians": found.get("nhev", 0),
        "seconds": seconds, "slope": np.max(np.abs(exact(found.x, *data))),
    }  # fmt: skip


def newton_polish(theta: Any, exact: Any, hess: Any, data: Any) -> Any:
    """The optimum to rounding: a few undamped Newton steps with exact derivatives."""
    for _ in range(5):
        theta = theta - np.linalg.solve(hess(theta, *data), exact(theta, *data))
    return theta


def _print_fits(console: Any, rows: dict[str, dict[str, Any]], best: Any) -> None:
    table = _optional.load("rich.table", "the table", "demo").Table(title="maximum likelihood, 6 parameters")
    for heading in ("method", "f", "∇f", "∇²f", "ms", "largest |∂f|", "error of the parameters"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for name, row in rows.items():
        error = np.max(np.abs(row["x"] - best) / np.abs(best))
        cells = [str(row[key]) for key in ("calls", "gradients", "hessians")]
        table.add_row(name, *cells, f"{1e3 * row['seconds']:.1f}", f"{row['slope']:.1e}", f"{error:.1e}")
    console.print(table)


def _draw_fit(folder: Path, theta: Any, length: Any, width: Any) -> None:
    matplotlib = _optional.load("matplotlib", "pictures", "demo")
    matplotlib.use("Agg")
    plt = _optional.load("matplotlib.pyplot", "pictures", "demo")
    figure, axes = plt.subplots(figsize=(6, 3.8), layout="constrained")
    grid = np.linspace(length.min(), length.max(), 200)
    mean, scale = growth(theta, grid), np.exp(theta[4] + theta[5] * grid)
    axes.fill_between(grid, mean - 2 * scale, mean + 2 * scale, alpha=0.2, label="two standard deviations")
    axes.plot(grid, mean, label="fitted mean")
    axes.plot(length, width, ".", markersize=4, label="150 irises")
    axes.set(xlabel="petal length (cm)", ylabel="petal width (cm)")
    axes.legend()
    figure.savefig(folder / "fit.png", dpi=150)
    plt.close(figure)
