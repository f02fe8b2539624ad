"""Groups, freezing, accumulation, averages, masters, clipping, L-BFGS, on models and plain containers."""

import pickle

import numpy as np
import pytest
from scipy.special import expit

import wengert as wg
from wengert import nn, optim, trees

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 2))


def model():
    return nn.Sequential(nn.Linear(3, 4, rng=0), np.tanh, nn.BatchNorm1d(4), nn.Linear(4, 2, rng=1)).astype(np.float64)


def loss(model, x, y):
    return nn.mse_loss(model(x), y)


def test_buffers_and_missing_gradients_stay():
    net = model()
    optimiser = optim.AdamW(lr=0.1, weight_decay=0.5)
    state = optimiser.init(net)
    new, state = optimiser.update(net, nn.grad(loss)(net, X, Y), state)
    for path, a in nn.buffers(net).items():
        assert np.array_equal(nn.buffers(new)[path], a)
    assert all(not np.array_equal(a, nn.parameters(net)[path]) for path, a in nn.parameters(new).items())
    assert set(state.slots) == {"m", "v"}
    assert list(state.slots["m"]) == list(nn.parameters(net))
    with_zeros = trees.map_leaves(np.zeros_like, net)  # as from `wg.grad`: running statistics do not decay
    again, _ = optimiser.update(net, with_zeros, optimiser.init(net))
    assert np.array_equal(again[2].running_var, net[2].running_var)
    assert np.allclose(again[0].weight, 0.95 * net[0].weight)


def test_states_are_containers_that_pickle():
    net = model()
    for optimiser in (optim.Adam(), optim.Averaged(optim.SGD(momentum=0.9)), optim.Accumulated(optim.Lion(), 2), optim.Masters(optim.RMSProp())):
        _, state = optimiser.update(net, nn.grad(loss)(net, X, Y), optimiser.init(net))
        leaves, structure = trees.flatten(state)
        copy = pickle.loads(pickle.dumps(trees.unflatten(structure, leaves)))
        assert trees.flatten(copy)[1] == structure
        assert all(np.array_equal(a, b) for a, b in zip(trees.flatten(copy)[0], leaves, strict=True))
        assert pickle.loads(pickle.dumps(optimiser)) == optimiser


def test_groups():
    net = model()
    grads = nn.grad(loss)(net, X, Y)
    is_matrix = lambda path, p: p.ndim == 2
    optimiser = optim.Grouped([("layers[0].*", None), (is_matrix, optim.SGD(lr=0.5)), ("*", optim.Adam(lr=0.1))])
    new, state = optimiser.update(net, grads, optimiser.init(net))
    assert np.array_equal(new[0].weight, net[0].weight)
    assert np.array_equal(new[0].bias, net[0].bias)
    assert np.allclose(new[3].weight, net[3].weight - 0.5 * grads[3].weight)
    assert np.allclose(new[3].bias, net[3].bias - 0.1 * np.sign(grads[3].bias), rtol=1e-5)
    assert optimiser.rate(state) == 0.5
    frozen = optim.frozen(optim.SGD(lr=0.5), "*bias", "layers[3]*")
    kept, _ = frozen.update(net, grads, frozen.init(net))
    assert [path for path, p in nn.parameters(kept).items() if np.array_equal(p, nn.parameters(net)[path])] == [
        "layers[0].bias", "layers[2].bias", "layers[3].weight", "layers[3].bias"
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"no group takes the parameter layers\[0\]\.bias: .*Add \('\*', optimiser\)"):
        optim.Grouped([("*weight", optim.SGD())]).init(net)


@pytest.mark.parametrize("transform", [lambda f: f, wg.jit], ids=["eager", "compiled"])
def test_accumulated_gradients_are_those_of_a_larger_batch(transform):
    start = {"w": RNG.normal(size=(3, 2))}
    linear_loss = lambda params, x, y: nn.mse_loss(x @ params["w"], y)
    inner = optim.Adam(lr=0.1)
    optimiser = optim.Accumulated(inner, 3)
    step = transform(lambda params, state, x, y: optimiser.update(params, wg.grad(linear_loss)(params, x, y), state))
    params, state, whole, whole_state = start, optimiser.init(start), start, inner.init(start)
    for epoch in range(2):
        for k in range(3):
            before = params["w"]
            params, state = step(params, state, X[4 * k : 4 * k + 4], Y[4 * k : 4 * k + 4])
            assert np.array_equal(before, params["w"]) == (k < 2)
        whole, whole_state = inner.update(whole, wg.grad(linear_loss)(whole, X, Y), whole_state)
        assert np.allclose(params["w"], whole["w"], rtol=1e-12)
        assert state.inner.step == epoch + 1


def test_averages():
    net = model()
    optimiser = optim.Averaged(optim.SGD(lr=0.1), None, start_step=1, every=2)
    state, seen = optimiser.init(net), []
    assert np.array_equal(optimiser.average(net, state)[0].weight, net[0].weight)
    for k in range(6):
        net, state = optimiser.update(net, nn.grad(loss)(net, X, Y), state)
        if k in (1, 3, 5):
            seen.append(net[0].weight)
    assert np.allclose(optimiser.average(net, state)[0].weight, np.mean(seen, axis=0), rtol=1e-13)
    assert optimiser.rate(state) == 0.1


def test_masters_keep_small_steps():
    params, grads = {"w": np.ones(2, np.float32)}, {"w": np.full(2, 1e-9, np.float32)}
    plain, precise = optim.SGD(lr=1.0), optim.Masters(optim.SGD(lr=1.0))
    states = [plain.init(params), precise.init(params)]
    ends = [params, params]
    for _ in range(200):
        for k, optimiser in enumerate((plain, precise)):
            ends[k], states[k] = optimiser.update(ends[k], grads, states[k])
    assert np.all(ends[0]["w"] == 1)
    assert np.allclose(states[1].masters["['w']"], 1 - 200 * np.float64(np.float32(1e-9)), rtol=1e-15)
    assert ends[1]["w"].dtype == np.float32
    assert np.all(ends[1]["w"] < 1)


def test_clipping():
    grads = {"a": np.array([3.0, -4.0], np.float32), "b": None}
    clipped, norm = optim.clip_by_global_norm(grads, 1.0)
    assert norm == 5
    assert clipped["b"] is None
    assert clipped["a"].dtype == np.float32
    assert np.allclose(clipped["a"], [0.6, -0.8], rtol=1e-6)
    assert np.array_equal(optim.clip_by_global_norm(grads, 10.0)[0]["a"], grads["a"])
    assert np.array_equal(optim.clip_by_value(grads, 3.5)["a"], np.array([3.0, -3.5], np.float32))


def test_lion():
    p, g, m = np.array([1.0, -2.0, 3.0]), np.array([0.5, -0.5, 0.0]), np.array([0.0, 9.0, -1.0])
    optimiser = optim.Lion(lr=0.1, weight_decay=0.5)
    state = optimiser.init(p)._replace(slots={"m": {"": m}})
    new, state = optimiser.update(p, g, state)
    assert np.allclose(new, [0.95 - 0.1, -1.9 - 0.1, 2.85 + 0.1])
    assert np.allclose(state.slots["m"][""], 0.99 * m + 0.01 * g)


@pytest.mark.parametrize("jit", [False, True])
def test_lbfgs_finds_the_regression(jit):
    labels = (X[:, 0] + 0.3 * RNG.normal(size=12) > 0).astype(float)

    def objective(layer, x, t):
        return nn.binary_cross_entropy_with_logits(layer(x)[:, 0], t) + 0.05 * np.sum(np.square(layer.weight))

    layer, result = optim.lbfgs(objective, nn.Linear(3, 1, rng=0, dtype=np.float64), X, labels, jit=jit)
    assert result.success
    share = expit(X @ layer.weight[0] + layer.bias) - labels  # both gradients are zero, in closed form
    assert np.allclose(X.T @ share / 12 + 0.1 * layer.weight[0], 0, atol=1e-6)
    assert abs(np.mean(share)) < 1e-6


def test_nesterov_needs_momentum():
    with pytest.raises(ValueError, match="needs momentum > 0"):
        optim.SGD(nesterov=True)
    with pytest.raises(ValueError, match="have 1 boundaries between them"):
        optim.schedules.Piecewise((optim.schedules.Constant(1.0),) * 2, ())
    with pytest.raises(ValueError, match="neither 'cosine' nor 'linear'"):
        optim.schedules.OneCycle(0.1, 10, shape="round")
