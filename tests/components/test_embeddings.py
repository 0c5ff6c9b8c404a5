"""Embeddings of numbers: closed forms, gradients, and what is measured for them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_dnn.components import Periodic, PiecewiseLinear
from sklearn_dnn.components.embeddings import CODE_SIZE, EMBEDDINGS, entering_width

P, B = 3, 7
EVERY = {
    "waves": Periodic(n_frequencies=5, size=4, scale=0.7),
    "plr": Periodic(n_frequencies=5, size=4, scale=0.7, dense=False),
    "bins": PiecewiseLinear(n_bins=4, size=3),
    "bins_relu": PiecewiseLinear(n_bins=4, size=3, activation="relu"),
    "bins_alone": PiecewiseLinear(n_bins=4, size=None),
}
every = pytest.mark.parametrize("embedding", EVERY.values(), ids=EVERY)


def columns(n=B, p=P):
    return np.random.default_rng(0).normal(size=(n, p))


def opened(embedding, m=None, dtype=torch.float64):
    """Parameters and buffers, as those of a network or of a stack; no number is at zero."""
    generator = torch.Generator().manual_seed(3)
    shape = () if m is None else (m,)
    parameters = {
        name: torch.randn(*shape, *own, generator=generator, dtype=dtype)
        for name, own in embedding.parameter_shapes(P).items()
    }
    found = embedding.measure(np.random.default_rng(1).normal(size=(50, P)), None)
    buffers = {
        name: torch.from_numpy(array).to(dtype).expand(*shape, *array.shape).contiguous()
        for name, array in found.items()
    }
    return parameters, buffers


@every
def test_shapes_are_those_that_are_said(embedding):
    start = embedding.start(P, torch.Generator().manual_seed(0))
    assert {k: tuple(v.shape) for k, v in start.items()} == embedding.parameter_shapes(P)
    found = embedding.measure(columns(), None)
    assert {k: v.shape for k, v in found.items()} == embedding.buffer_shapes(P)
    assert bool(found) == embedding.measures
    assert all(len(shape) > 1 for shape in embedding.parameter_shapes(P).values())
    out = embedding.forward(torch.from_numpy(columns().T), *opened(embedding))
    assert out.shape == (P * embedding.numbers_each, B)
    assert entering_width(embedding, P, 2, 1) == len(out) + 2 + CODE_SIZE
    assert entering_width(None, P, 2, 0) == P + 2


@every
def test_a_stack_is_its_members(embedding):
    x = torch.randn(2, P, B, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    parameters, buffers = opened(embedding, 2)
    out = embedding.forward(x, parameters, buffers)
    for i in range(2):
        alone = [{k: t[i] for k, t in part.items()} for part in (parameters, buffers)]
        torch.testing.assert_close(out[i], embedding.forward(x[i], *alone))


def test_waves_are_cosines_mixed_beside_the_number():
    embedding = EVERY["waves"]
    x = columns()
    parameters, _ = opened(embedding)
    out = embedding.forward(torch.from_numpy(x.T), parameters, {}).numpy()
    c, phase, W, b = (parameters[k].numpy() for k in ("frequencies", "phases", "weight", "bias"))
    np.testing.assert_array_equal(out[:P], x.T)
    for j in range(P):
        waves = np.cos(2 * np.pi * np.outer(x[:, j], c[j]) + phase[j])
        np.testing.assert_allclose(out[P + 3 * j : P + 3 * (j + 1)].T, waves @ W[j].T + b[j])


def test_plr_is_sines_and_cosines_mixed_and_rectified():
    embedding = EVERY["plr"]
    x = columns()
    parameters, _ = opened(embedding)
    out = embedding.forward(torch.from_numpy(x.T), parameters, {}).numpy()
    c, W, b = (parameters[k].numpy() for k in ("frequencies", "weight", "bias"))
    for j in range(P):
        angles = 2 * np.pi * np.outer(x[:, j], c[j])
        waves = np.concatenate([np.cos(angles), np.sin(angles)], 1)
        wanted = np.maximum(waves @ W[j].T + b[j], 0)
        np.testing.assert_allclose(out[4 * j : 4 * (j + 1)].T, wanted, atol=1e-12)


def test_frequencies_start_normal_with_the_scale_and_phases_uniform():
    start = Periodic(n_frequencies=2000, scale=0.3).start(4, torch.Generator().manual_seed(0))
    frequencies, phases = start["frequencies"], start["phases"]
    assert float(frequencies.std()) == pytest.approx(0.3, rel=0.05)
    assert float(phases.abs().max()) <= np.pi
    assert float(phases.std()) == pytest.approx(np.pi / 3**0.5, rel=0.05)
    assert float(start["weight"].abs().max()) <= 2000**-0.5
    assert Periodic.varying == ("scale",)


def test_bins_are_the_definition():
    embedding = PiecewiseLinear(n_bins=4, size=None)
    x = np.random.default_rng(0).permutation(101).astype(float)[:, None]  # quartiles 25, 50, 75
    found = embedding.measure(x, None)
    buffers = {k: torch.from_numpy(v) for k, v in found.items()}
    points = torch.tensor([[-10.0, 0.0, 10.0, 25.0, 40.0, 80.0, 100.0, 110.0, 9000.0, -9000.0]])
    out = embedding.forward(points, {}, buffers).numpy()
    edges = np.array([0.0, 25.0, 50.0, 75.0, 100.0])
    wanted = np.clip((points.numpy() - edges[:-1, None]) / np.diff(edges)[:, None], 0, 1)
    wanted[0, [0, 9]] = [-0.4, -1.0]  # the outer bins go on by their own width
    wanted[3, [7, 8]] = [1.4, 2.0]
    np.testing.assert_allclose(out, wanted, atol=1e-6)


def test_a_mixed_piecewise_embedding_is_a_line_and_the_bins():
    embedding = EVERY["bins"]
    x = torch.from_numpy(columns().T)
    parameters, buffers = opened(embedding)
    e = EVERY["bins_alone"].forward(x, {}, buffers).unflatten(0, (P, 4))
    out = embedding.forward(x, parameters, buffers).unflatten(0, (P, 3))
    for j in range(P):
        own = {k: t[j] for k, t in parameters.items()}
        wanted = own["slope"][:, None] * x[j] + own["bias"][:, None] + own["weight"] @ e[j]
        torch.testing.assert_close(out[j], wanted)
    rectified = EVERY["bins_relu"].forward(x, parameters, buffers)
    torch.testing.assert_close(rectified, out.flatten(0, 1).relu())
    start = embedding.start(P, torch.Generator().manual_seed(0))
    assert not start["weight"].any()
    assert start["slope"].all()


def test_columns_of_few_values_have_few_bins_and_constant_ones_none():
    embedding = PiecewiseLinear(n_bins=8, size=None)
    x = np.zeros((40, 3))
    x[:, 0] = np.arange(40) % 3
    x[0, 1] = 5.0  # quantiles fall together at 0 but for the last
    found = embedding.measure(x, None)
    assert [(found["factor"][j] > 0).sum() for j in range(3)] == [2, 1, 0]
    buffers = {k: torch.from_numpy(v) for k, v in found.items()}
    out = embedding.forward(torch.from_numpy(x.T), {}, buffers).unflatten(0, (3, 8))
    assert not out[0, 2:].any()
    np.testing.assert_array_equal(out[0].sum(0).numpy(), x[:, 0])
    np.testing.assert_array_equal(out[1].sum(0).numpy(), x[:, 1] / 5.0)
    assert not out[2].any()


def test_a_row_of_weight_two_is_the_row_twice():
    embedding = PiecewiseLinear(n_bins=5)
    x = columns(40)
    weight = np.random.default_rng(2).integers(1, 4, size=40).astype(float)
    repeated = embedding.measure(np.repeat(x, weight.astype(int), axis=0), None)
    for name, array in embedding.measure(x, weight).items():
        np.testing.assert_array_equal(array, repeated[name])


@every
@pytest.mark.parametrize("m", [None, 2])
def test_gradients_by_hand_are_autograds(embedding, m):
    shape = () if m is None else (m,)
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(*shape, P, B, dtype=torch.float64, generator=generator)
    parameters, buffers = opened(embedding, m)
    gradients = {name: torch.full_like(t, torch.nan) for name, t in parameters.items()}
    kernel = embedding.kernel(parameters, gradients, buffers, x)
    leaves = {name: t.clone().requires_grad_() for name, t in parameters.items()}
    wanted = embedding.forward(x, leaves, buffers)
    delta = torch.randn(wanted.shape, dtype=torch.float64, generator=generator)
    if kernel is None:
        assert embedding is EVERY["plr"]
        return
    for _ in range(2):  # memory is used again
        out = torch.empty_like(wanted)
        kernel.forward(x, out)
        torch.testing.assert_close(out, wanted.detach())
        kernel.backward(delta.clone())
    if not leaves:
        return
    expected = torch.autograd.grad(wanted, list(leaves.values()), delta)
    for name, gradient in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradients[name], gradient)


@pytest.mark.parametrize("name", ["waves", "bins"])
def test_gradients_are_finite_differences(name):
    embedding = EVERY[name]
    parameters, buffers = opened(embedding)
    leaves = [t.requires_grad_() for t in parameters.values()]
    x = torch.from_numpy(columns().T)

    def outputs(*tensors):
        return embedding.forward(x, dict(zip(parameters, tensors, strict=True)), buffers)

    assert torch.autograd.gradcheck(outputs, leaves)


def test_contradictions_are_refused():
    with pytest.raises(ValueError, match=r"size=1, dense=True.*size >= 2"):
        Periodic(size=1).validate()
    with pytest.raises(ValueError, match=r"activation='relu', size=None"):
        PiecewiseLinear(size=None, activation="relu").validate()
    with pytest.raises(ValueError, match=r"'numeric_embedding' parameter.*Did you mean 'periodic'"):
        EMBEDDINGS.resolve("period")
