"""Every program of the tables gives what PyTorch gave for it, to the rounding of its dtype."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensor_programs as programs
import tensor_stories as stories  # enters its programs into the table

import wengert.tensor

RECORDED = json.loads((Path(__file__).parent / "recorded" / "torch.json").read_text(encoding="utf-8"))
TOLERANCES = {"float16": 2e-3, "float32": 2e-5, "complex64": 2e-5}


def test_the_record_is_of_these_programs():
    assert set(RECORDED) - {"torch"} == set(programs.PROGRAMS)
    assert len(programs.PROGRAMS) >= 200
    assert stories


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_as_in_pytorch(name):
    found = programs.run(programs.PROGRAMS[name], wengert.tensor)
    expected = RECORDED[name]
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        compare(ours, theirs)


def compare(ours, theirs):
    if not isinstance(theirs, list):
        assert _text(ours) == _text(theirs)
    elif theirs[:1] == ["tensor"]:
        assert ours is not None, f"None, where there should be {theirs}"
        assert ours[:3] == theirs[:3]
        close(ours[3:], theirs[3:], TOLERANCES.get(theirs[1], 1e-11))
    elif theirs[:1] == ["number"]:
        close(ours[1:], theirs[1:], 1e-6)
    else:
        assert len(ours) == len(theirs)
        for part, other in zip(ours, theirs, strict=True):
            compare(part, other)


def _text(value):
    """Texts without the numbers that PyTorch gives its functions, and `dtype=torch.float64` as `dtype=float64`."""
    return value.replace("torch.", "").replace("Backward0", "Backward") if isinstance(value, str) else value


def close(ours, theirs, tolerance):
    ours, theirs = (np.array([float(x) for x in values]) for values in (ours, theirs))
    scale = max([1.0, *np.abs(theirs[np.isfinite(theirs)])])
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)
