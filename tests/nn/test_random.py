"""What is drawn: initial weights, dropout, seeds."""

import numpy as np
import pytest

import wengert as wg
from wengert import nn

N = 40_000


def close(found, expected, n=N):
    """Within five standard errors."""
    assert abs(found - expected) < 5 * (abs(expected) + 1) / np.sqrt(n)


@pytest.mark.parametrize(
    ("draw", "std", "bound"),
    [
        (nn.init.xavier_uniform, np.sqrt(2 / 500), np.sqrt(6 / 500)),
        (nn.init.xavier_normal, np.sqrt(2 / 500), None),
        (nn.init.kaiming_uniform, np.sqrt(2 / 100), np.sqrt(6 / 100)),
        (nn.init.kaiming_normal, np.sqrt(2 / 100), None),
        (lambda shape, rng: nn.init.kaiming_normal(shape, 1.0, rng, mode="fan_out"), np.sqrt(1 / 400), None),
        (lambda shape, rng: nn.init.truncated_normal(shape, rng=rng), 0.8796256610342398, 2.0),
        (lambda shape, rng: nn.init.uniform(shape, rng=rng), np.sqrt(1 / 12 + 1 / 4), 1.0),
    ],
)
def test_moments(draw, std, bound):
    drawn = draw((400, 100), rng=0).astype(np.float64)
    close(np.sqrt(np.mean(drawn**2)) / std, 1.0)
    if bound is not None:
        assert 0.99 * bound < np.max(np.abs(drawn)) <= bound * (1 + 1e-6)
    assert np.array_equal(drawn, draw((400, 100), rng=0))


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 2)])
def test_orthogonal(shape):
    q = nn.init.orthogonal(shape, gain=2.0, rng=0, dtype=np.float64).reshape(shape[0], -1)
    small = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    assert np.allclose(small, 4 * np.eye(len(small)))


def test_defaults_of_layers_are_those_of_pytorch():
    layer = nn.Linear(100, 400, rng=0)
    assert 0.099 < np.max(np.abs(layer.weight)) <= 0.1
    close(np.std(layer.weight) / (0.1 / np.sqrt(3)), 1.0)
    assert np.max(np.abs(layer.bias)) <= 0.1
    conv = nn.Conv2d(4, 100, 5, groups=2, rng=0)
    assert 0.98 * np.sqrt(1 / 50) < np.max(np.abs(conv.weight)) <= np.sqrt(1 / 50) * 1.000001
    close(np.std(nn.Embedding(400, 100, rng=0).weight), 1.0)
    assert np.max(np.abs(nn.GRU(3, 16, rng=0).weight_ih_l0)) <= 0.25
    attention = nn.MultiheadAttention(64, 4, rng=0)
    assert np.max(np.abs(attention.in_proj_weight)) <= np.sqrt(6 / 256)
    assert not attention.in_proj_bias.any()
    assert not attention.out_proj.bias.any()


def test_seeds():
    rng = np.random.default_rng(0)
    a, b = nn.Linear(3, 3, rng=rng), nn.Linear(3, 3, rng=rng)
    assert not np.array_equal(a.weight, b.weight)
    nn.manual_seed(5)
    a, b = nn.Linear(3, 3), nn.Linear(3, 3)
    nn.manual_seed(5)
    assert np.array_equal(nn.Linear(3, 3).weight, a.weight)
    assert np.array_equal(nn.Linear(3, 3).weight, b.weight)
    assert not np.array_equal(a.weight, b.weight)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_dropout(p, dtype):
    x = np.ones((200, 200), dtype)
    layer = nn.Dropout(p, rng=0)
    y, new = nn.with_updates(layer)(x)
    assert y.dtype == dtype
    close(np.mean(y == 0), p)
    assert set(np.unique(y).tolist()) <= {0.0, float(dtype(1) * (1 / (1 - p) if p < 1 else 0.0))}
    compiled, new_too = wg.jit(nn.with_updates(lambda model, x: model(x)))(layer, x)
    assert np.array_equal(y, compiled)
    assert np.array_equal(new.key, new_too.key)
    if 0 < p < 1:
        again = nn.with_updates(new)(x)[0]
        close(np.mean((again == 0) & (y == 0)), p * p)
        rows = (y == 0).astype(float)
        close(np.mean(rows[1:] * rows[:-1]), p * p)
        gradient = wg.grad(lambda x: np.sum(layer(x)))(x)
        assert np.array_equal(gradient, y)


def test_bits_are_those_of_the_published_generator():
    # SplitMix64 with the seed 1234567, as in the reference implementation's test vector
    from wengert.nn.streams import bits

    drawn, key = bits(np.array(1234567, np.uint64), 4)
    want = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert [*drawn.tolist(), int(key)] == want


def test_positions():
    waves = nn.sinusoidal_positions(50, 7, dtype=np.float64)
    assert waves.shape == (50, 7)
    assert np.isclose(waves[9, 4], np.sin(9 / 10000 ** (4 / 7)))
    assert np.isclose(waves[9, 3], np.cos(9 / 10000 ** (2 / 7)))
    assert np.array_equal(nn.PositionalEncoding()(np.zeros((2, 50, 7))), np.stack([waves, waves]))


def test_rotary_products_depend_on_distances():
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(2, 8))
    turned = lambda x, place: nn.rotary(x[None], start=place)[0]
    assert np.isclose(turned(q, 3) @ turned(k, 8), turned(q, 20) @ turned(k, 25))
    assert not np.isclose(turned(q, 3) @ turned(k, 8), turned(q, 3) @ turned(k, 9))
    x = rng.normal(size=(2, 5, 8))
    by_complex = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * np.arange(5)[:, None] * 10000.0 ** (-np.arange(4) / 4))
    assert np.allclose(nn.rotary(x)[..., 0::2], by_complex.real)
    assert np.allclose(nn.rotary(x)[..., 1::2], by_complex.imag)
