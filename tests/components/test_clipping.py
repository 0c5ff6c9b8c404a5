import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_dnn.components.clipping import clip_by_norm_, clip_by_value_


def gradient(dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((3, 40), dtype=dtype, generator=generator) * torch.tensor(
        [[0.01], [1.0], [100.0]], dtype=dtype
    )


LIMITS = [1.0, torch.tensor([[1.0], [0.5], [7.0]], dtype=torch.float64)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("limit", LIMITS)
def test_value_bound_is_met_and_the_rest_untouched(limit, dtype):
    before, after = gradient(dtype), gradient(dtype)
    clip_by_value_(after, limit)
    assert (after.abs() <= torch.as_tensor(limit)).all()
    inside = before.abs() <= torch.as_tensor(limit)
    assert torch.equal(after[inside], before[inside])
    assert torch.equal(after.sign(), before.sign())
    again = after.clone()
    clip_by_value_(again, limit)
    assert torch.equal(again, after)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("limit", LIMITS)
def test_norm_bound_is_met_and_the_direction_kept(limit, dtype):
    before, after = gradient(dtype), gradient(dtype)
    norms = clip_by_norm_(after, limit)
    bound = torch.as_tensor(limit, dtype=dtype)
    torch.testing.assert_close(norms, before.norm(dim=1, keepdim=True))
    new = after.norm(dim=1, keepdim=True)
    torch.testing.assert_close(new, norms.clamp(max=bound.expand(3, 1)))
    torch.testing.assert_close(after / new, before / norms)
    again = after.clone()
    clip_by_norm_(again, limit)
    torch.testing.assert_close(again, after)


def test_norm_under_the_bound_changes_no_bit():
    before, after = gradient(torch.float32), gradient(torch.float32)
    clip_by_norm_(after, before.norm(dim=1, keepdim=True) * 1.001)
    assert torch.equal(after, before)


def test_a_zero_gradient_stays_zero():
    grad = torch.zeros(2, 5)
    norms = clip_by_norm_(grad, 1.0)
    assert torch.equal(grad, torch.zeros(2, 5))
    assert torch.equal(norms, torch.zeros(2, 1))


def test_an_infinite_limit_does_nothing():
    before, after = gradient(), gradient()
    clip_by_norm_(after, torch.tensor([[1.0], [torch.inf], [torch.inf]], dtype=torch.float64))
    assert torch.equal(after, before)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), limit=st.floats(1e-3, 1e3))
def test_norm_clip_is_torchs_for_each_member(seed, limit):
    clipped = gradient(seed=seed)
    norms = clip_by_norm_(clipped, limit)
    for i, row in enumerate(gradient(seed=seed)):
        parts = [torch.zeros(15, dtype=row.dtype), torch.zeros(25, dtype=row.dtype)]
        parts[0].grad, parts[1].grad = row[:15].clone(), row[15:].clone()
        norm = torch.nn.utils.clip_grad_norm_(parts, limit)
        # torch divides by norm + 1e-6
        torch.testing.assert_close(norms[i, 0], norm)
        torch.testing.assert_close(
            clipped[i], torch.cat([p.grad for p in parts]), rtol=1e-4, atol=1e-9
        )
