"""In which calls, loops and passes each operation is found, and the outline that they make."""

import numpy as np

import wengert as wg
from wengert import nn
from wengert.viz.outline import MOST_CHILDREN, Group, by_argument, chunked, outline
from wengert.viz.scopes import Scope
from wengert.viz.walks import Walks


def labels(function, *args):
    """The labels around each operation, as `a/b/c operation`."""
    walks = Walks(function, args, {})
    return [" / ".join([scope.label for scope in path] + [node.primitive.name]) for path, node in zip(walks.scopes, walks.graph.nodes, strict=True)]


def helper(x):
    return np.sin(x)


def nested(x):
    for k in range(2):
        for _ in range(2):
            x = helper(x)
        x = x * 2.0
    return x


def test_calls_loops_and_passes():
    outer, inner = "for k in range(2)", "for _ in range(2)"
    expected = []
    for k in (1, 2):
        expected += [f"{outer} / pass {k} / {inner} / pass {j} / helper / sin" for j in (1, 2)]
        expected.append(f"{outer} / pass {k} / multiply")
    assert labels(nested, 1.0) == expected


def test_two_calls_on_one_line_are_two():
    walks = Walks(lambda x: helper(x) + helper(x), (1.0,), {})
    first, second, total = walks.scopes
    assert [scope.label for scope in first] == [scope.label for scope in second] == ["helper"]
    assert first != second
    assert total == ()


def test_comprehensions_and_while():
    def comprehension(x):
        return sum([np.sin(x * k) for k in (1.0, 2.0)])

    found = labels(comprehension, 1.0)
    assert found[1].endswith("pass 1 / sin")
    assert found[3].endswith("pass 2 / sin")

    def halving(x):
        while x > 1:
            x = x / 2.0
        return x

    assert [word for word in labels(halving, 5.0) if "divide" in word] == [f"while x > 1 / pass {k} / divide" for k in (1, 2, 3)]


def test_recursion_is_calls_in_calls():
    def power(x, n):
        return x if n == 0 else x * power(x, n - 1)

    found = labels(lambda x: power(x, 3), 2.0)
    assert [word.count("power") for word in found] == [3, 2, 1]


def test_one_operation_of_several_steps_is_one_pass():
    def norms(x):
        for _ in range(2):
            x = np.var(x, keepdims=True) + x
        return x

    passes = [word.split(" / ")[1] for word in labels(norms, np.arange(3.0))]
    assert passes == sorted(passes)
    assert set(passes) == {"pass 1", "pass 2"}


def test_a_walk_back_inside_of_the_function_is_known():
    found = labels(wg.grad(lambda x: helper(x) * x), 1.0)
    assert found[0] == "helper / sin"
    assert all(word.startswith("reverse walk / ") for word in found[2:])
    assert len(found) > 2


def test_modules_of_networks_are_named_by_their_class():
    model = nn.Linear(2, 3, rng=0)
    found = labels(lambda model, x: np.tanh(model(x)), model, np.ones((4, 2), np.float32))
    assert all(word.startswith("Linear / ") for word in found[:-1])
    assert found[-1] == "tanh"


class Net(nn.Module):
    layers: list
    last: nn.Linear

    def __call__(self, x):
        for layer in self.layers:
            x = np.tanh(layer(x))
        return self.last(x)


def test_modules_inside_of_modules_are_named_by_their_attribute():
    net = Net([nn.Linear(2, 2, rng=0), nn.Linear(2, 2, rng=1)], nn.Linear(2, 1, rng=2))
    found = labels(lambda net, x: np.sum(net(x)), net, np.ones((4, 2), np.float32))
    inside = [word.split(" / ")[-2] for word in found if "Linear" in word]
    assert list(dict.fromkeys(inside)) == ["layers[0]: Linear", "layers[1]: Linear", "last: Linear"]
    assert all(word.startswith("Net / ") for word in found[:-1])


def scope(label, kind="function"):
    return Scope((label,), kind, label)


def test_boxes_of_one_thing_are_left_out():
    root = outline([(scope("f"), scope("g")), (scope("f"), scope("g")), (scope("h"),), ()])
    assert [child.label if isinstance(child, Group) else child for child in root.children] == ["f › g", 2, 3]


def test_many_steps_in_a_row_get_boxes_for_ranges():
    n = 10_000
    root = chunked(Group("program", "", "", list(range(n))))
    assert root.numbers() == list(range(n))

    def widest(group):
        return max([len(group.children), *(widest(child) for child in group.children if isinstance(child, Group))])

    assert widest(root) <= MOST_CHILDREN


def test_inputs_are_together_by_argument():
    names = [f"params['w'][{k}]" for k in range(7)] + ["x"]
    paths = by_argument(names)
    assert [[s.label for s in path] for path in (paths[0], paths[-1])] == [["params", "params['w']"], []]
    assert by_argument(["x", "y"]) == [(), ()]
