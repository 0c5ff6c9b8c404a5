"""Losses that change another, and losses from outside: functions and classes of torch's."""

import math
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn
from torch.nn import functional

from sklearn_dnn.components.losses import (
    LOSSES,
    AbsoluteError,
    BernoulliLogLoss,
    CategoricalLogLoss,
    ElementwiseLoss,
    FunctionLoss,
    Gaussian,
    Huber,
    LinkedLoss,
    LogLoss,
    Loss,
    Poisson,
    Quantile,
    SquaredError,
    TorchLoss,
    WeightedLoss,
    as_loss,
)

N, K = 9, 3
WEIGHTS = (1.0, 0.0, 2.5)


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def by_autograd(loss, raw, target):
    raw = raw.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss.values(raw, target).sum(), raw)
    return gradient


# Losses that anyone may write.


class FourthPower(Loss):
    """Half the fourth power of the error, the derivative left to autograd."""

    def values(self, raw, target):
        return (raw - target).pow(4).sum(-1) / 2


class Largest(Loss):
    """The largest error of a row: no sum over targets."""

    def values(self, raw, target):
        return (raw - target).abs().amax(-1)


class Softplus:
    """A link as an activation has it."""

    def forward(self, z):
        return functional.softplus(z)

    def __repr__(self):
        return "Softplus()"


class Logistic:
    def forward(self, z):
        return torch.sigmoid(z)


class Relu:
    def forward(self, z):
        return torch.relu(z)


def smooth_l1(raw, target):
    return functional.smooth_l1_loss(raw, target, reduction="none", beta=0.5)


def cross_entropy(raw, target):
    return functional.cross_entropy(raw, target, reduction="none")


def bits(raw, target):
    return functional.binary_cross_entropy_with_logits(raw, target, reduction="none")


class Cubic(nn.Module):
    """A loss module of a user's own, without `reduction`, with a number and a buffer."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.register_buffer("factor", torch.tensor(factor))

    def forward(self, raw, target):
        return self.factor * (raw - target).abs() ** 3


class Trainable(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, raw, target):
        return self.weight * (raw - target).abs()


# The search for the best constant of a loss without a formula.


def test_the_best_constant_of_a_users_loss_is_searched():
    target = drawn(31, 2)
    best = FourthPower().best_constant(target)
    grid = torch.linspace(-3, 3, 60001, dtype=torch.float64)
    for j in range(2):
        means = (grid - target[:, j : j + 1]).pow(4).mean(0)
        # flat: the place is found to the root of the value's rounding
        assert abs(float(best[j] - grid[means.argmin()])) < 2e-4
    weight = torch.rand(31, generator=torch.Generator().manual_seed(1)).round()
    torch.testing.assert_close(
        FourthPower().best_constant(target, weight),
        FourthPower().best_constant(target[weight > 0]),
        rtol=0,
        atol=1e-5,
    )


def test_the_best_constant_of_a_kinked_loss_is_searched():
    class Size(Loss):
        def values(self, raw, target):
            return (raw - target).abs().sum(-1)

    target = drawn(41, 3)
    np.testing.assert_allclose(
        Size().best_constant(target), np.median(target.numpy(), axis=0), rtol=0, atol=1e-6
    )


def test_the_best_constant_of_a_loss_that_overflows_is_finite():
    class Steep(Loss):
        def values(self, raw, target):
            return torch.exp((raw - target).square()).sum(-1)

    target = 40 * drawn(12, 1)  # e^(80^2) is infinite, with no slope
    assert Steep().best_constant(target).isfinite().all()


# Weights of outputs.


@pytest.mark.parametrize(
    "loss", [SquaredError(), Huber(0.5), Quantile((0.2, 0.7)), Gaussian(), Poisson()], ids=repr
)
@pytest.mark.parametrize("lead", [(N,), (4, N)])
def test_weights_multiply_terms(loss, lead):
    raw = drawn(*lead, K * loss.outputs_per_target)
    target = drawn(*lead, K, seed=1).abs()
    weighted = loss.with_output_weights(WEIGHTS)
    assert type(weighted) is WeightedLoss
    r = loss.outputs_per_target
    expected = sum(
        w * loss.values(raw[..., j * r : (j + 1) * r], target[..., j : j + 1])
        for j, w in enumerate(WEIGHTS)
    )
    torch.testing.assert_close(weighted.values(raw, target), expected, rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(
        weighted.gradient(raw, target), by_autograd(weighted, raw, target), rtol=1e-12, atol=1e-14
    )
    torch.testing.assert_close(weighted.inverse_link(raw), loss.inverse_link(raw))
    single = weighted.values(raw.float(), target.float())
    assert single.dtype == torch.float32


@pytest.mark.parametrize("loss", [Quantile((0.2, 0.7)), Gaussian(), Poisson()], ids=repr)
def test_a_weighted_loss_is_its_loss_in_all_else(loss):
    weighted, raw = loss.with_output_weights(WEIGHTS), drawn(N, K * loss.outputs_per_target)
    for name in (
        "kinds",
        "out_activation",
        "scales_target",
        "outputs_per_target",
        "has_gradient",
        "has_probabilities",
        "has_deviation",
        "has_quantiles",
    ):
        assert getattr(weighted, name) == getattr(loss, name), name
    assert weighted.target_fault(-1.0) == loss.target_fault(-1.0)
    for has, method in ((loss.has_deviation, "deviation"), (loss.has_quantiles, "quantiles")):
        if has:
            torch.testing.assert_close(getattr(weighted, method)(raw), getattr(loss, method)(raw))
    target = drawn(N, K, seed=1).abs()
    torch.testing.assert_close(weighted.best_constant(target), loss.best_constant(target))


def test_a_weighted_loss_of_labels_smooths_and_weighs_them():
    bound = LogLoss().bind("multilabel")
    weighted = bound.with_output_weights(WEIGHTS)
    raw, target = drawn(N, K), (drawn(N, K, seed=1) > 0).double()
    expected = (bits(raw, target) * torch.tensor(WEIGHTS)).sum(-1)
    torch.testing.assert_close(weighted.values(raw, target), expected)
    torch.testing.assert_close(weighted.smooth(target, 0.2, K), bound.smooth(target, 0.2, K))
    assert weighted.bind("multilabel").get_params() == weighted.get_params()


def test_weights_that_are_all_one_change_nothing():
    raw, target = drawn(N, K), drawn(N, K, seed=1)
    for loss in (SquaredError(), Huber()):
        weighted = loss.with_output_weights(np.ones(K))
        assert torch.equal(weighted.gradient(raw, target), loss.gradient(raw, target))


@pytest.mark.parametrize("loss", [Largest(), FourthPower(), CategoricalLogLoss()], ids=repr)
def test_weights_need_a_sum_over_targets(loss):
    with pytest.raises(ValueError, match=r"no sum over targets.*Leave out.*ElementwiseLoss"):
        loss.with_output_weights((1.0, 2.0))


@pytest.mark.parametrize("weights", [(1.0, -1.0), (0.0, 0.0), (1.0, math.inf), (math.nan,), ("a",)])
def test_bad_weights_are_refused(weights):
    with pytest.raises(ValueError, match="Output weights must be finite numbers >= 0"):
        SquaredError().with_output_weights(weights)


# Links.


@pytest.mark.parametrize(
    "loss", [SquaredError(), Huber(0.5), Quantile(0.3), FourthPower()], ids=repr
)
def test_a_link_stands_between_raw_outputs_and_loss(loss):
    raw, target = drawn(4, N, K), drawn(4, N, K, seed=1)
    linked = loss.with_link(Softplus())
    assert type(linked) is LinkedLoss
    assert linked.out_activation == "softplus"
    assert not linked.scales_target
    assert not linked.has_gradient
    predictions = functional.softplus(raw)
    assert torch.equal(linked.inverse_link(raw), predictions)
    assert torch.equal(linked.values(raw, target), loss.values(predictions, target))
    expected = by_autograd(loss, predictions, target) * torch.sigmoid(raw)
    torch.testing.assert_close(by_autograd(linked, raw, target), expected, rtol=1e-12, atol=1e-14)


def test_the_best_constant_of_a_linked_loss_predicts_the_bare_losss():
    target = 3 + drawn(40, 2)
    for loss in (SquaredError(), AbsoluteError(), SquaredError().with_output_weights((1, 3))):
        linked = loss.with_link(Softplus())
        raw = linked.best_constant(target)
        torch.testing.assert_close(
            linked.inverse_link(raw), loss.best_constant(target), rtol=1e-12, atol=1e-12
        )
    far = SquaredError().with_link(Relu()).best_constant(1e6 + target)
    torch.testing.assert_close(far, 1e6 + target.mean(0), rtol=1e-12, atol=0)
    inside = SquaredError().with_link(Logistic()).best_constant(torch.full((5, 1), 0.25))
    assert float(inside) == pytest.approx(math.log(1 / 3), rel=1e-12)


@pytest.mark.parametrize("y", [0.0, 1.0, 1.5, -3.0])
def test_a_link_that_does_not_reach_the_best_constant_can_still_learn(y):
    raw = SquaredError().with_link(Logistic()).best_constant(torch.full((5, 1), y).double())
    assert abs(float(raw)) <= 8
    assert (float(raw) > 0) == (y > 0.5)


@pytest.mark.parametrize(
    "loss", [Poisson(), Gaussian(), Quantile((0.1, 0.9)), BernoulliLogLoss()], ids=repr
)
def test_a_loss_has_one_link(loss):
    with pytest.raises(ValueError, match=r"link of its own.*Softplus\(\).*squared_error"):
        loss.with_link(Softplus())
    with pytest.raises(ValueError, match="link of its own"):
        SquaredError().with_link(Softplus()).with_link(Softplus())


def test_a_link_has_a_method_forward():
    with pytest.raises(TypeError, match=r"needs a method forward\(z\).*Got 'relu'"):
        SquaredError().with_link("relu")


def test_weights_and_a_link_go_together():
    raw, target = drawn(N, K), drawn(N, K, seed=1)
    one = SquaredError().with_output_weights(WEIGHTS).with_link(Softplus())
    other = SquaredError().with_link(Softplus()).with_output_weights(WEIGHTS)
    expected = ((functional.softplus(raw) - target) ** 2 / 2 * torch.tensor(WEIGHTS)).sum(-1)
    for loss in (one, other):
        torch.testing.assert_close(loss.values(raw, target), expected)


@pytest.mark.parametrize(
    "loss",
    [
        SquaredError().with_output_weights(WEIGHTS),
        SquaredError().with_link(Softplus()),
        FunctionLoss(smooth_l1),
        FunctionLoss(bits, kinds=("binary",)),
        TorchLoss(nn.SmoothL1Loss, beta=0.5),
        TorchLoss(Cubic),
    ],
    ids=["weighted", "linked", "function", "function-kinds", "torch", "torch-own"],
)
def test_wrappers_are_good_components(loss):
    loss.validate()
    raw, target = drawn(N, K), drawn(N, K, seed=1)
    for other in (clone(loss), pickle.loads(pickle.dumps(loss))):
        assert type(other) is type(loss)
        assert list(other.get_params()) == list(loss.get_params())
        torch.testing.assert_close(other.values(raw, target), loss.values(raw, target))
    assert LOSSES.resolve(loss) is loss


# Functions.


@pytest.mark.parametrize("lead", [(N,), (4, N)])
@pytest.mark.parametrize("by_row", [False, True])
def test_a_function_is_a_loss(lead, by_row):
    raw, target = drawn(*lead, K), drawn(*lead, K, seed=1)
    shapes = []

    def function(raw, target):
        shapes.append((raw.shape, target.shape))
        losses = smooth_l1(raw, target)
        return losses.sum(-1) if by_row else losses

    loss = FunctionLoss(function).bind("regression")
    values = loss.values(raw, target)
    torch.testing.assert_close(values, smooth_l1(raw, target).sum(-1), rtol=1e-13, atol=1e-15)
    rows = math.prod(lead)
    assert shapes == [((rows, K), (rows, K))]
    torch.testing.assert_close(
        by_autograd(loss, raw, target),
        by_autograd(TorchLoss(nn.SmoothL1Loss, beta=0.5), raw, target),
    )
    assert loss.out_activation == "identity"
    assert loss.scales_target
    assert not loss.has_gradient
    assert loss.inverse_link(raw) is raw


@pytest.mark.parametrize(
    ("kind", "function", "own"),
    [
        ("binary", bits, BernoulliLogLoss()),
        ("multilabel", bits, BernoulliLogLoss()),
        ("multiclass", cross_entropy, CategoricalLogLoss()),
    ],
)
@pytest.mark.parametrize("lead", [(N,), (4, N)])
def test_a_function_of_classes_is_a_loss_of_log_odds(kind, function, own, lead):
    k = 1 if kind == "binary" else K
    raw = drawn(*lead, k)
    target = (drawn(*lead, k, seed=1) > 0).double()
    if kind == "multiclass":
        target = drawn(*lead, k, seed=1).argmax(-1)
    loss = FunctionLoss(function).bind(kind)
    torch.testing.assert_close(loss.values(raw, target), own.values(raw, target))
    torch.testing.assert_close(by_autograd(loss, raw, target), own.gradient(raw, target))
    torch.testing.assert_close(loss.inverse_link(raw), own.inverse_link(raw))
    assert loss.out_activation == own.out_activation
    assert not loss.scales_target
    assert loss.has_probabilities
    with pytest.raises(ValueError, match="link of its own"):
        loss.with_link(Softplus())
    if lead == (N,):
        torch.testing.assert_close(
            loss.inverse_link(loss.best_constant(target, None, k)),
            own.inverse_link(own.best_constant(target, None, k)),
            rtol=0,
            atol=1e-6,
        )


def test_binding_a_function_leaves_it_as_it_was():
    loss = FunctionLoss(bits)
    bound = loss.bind("binary")
    assert bound.get_params() == loss.get_params()
    assert bound.out_activation == "logistic"
    assert loss.out_activation == "identity"


@pytest.mark.parametrize(
    "function",
    [
        lambda z, y: (z - y).square().mean(),
        lambda z, y: (z - y).square().mean(0),
        lambda z, y: (z - y[:, 0]).square(),
        lambda z, y: (z - y).square()[:-1],
        lambda z, y: (z - y).square()[None],
    ],
)
def test_a_function_gives_one_loss_a_row(function):
    raw, target = drawn(N, 1), drawn(N, 1, seed=1)
    with pytest.raises(ValueError, match=r"one loss a row, of shape \(9,\).*Got shape.*no mean"):
        FunctionLoss(function).values(raw, target)


def test_a_function_is_one_of_torch():
    raw, target = drawn(N, 2).requires_grad_(), drawn(N, 2, seed=1)
    with pytest.raises(TypeError, match=r"torch tensor.*Got ndarray instead"):
        FunctionLoss(lambda z, y: z.detach().numpy() - y.numpy()).values(raw, target)
    with pytest.raises(ValueError, match=r"without a derivative.*without \.detach"):
        FunctionLoss(lambda z, y: z.detach() - y).values(raw, target)
    with torch.no_grad():  # where none is wanted
        FunctionLoss(lambda z, y: z.detach() - y).values(raw.detach(), target)


@pytest.mark.parametrize("kinds", [(), ("regresion",), "regression", 3])
def test_bad_kinds_are_refused(kinds):
    with pytest.raises(ValueError, match="The 'kinds' parameter of FunctionLoss"):
        FunctionLoss(bits, kinds=kinds).validate()
    with pytest.raises(ValueError, match="The 'function' parameter of FunctionLoss"):
        FunctionLoss("bits").validate()


def test_a_function_says_what_it_is_for():
    assert set(FunctionLoss(bits).kinds) == {"regression", "binary", "multiclass", "multilabel"}
    assert set(FunctionLoss(bits, kinds=("binary", "multilabel")).kinds) == {"binary", "multilabel"}


# Classes of torch's.

OF_TORCH = [
    (nn.L1Loss, {}, "regression"),
    (nn.MSELoss, {}, "regression"),
    (nn.SmoothL1Loss, {"beta": 0.3}, "regression"),
    (nn.HuberLoss, {"delta": 0.3}, "regression"),
    (nn.BCEWithLogitsLoss, {"pos_weight": torch.tensor([1.0, 2.0, 3.0])}, "multilabel"),
    (nn.MultiLabelSoftMarginLoss, {}, "multilabel"),
    (nn.CrossEntropyLoss, {"label_smoothing": 0.1}, "multiclass"),
    (nn.CrossEntropyLoss, {"weight": torch.tensor([1.0, 2.0, 3.0])}, "multiclass"),
    (nn.MultiMarginLoss, {"p": 2}, "multiclass"),
]


@pytest.mark.parametrize(("wrapped", "arguments", "kind"), OF_TORCH)
@pytest.mark.parametrize("lead", [(N,), (4, N)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_class_of_torchs_is_a_loss(wrapped, arguments, kind, lead, dtype):
    loss = TorchLoss(wrapped, **arguments)
    loss.validate()
    assert kind in loss.kinds
    bound = loss.bind(kind)
    raw, target = drawn(*lead, K).to(dtype), drawn(*lead, K, seed=1).to(dtype)
    target = {"multiclass": target.argmax(-1), "multilabel": (target > 0).to(dtype)}.get(
        kind, target
    )
    values = bound.values(raw, target)
    assert values.shape == lead
    assert values.dtype == dtype
    # one row after the other, each the sum of its outputs
    module = wrapped(**arguments, reduction="sum").to(dtype)
    rows, targets = raw.reshape(-1, K), target.reshape(-1, *target.shape[len(lead) :])
    alone = [module(z[None], y[None]) for z, y in zip(rows, targets, strict=True)]
    torch.testing.assert_close(values.reshape(-1), torch.stack(alone))
    assert bound.has_probabilities == (wrapped is not nn.MultiMarginLoss)


@pytest.mark.parametrize(
    ("wrapped", "way_out"),
    [
        (nn.BCELoss, "BCEWithLogitsLoss"),
        (nn.NLLLoss, "CrossEntropyLoss"),
        (nn.KLDivLoss, "CrossEntropyLoss"),
        (nn.SoftMarginLoss, "log_loss"),
        (nn.PoissonNLLLoss, "poisson"),
        (nn.GaussianNLLLoss, "gaussian"),
        (nn.CTCLoss, r"write a function loss\(raw, target\)"),
        (nn.MultiLabelMarginLoss, "write a function"),
        (nn.HingeEmbeddingLoss, "write a function"),
        (nn.TripletMarginLoss, "write a function"),
    ],
)
def test_classes_of_other_inputs_are_refused(wrapped, way_out):
    with pytest.raises(ValueError, match=f"{wrapped.__name__} can't be a loss here.*{way_out}"):
        TorchLoss(wrapped).validate()


def test_no_loss_of_torchs_is_overlooked():
    # each is taken for what it is for, or refused
    classes = [c for c in vars(nn.modules.loss).values() if isinstance(c, type)]
    known = {wrapped for wrapped, _, _ in OF_TORCH}
    for cls in classes:
        if cls.__module__ != nn.modules.loss.__name__ or cls.__name__.startswith("_"):
            continue
        if cls not in known:
            with pytest.raises(ValueError, match="can't be a loss here"):
                TorchLoss(cls).validate()


def test_a_users_class_is_a_loss():
    raw, target = drawn(4, N, K), drawn(4, N, K, seed=1)
    loss = TorchLoss(Cubic, factor=2.0)
    loss.validate()
    torch.testing.assert_close(
        loss.values(raw, target), 2 * (raw - target).abs().pow(3).sum(-1), rtol=1e-13, atol=0
    )
    assert set(loss.kinds) == {"regression", "binary", "multiclass", "multilabel"}

    class Half(nn.SmoothL1Loss):
        """A class of torch's with another default."""

        def __init__(self, beta=0.5, reduction="mean"):
            super().__init__(beta=beta, reduction=reduction)

    assert set(TorchLoss(Half).kinds) == {"regression"}
    torch.testing.assert_close(TorchLoss(Half).values(raw, target), smooth_l1(raw, target).sum(-1))


def test_arguments_of_a_class_are_parameters():
    loss = TorchLoss(nn.SmoothL1Loss, beta=0.5)
    assert loss.get_params() == {"wrapped": nn.SmoothL1Loss, "beta": 0.5}
    raw, target = drawn(N, K), drawn(N, K, seed=1)
    before = loss.values(raw, target)
    assert not torch.equal(loss.set_params(beta=0.1).values(raw, target), before)
    with pytest.raises(ValueError, match=r"'betta' is no argument.*Did you mean 'beta'"):
        TorchLoss(nn.SmoothL1Loss, betta=0.5).validate()
    for reserved in ("reduction", "reduce", "size_average"):
        with pytest.raises(ValueError, match=f"'{reserved}' is no argument"):
            TorchLoss(nn.SmoothL1Loss, **{reserved: "mean"}).validate()


def test_what_is_no_class_of_losses_is_refused():
    with pytest.raises(TypeError, match="TorchLoss wraps a class"):
        TorchLoss(nn.L1Loss()).validate()
    with pytest.raises(TypeError, match=r"subclass of torch\.nn\.Module.*Got .*Huber"):
        TorchLoss(Huber).validate()
    with pytest.raises(ValueError, match="Trainable has trainable parameters"):
        TorchLoss(Trainable).validate()


# What a user may give.


def test_as_loss():
    assert as_loss("huber") == "huber"
    loss = Huber()
    assert as_loss(loss) is loss
    assert as_loss(smooth_l1).function is smooth_l1
    assert type(as_loss(smooth_l1)) is FunctionLoss
    assert as_loss(nn.L1Loss).wrapped is nn.L1Loss
    assert type(as_loss(nn.L1Loss)) is TorchLoss
    with pytest.raises(TypeError, match=r"instance of SmoothL1Loss.*loss=SmoothL1Loss"):
        as_loss(nn.SmoothL1Loss(beta=0.1))


def test_as_loss_leaves_mistakes_to_the_registry():
    for value in (3, None, Huber):
        assert as_loss(value) is value
    with pytest.raises(TypeError, match=r"write Huber\(\) instead of Huber"):
        LOSSES.resolve(as_loss(Huber))
    with pytest.raises(ValueError, match="Got 3 instead"):
        LOSSES.resolve(as_loss(3))


def test_elementwise_losses_are_written_with_terms_alone():
    class Cube(ElementwiseLoss):
        def terms(self, raw, target):
            return (raw - target).abs() ** 3

    raw, target = drawn(4, N, K), drawn(4, N, K, seed=1)
    torch.testing.assert_close(
        Cube().with_output_weights(WEIGHTS).values(raw, target),
        ((raw - target).abs() ** 3 * torch.tensor(WEIGHTS)).sum(-1),
    )
    with pytest.raises(TypeError, match="abstract"):
        ElementwiseLoss()
