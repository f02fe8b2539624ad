"""Each example runs, at a small size, and finds what its reference finds."""

import importlib.util
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def agree_with_curve_fit(main):
    assert main() < 1e-3  # of a standard error


def agree_with_the_bootstrap(main):
    ratios = main(n_bootstrap=30)
    assert np.all((ratios > 0.5) & (ratios < 2.0))


def recover_the_rates(main):
    assert main(n_steps=60) < 4  # standard errors


def recover_the_temperature(main):
    assert main(n=40, n_steps=30) < 0.3  # of the error of the blurred one


def agree_with_scikit_learn(main):
    assert main() < 1e-8


def read_the_wines(main):
    assert main(n_steps=150) > 0.9


def solve_burgers(main):
    assert main(n_steps=2000, n_points=128, width=20) < 0.03


def read_the_digits(main):
    assert main(epochs=12) > 0.95


def write_like_the_manual(main):
    bits, counted = main(steps=150, context=24, width=32, n_blocks=1, batch=16, limit=30_000, rate=1e-2, n_written=40)
    assert counted < bits < 4.5  # the text is too short to learn much from; its letters alone cost 4.6 bits


def read_the_digits_both_ways(main):
    read_the_digits(main)
    assert main(partial(main.__globals__["cnn"], width=8), epochs=6) > 0.8


def sample_the_posterior(main):
    draws, r_hat, size = main(n_draws=400, n_warm=200)
    assert draws.shape == (400, 4, 31)
    assert r_hat.max() < 1.02
    assert size.min() > 400


def read_the_digits_with_tensors(main):
    assert main(epochs=4) > 0.92


CHECKS = {
    "burgers": solve_burgers,
    "digits": read_the_digits_both_ways,
    "hamiltonian": sample_the_posterior,
    "heat_backwards": recover_the_temperature,
    "least_squares": agree_with_curve_fit,
    "logistic_regression": agree_with_scikit_learn,
    "maximum_likelihood": agree_with_the_bootstrap,
    "neural_network": read_the_wines,
    "predator_prey": recover_the_rates,
    "transformer": write_like_the_manual,
    "tensor_digits": read_the_digits_with_tensors,
}


def test_every_example_has_a_check():
    assert NAMES == sorted(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_example(name, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CHECKS[name](load(name).main)
    assert capsys.readouterr().out.count("\n") >= 2


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_short(name):
    lines = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 80
