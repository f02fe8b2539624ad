"""A loss that is no finite number stops the run before it reaches the model, and says where it came from."""

import numpy as np
import pytest

import wengert as wg
from wengert import learn, optim
from wengert.errors import DivergedError


def logarithm(model, x):
    return np.mean(np.log(model["w"] - x))


@pytest.mark.parametrize("compiled", [True, False])
def test_it_stops_with_what_was_learnt_before(tmp_path, compiled):
    """`w` falls by a tenth in each step of slope 1/w, and passes the third row's `x` in the middle of the run."""
    x = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.95])
    with pytest.raises(DivergedError, match="the loss became nan in step 6") as caught:
        wg.fit(
            {"w": 1.3}, logarithm, x, optim.SGD(0.1), epochs=3, batch_size=1, shuffle=False, checkpoint=tmp_path, checkpoint_steps=1,
            compiled=compiled,
        )  # fmt: skip
    w = 1.3
    for _ in range(5):
        w -= 0.1 / w
    assert w < 0.95
    result = caught.value.result
    np.testing.assert_allclose(result.model["w"], w, rtol=1e-12)
    assert result.steps == len(result.history.losses) == 5
    assert learn.read(tmp_path).arrays["model['w']"] == result.model["w"]
    (finding, *_) = caught.value.diagnosis.bad
    assert (finding.primitive, finding.kind, finding.where) == ("log", "nan", "primal")
    assert "test_failure.py" in finding.location
    assert finding.line == 'return np.mean(np.log(model["w"] - x))'


def test_a_gradient_that_spoils_the_model_is_found_in_the_step_that_took_it():
    with pytest.raises(DivergedError, match="The gradient of step 1 was not finite, and has spoilt model") as caught:
        wg.fit({"w": 0.0, "b": 1.0}, lambda m: np.sqrt(m["w"]) + m["b"] ** 2, None, optim.SGD(0.1), steps=5)
    (finding, *_) = caught.value.diagnosis.bad
    assert (finding.primitive, finding.where) == ("sqrt", "gradient")


def test_a_step_that_leaves_the_range_of_numbers():
    with pytest.raises(DivergedError, match="Step 1 went so far that model"):
        wg.fit({"w": np.float32(2.0)}, lambda m: m["w"] ** 2, None, optim.SGD(1e38), steps=5)
