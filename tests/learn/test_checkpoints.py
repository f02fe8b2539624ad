"""A run that is taken up again has the same bits as one that never stopped, whatever stopped it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import wengert as wg
from wengert import learn, nn, optim, trees
from wengert.errors import TrainingError
from wengert.learn import checkpoints

KILLED = Path(__file__).with_name("killed.py")
INTERRUPTED = Path(__file__).with_name("interrupted.py")


def network():
    return nn.Sequential(nn.Linear(3, 8, rng=0), nn.Tanh(), nn.Dropout(0.2, rng=2), nn.Linear(8, 1, rng=1))


def train(folder=None, *, compiled=True, **options):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3)).astype(np.float32)
    y = np.sin(x[:, :1])
    optimiser = optim.Adam(lambda step: 0.01 / (1 + 0.1 * step))
    options = {"batch_size": 8, "validation": 0.2, "seed": 4, "checkpoint": folder, "compiled": compiled, **options}
    return wg.fit(network(), nn.mse_loss, (x, y), optimiser, **options)


def same_bits(a, b):
    for one, other in ((a.model, b.model), (a.latest, b.latest), (a.state, b.state)):
        leaves, others = trees.flatten(one)[0], trees.flatten(other)[0]
        assert len(leaves) == len(others) > 0
        for x, y in zip(leaves, others, strict=True):
            assert np.asarray(x).dtype == np.asarray(y).dtype
            assert np.asarray(x).tobytes() == np.asarray(y).tobytes()
    assert a.history.losses.tobytes() == b.history.losses.tobytes()
    rows = [[{k: v for k, v in row.items() if k != "seconds"} for row in r.history.rows] for r in (a, b)]
    assert rows[0] == rows[1]
    assert (a.steps, a.stopped) == (b.steps, b.stopped)


@pytest.mark.parametrize("stop", [1, 4, 5, 7, 10])  # an epoch has five steps
def test_resumed_in_the_middle_or_at_the_end_of_an_epoch(tmp_path, stop):
    whole = train(epochs=4)
    train(tmp_path, steps=stop)
    same_bits(whole, train(tmp_path, epochs=4, resume=True))


def test_resumed_again_and_again(tmp_path):
    for stop in range(1, 20, 3):
        train(tmp_path, steps=stop, resume=True)
    same_bits(train(epochs=4), train(tmp_path, epochs=4, resume=True))


def test_patience_goes_on_counting(tmp_path):
    options = {"patience": 3, "min_delta": 0.02, "epochs": 40}
    whole = train(**options)
    assert whole.stopped == "patience"
    for epochs in range(1, len(whole.history)):
        train(tmp_path, **{**options, "epochs": epochs}, resume=True)
    same_bits(whole, train(tmp_path, **options, resume=True))
    same_bits(whole, train(tmp_path, **options, resume=True))  # it is over, and stays over


def drawn(rng):
    for _ in range(4):
        yield rng.normal(size=5)


@pytest.mark.parametrize("stop", [3, 4, 6])
@pytest.mark.parametrize("data", [lambda: drawn, lambda: (np.full(5, float(k)) for k in range(100)), lambda: list(np.eye(5))])
def test_streams_are_taken_up(tmp_path, data, stop):
    def run(folder=None, **options):
        return wg.fit(
            {"m": 0.0}, lambda m, x: np.mean((m["m"] - x) ** 2), data(), optim.SGD(0.1, momentum=0.9), epoch_steps=4,
            checkpoint=folder, compiled=False, **options,
        )  # fmt: skip

    whole = run(epochs=3)
    run(tmp_path, steps=stop)
    same_bits(whole, run(tmp_path, epochs=3, resume=True))


def test_complex_half_and_scalar_leaves_are_kept(tmp_path):
    model = {"z": np.array([1 + 2j, -1j]), "h": np.ones(3, np.float16), "c": 1 - 1j, "n": np.arange(3), "empty": np.zeros((0, 2))}

    def loss(m):
        return np.sum(np.abs(m["z"]) ** 2) + np.sum(m["h"].astype(np.float64) ** 2) + np.abs(m["c"]) ** 2 + np.sum(m["empty"])

    def run(folder=None, **options):
        return wg.fit(model, loss, None, optim.SGD(0.1), checkpoint=folder, on_disconnected="zero", **options)

    run(tmp_path, steps=2)
    same_bits(run(steps=5), run(tmp_path, steps=5, resume=True))


def test_what_is_in_a_folder(tmp_path):
    result = train(tmp_path, epochs=6, keep=2)
    assert checkpoints.names(tmp_path) == [checkpoints.name_of(25, 5), checkpoints.name_of(30, 6)]
    saved = learn.read(tmp_path)
    np.testing.assert_array_equal(saved.arrays["model.layers[0].weight"], result.model.layers[0].weight)
    assert saved.run["step"] == 30
    assert learn.read(tmp_path / checkpoints.name_of(25, 5)).run["epoch"] == 5
    listing = [path.name for path in tmp_path.iterdir()]
    assert len(listing) == 2  # nothing is left aside
    assert sorted(path.name for path in (tmp_path / listing[0]).iterdir()) == ["arrays.safetensors", "run.json"]
    json.loads((tmp_path / listing[0] / "run.json").read_text())


def damage_cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def damage_bit(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 16
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [damage_cut, damage_bit, Path.unlink])
@pytest.mark.parametrize("name", ["arrays.safetensors", "run.json"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, damage, name):
    train(tmp_path, epochs=3)
    if name == "run.json" and damage is damage_bit:
        (tmp_path / checkpoints.name_of(15, 3) / name).write_text("{}")
    else:
        damage(tmp_path / checkpoints.name_of(15, 3) / name)
    assert learn.read(tmp_path).run["step"] == 10
    same_bits(train(epochs=4), train(tmp_path, epochs=4, resume=True))


def test_none_that_is_whole(tmp_path):
    train(tmp_path, epochs=1)
    damage_cut(tmp_path / checkpoints.name_of(5, 1) / "arrays.safetensors")
    with pytest.raises(TrainingError, match="none of the 1 checkpoints"):
        train(tmp_path, epochs=2, resume=True)


def test_killed_at_every_point_of_a_save():
    """Each process is killed (-9) at one of its calls that touch the folder, from the first to the last."""
    done = subprocess.run([sys.executable, str(KILLED)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    runs = found["counted"]
    assert len(runs) > 60
    for run in runs[:-1]:
        assert run["signal"] == signal.SIGKILL
        assert run["lost"] <= 1  # a checkpoint is written after each step
        assert run["same_bits"], run
    assert runs[-1]["signal"] == 0  # there are no more points
    assert {run["saved"] for run in runs} == set(range(7))
    assert all(run["signal"] == signal.SIGKILL and run["is_right"] for run in found["timed"])
    assert any(run["was_writing"] for run in found["timed"])


@pytest.mark.parametrize("where", ["in the middle", "at the end of an epoch"])
def test_ctrl_c_returns_what_was_learnt(tmp_path, where):
    process = subprocess.Popen(
        [sys.executable, str(INTERRUPTED), str(tmp_path / "run"), where], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "now\n"
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    result = json.loads(out)
    assert result["stopped"] == "Ctrl-C"
    assert result["saved"] == result["steps"] > 0
    assert result["same_bits"]


def test_a_run_is_not_overwritten(tmp_path):
    train(tmp_path, epochs=1)
    with pytest.raises(TrainingError, match="holds the checkpoints of a run"):
        train(tmp_path, epochs=1)
    with pytest.raises(TrainingError, match="batch_size was 8 then, and is 4 now"):
        train(tmp_path, epochs=1, resume=True, batch_size=4)
    other = {"w": np.zeros(2)}
    options = {"batch_size": 8, "seed": 4, "checkpoint": tmp_path, "resume": True, "epochs": 1}
    with pytest.raises(TrainingError, match=r"it has no model\['w'\]"):
        wg.fit(other, lambda m, x: np.mean(x @ m["w"]), np.ones((40, 2)), **options)


def test_what_is_left_aside_is_swept_away(tmp_path):
    train(tmp_path, epochs=1)
    shutil.copytree(tmp_path / checkpoints.name_of(5, 1), tmp_path / ".aside-1-2-3")
    train(tmp_path, epochs=2, resume=True)
    assert checkpoints.names(tmp_path) == [checkpoints.name_of(5, 1), checkpoints.name_of(10, 2)]
    assert not (tmp_path / ".aside-1-2-3").exists()
