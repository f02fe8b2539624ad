import collections
import dataclasses
from typing import NamedTuple

import numpy as np
import pytest

import wengert as wg
from wengert import trees


class Pair(NamedTuple):
    a: object
    b: object


@dataclasses.dataclass
class Layer:
    w: object
    b: object
    act: object = np.tanh
    size: int = 3
    name: str = "layer"
    extra: object = dataclasses.field(default=1.5, metadata={"static": True})


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    first: Layer
    rest: tuple
    scale: float = 1.0


class Box:
    def __init__(self, x, label):
        self.x, self.label = x, label


wg.register_container(Box, lambda box: ((box.x,), box.label), lambda label, children: Box(children[0], label))


def test_every_kind_of_container_comes_back_as_it_was():
    for tree in (
        {"a": 1.0, "b": [2.0, (3.0, None)]},
        {2: 1.0, "b": 2.0},
        Pair(1.0, [2.0]),
        collections.OrderedDict(z=1.0, a=2.0),
        collections.defaultdict(list, z=1.0, a=2.0),
        collections.deque([1.0, 2.0], maxlen=5),
        Model(Layer(1.0, 2.0), (Layer(3.0, 4.0, np.sin, 5, "x", 2.5),), 5.0),
        [], (), {}, None, [[], {"a": ()}, None],
    ):  # fmt: skip
        leaves, structure = trees.flatten(tree)
        again = trees.unflatten(structure, leaves)
        assert type(again) is type(tree) and again == tree
        assert len(trees.paths(tree)) == len(leaves)
    leaves, structure = trees.flatten(Box(7.0, "label"))
    box = trees.unflatten(structure, leaves)
    assert (box.x, box.label) == (7.0, "label")


def test_settings_of_dataclasses_are_no_leaves():
    assert trees.flatten(Layer(1.0, 2.0))[0] == [1.0, 2.0]
    layer = trees.map_leaves(lambda x: 10 * x, Layer(1.0, 2.0, extra=0.5))
    assert layer == Layer(10.0, 20.0, np.tanh, 3, "layer", 0.5)
    assert trees.paths(Model(Layer(1.0, 2.0), (3.0,)))[:2] == [".first.w", ".first.b"]
    generator = np.random.default_rng(0)
    for setting in (generator, len, "text", 3, True, b"x", int, range(3), object(), wg.custom_rule(np.sin)):
        layer = Layer(1.0, np.ones(2), act=setting)
        leaves, structure = trees.flatten(layer)
        assert len(leaves) == 2 and trees.unflatten(structure, leaves).act is setting
    assert len(trees.flatten(Layer(1.0, 2.0, act=Pair(3.0, [4.0, None])))[0]) == 4


def test_gradients_of_containers_are_containers_like_them():
    model = Model(Layer(np.ones(3), 2.0), (Pair(3.0, 4.0), Box(5.0, "box"), None, []), 6.0)

    def f(m):
        assert m.first.size == 3 and m.rest[1].label == "box"
        return m.first.act(m.first.w @ np.ones(3) * m.first.b) * m.rest[0].a * m.rest[0].b**2 * m.rest[1].x * m.scale

    gradient = wg.grad(f)(model)
    slope = 1 - np.tanh(6.0) ** 2
    assert type(gradient) is Model and type(gradient.first) is Layer
    np.testing.assert_allclose(gradient.first.w, np.full(3, slope * 2 * 3 * 16 * 5 * 6))
    np.testing.assert_allclose(gradient.rest[0].b, np.tanh(6.0) * 3 * 8 * 5 * 6)
    assert gradient.rest[1].label == "box" and gradient.rest[2:] == (None, [])
    assert gradient.first.act is np.tanh and gradient.first.name == "layer"


def test_prefixes():
    tree = ({"b": 1.0, "a": [2.0, 3.0]}, Pair(4.0, None), Model(Layer(5.0, 6.0), (7.0,), 8.0))
    assert trees.spread_prefix(0, tree) == [0] * 8
    assert trees.spread_prefix((None, 1, 2), tree) == [None, None, None, 1, 2, 2, 2, 2]
    assert trees.spread_prefix(({"a": [0, 1], "b": 2}, Pair(3, None), None), tree) == [0, 1, 2, 3, None, None, None, None]
    for wrong in ((0, 1), ({"a": 0}, 0, 0), (0, (1, 2, 3), 0), [0, [1], 2]):
        with pytest.raises(ValueError, match="does not fit|container"):
            trees.spread_prefix(wrong, tree)


def test_a_dataclass_may_be_registered_after_it_was_met():
    @dataclasses.dataclass
    class Late:
        x: object
        y: object

    assert trees.flatten(Late(1.0, 2.0))[0] == [1.0, 2.0]
    wg.register_container(Late, lambda late: ((late.x,), late.y), lambda y, children: Late(children[0], y))
    assert trees.flatten(Late(1.0, 2.0))[0] == [1.0]
    assert wg.grad(lambda late: late.x * late.y)(Late(3.0, 5.0)) == Late(5.0, 5.0)


def test_a_program_is_a_leaf_and_jit_leaves_it_whole():
    program = wg.trace(lambda x: np.sin(x) * 2.0)(1.0)
    leaves, _ = trees.flatten({"program": program})
    assert leaves == [program]
    assert wg.jit(lambda x: program(x)[0])(0.5) == pytest.approx(2 * np.sin(0.5), rel=1e-15)
