"""What a jitted function reaches besides its arguments is seen as it is at each call."""

import dataclasses
import sys
import types

import numpy as np
import pytest
from agreeing import agree

import wengert as wg
from wengert.errors import CompileError

X = np.array([0.3, -0.7, 1.9])
W = np.arange(9.0).reshape(3, 3) / 10
SCALE = 0.5


def follow(function, changes, *args):
    """The jitted function agrees with the function itself, before and after each change."""
    jitted = wg.jit(function)
    agree(jitted(*args), function(*args))
    for change in changes:
        change()
        agree(jitted(*args), function(*args))
        agree(jitted(*args), function(*args))
    return jitted


@pytest.fixture(autouse=True)
def _restored():
    before = {name: globals()[name] for name in ("W", "SCALE")}
    yield
    globals().update(before)


def test_globals():
    def rebind():
        globals()["W"] = W + 1

    def write():
        W[0, 0] = 7

    def rescale():
        globals()["SCALE"] = 2.0

    follow(lambda x: np.sin(W @ x) * SCALE, [rebind, write, rescale], X)


def helper(x):
    return W @ x


def test_globals_of_functions_that_are_called():
    def rebind():
        globals()["W"] = W * 2

    follow(lambda x: helper(x) + 1, [rebind], X)


def test_a_function_that_is_bound_anew():
    steps = {"f": np.sin}

    def f(x):
        return steps["f"](x)

    follow(f, [lambda: steps.update(f=np.cos)], X)


def test_cells():
    a, n = np.ones(3), 2

    def f(x):
        return a * x**n

    def rebind():
        nonlocal a
        a = a + 1

    def write():
        a[1] = 9

    def count():
        nonlocal n
        n = 3

    follow(f, [rebind, write, count], X)


def test_containers():
    params = {"w": np.ones(3), "layers": [np.ones(3), 2.0]}

    def write():
        params["w"][0] = 4

    def replace():
        params["layers"][0] = np.full(3, 2.0)

    def number():
        params["layers"][1] = 3.0

    def extend():
        params["layers"].append(np.ones(3))

    follow(lambda x: x * params["w"] + sum(part * x for part in params["layers"]), [write, replace, number, extend], X)


def test_defaults_and_partial():
    import functools

    w = np.ones(3)

    def f(x, w=w):
        return x * w

    def write():
        w[0] = 3

    follow(f, [write], X)
    follow(functools.partial(lambda w, x: x * w, w), [write], X)


class Model:
    rate = np.array([0.5, 1.0, 2.0])

    def __init__(self):
        self.w = np.ones(3)
        self.power = 2
        self.history = []

    def inner(self, x):
        return self.w * x + W[0]

    @property
    def squared(self):
        return self.w**2

    def loss(self, x):
        return np.sum(self.inner(x) ** self.power * self.rate) + np.sum(self.squared)

    def __call__(self, x):
        return self.loss(x) + 1

    @wg.jit
    def decorated(self, x):
        return self.loss(x)


@pytest.mark.parametrize("reach", ["method", "callable", "closure", "argument", "decorated"])
def test_objects(reach):
    model = Model()
    jitted = {
        "method": wg.jit(model.loss), "callable": wg.jit(lambda x: model(x) - 1), "closure": wg.jit(lambda x: model.loss(x)),
        "argument": lambda x, f=wg.jit(lambda m, x: m.loss(x)): f(model, x), "decorated": model.decorated,
    }[reach]  # fmt: skip

    def check():
        np.testing.assert_allclose(jitted(X), model.loss(X), rtol=1e-13)

    check()
    model.w = model.w * 2
    check()
    model.w[0] = 7
    check()
    model.power = 3
    check()
    model.history.append(1)
    check()
    model.rate = np.ones(3)
    check()
    globals()["W"] = W + 1
    check()
    wg.jit(Model())(X)


def test_a_callable_object():
    follow(Model(), [], X)


@dataclasses.dataclass
class Layer:
    w: np.ndarray
    kind: str = "tanh"

    def __call__(self, x):
        return getattr(np, self.kind)(self.w * x)


def test_dataclasses():
    layer = Layer(np.ones(3))

    def write():
        layer.w = np.full(3, 2.0)

    def choose():
        layer.kind = "sin"

    follow(lambda x: layer(x), [write, choose], X)
    follow(layer, [write], X)
    agree(wg.jit(lambda layer, x: layer(x))(layer, X), layer(X))


def test_modules_of_the_user(tmp_path, monkeypatch):
    path = tmp_path / "settings_of_user.py"
    path.write_text("import numpy as np\ntable = np.ones(3)\n\ndef scaled(x):\n    return x * table\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import settings_of_user as settings

    space = {"settings": settings, "np": np}
    code = compile("def f(x):\n    return settings.scaled(x) + settings.table\n", __file__, "exec")
    exec(code, space)

    def write():
        settings.table = np.full(3, 5.0)

    follow(space["f"], [write], X)
    sys.modules.pop("settings_of_user")


def test_buffers_that_are_written_into():
    buffer, count = np.zeros(3), np.zeros(1)

    def f(x):
        buffer[:] = x * 2
        count[0] += 1
        return buffer.sum()

    jitted = wg.jit(f)
    for n in range(1, 4):
        agree(jitted(X * n), np.sum(X * n * 2))
        agree(buffer, X * n * 2)
        assert count[0] == n


def test_binding_anew_inside_is_an_error():
    model, total = Model(), np.zeros(3)

    def attribute(x):
        model.w = model.w + x
        return model.w

    def variable(x):
        nonlocal total
        total = total + x
        return total

    def everywhere(x):
        globals()["W"]  # noqa: B018
        global W
        W = W * x
        return W

    for f, words in ((attribute, "attribute `w`"), (variable, "nonlocal"), (everywhere, "global variable `W`")):
        with pytest.raises(CompileError, match=words):
            wg.jit(f)(X)


def test_recursion():
    def f(x, n):
        return x * W[0] if n == 0 else f(x, n - 1) + 1

    follow(f, [], X, 3)


def test_captured_in_a_transformation():
    w = np.ones(3)
    jitted = wg.jit(wg.grad(lambda x: np.sum((w * x) ** 2)))
    agree(jitted(X), 2 * w**2 * X)
    w[:] = 3
    agree(jitted(X), 2 * w**2 * X)


def test_traced_values_in_closures():
    def outer(a):
        return wg.jit(lambda x: np.sum(a * x))(X)

    agree(wg.grad(outer)(2.0), np.sum(X))

    def second(a):
        return wg.jit(wg.grad(lambda x: np.sum((a * x) ** 2)))(X)[0]

    agree(wg.grad(second)(2.0), 2 * 2.0 * 2 * X[0])


def test_functions_without_arrays_are_left_alone():
    counter = types.SimpleNamespace(n=0)

    def f(x):
        counter.n += 1
        return x * 2

    jitted = wg.jit(f)
    jitted(X), jitted(X)
    assert counter.n >= 1


def test_a_long_list_is_watched_whole():
    plan = [(k % 3, 1.0 + k) for k in range(200)]

    @wg.jit
    def f(x):
        total = x
        for which, number in plan:
            total = total + number if which else total * 0.5
        return total

    def plainly(x):
        total = x
        for which, number in plan:
            total = total + number if which else total * 0.5
        return total

    def change(act):
        f(1.5)
        f(1.5)
        act()
        assert f(1.5) == plainly(1.5)

    change(lambda: None)
    change(lambda: plan.__setitem__(100, (1, 7.0)))
    change(lambda: plan.append((2, 3.0)))
    change(plan.pop)
    change(plan.reverse)
    change(plan.clear)
    change(lambda: plan.extend([(0, 1.0), (1, 2.0)]))


@dataclasses.dataclass
class Settled:
    """A container that a function captures."""

    weight: object
    scale: float = 2.0
    power: int = 1
    inside: object = None


def test_containers_that_are_captured_take_the_short_way():
    """What changes in them is seen, wherever it stands; and calls in between run no Python."""
    inner = Settled(np.array([1.0, 2.0]), power=2)
    outer = Settled(np.array([3.0, 4.0]), inside=[inner, {"k": np.array([0.5, 0.5])}])

    def value(x):
        part, more = outer.inside
        return np.sum(outer.weight * x * outer.scale + part.weight**part.power * part.scale + more["k"])

    f = wg.jit(value)
    x = np.array([1.0, -2.0])
    changes = [
        lambda: None, lambda: None,
        lambda: outer.weight.__setitem__(0, 7.0),
        lambda: setattr(outer, "weight", np.array([8.0, 9.0])),
        lambda: setattr(outer, "scale", 3.0),
        lambda: setattr(inner, "power", 3),
        lambda: setattr(inner, "weight", np.array([0.1, 0.2])),
        lambda: outer.inside[1].__setitem__("k", np.array([1.5, 2.5])),
        lambda: outer.inside.__setitem__(0, Settled(np.array([5.0, 6.0]))),
    ]  # fmt: skip
    for change in changes:
        change()
        for _ in range(3):
            np.testing.assert_allclose(f(x), value(x), rtol=1e-14)
    assert not f._captured.is_volatile
    assert f._launches


class Counted:
    def __init__(self):
        self.n, self.calls, self.kept = 0, [], {}

    def counts(self, x):
        self.n += 1
        return np.sum(x)

    def appends(self, x):
        self.calls.append(x.shape)
        return np.sum(x)

    def keeps(self, x):
        self.kept["offset"] = 2.0
        return np.sum(x) + self.kept["offset"]


@pytest.mark.parametrize(("name", "what"), [("counts", "`n`"), ("appends", "a list")])
def test_a_function_that_changes_what_it_reaches_is_told_so_once(name, what):
    compiled = wg.jit(getattr(Counted(), name))
    for _ in range(7):
        compiled(X)
    with pytest.warns(RuntimeWarning, match=rf"jit\({name}\) changes {what} whenever it is recorded"):
        compiled(X)
    compiled(X)  # and no second warning


def test_what_a_function_keeps_for_later_calls_is_no_change():
    compiled = wg.jit(Counted().keeps)
    assert [compiled(X) for _ in range(4)] == [np.sum(X) + 2.0] * 4
    assert repr(compiled) == "<wg.jit of keeps, 2 signatures compiled>"
