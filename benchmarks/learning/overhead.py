"""What a step of `wg.fit` costs beside the compiled step itself and the gathering of its batch: `python benchmarks/learning/overhead.py`.

The three are timed alternately in one process, on a small network, where a microsecond shows; CPU time, medians.
"""

import statistics
import time

import numpy as np

import wengert as wg
from wengert import learn, nn, optim

N, SIZE, EPOCHS = 32_000, 32, 9


def bare(step, batches):
    """The compiled step alone, on batches that are there."""
    now = (None, *step.start)
    begin = time.process_time()
    for batch in batches:
        now = step.run(now[1], now[2], batch)
    return (time.process_time() - begin) / len(batches)


def gather(source):
    """Drawing the batches alone."""
    begin = time.process_time()
    n = sum(1 for _ in source.batches(0))
    return (time.process_time() - begin) / n


def main():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(N, 8)).astype(np.float32), rng.integers(0, 2, N)
    model = nn.Sequential(nn.Linear(8, 8, rng=0), nn.Tanh(), nn.Linear(8, 2, rng=1))
    loss, optimiser = learn.step.of_model(nn.cross_entropy), optim.Adam(1e-3)
    step = learn.step.Step(loss, optimiser, model, compiled=True)
    source = learn.data.Arrays((x, y), learn.data.Settings(SIZE, shuffle=True, seed=0))
    batches = list(source.batches(0))
    marks = []
    wg.set_threads(1)
    bares, gathers = [], []

    def mark(moment):
        bares.append(bare(step, batches))
        gathers.append(gather(source))
        marks.append(time.process_time())

    begins = []
    original = learn.data.Arrays.batches

    def begin(self, *args):
        begins.append(time.process_time())
        return original(self, *args)

    learn.data.Arrays.batches = begin
    wg.fit(model, nn.cross_entropy, (x, y), optimiser, epochs=EPOCHS, batch_size=SIZE, callbacks=[mark], progress=False)
    learn.data.Arrays.batches = original
    starts = begins[::2]  # every second one is that of `gather`
    ends = [mark_time - (b + g) * len(batches) for mark_time, b, g in zip(marks, bares, gathers, strict=True)]
    fits = [(end - start) / len(batches) for start, end in zip(starts, ends, strict=True)]
    whole, alone, drawing = (1e6 * statistics.median(times[1:]) for times in (fits, bares, gathers))
    print(f"a step of fit {whole:.1f} µs; the compiled step {alone:.1f} µs, gathering {drawing:.1f} µs")
    print(f"overhead of the loop: {whole - alone - drawing:.1f} µs a step")


if __name__ == "__main__":
    main()
