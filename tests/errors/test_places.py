"""The place in a message is the user's line, wherever the code stands and however it got there."""

import math
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import wengert as wg
from wengert import _source
from wengert.errors import DisconnectedError, DisconnectedWarning, LostDerivativeError


def message(function, *args):
    with pytest.raises(LostDerivativeError) as caught:
        wg.grad(function)(*args)
    return str(caught.value)


def where(text):
    """The source line and what is underlined in it."""
    line, marks = text.splitlines()[2:4]
    return line.strip(), line[marks.index("^") : marks.rindex("^") + 1]


def line_of(function):
    return f"test_places.py:{function.__code__.co_firstlineno}"


def test_a_lambda():
    f = lambda x: math.sin(x) + x
    line, part = where(message(f, 1.0))
    assert line == f"{line_of(f)}   f = lambda x: math.sin(x) + x"
    assert part == "math.sin(x)"


def test_deep_in_helpers():
    def helper(v):
        return 2 * float(v)

    text = message(lambda x: helper(x * x), 1.0)
    assert where(text)[1] == "float(v)"
    assert "from `v` (input `x` of grad)" in text


def test_a_call_over_several_lines():
    def f(x):
        return np.hypot(
            1.0,
            math.exp(
                x
            ),
        )  # fmt: skip

    line, part = where(message(f, 1.0))
    assert part == "math.exp("
    assert "Write   np.exp(x)" in message(f, 1.0)


def test_two_calls_on_a_line():
    f = lambda x: (math.sin(1.0), math.cos(x), math.tan(2.0))
    assert where(message(f, 1.0))[1] == "math.cos(x)"


def test_letters_of_two_bytes_before_the_expression():
    f = lambda λ, é="é": é and math.sin(λ)
    line, part = where(message(f, 1.0))
    assert part == "math.sin(λ)"


def test_a_comprehension():
    f = lambda x: sum([math.exp(v) for v in x])
    text = message(f, np.ones(2))
    assert where(text)[1] == "math.exp(v)"
    assert "from `v` (input `x` of grad)" in text


def test_attributes_and_items_are_named():
    class Model:
        pass

    model = Model()

    def f(params):
        model.rate = params["rate"]
        return math.exp(model.rate)

    text = message(f, {"rate": 1.0})
    assert "from `model.rate` (input `params['rate']` of grad)" in text
    assert "from `p[0]`" in message(lambda p: math.exp(p[0]), [1.0, 2.0])


def test_properties_are_not_run():
    class Model:
        @property
        def rate(self):
            raise AssertionError

    def f(x):
        model = Model()
        return float(x) + float(model.rate)

    assert "from `x`" in message(f, 1.0)


def test_no_source():
    room = {"np": np, "math": math}
    exec("def f(x):\n    y = 2 * x\n    return math.sin(y)\ndef g(x):\n    t = np.zeros(3)\n    t[:] = x\n    return t", room)
    text = message(room["f"], 1.0)
    assert text.splitlines()[2:4] == ["  <string>:3", "      traced: float64[], from `y` (input `x` of grad)"]
    with pytest.raises(wg.errors.AssignmentError, match="plain array"):
        wg.grad(room["g"])(np.ones(3))


def test_the_prompt():
    """Python's prompt has no source either; the message comes all the same."""
    program = "import math, wengert as wg\nwg.grad(lambda x: math.sin(x))(1.0)\n"
    done = subprocess.run([sys.executable, "-i", "-q"], input=program, capture_output=True, text=True, timeout=120, check=False)
    assert "LostDerivativeError" in done.stderr
    assert "float64[], from `x` (input `x` of grad)" in done.stderr


def test_a_notebook_cell_with_a_magic_command():
    """The file as a whole is no Python, so nothing is known but the line."""
    import linecache

    cell = "%matplotlib inline\nf = lambda x: math.sin(x)\n"
    linecache.cache["<cell>"] = (len(cell), None, cell.splitlines(keepends=True), "<cell>")
    room = {"math": math}
    exec(compile("\nf = lambda x: math.sin(x)\n", "<cell>", "exec"), room)
    line, part = where(message(room["f"], 1.0))
    assert line == "<cell>:2   f = lambda x: math.sin(x)"
    assert part == "math.sin(x)"


def test_through_scipy():
    """A solver calls back: the user's line is the one in the function that it calls."""
    from scipy.optimize import minimize

    def loss(x):
        return math.sin(x[0])

    with pytest.raises(LostDerivativeError) as caught:
        minimize(lambda x: loss(x), np.ones(1), jac=wg.grad(loss))
    assert where(str(caught.value))[1] == "math.sin(x[0])"


def test_a_thread_of_the_standard_library():
    """A traced value that is turned into numbers where no user's code runs still gets its message."""
    found = []

    def f(x):
        thread = threading.Thread(target=x.__float__)
        hook, threading.excepthook = threading.excepthook, lambda args: found.append(args.exc_value)
        thread.start()
        thread.join()
        threading.excepthook = hook
        return x

    wg.grad(f)(1.0)
    assert isinstance(found[0], LostDerivativeError)
    assert "in a thread that runs no code of yours" in str(found[0])


def test_nested_transformations_name_the_innermost_input():
    def inner(y, x):
        return float(y) * x

    text = message(lambda x: wg.grad(inner)(2.0, x), 1.0)
    assert "from `y` (input `y` of grad)" in text
    text = message(lambda x: wg.grad(lambda y: float(x) * y)(2.0), 1.0)
    assert "from `x` (input `x` of grad)" in text


def test_every_transformation_names_itself():
    f = lambda x: np.float64(float(x[0])) * x
    for name, call in (
        ("jacobian", lambda: wg.jacobian(f)(np.ones(2))),
        ("linearize", lambda: wg.linearize(f, np.ones(2))),
        ("vjp", lambda: wg.vjp(f, np.ones(2))),
    ):
        with pytest.raises(LostDerivativeError, match=rf"input `x` of {name}\)"):
            call()
    for call in (lambda: wg.jvp(f, (np.ones(2),), (np.ones(2),)), lambda: wg.vmap(f)(np.ones((3, 2)))):
        with pytest.raises(LostDerivativeError, match=r"traced: float64\[\], from `x`"):
            call()


def test_several_inputs():
    text = message(lambda a, b: float(a), 1.0, 2.0)
    assert "(input `a` of grad)" in text
    with pytest.raises(LostDerivativeError, match=r"\(input `a` of grad, input `b` of grad\)"):
        wg.grad(lambda a, b: float(a * b), argnums=(0, 1))(1.0, 2.0)


def test_the_place_of_a_warning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wg.grad(lambda x: 1.0)(2.0)
    (warning,) = caught
    assert warning.category is DisconnectedWarning
    assert Path(warning.filename).name == "test_places.py"
    assert "wg.grad(lambda x: 1.0)(2.0)" in Path(warning.filename).read_text().splitlines()[warning.lineno - 1]


def test_where_a_dependence_ended():
    def f(x):
        positive = x > 0
        y = np.floor(x)
        return y if positive else -y

    with pytest.raises(DisconnectedError, match=r"`floor`.*\n +test_places\.py:\d+   y = np\.floor\(x\)"):
        wg.grad(f, on_disconnected="raise")(1.5)
    with pytest.raises(DisconnectedError, match=r"`greater`"):
        wg.grad(lambda x: 1.0 if x > 0 else 0.0, on_disconnected="raise")(1.5)
    with pytest.raises(DisconnectedError, match="No operation leads"):
        wg.grad(lambda x: 1.0, on_disconnected="raise")(1.5)


def test_stale_source(tmp_path):
    """A file that has changed since it was imported cannot make a message fail."""
    path = tmp_path / "stale.py"
    path.write_text("import math\n\n\ndef f(x):\n    return math.sin(x)\n")
    room = {}
    exec(compile(path.read_text(), str(path), "exec"), room)
    for text in ("", "\n", "é\n" * 10, "def f(:\n" * 8):
        path.write_text(text)
        _source.linecache.checkcache(str(path))
        assert "float64[]" in message(room["f"], 1.0)


def test_a_transformed_function_is_called_so():
    with pytest.raises(DisconnectedError, match=r"the output of the transformed <lambda> \(test_places\.py:\d+\) does not depend on x"):
        wg.grad(wg.checkpoint(lambda x: 1.0), on_disconnected="raise")(1.0)


def test_a_message_can_be_sent_to_another_process():
    """A worker's exception is pickled on its way home."""
    import pickle

    with pytest.raises(LostDerivativeError) as caught:
        wg.grad(lambda x: math.sin(x))(1.0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is LostDerivativeError
    assert str(again) == str(caught.value)
