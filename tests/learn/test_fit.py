"""`fit` against the loop written by hand, and what it promises about models, data, metrics, stopping, callbacks."""

import numpy as np
import pytest

import wengert as wg
from wengert import learn, nn, optim, trees


def linear_data(n=40, dtype=np.float64):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)).astype(dtype)
    y = (x @ np.array([1.0, -2.0, 0.5]) + 0.3 + 0.01 * rng.normal(size=n)).astype(dtype)
    return x, y


def zeros(dtype=np.float64):
    return {"w": np.zeros(3, dtype), "b": np.zeros((), dtype)}


def squared(model, x, y):
    return np.mean((x @ model["w"] + model["b"] - y) ** 2)


def closed_slope(model, x, y):
    error = 2 * (x @ model["w"] + model["b"] - y) / len(y)
    return {"w": x.T @ error, "b": error.sum()}


def by_hand(x, y, rate, epochs, size, seed):
    """Plain gradient descent on the same batches, its gradient in closed form."""
    model, losses = zeros(), []
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch + 1]).permutation(len(y))
        for start in range(0, len(y), size):
            rows = order[start : start + size]
            losses.append(squared(model, x[rows], y[rows]))
            slope = closed_slope(model, x[rows], y[rows])
            model = {name: model[name] - rate * slope[name] for name in model}
    return model, losses


@pytest.mark.parametrize("compiled", [True, False])
def test_it_is_the_loop_that_one_would_write(compiled):
    x, y = linear_data()
    result = wg.fit(zeros(), squared, (x, y), optim.SGD(0.1), epochs=3, batch_size=16, seed=5, compiled=compiled)
    model, losses = by_hand(x, y, 0.1, 3, 16, 5)
    np.testing.assert_allclose(result.history.losses, losses, rtol=1e-12)
    np.testing.assert_allclose(result.model["w"], model["w"], rtol=1e-12)
    np.testing.assert_allclose(result.model["b"], model["b"], rtol=1e-12)
    assert result.steps == 9  # the last batch of each epoch has eight rows
    assert result.stopped == ""


def test_data_of_fewer_rows_than_a_batch_are_one_batch():
    x, y = linear_data(10)
    result = wg.fit(zeros(), squared, (x, y), optim.SGD(0.1), epochs=4)
    model, losses = by_hand(x, y, 0.1, 4, 32, 0)
    np.testing.assert_allclose(result.history.losses, losses, rtol=1e-12)
    np.testing.assert_allclose(result.model["w"], model["w"], rtol=1e-12)
    assert result.steps == 4


def test_every_row_is_drawn_once_in_an_epoch():
    seen = []

    def loss(model, x):
        return np.sum(model["w"] * np.mean(x))

    def note(moment):
        seen.append(moment.step)

    rows = np.arange(10.0)
    source = learn.data.Arrays((rows,), learn.data.Settings(4, shuffle=True, seed=3))
    for epoch in (0, 1):
        drawn = np.concatenate([batch[0] for batch in source.batches(epoch)])
        assert sorted(drawn) == list(rows)
        assert list(drawn) != list(rows)
    wg.fit({"w": 1.0}, loss, rows, optim.SGD(0.0), batch_size=4, epochs=2, callbacks=[note])
    assert seen == [3, 6]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_model_keeps_its_dtype_and_the_data_follow(dtype):
    x, y = linear_data(dtype=np.float64)
    result = wg.fit(zeros(dtype), squared, (x, y), optim.Adam(0.1), epochs=60, batch_size=8)
    assert result.model["w"].dtype == dtype
    assert {x.dtype for x in trees.flatten(result.state)[0]} == {np.dtype(dtype), np.dtype(np.int64)}
    np.testing.assert_allclose(result.model["w"], [1.0, -2.0, 0.5], atol=0.02)


def test_one_array_a_dict_and_no_data_at_all():
    x, y = linear_data()
    first = wg.fit({"m": 0.0}, lambda model, x: np.mean((x - model["m"]) ** 2), y, optim.SGD(0.5), epochs=1, batch_size=None)
    np.testing.assert_allclose(first.model["m"], y.mean(), rtol=1e-12)
    named = wg.fit(zeros(), lambda m, d: squared(m, d["x"], d["y"]), {"x": x, "y": y}, optim.SGD(0.1), epochs=3, batch_size=16, seed=5)
    np.testing.assert_array_equal(named.model["w"], wg.fit(zeros(), squared, (x, y), optim.SGD(0.1), epochs=3, batch_size=16, seed=5).model["w"])
    alone = wg.fit({"x": 5.0}, lambda model: (model["x"] - 2.0) ** 2, None, optim.SGD(0.1), steps=200)
    np.testing.assert_allclose(alone.model["x"], 2.0)
    assert alone.steps == 200


def test_settings_in_a_container_stay_settings():
    model = {"w": np.zeros(2), "power": 2, "name": "parabola"}

    def loss(model):
        return np.sum((model["w"] - 1) ** model["power"]) * (model["name"] == "parabola")

    result = wg.fit(model, loss, None, optim.SGD(0.25), steps=60)
    assert (result.model["power"], result.model["name"]) == (2, "parabola")
    np.testing.assert_allclose(result.model["w"], 1.0)


def test_buffers_move_on_and_the_result_is_ready_for_use():
    x, y = linear_data(dtype=np.float32)
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 1, rng=0))
    result = wg.fit(model, lambda m, x, y: nn.mse_loss(m(x)[:, 0], y), (x, y), optim.SGD(0.01), epochs=60, batch_size=40)
    np.testing.assert_allclose(result.model.layers[0].running_mean, x.mean(0), rtol=1e-2, atol=1e-3)
    assert not result.model.training
    assert result.latest.training
    assert result.model.layers[1].key != model.layers[1].key
    np.testing.assert_array_equal(model.layers[0].running_mean, 0)  # the user's model stays
    a, b = result.model(x), result.model(x)
    np.testing.assert_array_equal(a, b)


def blobs(n=200):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, n)
    return rng.normal(size=(n, 2)) + 3.0 * labels[:, None], labels


def test_a_loss_of_nn_is_of_output_and_target():
    x, labels = blobs()
    options = {"epochs": 2, "seed": 3}
    one = wg.fit(nn.Linear(2, 2, rng=0), nn.cross_entropy, (x, labels), optim.Adam(0.1), **options)
    two = wg.fit(nn.Linear(2, 2, rng=0), lambda m, x, y: nn.cross_entropy(m(x), y), (x, labels), optim.Adam(0.1), **options)
    np.testing.assert_array_equal(one.model.weight, two.model.weight)


def test_validation_and_metrics_are_means_over_the_held_out_rows():
    x, labels = blobs()
    x_held, labels_held = blobs(77)

    def half(model, x, labels):
        return 0.5 * np.mean(model(x).argmax(1) == labels)

    result = wg.fit(
        nn.Linear(2, 2, rng=0), nn.cross_entropy, (x, labels), optim.Adam(0.1), epochs=5,
        validation=(x_held, labels_held), metrics={"accuracy": learn.accuracy, "half": half},
    )  # fmt: skip
    logits = result.model(x_held.astype(np.float32))
    right = np.mean(np.argmax(logits, 1) == labels_held)
    shifted = logits - logits.max(1, keepdims=True)
    loss = np.mean(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(77), labels_held])
    assert result.history["val_accuracy"][-1] == pytest.approx(right, rel=1e-12)
    assert result.history["val_half"][-1] == pytest.approx(right / 2, rel=1e-12)
    assert result.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert right > 0.9


def test_a_fraction_is_held_out_and_never_learnt_from():
    x = np.arange(20.0)
    parts = learn.data.Arrays((x,), learn.data.Settings(8, shuffle=True, seed=0)).split(0.25)
    kept, held = (np.concatenate([b[0] for b in part.batches(0)]) for part in parts)
    assert len(held) == 5
    assert sorted([*kept, *held]) == list(x)


def test_metrics_without_held_out_data_are_of_the_training_data():
    x, labels = blobs()
    result = wg.fit(nn.Linear(2, 2, rng=0), nn.cross_entropy, (x, labels), optim.Adam(0.1), epochs=2, metrics=[learn.accuracy])
    assert result.history["accuracy"][-1] == np.mean(result.model(x.astype(np.float32)).argmax(1) == labels)


def test_patience_ends_training_with_the_best_model():
    """The held-out loss is least where the model passes 1, on its way to 3."""
    target, held = np.full(8, 3.0), np.full(8, 1.0)
    result = wg.fit(
        {"m": np.zeros(())}, lambda m, x: np.mean((m["m"] - x) ** 2), target, optim.SGD(0.05), epochs=100, batch_size=8,
        validation=held, patience=3,
    )  # fmt: skip
    path = 3 * (1 - 0.9 ** np.arange(1, 101))
    best = int(np.argmin((path - 1) ** 2))
    np.testing.assert_allclose(result.model["m"], path[best], rtol=1e-12)
    assert result.stopped == "patience"
    assert len(result.history) == best + 1 + 3
    np.testing.assert_allclose(result.latest["m"], path[best + 3], rtol=1e-12)


def test_the_highest_value_may_be_the_best():
    result = wg.fit(
        {"m": np.zeros(())}, lambda m, x: np.mean((m["m"] - x) ** 2), np.full(8, 3.0), optim.SGD(0.05), epochs=10, batch_size=8,
        metrics={"hill": lambda m, x: -((m["m"] - 1) ** 2)}, monitor="hill", mode="max",
    )  # fmt: skip
    path = 3 * (1 - 0.9 ** np.arange(1, 11))
    np.testing.assert_allclose(result.model["m"], path[np.argmin((path - 1) ** 2)], rtol=1e-12)
    assert len(result.history) == 10


def test_callbacks_see_the_moment_and_may_stop():
    x, y = linear_data()
    steps, epochs = [], []

    @learn.every(2)
    def at_step(moment):
        steps.append((moment.step, moment.loss, float(moment.model["b"])))
        if moment.step == 8:
            moment.stop()

    def at_epoch(moment):
        epochs.append((moment.epoch, moment.row["loss"], int(moment.state.step)))

    result = wg.fit(zeros(), squared, (x, y), optim.SGD(0.1), epochs=9, batch_size=16, callbacks=[at_step, at_epoch])
    assert [step for step, _, _ in steps] == [2, 4, 6, 8]
    assert [loss for _, loss, _ in steps] == list(result.history.losses[1::2])
    assert steps[-1][2] == result.model["b"]
    assert [e[0] for e in epochs] == [1, 2, 3]
    assert [e[2] for e in epochs] == [3, 6, 8]
    assert (result.steps, result.stopped) == (8, "a callback")
    np.testing.assert_allclose(epochs[0][1], result.history.losses[:3].mean())


def test_steps_bound_the_run_and_schedules_are_followed():
    x, y = linear_data()
    result = wg.fit(zeros(), squared, (x, y), optim.SGD(lambda step: 0.1 / (1 + step)), steps=7, batch_size=16)
    assert result.steps == len(result.history.losses) == 7
    np.testing.assert_allclose(result.history["rate"], [0.1 / 4, 0.1 / 7, 0.1 / 8])


def test_two_programs_at_most_and_each_is_compiled_once():
    x, y = linear_data(42)
    step = learn.step.Step(squared, optim.Adam(0.01), zeros(), compiled=True)
    source = learn.data.Arrays((x, y), learn.data.Settings(16, shuffle=True, seed=0))
    now = (None, *step.start)
    for epoch in range(4):
        for batch in source.batches(epoch):
            now = step.run(now[1], now[2], batch)
    assert len(step.run._signatures) == 1
    (signature,) = step.run._signatures.values()
    assert len(signature.program.versions) == 2


def test_it_learns_what_a_network_should():
    x = np.linspace(-1, 1, 128)[:, None]
    y = np.sin(3 * x)
    model = nn.Sequential(nn.Linear(1, 16, rng=0), nn.Tanh(), nn.Linear(16, 1, rng=1))
    result = wg.fit(model, nn.mse_loss, (x, y), optim.Adam(0.03), epochs=150)
    assert result.history["loss"][-1] < 1e-3


def test_accumulated_gradients_are_those_of_a_larger_batch():
    x, y = linear_data(48)
    options = {"epochs": 4, "shuffle": False}
    small = wg.fit(zeros(), squared, (x, y), optim.Accumulated(optim.Adam(0.1), n=4), batch_size=4, **options)
    large = wg.fit(zeros(), squared, (x, y), optim.Adam(0.1), batch_size=16, **options)
    np.testing.assert_allclose(small.model["w"], large.model["w"], rtol=1e-10)
    assert small.steps == 4 * large.steps


def test_clipped_gradients_take_steps_of_bounded_length():
    x, y = linear_data()
    seen = []
    watch = learn.every(1)(lambda moment: seen.append(np.append(moment.model["w"], moment.model["b"])))
    wg.fit(zeros(), squared, (x, 100 * y), optim.Clipped(optim.SGD(0.1), max_norm=1.0), epochs=1, batch_size=8, callbacks=[watch])
    lengths = np.linalg.norm(np.diff([np.zeros(4), *seen], axis=0), axis=1)
    np.testing.assert_allclose(lengths, 0.1, rtol=1e-5)


def test_an_average_is_what_is_measured_and_returned():
    x, y = linear_data()
    seen = []

    def watch(moment):
        seen.append(float(moment.model["b"]))

    optimiser = optim.Averaged(optim.SGD(0.1), decay=0.5)
    result = wg.fit(zeros(), squared, (x, y), optimiser, epochs=6, batch_size=None, validation=(x, y), callbacks=[watch])
    plain, averages, mean = zeros(), [], None
    for _ in range(6):
        slope = closed_slope(plain, x, y)
        plain = {name: plain[name] - 0.1 * slope[name] for name in plain}
        mean = plain if mean is None else {name: 0.5 * (mean[name] + plain[name]) for name in plain}
        averages.append(mean)
    np.testing.assert_allclose(seen, [average["b"] for average in averages], rtol=1e-12)
    np.testing.assert_allclose(result.model["w"], mean["w"], rtol=1e-12)
    np.testing.assert_allclose(result.latest["w"], plain["w"], rtol=1e-12)
    np.testing.assert_allclose(result.history["val_loss"], [squared(average, x, y) for average in averages], rtol=1e-12)
