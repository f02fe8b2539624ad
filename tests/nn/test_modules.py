"""Modules as containers: leaves and structure, modes, buffers, ensembles, text, errors."""

import dataclasses
import pickle

import numpy as np
import pytest

import wengert as wg
from wengert import nn, trees


class Fields(nn.Module):
    first: nn.Linear
    second: nn.Linear
    slope: float = 0.1

    def __call__(self, x):
        return self.second(nn.leaky_relu(self.first(x), self.slope))


class Assigned(nn.Module):
    buffers = ("count", "scale")

    def __init__(self, width, rng):
        self.width = width
        self.layers = [nn.Linear(width, width, rng=rng), nn.Dropout(0.5, rng=rng)]
        self.heads = {"b": nn.Linear(width, 1, rng=rng), "a": nn.Linear(width, 2, rng=rng)}
        self.count = np.array(0)
        self.scale = np.array(2.0, np.float32)
        self.sizes = (1, 2)

    def __call__(self, x):
        self.update(count=self.count + 1)
        for layer in self.layers:
            x = layer(x)
        return self.scale * np.concatenate([self.heads["a"](x), self.heads["b"](x)], axis=-1)


def fields():
    return Fields(nn.Linear(3, 4, rng=0), nn.Linear(4, 2, rng=1))


def assigned():
    return Assigned(3, np.random.default_rng(0))


X = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
total = lambda model, x: np.sum(np.square(model(x)))


def test_leaves_and_structure():
    model = assigned()
    assert list(nn.parameters(model)) == [
        "layers[0].weight", "layers[0].bias", "heads['a'].weight", "heads['a'].bias", "heads['b'].weight", "heads['b'].bias"
    ]  # fmt: skip
    assert list(nn.buffers(model)) == ["layers[1].key", "count", "scale"]
    assert nn.count_parameters(model) == 3 * 3 + 3 + 3 * 2 + 2 + 3 + 1
    assert trees.flatten(fields())[1] == trees.flatten(fields())[1]
    assert trees.flatten(Fields(*[nn.Linear(2, 2)] * 2, slope=0.2))[1] != trees.flatten(Fields(*[nn.Linear(2, 2)] * 2, slope=0.1))[1]


@pytest.mark.parametrize("make", [fields, assigned])
def test_flat_and_back(make):
    model = make()
    leaves, structure = trees.flatten(model)
    again = trees.unflatten(structure, leaves)
    assert type(again) is type(model)
    assert trees.flatten(again)[1] == structure
    assert np.array_equal(again(X), model(X))
    copy = pickle.loads(pickle.dumps(again))
    assert np.array_equal(copy(X), model(X))
    assert trees.flatten(copy)[1] == structure


def test_split_and_join():
    model = assigned()
    params, rest = nn.split(model)
    assert all(a is b for a, b in zip(trees.flatten(nn.join(params, rest))[0], trees.flatten(model)[0], strict=True))
    pair = (fields(), [assigned()])
    again = nn.join(*nn.split(pair))
    assert trees.flatten(again)[1] == trees.flatten(pair)[1]


def test_halves_of_any_container():
    @dataclasses.dataclass
    class Held:
        scale: np.ndarray
        norm: nn.BatchNorm1d
        more: dict
        order: int = 3

    held = Held(np.ones(2), nn.BatchNorm1d(2), {"x": (np.arange(3), np.zeros(1))})
    params, rest = nn.split(held)
    assert params.more["x"][0] is None
    assert rest.scale is None
    again = nn.join(params, rest)
    assert trees.flatten(again)[1] == trees.flatten(held)[1]
    assert all(a is b for a, b in zip(trees.flatten(again)[0], trees.flatten(held)[0], strict=True))


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (np.ones(2), np.ones(2), "one of the two has to be None"),
        ({"a": None}, {"b": 1.0}, "the parts of the two dicts differ"),
        ([None], [1.0, 2.0], "the parts of the two lists differ"),
        ((None,), [1.0], "a tuple and a list are in the same place"),
    ],
)
def test_halves_that_do_not_fit(first, second, says):
    with pytest.raises(ValueError, match=says):
        nn.join(first, second)


@pytest.mark.parametrize("transform", [lambda f: f, wg.jit], ids=["eager", "compiled"])
def test_gradient_is_a_model(transform):
    model = fields().astype(np.float64)
    x = X.astype(np.float64)
    gradient = transform(wg.grad(total))(model, x)
    assert type(gradient) is Fields
    step = 1e-6
    for path, p in nn.parameters(model).items():
        moved = nn.load_state_dict(model, {path: p + step * np.ones_like(p)}, strict=False)
        back = nn.load_state_dict(model, {path: p - step * np.ones_like(p)}, strict=False)
        along = (total(moved, x) - total(back, x)) / (2 * step)
        assert np.isclose(np.sum(nn.parameters(gradient)[path]), along, rtol=1e-7)


def test_gradient_of_parameters_alone():
    model = assigned()
    value, gradient = nn.value_and_grad(total)(model, X)
    assert value == total(model, X)
    assert gradient.count is None
    assert gradient.scale is None
    assert gradient.layers[1].key is None
    by_hand = 2 * np.sum(model(X)[:, 2]) * 2  # of the last bias: y = scale (... + b)
    assert np.isclose(gradient.heads["b"].bias[0], by_hand, rtol=1e-5)
    assert np.array_equal(nn.grad(total)(model, X).layers[0].weight, gradient.layers[0].weight)


def test_calls_change_nothing_and_updates_are_handed_back():
    model = assigned()
    before = [np.copy(leaf) for leaf in trees.flatten(model)[0]]
    first, new = nn.with_updates(model)(X)
    assert all(np.array_equal(a, b) for a, b in zip(before, trees.flatten(model)[0], strict=True))
    assert np.array_equal(first, model(X))
    assert new.count == 1
    assert new.layers[1].key != model.layers[1].key
    assert not np.array_equal(new(X), first)
    second, newer = nn.with_updates(lambda model, x: model(x) + model(x))(new, X)
    assert newer.count == 3
    assert not np.array_equal(second, 2 * new(X))  # the second call drops others


def test_captured_models_are_not_written_to():
    model = assigned()
    outer = fields()
    nn.with_updates(lambda outer, x: np.sum(outer(x)) + np.sum(model(x)))(outer, X)
    assert model.count == 0


def test_modes():
    model = nn.Sequential(nn.Linear(3, 3, rng=0), nn.Sequential(nn.Dropout(0.5, rng=0)), nn.BatchNorm1d(3))
    used = model.eval()
    assert model.training
    assert not used.training
    assert not used[1][0].training
    assert used.train().training
    assert trees.flatten(used.train())[1] == trees.flatten(model)[1] != trees.flatten(used)[1]
    assert np.allclose(used(X), model[0](X), rtol=1e-4)  # running statistics at the beginning: 0 and 1
    again, new = nn.with_updates(used)(X)
    assert np.array_equal(again, used(X))
    assert all(np.array_equal(a, b) for a, b in zip(trees.flatten(new)[0], trees.flatten(used)[0], strict=True))


@pytest.mark.parametrize("transform", [lambda f: f, wg.jit], ids=["eager", "compiled"])
def test_ensembles(transform):
    models = [nn.Sequential(nn.Linear(3, 4, rng=k), np.tanh, nn.Dropout(0.5, rng=k), nn.BatchNorm1d(4)) for k in range(3)]
    stacked = nn.stack(models)
    f = lambda model, x: np.sum(np.square(nn.with_updates(model)(x)[0]))
    together = transform(wg.vmap(f, (0, None)))(stacked, X)
    assert np.allclose(together, [f(model, X) for model in models], rtol=1e-5)
    gradients = transform(wg.vmap(nn.grad(f), (0, None)))(stacked, X)
    for k, model in enumerate(models):
        one = nn.grad(f)(model, X)
        for path, g in nn.parameters(one).items():
            assert np.allclose(nn.parameters(gradients)[path][k], g, rtol=1e-3, atol=1e-4)
    members = transform(wg.vmap(nn.with_updates(lambda model, x: model(x)), (0, None)))(stacked, X)[1]
    assert members[3].running_mean.shape == (3, 4)
    assert len(set(np.ravel(members[2].key).tolist())) == 3


def test_training_is_one_compiled_program_without_new_ones():
    model, optimiser = assigned(), wg.optim.Adam(lr=1e-2)
    state = optimiser.init(model)

    def step(model, state, x):
        (value, model), grads = nn.value_and_grad(nn.with_updates(total), has_aux=True)(model, x)
        return value, *optimiser.update(model, grads, state)

    compiled, eager, first = wg.jit(step), (model, state), model
    for _ in range(20):
        value, model, state = compiled(model, state, X)
        value_too, *eager = step(*eager, X)
        assert np.isclose(value, value_too, rtol=1e-4)
    assert total(model.eval(), X) < total(first.eval(), X)
    assert model.count == 20 == state.step
    for a, b in zip(trees.flatten(model)[0], trees.flatten(eager[0])[0], strict=True):
        assert a.dtype == b.dtype
        assert np.allclose(a, b, rtol=1e-3, atol=1e-5)


def test_text():
    lines = str(assigned()).splitlines()
    assert lines[0].split() == ["layer", "kind", "arrays", "parameters"]
    assert lines[1].split() == ["(model)", "Assigned", "count", "int64[],", "scale", "float32[]", "0"]
    assert lines[2].split()[:2] == ["layers[0]", "Linear"]
    assert lines[-1].split() == ["in", "all", str(nn.count_parameters(assigned()))]
    assert len({len(line) for line in lines}) == 1
    assert repr(nn.Linear(3, 2)) == "Linear(weight=float32[2, 3], bias=float32[2])"
    table = fields().__rich__()
    assert table.row_count == 2
    assert str(nn.split(assigned())[0])  # `None` has no shape


def test_state_dict():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Sequential(nn.BatchNorm1d(2)))
    held = nn.state_dict(model)
    assert list(held) == [
        "0.weight", "0.bias", "2.0.weight", "2.0.bias", "2.0.running_mean", "2.0.running_var", "2.0.num_batches_tracked"
    ]  # fmt: skip
    again = nn.load_state_dict(model, {name: a + 1 for name, a in held.items()})
    assert again[0].weight.dtype == np.float32
    assert np.array_equal(again[0].weight, model[0].weight + 1)
    with pytest.raises(KeyError, match=r"missing: 0\.bias.*not in the model: nonsense.*strict=False"):
        nn.load_state_dict(model, {name: a for name, a in held.items() if name != "0.bias"} | {"nonsense": X})
    with pytest.raises(ValueError, match=r"0\.bias has shape \[2\] in the model, and \[3\]"):
        nn.load_state_dict(model, held | {"0.bias": np.zeros(3)})
    assert list(nn.state_dict(assigned())) == [
        "layers.0.weight", "layers.0.bias", "layers.1.key", "heads.a.weight", "heads.a.bias", "heads.b.weight", "heads.b.bias", "count", "scale"
    ]  # fmt: skip


def test_dtype():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout(0.5)).astype(np.float64)
    assert {a.dtype for a in nn.parameters(model).values()} == {np.dtype(np.float64)}
    assert nn.buffers(model)["layers[1].num_batches_tracked"].dtype == np.int64
    assert nn.Linear(3, 2, dtype=np.float64)(X).dtype == np.float64
    assert nn.Linear(3, 2)(X).dtype == np.float32


def test_subclass_of_a_layer_keeps_its_constructor():
    class Doubled(nn.Linear):
        def __call__(self, x):
            return 2 * super().__call__(x)

    assert np.array_equal(Doubled(3, 2, rng=0)(X), 2 * nn.Linear(3, 2, rng=0)(X))


def test_second_derivatives_through_a_model():
    model = fields().astype(np.float64)
    smooth = lambda model, x: np.sum(np.tanh(model.second(np.tanh(model.first(x)))))
    v = trees.map_leaves(np.ones_like, model)
    product = wg.hvp(smooth, (model, X.astype(np.float64)), (v, np.zeros(X.shape)))[0]
    h = 1e-6
    moved, back = (trees.map_leaves(lambda p, s=s: p + s * h, model) for s in (1, -1))
    ahead, behind = (wg.grad(smooth)(m, X.astype(np.float64)) for m in (moved, back))
    for path, g in nn.parameters(product).items():
        assert np.allclose(g, (nn.parameters(ahead)[path] - nn.parameters(behind)[path]) / (2 * h), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Dropout(1.5), "p=1.5 is no probability"),
        (lambda: nn.Conv2d(3, 4, 3, padding="same", stride=2), "needs stride=1"),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), "neither 'same' nor 'valid'"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), "has 3 sizes, and the layer has 2 axes"),
        (lambda: nn.Conv1d(3, 4, 3, groups=2), "3 and 4 channels do not make 2 groups"),
        (lambda: nn.Conv1d(3, 4, 3)(np.zeros((2, 2, 5))), "the input has 2 channels"),
        (lambda: nn.Conv1d(3, 4, 3)(np.zeros((3, 5))), r"take an input \[n, channels, size\]"),
        (lambda: nn.Conv1d(3, 4, 3)(np.zeros((1, 3, 2))), "a window of 3 does not fit into 2 places"),
        (lambda: nn.MaxPool2d(2)(np.zeros((1, 3, 2))), r"takes \[n, channels, size, size\]"),
        (lambda: nn.MaxPool1d(2, padding=2)(np.zeros((1, 3, 5))), "more than half of the window"),
        (lambda: nn.BatchNorm1d(3)(np.zeros((2, 3, 4, 5))), "of 2 or 3 axes"),
        (lambda: nn.GroupNorm(3, 4), "4 channels do not make 3 groups"),
        (lambda: nn.MultiheadAttention(8, 3), "a width of 8 does not make 3 heads"),
        (lambda: nn.LSTM(3, 4)(np.zeros((5, 2, 2))), "takes 3 numbers at each place"),
        (lambda: nn.RNN(3, 4, activation="sin"), "neither 'tanh' nor 'relu'"),
        (lambda: nn.TransformerEncoderLayer(8, 2, activation="sin"), "none of 'relu', 'gelu'"),
        (lambda: nn.gelu(X, approximate="cos"), "neither 'none' nor 'tanh'"),
        (lambda: nn.mse_loss(X, X, reduction="all"), "none of 'mean', 'sum', 'none'"),
        (lambda: nn.init.gain("sin"), "no gain is known for 'sin'"),
        (lambda: nn.init.xavier_uniform((3,)), "two axes are needed"),
        (lambda: nn.init.kaiming_normal((3, 3), mode="both"), "neither 'fan_in' nor 'fan_out'"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_module_without_call():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no __call__"):
        Empty()(X)


def test_a_gradient_of_buffers_says_which_function_to_take():
    with pytest.raises(wg.errors.NotDifferentiableError, match=r"layers\[1\]\.key has type uint64.*[\s\S]*wg\.nn\.grad\(f\)"):
        wg.grad(total)(nn.Sequential(nn.Linear(3, 3), nn.Dropout()), X)


class Repeated(nn.Module):
    drop: nn.Dropout
    last: nn.Linear

    def __call__(self, x):
        def step(h, x):
            h = np.tanh(self.drop(self.last(h)) + x)
            return h, h

        return wg.scan(step, np.zeros_like(x[0]), x)[1]


def test_keys_move_on_once_in_a_loop():
    model = Repeated(nn.Dropout(0.5, rng=0), nn.Linear(3, 3, rng=0))
    x = np.stack([X, X, X])
    (eager, moved), (compiled, moved_too) = nn.with_updates(model)(x), wg.jit(nn.with_updates(lambda model, x: model(x)))(model, x)
    assert np.allclose(eager, compiled, rtol=1e-5)
    assert moved.drop.key == moved_too.drop.key != model.drop.key
