"""`wg.diagnose` and `wg.anomaly`: which operation, on which line, with which values."""

import dataclasses
import linecache
import threading
import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.errors import AnomalyError


def one(report):
    assert len(report.findings) == 1, report
    return report.findings[0]


def kinds(report):
    return [(f.kind, f.where, f.primitive, f.index, f.inputs) for f in report.findings]


# --- the primal -----------------------------------------------------------------------------------------------------------


def test_log_of_a_negative_number():
    def loss(x):
        y = 2.0 * x
        return np.sum(np.log(y))

    found = one(wg.diagnose(loss)(np.array([1.0, -0.25, 3.0])))
    assert (found.kind, found.where, found.primitive, found.formula, found.index) == ("nan", "primal", "log", "log a", (1,))
    assert found.line == "return np.sum(np.log(y))"
    assert found.location.startswith("test_diagnose.py:")
    assert (found.operands[0].at, found.operands[0].least, found.operands[0].greatest) == (-0.5, -0.5, 6.0)
    assert found.operands[0].source.startswith("`multiply`, test_diagnose.py:")
    assert (found.result.n_nan, found.result.size) == (1, 3)
    assert found.inputs == ("x",)


def test_zero_by_zero():
    found = one(wg.diagnose(lambda x, y: x / y)(0.0, 0.0))
    assert (found.kind, found.primitive, [v.at for v in found.operands], found.inputs) == ("nan", "divide", [0.0, 0.0], ("x", "y"))


def test_overflow_comes_before_the_nan_that_it_becomes():
    def loss(x):
        e = np.exp(x)
        return np.sum(e / (1.0 + e))

    report = wg.diagnose(loss)(np.array([0.0, 1000.0]))
    assert [(f.kind, f.primitive, f.index) for f in report.findings] == [("infinity", "exp", (1,)), ("nan", "divide", (1,))]
    assert report.bad == report.findings


def test_an_input_that_is_bad_already():
    found = one(wg.diagnose(lambda p: np.sum(p["a"] * p["b"]))({"a": np.ones(2), "b": np.array([1.0, np.nan])}))
    assert (found.kind, found.primitive, found.index, found.inputs) == ("nan", "", (1,), ("p['b']",))


def test_a_constant_that_is_bad_already():
    table = np.array([1.0, np.inf])
    found = one(wg.diagnose(lambda x: np.sum(x * table))(np.ones(2)))
    assert (found.kind, found.primitive, found.index) == ("infinity", "multiply", (1,))
    assert "operand b was not finite when it came" in found.why


def test_what_where_does_not_choose_is_innocent():
    def loss(x):
        return np.sum(np.where(x > 0, np.sqrt(x), 0.0))

    assert not wg.diagnose(loss)(np.array([4.0, -1.0, 0.0]))
    both = one(wg.diagnose(lambda x: np.sum(np.where(x > 0, np.log(x - 2), np.sqrt(x))))(np.array([1.0, 4.0, 5.0])))
    assert both.primitive == "log"


def test_what_is_multiplied_away_is_not():
    """NumPy's own 0 * inf is NaN in the primal; the first operation to blame is the one that made the infinity."""
    report = wg.diagnose(lambda x: np.sum(0.0 * np.exp(x)))(np.array([1000.0]))
    assert [(f.kind, f.primitive) for f in report.findings] == [("infinity", "exp"), ("nan", "multiply")]


# --- the gradient ---------------------------------------------------------------------------------------------------------


def test_infinite_slope():
    def loss(p):
        return np.sum(np.sqrt(p["w"])) + np.sum(p["b"])

    found = one(wg.diagnose(loss)({"w": np.array([4.0, 0.0]), "b": np.ones(3)}))
    assert (found.kind, found.where, found.primitive, found.index, found.inputs) == ("infinity", "gradient", "sqrt", (1,), ("p['w']",))
    assert (found.operands[0].at, found.result.n_infinite) == (0.0, 1)


def test_infinities_that_do_no_harm():
    """The output is finite and the slope zero, which is stronger than the infinity that it meets."""

    report = wg.diagnose(lambda w, x: np.arctan(w * np.exp(x)))(1.0, 1000.0)
    assert [(f.kind, f.where, f.primitive) for f in report.findings] == [("zero", "gradient", "arctan")]
    report = wg.diagnose(lambda w, x: np.sum(np.maximum(np.exp(-w * np.exp(x)), w)))(np.full(2, 0.5), 1000.0)
    assert not report.bad


def test_the_cotangents_of_a_sum():
    big = 1e308
    found = one(wg.diagnose(lambda x: big * x + big * x)(0.5))
    assert (found.kind, found.where) == ("infinity", "gradient")
    assert found.why == "The 2 cotangents that arrive at the input x are finite, and their sum is not."


def test_dead_rectifier():
    def loss(w):
        return np.sum(np.maximum(w, 0.0))

    found = one(wg.diagnose(loss)(np.array([-1.0, -2.0])))
    assert (found.kind, found.where, found.primitive, found.inputs) == ("zero", "gradient", "maximum", ("w",))
    assert not wg.diagnose(loss)(np.array([-1.0, 2.0]))


def test_multiplied_by_zero_and_saturated():
    assert one(wg.diagnose(lambda x: np.sum(0.0 * np.sin(x)))(np.ones(2))).primitive == "multiply"
    assert one(wg.diagnose(lambda x: np.sum(np.tanh(x)))(np.full(2, 400.0))).primitive == "tanh"


def test_cotangents_that_cancel():
    found = one(wg.diagnose(lambda x: x - x)(2.0))
    assert (found.kind, found.why) == ("zero", "The 2 cotangents that arrive at the input x cancel exactly.")


def test_disconnected_by_a_discrete_operation():
    def score(p):
        best = np.argmax(p["logits"])
        return p["value"] * best

    found = one(wg.diagnose(score)({"logits": np.array([1.0, 3.0]), "value": 2.0}))
    assert (found.kind, found.primitive, found.line, found.inputs) == ("disconnected", "argmax", "best = np.argmax(p['logits'])".replace("'", '"'), ("p['logits']",))


def test_disconnected_otherwise():
    assert "treats its operand as a constant" in one(wg.diagnose(lambda x: 2.0 * wg.stop_gradient(x))(1.0)).why
    assert one(wg.diagnose(lambda x, y: y * 1.0)(1.0, 2.0)).why == "No operation uses it."

    def unused(x):
        np.sin(x)
        return 1.0

    assert "`sin a` is the last operation that uses it" in one(wg.diagnose(unused)(1.0)).why


# --- inside of other things -----------------------------------------------------------------------------------------------


def test_inside_of_loops():
    def body(s, x):
        return s + np.log(x), None

    found = one(wg.diagnose(lambda x: wg.scan(body, 0.0, x)[0])(np.array([1.5, 2.0, -1.0, 3.0])))
    assert (found.primitive, found.line, found.step) == ("log", "return s + np.log(x), None", "step 2 of wg.scan")
    found = one(wg.diagnose(lambda x: wg.fori_loop(0, 4, lambda k, s: np.sqrt(s - 1.0), x))(5.5))
    assert (found.primitive, found.step) == ("sqrt", "step 3 of wg.fori_loop")  # 5.5, 2.1, 1.06, 0.24
    found = one(wg.diagnose(lambda x: wg.while_loop(lambda s: s > -5.0, lambda s: np.log(s) - 2.0, x))(9.0))
    assert (found.primitive, found.step) == ("log", "step 2 of wg.while_loop")  # 9, 0.2, -3.6
    nested = wg.diagnose(lambda x: wg.fori_loop(0, 2, lambda i, s: wg.fori_loop(0, 3, lambda j, t: np.sqrt(t), s) - 2.0, x))(9.0)
    assert nested.findings[0].step == "step 0 of wg.fori_loop of (step 1 of wg.fori_loop)"


def test_inside_of_branches():
    f = lambda x: wg.cond(x > 0, np.sqrt, lambda x: np.log(x), x)
    assert one(wg.diagnose(f)(-1.0)).primitive == "log"
    assert one(wg.diagnose(f)(0.0)).kind == "infinity"
    assert not wg.diagnose(f)(4.0)


def test_inside_of_vmap():
    found = one(wg.diagnose(lambda x: np.sum(wg.vmap(lambda row: np.log(row[0] * row[1]))(x)))(np.array([[1.0, 2.0], [1.0, -2.0]])))
    assert (found.primitive, found.index) == ("log", (1,))
    branches = wg.vmap(lambda x: wg.cond(x > 0, np.sqrt, lambda x: 0.0 * x, x))
    assert [f.kind for f in wg.diagnose(lambda x: np.sum(branches(x)))(np.array([1.0, 4.0])).bad] == []


def test_inside_of_checkpoints_and_jit():
    inner = wg.jit(lambda x: np.log(x))
    assert one(wg.diagnose(lambda x: np.sum(inner(x)))(np.array([1.5, -1.0]))).primitive == "log"
    again = wg.checkpoint(lambda x: np.sqrt(x))
    assert one(wg.diagnose(lambda x: np.sum(again(x)))(np.array([1.0, 0.0]))).primitive == "sqrt"


def test_custom_rules_stand_for_themselves():
    @wg.custom_rule
    def f(x):
        return x * 1.0

    @f.reverse
    def rule(x):
        return x * 1.0, lambda ct: (ct * np.inf,)

    found = one(wg.diagnose(lambda x: f(x) * 2.0)(3.0))
    assert (found.kind, found.where, found.primitive) == ("infinity", "gradient", "custom_f")


@pytest.mark.parametrize("compiled", [False, True])
def test_functions_that_differentiate_are_told_about_their_derivatives(compiled):
    def loss(w, x):
        return np.sum(np.sqrt(w * x)) + 0.0 * w[0]

    step = wg.value_and_grad(loss)
    found = one(wg.diagnose(wg.jit(step) if compiled else step)(np.array([1.0, 0.0]), np.ones(2)))
    assert (found.kind, found.where, found.primitive, found.index, found.inputs) == ("infinity", "gradient", "sqrt", (1,), ("w",))


def test_second_derivatives():
    found = wg.diagnose(wg.grad(wg.grad(lambda x: np.sqrt(x))))(0.0).bad
    assert (found[0].kind, found[0].where, found[0].primitive) == ("infinity", "gradient", "sqrt")
    inner = wg.diagnose(wg.grad(wg.grad(lambda x: x**1.5)))(0.0).bad  # the first derivative is fine
    assert inner
    assert all(f.location.startswith("test_diagnose.py:") for f in inner)


@dataclasses.dataclass
class Layer:
    weight: np.ndarray
    name: str = "dense"


def test_paths_into_a_model():
    def loss(model, x):
        for layer in model["layers"]:
            x = np.maximum(x @ layer.weight, 0.0)
        return np.sum(x)

    model = {"layers": [Layer(np.ones((2, 2))), Layer(-np.ones((2, 2)))]}
    found = one(wg.diagnose(loss)(model, np.ones(2)))
    assert found.inputs == ("model['layers'][0].weight", "model['layers'][1].weight")


def test_arguments():
    f = lambda x, y, scale=1.0: np.sum(np.sqrt(x * y) * scale)
    assert kinds(wg.diagnose(f)(np.array([0.0, 1.0]), y=np.ones(2))) == [("infinity", "gradient", "sqrt", (0,), ("x",))]
    found = one(wg.diagnose(f, argnums="y")(np.ones(2), y=np.array([0.0, 1.0])))
    assert (found.kind, found.inputs) == ("infinity", ("y",))
    assert not wg.diagnose(f, argnums=(0, 1))(np.ones(2), np.ones(2))
    with pytest.raises(TypeError, match="diagnose"):
        wg.diagnose(3.0)


def test_arguments_stay_as_they_are():
    def loss(x):
        x[0] = -1.0
        return np.sum(np.log(x))

    x = np.ones(2)
    assert one(wg.diagnose(loss)(x)).primitive == "log"
    assert x.tolist() == [1.0, 1.0]


def test_reports_print_themselves():
    source = "import numpy as np\ndef loss(x):\n    return np.sum(np.log(x))\n"
    linecache.cache["model.py"] = (len(source), None, source.splitlines(keepends=True), "model.py")
    room = {}
    exec(compile(source, "model.py", "exec"), room)
    report = wg.diagnose(room["loss"])(np.array([[1.0, -2.0]]))
    assert str(report) == repr(report) == (
        "loss (model.py:2): 1 finding\n"
        "  value: float64[], NaN\n"
        "\n"
        "1. NaN in the primal, by log\n"
        "    model.py:3   return np.sum(np.log(x))\n"
        "    `log a` gave nan at [0, 1], where a = -2.0; 1 of 2 entries.\n"
        "    a: float64[1,2], -2 to 1   from input x\n"
        "    result: float64[1,2], 0, 1 NaN, 1 zero\n"
        "    leads from x"
    )  # fmt: skip
    page = report._repr_html_()
    assert "<b>NaN in the primal, by log</b>" in page
    assert "model.py:3" in page
    fine = wg.diagnose(room["loss"])(np.array([1.0, 2.0]))
    assert str(fine) == "loss (model.py:2): nothing found\n  value: float64[], 0.693147"
    assert (bool(report), bool(fine)) == (True, False)
    assert fine.gradients[0].greatest == 1.0


def test_no_warnings_are_given():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(wg.diagnose(lambda p: np.log(p[0]) + 0 * np.argmax(p[1]))((-1.0, np.ones(2))).findings) == 2


# --- anomaly --------------------------------------------------------------------------------------------------------------


def loss_of_roots(x):
    return np.sum(np.sqrt(x))


def test_anomaly_lets_good_programs_be():
    x = np.array([1.0, 4.0])
    slope = wg.jit(wg.grad(loss_of_roots))
    with wg.anomaly():
        assert wg.grad(loss_of_roots)(x).tolist() == [0.5, 0.25]
        assert slope(x).tolist() == [0.5, 0.25]
        assert wg.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(np.array([4.0, 0.0])).tolist() == [0.25, 0.0]
        np.testing.assert_allclose(wg.hessian(loss_of_roots)(x), np.diag([-0.25, -1 / 32]))
        with pytest.warns(wg.errors.DisconnectedWarning):
            wg.grad(lambda x, y: y * 1.0)(1.0, 2.0)


@pytest.mark.parametrize("make", [wg.grad, lambda f: wg.jit(wg.grad(f)), lambda f: wg.grad(wg.jit(f)), wg.value_and_grad, lambda f: lambda x: wg.vjp(f, x)[1](1.0),
                                  lambda f: wg.vmap(wg.grad(f)), lambda f: lambda x: wg.jacobian(f, mode="reverse")(x)])
def test_anomaly_raises_eager_and_compiled(make):
    slope = make(loss_of_roots)
    x = np.array([[1.0, 0.0]])
    with wg.anomaly(), pytest.raises(AnomalyError, match=r"^infinity in the gradient, by sqrt\."):
        slope(x)
    slope(x)  # outside, all is as before


def test_anomaly_opens_closed_boxes():
    def rolled(x):
        return wg.scan(lambda s, x: (s * np.sqrt(x), None), 1.0, x)[0]

    for make in (wg.grad, lambda f: wg.jit(wg.grad(f)), lambda f: wg.grad(wg.checkpoint(f))):
        with wg.anomaly(), np.errstate(all="ignore"), pytest.raises(AnomalyError, match=r"in step 1 of wg\.scan"):
            make(rolled)(np.array([1.0, 0.0]))


def test_anomaly_does_not_call_an_eager_function_twice():
    random = np.random.default_rng(0)
    calls = []

    def loss(x):
        calls.append(random.normal())
        return np.sum(np.log(-x))

    with wg.anomaly(), np.errstate(all="ignore"), pytest.raises(AnomalyError, match="by log"):
        wg.grad(loss)(np.ones(2))
    assert len(calls) == 1


def test_anomaly_in_a_compiled_step():
    """Known programs go straight to native code, and come back to it."""
    step = wg.jit(lambda w, x: w - 0.1 * wg.grad(lambda w: np.sum(np.log(w) * x))(w))
    w, x = np.array([1.0, 2.0]), np.ones(2)
    before = step(w, x)
    quick = step.__call__
    with wg.anomaly():
        assert step(w, x).tolist() == before.tolist()
        with pytest.raises(AnomalyError) as caught:
            step(np.array([1.0, 0.0]), x)
    assert caught.value.args[0].startswith("infinity in the primal, by log.")
    assert step.__call__ is quick


def test_anomaly_of_a_value_alone():
    f = wg.jit(lambda x: np.log(x))
    with wg.anomaly(), np.errstate(all="ignore"), pytest.raises(AnomalyError, match=r"`log a` gave nan"):
        f(np.array([-1.0]))


def test_anomaly_belongs_to_its_thread():
    slope = wg.jit(wg.grad(loss_of_roots))
    found = []
    with wg.anomaly():
        thread = threading.Thread(target=lambda: found.append(slope(np.array([0.0]))))
        thread.start()
        thread.join()
    assert found[0].tolist() == [np.inf]


def test_anomaly_of_a_function_that_changes_its_argument():
    def f(x):
        y = np.log(x)
        x[0] = 1.0
        return y

    compiled = wg.jit(f)
    with wg.anomaly(), np.errstate(all="ignore"), pytest.raises(AnomalyError, match=r"the result of the compiled f is not finite\."):
        compiled(np.array([-1.0]))


# --- anomaly, forwards ------------------------------------------------------------------------------------------------------


def doubled_roots(x):
    return np.sum(np.sqrt(x) * 2)


@pytest.mark.parametrize("make", [lambda f: f, wg.jit])
def test_anomaly_in_a_tangent_names_the_operation_that_made_it(make):
    with wg.anomaly(), pytest.raises(AnomalyError, match=r"^infinity in the tangent, by sqrt\.") as caught:
        wg.jvp(make(doubled_roots), (np.array([4.0, 0.0]),), (np.ones(2),))
    assert "return np.sum(np.sqrt(x) * 2)" in str(caught.value)
    assert "where a = 0.0" in str(caught.value)


def test_a_tangent_that_is_exactly_zero_makes_no_anomaly():
    with wg.anomaly():
        y, dy = wg.jvp(doubled_roots, (np.array([4.0, 0.0]),), (np.array([1.0, 0.0]),))
    assert (y, dy) == (4.0, 0.5)


def test_anomaly_of_a_primal_is_said_before_its_tangent():
    with wg.anomaly(), np.errstate(all="ignore"), pytest.raises(AnomalyError, match=r"^NaN in the primal, by sqrt\."):
        wg.jvp(doubled_roots, (np.array([4.0, -1.0]),), (np.ones(2),))


def test_a_tangent_that_came_bad_is_said_to_have_come_so():
    with wg.anomaly(), pytest.raises(AnomalyError, match=r"The tangent of the input x is nan at \[1\] already"):
        wg.jvp(doubled_roots, (np.array([4.0, 1.0]),), (np.array([1.0, np.nan]),))


def test_anomaly_in_a_tangent_of_several_results_and_within_loops():
    def several(x):
        values, vectors = np.linalg.eigh(x)
        return np.sum(np.sqrt(values - values[0] + (x[0, 0] - 1.0)))

    with wg.anomaly(), np.errstate(all="ignore"), pytest.raises(AnomalyError, match=r"in the tangent, by sqrt\."):
        wg.jvp(several, (np.diag([1.0, 2.0, 4.0]),), (np.diag([1.0, 3.0, 1.0]),))

    def loop(x):
        return wg.scan(lambda c, _: (np.sqrt(c - 1.0), None), x, length=2)[0]

    with wg.anomaly(), np.errstate(all="ignore"), pytest.raises(AnomalyError, match=r"in step 1 of wg\.scan"):
        wg.jvp(loop, (np.array(2.0),), (np.array(1.0),))


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_look_at_a_compiled_result_sees_every_bad_entry(dtype, bad):
    step = wg.jit(lambda x: x / 2)
    x = np.arange(1.0, 7.0).reshape(2, 3).astype(dtype)
    with wg.anomaly(), np.errstate(all="ignore"):
        np.testing.assert_array_equal(step(x), x / 2)
        np.testing.assert_array_equal(step(x.T), x.T / 2)
        for place in np.ndindex(x.shape):
            y = x.copy()
            y[place] = bad
            with pytest.raises(AnomalyError):
                step(y)


def test_the_look_at_a_compiled_result_lets_large_numbers_be():
    step = wg.jit(lambda x: x * 2)
    with wg.anomaly():
        np.testing.assert_array_equal(step(np.full(3, 1e300)), np.full(3, 2e300))  # whose squares are infinite
        np.testing.assert_array_equal(wg.jit(lambda x: x > 0)(np.ones(2)), [True, True])
