"""What the record of PyTorch cannot say: where tensors differ from PyTorch's on purpose, and how they live with the rest."""

import copy
import gc
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest

import wengert as wg
import wengert.tensor as torch
from wengert.errors import AssignmentError, BackwardError, LostDerivativeError, NotDifferentiableError, ShapeError

F64 = torch.float64


def leaf(*values, dtype=F64):
    return torch.tensor(np.array(values), dtype=dtype, requires_grad=True)


def gradient(y, x):
    (g,) = torch.autograd.grad(y, x)
    return g.numpy()


# --- conventions that differ -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "at", "slope"),
    [(torch.relu, 0.0, 0.5), (torch.abs, 0.0, 0.0), (lambda x: x.clamp(0, 1), 1.0, 0.5), (lambda x: x.clamp(0, 1), 0.0, 0.5),
     (lambda x: torch.maximum(x, torch.zeros_like(x)), 0.0, 0.5), (lambda x: (x * x).sqrt(), 0.0, 0.0), (lambda x: x.norm(), 0.0, 0.0)],
)  # fmt: skip
def test_at_a_kink_the_mean_of_both_sides(function, at, slope):
    x = leaf(at)
    np.testing.assert_array_equal(gradient(function(x).sum(), x), [slope])


def test_a_branch_not_taken_contributes_nothing():
    x = leaf(0.0, 4.0)
    np.testing.assert_array_equal(gradient(torch.where(x > 1, x.sqrt(), x).sum(), x), [1.0, 0.25])


def test_the_complex_gradient_is_the_direction_of_steepest_ascent():
    z = torch.tensor([1 + 2j], dtype=torch.complex128, requires_grad=True)
    np.testing.assert_array_equal(gradient((z.abs() ** 2).sum(), z), [2 + 4j])


@pytest.mark.parametrize(
    ("write", "slope"),
    [(lambda y: y.mul_(2), lambda x: 4 * x), (lambda y: y.mul_(y), lambda x: 4 * x**3), (lambda y: y.tanh_().mul_(2), lambda x: 4 * x / np.cosh(x * x) ** 2)],
)
def test_what_is_overwritten_is_remembered(write, slope):
    """PyTorch refuses the second and third: it finds that a value which it needs was written into."""
    x = leaf(0.3, -0.7)
    np.testing.assert_allclose(gradient(write(x * x).sum(), x), slope(np.array([0.3, -0.7])), rtol=1e-14)


def test_a_value_that_was_used_and_then_overwritten_in_a_loop():
    x = leaf(0.5)
    y = x * 1
    total = torch.zeros(1, dtype=F64)
    for k in range(1, 4):
        total = total + y * y
        y.mul_(x).add_(k)
    ys = [0.5, 1.25, 2.625]  # and their slopes in x: 1, 0.5 + 0.5 x', ...
    slopes = [1.0]
    for y_k in ys[:2]:
        slopes.append(y_k + 0.5 * slopes[-1])
    np.testing.assert_allclose(gradient(total.sum(), x), [sum(2 * y_k * s for y_k, s in zip(ys, slopes, strict=True))])


def test_numpy_arrays_are_snapshots():
    source = np.ones(3)
    t = torch.from_numpy(source)
    shown = t.numpy()
    source[0] = 5
    t.add_(1)
    np.testing.assert_array_equal(shown, [1, 1, 1])
    np.testing.assert_array_equal(t.numpy(), [2, 2, 2])
    with pytest.raises(ValueError, match="read-only"):
        shown[0] = 1


def test_a_plain_array_that_changes_after_it_was_used():
    x, table = leaf(1.0, 2.0), np.array([3.0, 4.0])
    y = (x * table).sum()
    table[:] = 0
    np.testing.assert_array_equal(gradient(y, x), [3, 4])


# --- errors say what and where -----------------------------------------------------------------------------------------------


def test_errors_of_leaves_and_walks():
    x = leaf(1.0, 2.0)
    for act in (lambda: x.add_(1), lambda: x.__setitem__(0, 1.0), lambda: x[0].add_(1), lambda: x.view(2, 1).zero_(), lambda: (x * 2).backward()):
        with pytest.raises(BackwardError):
            act()
    y = x.exp().sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time") as caught:
        y.backward()
    assert "retain_graph=True" in str(caught.value)
    assert "test_tensor.py" in str(caught.value)
    with pytest.raises(LostDerivativeError, match="detach"):
        x.numpy()
    with pytest.raises(LostDerivativeError, match="detach"):
        np.asarray(x * 2)
    with pytest.raises(NotDifferentiableError):
        torch.tensor([1, 2], requires_grad=True)
    with pytest.raises(ShapeError):
        x + torch.ones(3)
    with pytest.raises(BackwardError, match="does not require grad"):
        torch.ones(1).backward()
    with pytest.raises(BackwardError, match="do not depend on input 0"):
        torch.autograd.grad((x * 2).sum(), leaf(1.0))


def test_the_gradient_of_a_result_is_not_kept():
    y = leaf(1.0) * 2
    y.sum().backward()
    with pytest.warns(UserWarning, match="retain_grad"):
        assert y.grad is None


# --- memory -------------------------------------------------------------------------------------------------------------------


def test_what_nobody_reaches_is_forgotten():
    x = leaf(1.0)
    gc.collect()
    gc.disable()
    try:
        y = x.exp()
        inner = weakref.ref(y.extra)
        z = y.sin().sum()
        del y
        assert inner() is not None
        del z
        assert inner() is None
    finally:
        gc.enable()


def test_the_walk_lets_go_what_was_kept():
    x = torch.ones(1000, dtype=F64, requires_grad=True)
    y = x.exp()
    kept = weakref.ref(y.extra.entry[3])
    z = y.sum()
    y = None
    z.backward()
    assert kept() is None


def test_a_chain_of_forty_thousand_operations():
    x = leaf(1.0)
    y = x
    for _ in range(20_000):
        y = y + 5e-6 * x
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [1.1], rtol=1e-9)
    del y


# --- beside the rest of wengert ----------------------------------------------------------------------------------------------


def test_numpy_functions_take_tensors():
    x = leaf(0.3, 0.6)
    y = np.sum(np.sin(x) * np.exp(x)) + np.linalg.norm(np.stack([x, 2 * x]))
    assert isinstance(y, torch.Tensor)
    v = np.array([0.3, 0.6])
    expected = (np.cos(v) + np.sin(v)) * np.exp(v) + np.sqrt(5) * v / np.linalg.norm(v)
    np.testing.assert_allclose(gradient(y, x), expected, rtol=1e-14)


def test_numpy_keeps_its_own_promotion():
    x = torch.tensor([1.0], dtype=torch.float32)
    k = torch.tensor([1], dtype=torch.int64)
    assert (x * k).dtype == torch.float32
    assert np.multiply(x, k).dtype == np.float64


def test_a_derivative_of_a_transformation_of_tensors():
    """The gradient that `wg.grad` gives of tensors is a tensor, which `backward` differentiates again."""
    x = leaf(0.5, 1.5)
    g = wg.grad(lambda v: np.sum(v**3))(x)
    assert isinstance(g, torch.Tensor)
    g.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [3.0, 9.0])


def test_a_tensor_among_the_constants_of_a_transformation():
    w = leaf(2.0, 3.0)
    value, g = wg.value_and_grad(lambda x: np.sum(w * x**2))(np.array([1.0, 2.0]))
    np.testing.assert_allclose(g.detach().numpy(), [4.0, 12.0])
    value.backward()
    np.testing.assert_allclose(w.grad.numpy(), [1.0, 4.0])


def test_loops_of_tensors():
    w = leaf(0.9)
    last, states = wg.scan(lambda h, x: (w * h + x, h), torch.zeros(1, dtype=F64), np.ones((4, 1)))
    (slope,) = torch.autograd.grad(last.sum(), w, create_graph=True)
    np.testing.assert_allclose(slope.item(), 1 + 2 * 0.9 + 3 * 0.9**2)
    np.testing.assert_allclose(gradient(slope, w), [2 + 6 * 0.9])
    assert states.shape == (4, 1)


def test_products_with_the_jacobian_of_several_outputs():
    x = leaf(1.0, 2.0)
    values, vectors = np.linalg.eigh(torch.stack([torch.stack([x[0], x[1]]), torch.stack([x[1], -x[0]])]))
    np.testing.assert_allclose(gradient(values[1], x), np.array([1.0, 2.0]) / np.sqrt(5))
    assert isinstance(vectors, torch.Tensor)


def test_second_order_through_several_outputs():
    x = leaf(1.0, 2.0)
    values, _ = np.linalg.eigh(torch.stack([torch.stack([x[0], x[1]]), torch.stack([x[1], -x[0]])]))
    (g,) = torch.autograd.grad(values[1], x, create_graph=True)
    np.testing.assert_allclose(gradient(g[0], x), np.array([4.0, -2.0]) / 5**1.5, atol=1e-12)


# --- copies -----------------------------------------------------------------------------------------------------------------------


def test_pickles_and_copies():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    for new in (pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy(x)):
        assert new.requires_grad
        assert new.is_leaf
        np.testing.assert_array_equal(new.detach().numpy(), [1, 2])
    np.testing.assert_array_equal(copy.deepcopy(x).grad.numpy(), [2, 4])
    shared = copy.deepcopy([x, x])
    assert shared[0] is shared[1]
    with pytest.raises(BackwardError, match="deepcopy"):
        copy.deepcopy(x * 2)


def test_the_default_dtype_can_be_another():
    torch.set_default_dtype(F64)
    try:
        assert torch.tensor([1.0]).dtype == torch.zeros(1).dtype == torch.ones(1, dtype=torch.int64).sqrt().dtype == F64
        assert repr(torch.tensor([1.0])) == "tensor([1.])"
    finally:
        torch.set_default_dtype(torch.float32)
    with pytest.raises(TypeError):
        torch.set_default_dtype(torch.int64)


def test_the_same_seed_the_same_numbers():
    def drawn():
        x = torch.empty(3)
        x.normal_()
        return [torch.rand(3), torch.randn(2, 2), torch.randint(0, 9, (4,)), torch.randperm(5), torch.bernoulli(torch.full((5,), 0.5)),
                torch.normal(0.0, torch.ones(2)), torch.multinomial(torch.ones(4), 3), x, torch.rand_like(x), torch.rand(2, generator=stream)]  # fmt: skip

    stream = torch.Generator().manual_seed(1)
    torch.manual_seed(0)
    first = drawn()
    torch.manual_seed(0)
    stream.manual_seed(1)
    for a, b in zip(first, drawn(), strict=True):
        assert torch.equal(a, b)
    assert len(set(first[6].tolist())) == 3
    assert sorted(first[3].tolist()) == [0, 1, 2, 3, 4]


# --- the surface ----------------------------------------------------------------------------------------------------------------


def test_the_module_is_the_function():
    assert wg.tensor([1.0, 2.0]).tolist() == [1.0, 2.0]
    assert wg.tensor is torch
    assert wg.Tensor is torch.Tensor
    assert list(torch.__all__) == sorted(torch.__all__)
    assert all(hasattr(torch, name) for name in torch.__all__)


def test_it_loads_when_first_used():
    program = "import sys, wengert; print('wengert.tensor' in sys.modules); wengert.tensor([1.0]); print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["False", "False"]


def test_operands_of_other_kinds():
    x = leaf(1.0, 2.0)
    assert (x == "text") is False
    assert (x != None) is True  # noqa: E711
    with pytest.raises(TypeError):
        x + "text"
    np.testing.assert_array_equal((x + np.ones(2)).detach().numpy(), [2, 3])
    assert isinstance(np.ones(2) * x, torch.Tensor)
    assert (x + np.float64(1)).dtype == F64
    assert (x.float() + np.float64(1)).dtype == torch.float32


def test_hooks_that_are_removed_in_a_block():
    x = leaf(1.0)
    with x.register_hook(lambda g: 2 * g):
        (x * 1).sum().backward()
    (x * 1).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [3.0])


def test_gradients_not_materialised():
    seen = []

    class Pair(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, a, b):
            seen.append((a, b is None))
            return a

    x = leaf(1.0)
    Pair.apply(x)[0].sum().backward()
    assert seen[0][1]


def test_an_argument_written_into_by_a_function():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx, grad):
            return 2 * grad

    x = leaf(1.0, 2.0)
    y = x * x
    z = Double.apply(y)
    assert z is y
    np.testing.assert_array_equal(gradient(y.sum(), x), [4, 8])


def test_jacobians_that_can_be_differentiated():
    x = leaf(1.0, 2.0)
    functional = torch.autograd.functional
    rows = functional.jacobian(lambda v: v**3, x, create_graph=True)
    np.testing.assert_array_equal(gradient(rows.sum(), x), [6, 12])
    _, along = functional.jvp(lambda v: v**3, x, torch.ones(2, dtype=F64), create_graph=True)
    np.testing.assert_array_equal(gradient(along.sum(), x), [6, 12])
    _, product = functional.hvp(lambda v: (v**4).sum(), x, torch.ones(2, dtype=F64), create_graph=True)
    np.testing.assert_array_equal(gradient(product.sum(), x), [24, 48])
    square = functional.hessian(lambda v: (v**4).sum(), x, create_graph=True)
    np.testing.assert_array_equal(gradient(square.sum(), x), [24, 48])


def test_compiled_functions_of_tensors():
    x = leaf(0.5, 1.5)
    compiled = wg.jit(lambda v: np.sum(np.sin(v) * v))
    y = compiled(x)
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    v = np.array([0.5, 1.5])
    np.testing.assert_allclose(g.detach().numpy(), np.cos(v) * v + np.sin(v), rtol=1e-14)
    np.testing.assert_allclose(gradient(g.sum(), x), 2 * np.cos(v) - v * np.sin(v), rtol=1e-13)


def test_layers_and_losses_of_tensors():
    logits, labels = leaf([0.5, 1.5, -1.0], [2.0, 0.0, 0.3]), torch.tensor([2, 0])
    wg.nn.cross_entropy(logits, labels).backward()
    powers = np.exp(logits.detach().numpy())
    expected = (powers / powers.sum(1, keepdims=True) - np.eye(3)[[2, 0]]) / 2
    np.testing.assert_allclose(logits.grad.numpy(), expected, rtol=1e-14)
    y = wg.nn.Linear(3, 2, rng=0, dtype=np.float64)(logits)
    assert isinstance(y, torch.Tensor)


def test_batches_of_tensors():
    x = leaf([0.5, 1.5], [2.0, 0.0])
    rows = wg.vmap(lambda row: np.sum(row**3))(x)
    np.testing.assert_allclose(gradient((rows * torch.tensor([1.0, 2.0])).sum(), x), 3 * x.detach().numpy() ** 2 * [[1], [2]])


def test_the_wish_to_keep_a_gradient_moves_with_the_value():
    x = leaf(1.0, 2.0)
    y = x * 3
    y.retain_grad()
    y.mul_(x)
    (y * 5).sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), [5, 5])
    assert y.retains_grad


def test_a_tensor_cannot_hold_what_a_transformation_watches():
    def loss(v, write):
        write(torch.zeros(2, dtype=F64), v)
        return np.sum(v)

    def fill(t, v):
        t[0] = v[0]

    for write in (fill, lambda t, v: t.add_(v), lambda t, v: t.copy_(v)):
        with pytest.raises(AssignmentError, match="into a tensor"):
            wg.grad(loss)(np.ones(2), write)
