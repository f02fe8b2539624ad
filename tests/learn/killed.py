"""Train in a process that is killed at its n-th call that touches the folder of checkpoints, for each n; then take the run up.

Each run is a fork of this program, so that a hundred of them take seconds.  Prints, as JSON, what became of each.
"""

import json
import os
import signal
import sys
import tempfile
import time

import numpy as np

import wengert as wg
from wengert import learn, optim
from wengert.learn import checkpoints

STEPS = 6
X = np.random.default_rng(0).normal(size=(12, 2))
STATE = {"folder": None, "left": 0}


def fit(folder=None, steps=STEPS, **options):
    return wg.fit(
        {"w": np.zeros(2)}, lambda m, x: np.mean((x @ m["w"] - 1) ** 2), X, optim.SGD(0.1, momentum=0.9), steps=steps, batch_size=3,
        checkpoint=folder, checkpoint_steps=1, compiled=False, keep=2, **options,
    )  # fmt: skip


def watch(event, arguments):
    """Kill this process at the call that was chosen."""
    if STATE["folder"] is None or not event.startswith(("open", "os.", "shutil.")):
        return
    if any(isinstance(x, str) and x.startswith(STATE["folder"]) for x in arguments):
        STATE["left"] -= 1
        if STATE["left"] < 0:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_at(n, reference):
    with tempfile.TemporaryDirectory() as parent:
        folder = os.path.join(parent, "run")
        pid = os.fork()
        if pid == 0:
            STATE.update(folder=folder, left=n)
            marks = [learn.every(1)(lambda moment: open(os.path.join(parent, f"{moment.step}"), "w").close())]
            fit(folder, callbacks=marks)
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        made = max([int(name) for name in os.listdir(parent) if name.isdigit()], default=0)
        saved = learn.read(folder).run["step"] if checkpoints.names(folder) else 0
        result = fit(folder, resume=True)
        is_same = all(
            np.asarray(a).tobytes() == np.asarray(b).tobytes()
            for a, b in ((result.model["w"], reference.model["w"]), (result.history.losses, reference.history.losses))
        )
        return {"signal": os.WTERMSIG(status), "saved": saved, "lost": made - saved, "same_bits": is_same}


def killed_after(milliseconds):
    """The same by the clock, with arrays so large that nearly all of the time goes into writing them."""
    model = {"w": np.ones(300_000)}
    options = {"batch_size": None, "checkpoint_steps": 1, "compiled": False, "keep": 2, "resume": True}

    def go_on(folder, steps):
        return wg.fit(model, lambda m: np.mean(m["w"] ** 2), None, optim.SGD(1000.0), steps=steps, checkpoint=folder, **options)

    with tempfile.TemporaryDirectory() as folder:
        pid = os.fork()
        if pid == 0:
            go_on(folder, 10**6)
            os._exit(0)
        while not checkpoints.names(folder):
            time.sleep(0.001)
        time.sleep(milliseconds / 1000)
        os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        aside = [name for name in os.listdir(folder) if name.startswith(".")]
        saved = learn.read(folder)
        n = saved.run["step"]
        value = np.float64(1.0)
        for _ in range(n):
            value = value - 1000.0 * (2 * value / 3e5)
        is_right = np.allclose(saved.arrays["model['w']"], value, rtol=1e-12) and go_on(folder, n + 1).steps == n + 1
        return {"signal": os.WTERMSIG(status), "was_writing": bool(aside), "is_right": bool(is_right)}


def main():
    sys.addaudithook(watch)
    reference, runs = fit(), []
    while not runs or runs[-1]["signal"]:
        runs.append(killed_at(len(runs), reference))
    timed = [killed_after(milliseconds) for milliseconds in (2, 5, 9, 14, 20)]
    print(json.dumps({"counted": runs, "timed": timed}))


if __name__ == "__main__":
    main()
