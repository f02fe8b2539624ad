"""NumPy's warnings switched off: as `np.errstate`, whichever way the state is kept."""

import threading

import numpy as np
import pytest

from wengert.core import quiet as module
from wengert.core.quiet import quiet


@pytest.fixture(params=["found", "not found"])
def silence(request, monkeypatch):
    """Both ways: NumPy's own variable, and `np.errstate` for a NumPy that keeps it elsewhere."""
    assert module.SILENCE is not None, "this NumPy keeps its state in another way"
    return quiet if request.param == "found" else module._usual


def test_nothing_is_said_inside_and_everything_outside(silence):
    with np.errstate(all="raise"):
        with silence():
            assert np.isinf(np.float64(1.0) / np.zeros(1))[0]
            assert set(np.geterr().values()) == {"ignore"}
        with pytest.raises(FloatingPointError):
            np.float64(1.0) / np.zeros(1)


def test_an_error_inside_puts_the_state_back(silence):
    before = np.geterr()
    with pytest.raises(KeyError), silence():
        raise KeyError
    assert np.geterr() == before


def test_blocks_within_blocks_and_other_threads(silence):
    seen = []
    with np.errstate(all="warn"):
        with silence():
            with silence():
                pass
            assert np.geterr()["divide"] == "ignore"
            thread = threading.Thread(target=lambda: seen.append(np.geterr()["divide"]))
            thread.start()
            thread.join()
        assert np.geterr()["divide"] == "warn"
    assert seen == ["warn"]
