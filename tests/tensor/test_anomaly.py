"""`wg.anomaly` around tensors: the first operation to blame, its line and its values."""

import numpy as np
import pytest

import wengert as wg
import wengert.tensor as torch
from wengert.errors import AnomalyError


@pytest.fixture
def x():
    return torch.tensor([4.0, 0.0], requires_grad=True)


def test_backward_names_the_operation_its_line_and_its_leaf(x):
    with wg.anomaly(), pytest.raises(AnomalyError, match=r"^infinity in the gradient, by sqrt\.") as caught:
        roots = torch.sqrt(x * torch.tensor([1.0, 2.0]))
        roots.sum().backward()
    text = str(caught.value)
    assert "roots = torch.sqrt(x * torch.tensor([1.0, 2.0]))" in text
    assert "where a = 0.0" in text
    assert "from `multiply`, test_anomaly.py:" in text
    assert "concerns x" in text
    assert x.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_handed_out_are_looked_at_too(x, create_graph):
    with wg.anomaly(), pytest.raises(AnomalyError, match=r"^infinity in the gradient, by sqrt\."):
        torch.autograd.grad(torch.sqrt(x).sum(), x, create_graph=create_graph)


def test_second_derivatives(x):
    with wg.anomaly():
        (slope,) = torch.autograd.grad((x**1.5).sum(), x, create_graph=True)
        with pytest.raises(AnomalyError, match=r"^infinity in the gradient"):
            slope.sum().backward()


def test_a_loss_that_is_not_a_number_is_said_before_its_gradient(x):
    with wg.anomaly(), np.errstate(all="ignore"), pytest.raises(AnomalyError, match=r"^NaN in the primal, by log\.") as caught:
        torch.log(x - 1).sum().backward()
    assert "`log a` gave nan at [1], where a = -1.0" in str(caught.value)


def test_what_is_fine_is_let_be_and_gradients_add_up(x):
    with wg.anomaly():
        torch.where(x > 0, torch.sqrt(x), 0.0).sum().backward()
        torch.where(x > 0, torch.sqrt(x), 0.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [0.5, 0.0])
    torch.sqrt(x).sum().backward()  # nobody looks any more
    assert np.isinf(x.grad.numpy()[1])


def test_operations_before_the_context_have_no_line_and_are_named(x):
    y = torch.sqrt(x)
    with wg.anomaly(), pytest.raises(AnomalyError, match=r"^infinity in the gradient, by sqrt\."):
        y.sum().backward()


def test_several_results_views_hooks_and_modes(x):
    with wg.anomaly(), pytest.raises(AnomalyError, match=r"by sqrt\."):
        torch.autograd.grad(torch.max(x * 2, 0).values * torch.sqrt(x[1]), x)
    with wg.anomaly(), torch.no_grad(), torch.enable_grad():
        y = torch.sqrt(x * 1)
        y.register_hook(lambda g: g * 2)
        assert torch.is_grad_enabled() is True
    with wg.anomaly(), pytest.raises(AnomalyError, match=r"by sqrt\.") as caught:
        y.sum().backward()
    assert "y = torch.sqrt(x * 1)" in str(caught.value)


def test_nothing_is_noted_without_a_gradient(x):
    with wg.anomaly(), torch.no_grad():
        assert (x * 2).requires_grad is False
    assert torch.is_grad_enabled() is True


def test_a_batch_of_gradients(x):
    with wg.anomaly(), pytest.raises(AnomalyError, match=r"by sqrt\."):
        torch.autograd.grad(torch.sqrt(x), x, torch.eye(2), is_grads_batched=True)
