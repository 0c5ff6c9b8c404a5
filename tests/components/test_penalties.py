import itertools

import pytest
import torch

from sklearn_dnn.components.penalties import add_penalty_gradient_, decay_, penalty

COLUMN = torch.tensor([[0.0], [0.3], [2.0]], dtype=torch.float64)
STRENGTHS = [0.0, 0.7, COLUMN]


def weights(dtype=torch.float64):
    w = torch.randn((3, 12), dtype=dtype, generator=torch.Generator().manual_seed(0))
    w[:, 3] = 0.0
    return w


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("alpha", "l1"), list(itertools.product(STRENGTHS, STRENGTHS)))
def test_penalty_is_its_formula(alpha, l1, dtype):
    w = weights(dtype)
    a, b = torch.as_tensor(alpha, dtype=dtype), torch.as_tensor(l1, dtype=dtype)
    expected = (0.5 * a * w**2 + b * w.abs()).sum(1)
    result = penalty(w, alpha, l1)
    assert result.shape == (3,)
    torch.testing.assert_close(result, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [0.25, torch.tensor([[1.0], [0.5], [0.1]], dtype=torch.float64)])
@pytest.mark.parametrize(("alpha", "l1"), list(itertools.product(STRENGTHS, STRENGTHS)))
def test_gradient_is_autograds(alpha, l1, scale, dtype):
    w = weights(dtype).requires_grad_()
    factor = torch.as_tensor(scale, dtype=dtype).expand(3, 1)[:, 0]
    a, b = torch.as_tensor(alpha, dtype=dtype), torch.as_tensor(l1, dtype=dtype)
    loss = factor * (0.5 * a * w**2 + b * w.abs()).sum(1)
    (expected,) = torch.autograd.grad(loss.sum(), w)
    grad = torch.ones((3, 20), dtype=dtype)
    slice_ = grad[:, 4:16]  # weights are a slice of the buffer
    add_penalty_gradient_(slice_, w.detach(), alpha, l1, scale)
    torch.testing.assert_close(slice_, 1 + expected)
    outside = torch.cat([grad[:, :4], grad[:, 16:]], 1)
    assert torch.equal(outside, torch.ones_like(outside))


def test_penalty_can_be_followed_by_autograd():
    w = weights().requires_grad_()
    (result,) = torch.autograd.grad(penalty(w, COLUMN, 0.7).sum(), w)
    expected = torch.zeros_like(w)
    add_penalty_gradient_(expected, w.detach(), COLUMN, 0.7, 1.0)
    torch.testing.assert_close(result, expected)


def test_no_strength_changes_no_bit():
    grad = weights()
    add_penalty_gradient_(grad, torch.full_like(grad, torch.inf), 0.0, 0.0, 1.0)
    assert torch.equal(grad, weights())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("factor", [0.1, COLUMN / 4])
def test_decay_shrinks(factor, dtype):
    w = weights(dtype)
    decay_(w, factor)
    torch.testing.assert_close(w, weights(dtype) * torch.as_tensor(1 - factor, dtype=dtype))
