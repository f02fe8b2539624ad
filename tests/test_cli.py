"""The command line, as a user runs it."""

import os
import subprocess
import sys
import urllib.request
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from wengert import _optional
from wengert.cli import as_arrays, main, read_argument


def run(capsys, *argv):
    status = main(argv)
    out, err = capsys.readouterr()
    return status, out, err


def test_the_example(capsys):
    status, out, _ = run(capsys, "explain", "lambda x, y: (x + y) * (x - y)", "3", "2")
    assert status == 0
    assert "df/dx = 2x = 6" in out
    assert "df/dy = -2y = -4" in out


def test_python_m_wengert():
    done = subprocess.run([sys.executable, "-m", "wengert", "explain", "np.sin", "-1e0"], capture_output=True, text=True, check=True)
    assert "dsin/dx" in done.stdout


def test_a_terminal_of_few_letters():
    done = subprocess.run(
        [sys.executable, "-m", "wengert", "explain", "lambda x: x * x", "3"],
        capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"df/dx = 2x = 6" in done.stdout


def test_a_missing_package_is_named(capsys, monkeypatch, tmp_path):
    def missing(name):
        raise ImportError(name)

    _optional.load.cache_clear()
    monkeypatch.setattr(_optional.importlib, "import_module", lambda name: missing(name) if name.startswith("rich") else import_module(name))
    status, _, err = run(capsys, "demo", "--output", str(tmp_path))
    _optional.load.cache_clear()
    assert status == 1
    assert err == "wengert: the demo needs rich, which is not installed: pip install 'wengert[demo]'\n"


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(
        "import numpy as np, math\n"
        "def loss(params, x):\n    h = params['w'] @ x\n    return h * h + params['b']\n"
        "def bad(x):\n    return {}['k'] + x\n"
        "def lost(x):\n    return math.sin(x)\n"
    )
    return path


def test_a_function_of_a_file_and_its_pictures(capsys, model, tmp_path):
    svg, page = tmp_path / "g.svg", tmp_path / "g.html"
    status, out, _ = run(
        capsys, "explain", f"{model}:loss", "{'w': [1, 2], 'b': 0.5}", "[3, -4]", "--svg", str(svg), "--html", str(page)
    )
    assert status == 0
    assert "model.py:3" in out
    assert "dloss/dparams['w'] = [-30, 40]" in out
    assert svg.read_text().startswith("<svg")
    assert page.read_text().startswith("<!doctype")


def open_with(browser, tmp_path, *argv):
    """Run `wengert explain ... --open` in a process of its own, with a browser of ours or with none at all."""
    env = {key: value for key, value in os.environ.items() if key not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    env |= {"BROWSER": browser, "TMPDIR": str(tmp_path), "PATH": str(tmp_path)}
    command = [sys.executable, "-m", "wengert", "explain", "lambda x, y: (x + y) * (x - y)", "3", "2", "--open", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


@pytest.mark.parametrize("name", ["", "a page.html"])
def test_open_hands_the_page_to_the_browser(tmp_path, name):
    browser, opened = tmp_path / "browser.sh", tmp_path / "opened.txt"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$1" > "{opened}"\n')
    browser.chmod(0o755)
    done = open_with(f"{browser} %s", tmp_path, *(["--html", str(tmp_path / name)] if name else []))
    assert done.returncode == 0, done.stderr
    address = opened.read_text()
    assert done.stdout.endswith(f"\nopened in the browser: {address}\n")
    page = Path(urllib.request.url2pathname(address.removeprefix("file://")))
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert page.name == (name or "graph.html")


def test_open_without_a_browser_says_where_the_page_is(tmp_path):
    done = open_with("no-such-browser", tmp_path)
    assert done.returncode == 0, done.stderr
    said, _, address = done.stdout.splitlines()[-1].partition(": ")
    assert said == "no browser could be started here; open the page in one"
    assert Path(address.removeprefix("file://")).is_file()


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (["explain", "lambda x: x +", "1"], 2, "neither a Python expression"),
        (["explain", "np.sin", "abc"], 2, "the argument 'abc' is not"),
        (["explain", "nowhere.py:f", "1"], 2, "there is no file nowhere.py"),
        (["explain", "np.pi", "1"], 2, "is float, not a function"),
        (["explain", "lambda x: 1 / 0", "1"], 1, "raised ZeroDivisionError"),
        (["explain", "np.sin", "1", "--svg", "x.xyz"], 1, "endings"),
        (["explain", "no_such_module_here:f"], 2, "could not be imported"),
        (["explain", "lambda x, y: x", "1"], 2, "takes (x, y), and 1 argument was given"),
        (["explain", "lambda x: x + z", "1"], 1, "raised NameError: name 'z' is not defined\n  <command line>:1   lambda x: x + z"),
        (["explain", "lambda x: float(x)", "1"], 1, "<command line>:1   lambda x: float(x)"),
        (["explain", "scipy.optimize:rosen", "[1, 2]"], 1, "<command line>:1   lambda *args: rosen(*args)"),
        (["explain", "sin", "1"], 2, "is np.sin meant?"),
        (["explain", "np.sin", "np.nones(3)"], 2, "(module 'numpy' has no attribute 'nones')"),
        (["explain", "np.sin", "1", "--text", "/no/such/folder/walks.txt"], 1, "No such file"),
    ],
)
def test_mistakes_are_said_readably(capsys, argv, status, said):
    found, _, err = run(capsys, *argv)
    assert found == status
    assert said in err
    assert "Traceback" not in err


def test_errors_of_the_users_function(capsys, model):
    status, _, err = run(capsys, "explain", f"{model}:bad", "1")
    assert status == 1
    assert "KeyError" in err
    assert "model.py:6" in err
    _, _, err = run(capsys, "explain", f"{model}:lost", "1")
    assert "math.sin takes plain numbers only" in err
    assert "model.py:8" in err
    _, _, err = run(capsys, "explain", f"{model}:nope", "1")
    assert "has no 'nope'" in err
    _, _, err = run(capsys, "explain", f"{model}:los", "1")
    assert "it has lost, loss" in err
    status, _, err = run(capsys, "explain", str(model), "1")
    assert status == 2
    assert "with one of loss, bad, lost" in err


def test_arguments_may_be_expressions_and_values_of_a_file(capsys, tmp_path):
    path = tmp_path / "fit.py"
    path.write_text("import numpy as np\nparams = {'w': np.ones(2)}\ndef loss(p, x):\n    return np.sum(p['w'] * x)\n")
    status, out, _ = run(capsys, "explain", f"{path}:loss", f"{path}:params", "np.arange(2.0)")
    assert status == 0
    assert "dloss/dp['w'] = [0, 1]" in out


@pytest.mark.parametrize("function", ["np.sort", "math.sin", "scipy.special:gamma", "wg.nn.Linear(1, 1, rng=0)", "wg.grad(np.sin)"])
def test_functions_of_libraries_are_called_on_the_command_line(capsys, function):
    status, out, err = run(capsys, "explain", function, "[1.0]" if "Linear" in function or "sort" in function else "3.0")
    assert "<command line>:1" in (err if function == "math.sin" else out)
    assert status == (function == "math.sin")


def test_no_derivative_is_no_walk_back(capsys):
    _, out, _ = run(capsys, "explain", "lambda n: n % 2 == 0", "3")
    assert "nothing is walked back" in out
    assert "starts from ones" not in out


def test_text_goes_to_a_file(capsys, tmp_path):
    path = tmp_path / "walks.txt"
    run(capsys, "explain", "lambda x: np.sum(np.sin(x) ** 2)", "[1, 2, 3]", "--text", str(path))
    text = path.read_text(encoding="utf-8")
    assert "f(x) = sum(sin(x)²)" in text
    assert "cos(x)" in text


def test_help(capsys):
    assert main([]) == 2
    assert "wengert explain" in capsys.readouterr().out


def test_arguments():
    assert type(read_argument("3")) is float
    np.testing.assert_array_equal(read_argument("[[1, 2], [3, 4]]"), [[1.0, 2.0], [3.0, 4.0]])
    assert read_argument("(1, True)") == (1.0, True)
    assert as_arrays([[1], [2, 3]])[1].dtype == float
