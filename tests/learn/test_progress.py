"""The progress bar: what is drawn at a terminal, wide and narrow, and that nothing is drawn elsewhere."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import numpy as np
import pytest
from rich.console import Console

import wengert as wg
from wengert import optim
from wengert.learn.progress import Bar, Quiet, progress_of

CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
TRAINING = """
import numpy as np, wengert as wg
def loss(model, x, y):
    return np.mean((x @ model["w"] - y) ** 2)
def error(model, x, y):
    return np.max(np.abs(x @ model["w"] - y))
x = np.linspace(-1, 1, 60).reshape(20, 3)
wg.fit({"w": np.zeros(3)}, loss, (x, x @ np.arange(3.0)), wg.optim.SGD(0.1), epochs=4, batch_size=4,
       validation=0.2, metrics={"error": error}, compiled=False)
print("done")
"""


def row(epoch, step, **figures):
    return {"epoch": epoch, "step": step, "loss": 0.5 / epoch, **figures, "rate": 0.01, "seconds": 1.0}


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr("wengert.learn.progress.time.perf_counter", lambda: now[0])
    return now


def pictures(width, clock, *, n_steps=100, n_epochs=4, seconds=0.5):
    """What a terminal shows while four epochs of 25 steps run, one line for each picture."""
    stream = io.StringIO()
    bar = Bar(n_epochs, n_steps, 0, Console(file=stream, width=width, force_terminal=True))
    with bar:
        for step in range(1, 101):
            clock[0] += seconds
            bar.move(step, 1.0 / step)
            if step % 25 == 0:
                bar.turn(row(step // 25, step, val_loss=0.25, val_accuracy=0.975))
    lines = [CONTROL.sub("", line).rstrip() for line in re.split(r"\r\x1b\[2K|\n", stream.getvalue())]
    return [line for line in lines if line]


def test_the_line_has_loss_figures_speed_and_time(clock):
    lines = pictures(120, clock)
    assert lines[0].startswith("epoch 1/4 ")
    assert "0/100  preparing the first step" in lines[0]
    assert not any("nan" in line for line in lines)
    middle = next(line for line in lines if " 50/100 " in line)
    assert middle.startswith("epoch 2/4 ")
    assert middle.endswith("50/100  loss 0.02  val_loss 0.25  val_accuracy 0.975  2 steps/s  0:25 left")
    assert lines[-1].endswith("100/100  loss 0.125  val_loss 0.25  val_accuracy 0.975  2 steps/s  in 0:50")
    assert lines[-1].startswith("epoch 4/4 ")


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (80, ["epoch 4/4", "━━━━━━━━", "loss", "val_loss", "val_accuracy", "/s"]),
        (60, ["epoch 4/4", "━━━━━━━━", "loss", "val_loss", "/s"]),
        (40, ["epoch 4/4", "━━━━━━━━", "loss", "/s"]),
        (25, ["epoch 4/4", "loss"]),
    ],
)
def test_a_narrow_terminal_has_the_words_that_matter_most(clock, width, words):
    lines = pictures(width, clock)
    assert all(word in lines[-1] for word in words)
    assert all(len(line) <= width and "…" not in line for line in lines), "nothing is cut in the middle, and nothing wraps"


def test_the_first_step_does_not_count_for_the_speed(clock):
    stream = io.StringIO()
    with Bar(None, None, 0, Console(file=stream, width=100, force_terminal=True)) as bar:
        clock[0] += 60.0  # it is compiled
        for step in range(1, 12):
            bar.move(step, 1.0)
            clock[0] += 0.25
        assert bar.words()[-2] == "3.6/s"  # ten steps in 11 quarters of a second
    assert "11 steps  loss 1  3.6 steps/s  in 1:03" in stream.getvalue()


def test_a_stream_has_an_end_once_an_epoch_is_known(clock):
    lines = pictures(120, clock, n_steps=None)
    assert "1 step  " in lines[1]
    assert " 50/100 " in "".join(lines)


def test_steps_and_epochs_that_fly_by_are_not_all_drawn(clock):
    assert len(pictures(120, clock, seconds=0.001)) < 10


def test_a_resumed_run_counts_its_own_steps_only(clock):
    with Bar(2, 100, 50, Console(file=io.StringIO(), width=100, force_terminal=True)) as bar:
        for step in range(51, 72):
            bar.move(step, 1.0)
            clock[0] += 1.0
        clock[0] -= 1.0
        assert bar.words()[0] == "71/100"
        assert bar.words()[-2:] == ["1/s", "0:29 left"]


def test_messages_stand_above_the_bar_as_they_are(clock):
    stream = io.StringIO()
    with Bar(1, 10, 0, Console(file=stream, width=100, force_terminal=True)) as bar:
        bar.say("layers[0].weight is [bold]")
    assert "layers[0].weight is [bold]" in CONTROL.sub("", stream.getvalue())


def test_early_stopping_is_said(clock, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("wengert.learn.fitting.progress_of", lambda wanted, *plan: Bar(*plan, Console(file=stream, width=90, force_terminal=True)))
    x = np.ones((8, 1))
    wg.fit({"w": np.ones(1)}, lambda m, x: np.mean((x @ m["w"] - 1) ** 2), x, optim.SGD(0.1), epochs=9, batch_size=None, patience=2, monitor="loss", compiled=False)
    assert "stopped: loss was best 2 epochs ago" in CONTROL.sub("", stream.getvalue())


def test_who_is_shown_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("CI", "true")
    assert type(progress_of(None, 1, 1, 0)) is Quiet
    assert type(progress_of(True, 1, 1, 0)) is Bar
    monkeypatch.delenv("CI")
    assert type(progress_of(None, 1, 1, 0)) is Bar
    assert type(progress_of(False, 1, 1, 0)) is Quiet
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(progress_of(None, 1, 1, 0)) is Quiet


def test_a_pipe_gets_nothing(tmp_path):
    done = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_real_terminal():
    """`fit` in a process whose terminal is 70 columns wide: the line moves in place, and its last picture stays."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 70, 0, 0))
    env = {key: value for key, value in os.environ.items() if key not in {"CI", "COLUMNS", "LINES", "NO_COLOR"}} | {"TERM": "xterm-256color"}
    child = subprocess.Popen([sys.executable, "-c", TRAINING], stdin=terminal, stdout=terminal, stderr=terminal, env=env, close_fds=True)
    os.close(terminal)
    written = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        written += part
    os.close(main)
    assert child.wait() == 0, written.decode()
    text = written.decode()
    assert "\x1b[?25l" in text
    assert text.count("\x1b[?25h") == 1, "the cursor is hidden, and comes back"
    last = [CONTROL.sub("", line).strip() for line in re.split(r"[\r\n]+", text)]
    *_, bar, done = [line for line in last if line]
    assert done == "done"
    assert re.match(r"epoch 4/4 ━+ .*loss \S+  val_loss \S+  .*/s$", bar), bar
    assert len(bar) <= 70
