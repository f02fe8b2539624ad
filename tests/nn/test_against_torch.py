"""Every layer, activation and loss beside what PyTorch 2.13 gave for the same weights and inputs (`record.py`), gradients included."""

import sys
from pathlib import Path

import numpy as np
import pytest

import wengert as wg
from wengert import nn

sys.path.insert(0, str(Path(__file__).parent))
from layer_cases import CASES, cotangents, weight

RECORD = np.load(Path(__file__).parent / "recorded" / "torch.npz")
COMPILED = [case for case in CASES if case.compiled]
named = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def recorded(case):
    start = f"{case.name}: "
    return {name.removeprefix(start): RECORD[name] for name in RECORD.files if name.startswith(start)}


def built(case, dtype):
    """The model with the weights of the case, and its inputs."""
    model = None
    if case.model:
        model = eval(case.text("model", 1), {"nn": nn, "np": np}).astype(dtype)
        state = nn.state_dict(model)
        model = nn.load_state_dict(model, {name: weight(case, name, a.shape) for name, a in state.items() if a.dtype.kind == "f"}, strict=False)
    inputs = {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in case.arrays().items()}
    return model, inputs


def called(case, dtype):
    """A function of model, floating inputs and labels that returns outputs."""
    literal = lambda a: (lambda a: a.astype(dtype) if a.dtype.kind == "f" else a)(np.asarray(a))
    code = compile(case.text("call", 1), case.name, "eval")

    def f(model, inputs, labels):
        out = eval(code, {"nn": nn, "F": nn, "T": literal, "np": np, "m": model, **inputs, **labels})
        return list(out) if isinstance(out, tuple) else [out]

    return f


def results(case, dtype, transform=lambda f: f):
    """What the record holds, computed here."""
    model, inputs = built(case, dtype)
    floats = {name: a for name, a in inputs.items() if a.dtype.kind == "f"}
    labels = {name: a for name, a in inputs.items() if a.dtype.kind != "f"}
    f = called(case, dtype)

    def loss(trained, labels):
        outputs, updated = nn.with_updates(f)(trained[0], trained[1], labels)
        weights = [ct.astype(dtype) for ct in cotangents(case, outputs)]
        return sum(np.sum(y * ct) for y, ct in zip(outputs, weights, strict=True)), (outputs, updated)

    (_, (outputs, updated)), (d_model, d_inputs) = transform(nn.value_and_grad(loss, has_aux=True))((model, floats), labels)
    found = {f"y{k}": y for k, y in enumerate(outputs)} | {f"d {name}": d for name, d in d_inputs.items()}
    if model is not None:
        found |= {f"dw {name}": d for name, d in nn.state_dict(d_model).items()}
        kept = {name for name, a in nn.state_dict(nn.split(updated)[1]).items() if a.dtype.kind == "f"}
        found |= {f"b {name}": a for name, a in nn.state_dict(updated).items() if name in kept}
    return found


def compare(case, found, rtol, dtype):
    want = recorded(case)
    assert set(found) == set(want)
    for name, value in found.items():
        assert np.asarray(value).dtype == dtype, name
        assert np.shape(value) == want[name].shape, name
        size = max(1.0, np.max(np.abs(want[name]), initial=0.0))
        np.testing.assert_allclose(value, want[name], rtol=rtol, atol=rtol * size, err_msg=name)


@named
def test_float64(case):
    compare(case, results(case, np.float64), case.rtol, np.float64)


@named
def test_float32(case):
    compare(case, results(case, np.float32), 2e-5, np.float32)


@pytest.mark.parametrize("case", COMPILED, ids=lambda case: case.name)
def test_compiled(case):
    compare(case, results(case, np.float32, wg.jit), 2e-5, np.float32)
