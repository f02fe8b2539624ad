"""Train until Ctrl-C comes, then go on, and compare with a run that nobody stopped; prints JSON."""

import json
import signal
import sys
import time

import numpy as np

import wengert as wg
from wengert import learn, optim

FOLDER, WHERE = sys.argv[1:]
X = np.random.default_rng(0).normal(size=(40, 2))


def fit(**options):
    return wg.fit(
        {"w": np.zeros(2)}, lambda m, x: np.mean((x @ m["w"] - 1) ** 2), X, optim.SGD(0.01, momentum=0.9), batch_size=7, **options
    )


def wait(moment):
    """Say that it is time, and give the signal time to arrive."""
    if moment.step == (6 if WHERE == "at the end of an epoch" else 9):
        print("now", flush=True)
        time.sleep(1)


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs the tests in the background has it ignored
    callback = wait if WHERE == "at the end of an epoch" else learn.every(1)(wait)
    first = fit(epochs=10**9, checkpoint=FOLDER, callbacks=[callback])
    saved = learn.read(FOLDER).run["step"]
    more = first.steps + 20
    resumed, whole = fit(steps=more, checkpoint=FOLDER, resume=True), fit(steps=more)
    same = resumed.model["w"].tobytes() == whole.model["w"].tobytes() and first.model["w"].any()
    print(json.dumps({"stopped": first.stopped, "steps": first.steps, "saved": saved, "same_bits": bool(same)}))


if __name__ == "__main__":
    main()
