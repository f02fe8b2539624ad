"""What a jitted function shows of itself: stages, text, assembly, report."""

import warnings

import numpy as np

import wengert as wg
from wengert.compiler.engine import vector_bits
from wengert.core.check import check

X = np.arange(1000.0) / 1000


def f(x):
    return np.sum(np.sin(x) * np.exp(-x))


def g(a):
    return np.linalg.inv(a) @ a


def test_stages():
    stages = wg.jit(wg.grad(f)).stages(X)
    assert list(stages) == ["recorded", "simplified", "fused", "llvm", "optimised", "asm"]
    assert len(stages) == 6
    for name in ("recorded", "simplified"):
        graph = check(stages[name])
        np.testing.assert_allclose(graph(X)[0], wg.grad(f)(X), rtol=1e-12)
        assert wg.draw(graph) is not None
    assert "for i < 1000" in stages["fused"]
    text = str(stages)
    assert all(f"--- {name}" in text for name in stages)


def test_variables_have_the_users_names():
    def loss(params, x):
        return np.sum(params["w"] * x)

    graph = wg.jit(loss).stages({"w": X}, X)["recorded"]
    assert [var.hint for var in graph.inputs] == ["params['w']", "x"]


def test_text_and_instructions():
    jitted = wg.jit(f)
    assert "define i32 @entry" in jitted.llvm(X)
    assert "entry:" in jitted.asm(X)
    assert jitted.asm(X) == jitted.stages(X)["asm"]


def test_report_counts():
    report = wg.jit(f).report(X)
    assert len(report.kernels) == 1
    assert not report.host_calls
    assert report.read == 8 * 1000
    assert report.flops >= 4 * 1000
    assert report.outputs == 8
    assert report.n_paths == 1
    assert "1 native steps" in str(report) or "in 1 native step" in str(report)


def test_report_names_calls_of_python_with_the_users_line():
    report = wg.jit(lambda x: np.fft.rfft(x).real).report(np.eye(3) + 0.1)
    names = [call.primitive for call in report.host_calls]
    assert names == ["complex rfft"]
    assert all(call.location.startswith("test_jit_shown.py:") for call in report.host_calls)
    assert "complex rfft   test_jit_shown.py" in str(report)


def test_report_of_guards():
    jitted = wg.jit(lambda x: x * 2 if x[0] > 0 else x)
    jitted(X), jitted(X + 1)
    report = jitted.report(X)
    assert (report.n_guards, report.n_paths) == (1, 2)


def test_looking_changes_nothing():
    x = np.ones(3)

    def write(x):
        x[0] = 5
        return x.sum()

    jitted = wg.jit(write)
    jitted.report(x), jitted.stages(x)["fused"]
    assert x[0] == 1


def test_an_error_says_where_it_was_written():
    jitted = wg.jit(np.linalg.inv)
    jitted(np.eye(2))
    try:
        jitted(np.zeros((2, 2)))
    except np.linalg.LinAlgError as error:
        assert any("test_jit_shown.py" in note for note in error.__notes__)
    else:
        raise AssertionError


def test_every_group_of_attributes_has_one_meaning():
    """LLVM joins groups of the same number: what must not be inlined once was, and loops lost their vector calls."""
    jitted = wg.jit(wg.value_and_grad(lambda x: np.sum(np.tanh(x) * np.exp(-(x**2)) + np.sort(x)) + x[0] ** 0.3))
    x = np.linspace(0.1, 2.0, 5000)
    groups = [line.split(" ")[1] for line in jitted.llvm(x).splitlines() if line.startswith("attributes #")]
    assert len(groups) == len(set(groups))
    if vector_bits() >= 256:
        lanes = vector_bits() // 64
        body = jitted.stages(x)["optimised"].partition("define linkonce")[0]
        assert f"call <{lanes} x double> @_ZGV" in body


def test_loops_that_are_cut_are_vectors():
    """LLVM gives up on a part that reads and writes too many scratch arrays: a gradient of 1,000 operations took six times as long."""

    def f(x):
        values = [x, x + 1]
        for k in range(500):
            value = np.sin(values[k]) if k % 5 == 0 else values[k]
            values.append(value * values[k // 2 + 1] - 0.5)
        return np.sum(values[-1] * values[-2])

    jitted = wg.jit(wg.grad(f))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stages = jitted.stages(np.ones(512))
    scalar = [line for line in stages["optimised"].splitlines() if " fmul double " in line]
    assert stages["fused"].count("for i < 512") > 1
    assert not scalar
