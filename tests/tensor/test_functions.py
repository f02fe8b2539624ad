"""Functions of the user's own with tangents, batches of gradients, and operands of several shapes."""

import numpy as np
import pytest

import wengert.tensor as torch
from wengert.errors import BackwardError, ShapeError

F64 = torch.float64
functional = torch.autograd.functional


class Product(torch.autograd.Function):
    pushed = 0

    @staticmethod
    def forward(ctx, x, y, factor):
        ctx.save_for_backward(y, x)  # in another order, so that it tells which were taken
        ctx.save_for_forward(x, y)
        ctx.factor = factor
        return x * y * factor

    @staticmethod
    def backward(ctx, grad):
        y, x = ctx.saved_tensors
        return grad * y * ctx.factor, grad * x * ctx.factor, None

    @staticmethod
    def jvp(ctx, dx, dy, dfactor):
        assert dfactor is None
        Product.pushed += 1
        x, y = ctx.saved_tensors
        return (dx * y + x * dy) * ctx.factor


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3, x.detach() * 2

    @staticmethod
    def backward(ctx, grad, twice):
        (x,) = ctx.saved_tensors
        return grad * 3 * x**2 + 2 * twice


def vector(*numbers, requires_grad=False):
    return torch.tensor(numbers, dtype=F64, requires_grad=requires_grad)


def test_tangents_go_through_the_jvp_of_a_function():
    x, y, dx, dy = vector(1.0, 2.0), vector(3.0, 5.0), vector(1.0, -1.0), vector(0.5, 2.0)
    before = Product.pushed
    value, along = functional.jvp(lambda a, b: torch.sin(Product.apply(a, b, 2.0)), (x, y), (dx, dy))
    a, b, da, db = (t.numpy() for t in (x, y, dx, dy))
    np.testing.assert_allclose(value, np.sin(2 * a * b))
    np.testing.assert_allclose(along, np.cos(2 * a * b) * 2 * (da * b + a * db), rtol=1e-14)
    assert Product.pushed == before + 1


def test_a_tangent_that_is_not_there_is_zeros():
    y = vector(3.0, 5.0)
    _, along = functional.jvp(lambda a: Product.apply(a, y, 1.0), vector(1.0, 2.0), vector(1.0, 1.0))
    np.testing.assert_array_equal(along, [3, 5])


def test_without_a_jvp_tangents_are_found_by_two_walks_back():
    x, v = vector(1.0, 2.0), vector(1.0, 0.5)
    (cube, twice), (dcube, dtwice) = functional.jvp(Cube.apply, x, v)
    np.testing.assert_array_equal(cube, [1, 8])
    np.testing.assert_array_equal(dcube, [3, 6])
    np.testing.assert_array_equal(dtwice, [2, 1])
    _, product = functional.hvp(lambda a: Cube.apply(a)[0].sum(), x, v)
    np.testing.assert_array_equal(product, [6, 6])


def test_a_wrong_number_of_tangents_is_said():
    class Two(Cube):
        @staticmethod
        def jvp(ctx, dx):
            return dx

    with pytest.raises(BackwardError, match=r"Two\.jvp returned 1 tangents, and forward has 2 results"):
        functional.jvp(Two.apply, vector(1.0), vector(1.0))


# --- batches of gradients ---------------------------------------------------------------------------------------------------


def test_a_batch_of_gradients_is_one_walk():
    x, w = vector(1.0, 2.0, 3.0, requires_grad=True), vector(0.5, requires_grad=True)
    y = torch.sin(x) * x + w
    seen = []
    found = torch.autograd.grad(y, (x, w), torch.eye(3, dtype=F64), is_grads_batched=True, retain_graph=True)
    v = x.detach().numpy()
    np.testing.assert_allclose(found[0], np.diag(np.cos(v) * v + np.sin(v)), rtol=1e-15)
    np.testing.assert_array_equal(found[1], np.ones((3, 1)))
    x.register_hook(lambda g: seen.append(g.shape))  # sees members
    again = torch.autograd.grad(y, (x, w), torch.eye(3, dtype=F64), is_grads_batched=True)
    np.testing.assert_array_equal(again[0], found[0])
    assert seen == [(3,)] * 3
    with pytest.raises(BackwardError, match="second time"):
        torch.autograd.grad(y, x, torch.eye(3, dtype=F64), is_grads_batched=True)


def test_batches_with_functions_of_the_users_own_and_missing_gradients():
    x, w = vector(1.0, 2.0, requires_grad=True), vector(0.5, requires_grad=True)
    cube, _ = Cube.apply(x)
    eye = torch.eye(2, dtype=F64)
    (found,) = torch.autograd.grad(cube, x, eye, is_grads_batched=True)
    np.testing.assert_array_equal(found, np.diag([3, 12]))
    y = x**2
    kept = {"is_grads_batched": True, "retain_graph": True}
    assert torch.autograd.grad(y, (x, w), eye, allow_unused=True, **kept)[1] is None
    np.testing.assert_array_equal(torch.autograd.grad(y, (x, w), eye, materialize_grads=True, **kept)[1], np.zeros((2, 1)))
    with pytest.raises(BackwardError, match="do not depend on input 1"):
        torch.autograd.grad(y, (x, w), eye, **kept)
    with pytest.raises(BackwardError, match=r"float64\[3\] was given for an output of type float64\[2\]"):
        torch.autograd.grad(y, x, torch.eye(3, dtype=F64), **kept)
    assert torch.autograd.grad(y, x, torch.zeros(0, 2, dtype=F64), **kept)[0].shape == (0, 2)
    (second,) = torch.autograd.grad(y, x, eye, create_graph=True, **kept)
    second.sum().backward()
    np.testing.assert_array_equal(x.grad, [2, 2])


# --- operands of several shapes ---------------------------------------------------------------------------------------------

SHAPES = [((3, 4), (4,)), ((4,), (3, 4)), ((3, 1), (1, 4)), ((2, 3, 4), (3, 1)), ((), (3,)), ((3,), ()), ((1,), (3,)), ((0, 2), (2,))]
OPERATIONS = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "**": lambda a, b: a**b, "maximum": torch.maximum, "atan2": torch.atan2, "hypot": torch.hypot,
}  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operand_takes_the_sum_over_its_copies(name, shapes):
    rng = np.random.default_rng(3)
    f, (p, q) = OPERATIONS[name], (rng.uniform(0.5, 2.0, shape) for shape in shapes)
    a, b = (torch.tensor(v, dtype=F64, requires_grad=True) for v in (p, q))
    y = f(a, b)
    weights = rng.normal(size=y.shape)
    found = torch.autograd.grad(y, (a, b), torch.tensor(weights, dtype=F64), create_graph=True)
    for slot, (x, g) in enumerate(zip((p, q), found, strict=True)):
        assert g.shape == x.shape
        direction = rng.normal(size=x.shape)

        def moved(h, slot=slot, x=x, direction=direction):
            at = [p, q]
            at[slot] = x + h * direction
            with torch.no_grad():
                return np.sum(weights * f(*(torch.tensor(v, dtype=F64) for v in at)).numpy())

        slope = (moved(1e-5) - moved(-1e-5)) / 2e-5
        np.testing.assert_allclose(np.sum(g.detach().numpy() * direction), slope, rtol=1e-7, atol=1e-8)
    if name in ("*", "/", "**"):  # and once more
        total = sum((g * g).sum() for g in found)
        for again in torch.autograd.grad(total, (a, b)):
            assert np.all(np.isfinite(again.numpy()))


def test_forwards_through_operands_of_several_shapes():
    x = vector(1.0, 2.0)
    for f in (lambda a: a + torch.ones(3, 2, dtype=F64), lambda a: torch.ones(3, 2, dtype=F64) - a, lambda a: a * torch.full((3, 1), 2.0, dtype=F64)):
        y, along = functional.jvp(f, x, vector(1.0, -1.0))
        assert y.shape == along.shape == (3, 2)
    np.testing.assert_array_equal(along, [[2, -2]] * 3)


def test_shapes_that_do_not_meet_are_said():
    with pytest.raises(ShapeError):
        vector(1.0, 2.0) + vector(1.0, 2.0, 3.0)


def test_strong_zeros_and_ties_where_operands_are_broadcast():
    x = torch.tensor([[0.0, 4.0]], dtype=F64, requires_grad=True)
    (torch.sqrt(x) * torch.tensor([[0.0, 1.0], [0.0, 1.0]], dtype=F64)).sum().backward()
    np.testing.assert_array_equal(x.grad, [[0.0, 0.5]])
    x.grad = None
    torch.maximum(x, torch.zeros(3, 1, dtype=F64)).sum().backward()
    np.testing.assert_array_equal(x.grad, [[1.5, 3.0]])
