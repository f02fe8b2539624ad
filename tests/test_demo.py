"""The main job at full size: its figures, and the files that it writes."""

import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest

from wengert.demo import run
from wengert.demo.digits import nudged
from wengert.demo.fit import differences, negative_log_likelihood


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "wengert", "demo", "--output", str(folder)],
        capture_output=True, text=True, encoding="utf-8", check=False, env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"},
    )  # fmt: skip
    return done, folder, time.perf_counter() - begin


def test_it_succeeds_and_is_quick(demo):
    done, _, seconds = demo
    assert done.returncode == 0, done.stdout + done.stderr
    assert seconds < 60


def test_the_example_is_explained(demo):
    done, folder, _ = demo
    assert "df/dx = 2x = 6" in done.stdout
    assert "df/dy = -2y = -4" in done.stdout
    assert (folder / "graph.svg").read_text(encoding="utf-8").startswith("<svg")
    assert (folder / "graph.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_digits_are_read(demo):
    done, folder, _ = demo
    found = re.search(r"held-out accuracy ([\d.]+)%: (\d+) of 359 digits misread", done.stdout)
    accuracy, misread = float(found[1]), int(found[2])
    assert accuracy >= 97.0
    assert abs(accuracy - 100 * (1 - misread / 359)) < 0.01
    for name in ("loss.png", "misread.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_the_fit_is_exact_where_derivatives_are(demo):
    done, folder, _ = demo
    rows = {m[1]: [m[2], *map(float, m.groups()[2:])] for m in re.finditer(
        r"^ *((?:Newton|BFGS), \w+) +(\d+ +\d+ +\d+ +\d+) +([\d.]+) ms +(\S+) +(\S+) *$", done.stdout, re.MULTILINE)}  # fmt: skip
    assert list(rows) == ["Newton, exact", "Newton, differences", "BFGS, exact", "BFGS, differences"]
    assert rows["Newton, exact"][3] < 1e-12
    assert rows["BFGS, exact"][3] < 1e-8
    assert rows["Newton, differences"][3] > 1e-10
    values = {name: int(row[0].split()[1]) for name, row in rows.items()}
    assert values["Newton, exact"] < 50 < 1000 < values["Newton, differences"]
    assert (folder / "fit.png").read_bytes().startswith(b"\x89PNG")


def test_one_part_alone(tmp_path, capsys):
    assert run(["--only", "explain", "--output", str(tmp_path / "new" / "folder")]) == 0
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["graph.html", "graph.svg"]
    assert "digits" not in capsys.readouterr().out


def test_nudging_keeps_the_ink():
    images = np.zeros((5, 64))
    images[:, 27] = 1.0
    moved = nudged(np.random.default_rng(0), images)
    np.testing.assert_allclose(moved.sum(1), 1.0, rtol=1e-12)
    assert not np.allclose(moved, images)


def test_differences_are_near_the_truth():
    random = np.random.default_rng(0)
    x, y, theta = random.standard_normal((20, 2)), np.exp(random.standard_normal(20)), random.standard_normal(6) / 10
    schemes = differences(negative_log_likelihood)
    gradient, hessian = schemes["jac"](theta, x, y), schemes["hess"](theta, x, y)
    step = 1e-5
    for k, unit in enumerate(np.eye(6)):
        up, down = (negative_log_likelihood(theta + s * step * unit, x, y) for s in (1, -1))
        assert abs(gradient[k] - (up - down) / (2 * step)) < 1e-6
    np.testing.assert_allclose(hessian, hessian.T)
