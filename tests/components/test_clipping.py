import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_dnn.components.clipping import clip_by_norm_, clip_by_value_, clip_each_by_norm_


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


def tensors(m, dtype=torch.float64):
    """Gradients of a network's tensors, or of a stack's: long, short, and zero ones."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(4, 6), (6,), (6, 1), (1,), (2, 3)]
    if m:
        shapes = [(m, *(1, *shape)[-2:]) for shape in shapes]
    grads = [torch.randn(shape, dtype=dtype, generator=generator) for shape in shapes]
    for grad, scale in zip(grads, (10.0, 0.01, 3.0, 1.0, 0.0), strict=True):
        grad.mul_(scale)
    return grads


def by_member(grad, m):
    return grad if m else grad.unsqueeze(0)


each_limits = pytest.mark.parametrize("limit", [0.5, 5.0, LIMITS[1]])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("m", [0, 3])
@each_limits
def test_each_tensor_has_a_bound_and_a_direction_of_its_own(limit, m, dtype):
    if not m and isinstance(limit, torch.Tensor):
        limit = limit[:1]
    before, after = tensors(m, dtype), tensors(m, dtype)
    norms = clip_each_by_norm_(after, limit)
    assert norms.shape == (max(m, 1), len(before))
    assert norms.dtype == dtype
    bounds = torch.as_tensor(limit, dtype=dtype).expand(max(m, 1), 1)[:, 0]
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        for one, other, norm, bound in zip(
            by_member(old, m), by_member(new, m), norms[:, i], bounds, strict=True
        ):
            torch.testing.assert_close(norm, one.norm())
            if norm <= bound:
                assert torch.equal(one, other)
            else:
                torch.testing.assert_close(other.norm(), bound)
                torch.testing.assert_close(other / bound, one / norm)
    again = [grad.clone() for grad in after]
    clip_each_by_norm_(again, limit)
    torch.testing.assert_close(again, after)


def test_one_norm_over_all_keeps_the_direction_that_many_do_not():
    grads = tensors(0)
    whole = torch.cat([grad.flatten() for grad in grads]).unsqueeze(0)
    direction = whole / whole.norm()
    of_each = whole.clone()
    parts = [of_each[0, :24].view(4, 6), of_each[0, 24:30], of_each[0, 30:]]
    clip_each_by_norm_(parts, 1.0)  # views of a flat buffer
    clip_by_norm_(whole, 1.0)
    torch.testing.assert_close(whole, direction)
    assert (of_each * direction).sum() / of_each.norm() < 0.99
    assert all(part.norm() <= 1 + 1e-12 for part in parts)


@settings(max_examples=30, deadline=None)
@given(limit=st.floats(1e-3, 1e2))
def test_norm_clip_of_each_is_torchs(limit):
    clipped = tensors(0)
    clip_each_by_norm_(clipped, limit)
    for mine, grad in zip(clipped, tensors(0), strict=True):
        parameter = torch.zeros_like(grad)
        parameter.grad = grad.clone()
        torch.nn.utils.clip_grad_norm_([parameter], limit)
        # torch divides by norm + 1e-6
        torch.testing.assert_close(mine, parameter.grad, rtol=1e-4, atol=1e-9)


def test_value_then_norm_meets_both_bounds():
    grad = gradient()
    clip_by_value_(grad, 0.5)
    clip_by_norm_(grad, 2.0)
    assert (grad.abs() <= 0.5).all()
    assert (grad.norm(dim=1) <= 2.0 + 1e-12).all()


def test_infinite_limits_of_members_do_nothing():
    before, after = tensors(3), tensors(3)
    limit = torch.tensor([[torch.inf], [torch.inf], [0.1]], dtype=torch.float64)
    clip_each_by_norm_(after, limit)
    for old, new in zip(before, after, strict=True):
        assert torch.equal(old[:2], new[:2])
        assert (new[2].norm() <= 0.1 + 1e-9).all()


def test_tensors_of_many_dimensions_are_one_networks_where_that_is_said():
    alone = [torch.arange(60.0).view(3, 4, 5), torch.ones(2)]
    together = [torch.stack([t, 2 * t]) for t in alone]
    norms = clip_each_by_norm_(alone, 0.1, stacked=False)
    of_both = clip_each_by_norm_(together, 0.1, stacked=True)
    assert norms.shape == (1, 2)
    torch.testing.assert_close(of_both, torch.cat([norms, 2 * norms]))
    for one, both in zip(alone, together, strict=True):
        assert float(torch.linalg.vector_norm(one)) <= 0.1 + 1e-6
        torch.testing.assert_close(both[1], one)
