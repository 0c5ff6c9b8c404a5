"""A look into a fitted network: weights, gradients and activations of each layer on some rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import is_classifier
from sklearn.utils import resample
from torch import Tensor, nn

from .._compat import offers
from .._core.network.export import Join
from .._threads import torch_ready
from ._epochs import Epoch

SampleLoss = Callable[[Tensor, Tensor], Tensor]

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


@dataclass
class Sample:
    """Rows that are looked at, the same ones at every epoch.

    Attributes
    ----------
    X : Tensor of shape (n, n_features)
    y : ndarray of shape (n,) or (n, n_outputs)
    """

    X: Tensor
    y: np.ndarray


@dataclass
class LayerSample:
    """A dense layer, and what follows it up to the next one.

    Attributes
    ----------
    name : str
        Of the dense module.
    weights, gradients : dict of Tensor
        By the parameter's name; gradients of the mean loss of the sample.
    activations : Tensor of shape (n, n_units)
        What the layer hands on, in evaluation mode.
    slopes : Tensor of shape (n, n_units) or None
        Derivatives of the activation function; None of the last layer.
    """

    name: str
    weights: dict[str, Tensor] = field(default_factory=dict)
    gradients: dict[str, Tensor] = field(default_factory=dict)
    activations: Tensor = field(default_factory=lambda: torch.zeros(0, 0))
    slopes: Tensor | None = None


@dataclass
class _Call:
    """One call of a module without children."""

    name: str
    module: nn.Module
    x: Tensor
    out: Tensor


def draw_sample(epoch: Epoch, n_rows: int) -> Sample:
    """Training rows, at most `n_rows`, the same at every call for the same data."""
    part = epoch.part("training")
    X, y = (epoch.X, epoch.y) if part is None else part[:2]
    if X is None or y is None:
        raise ValueError(
            f"{type(epoch.estimator).__name__} does not tell callbacks its training rows. Use a "
            "callback that needs none, such as History."
        )
    X = X.detach().cpu().numpy() if isinstance(X, Tensor) else X
    y = y.detach().cpu().numpy() if isinstance(y, Tensor) else y
    if (X.shape[0] if sp.issparse(X) else len(X)) > n_rows:
        X, y = resample(X, y, replace=False, n_samples=n_rows, random_state=0)
    try:
        dense = np.array(X.toarray() if sp.issparse(X) else X, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"The rows given to {type(epoch.estimator).__name__} are not all numbers ({error}), "
            "and its module takes numbers. Encode the columns in a pipeline before it."
        ) from error
    return Sample(torch.from_numpy(dense), np.asarray(y))


def module_of(fitted: Any, who: str) -> nn.Module:
    """The fitted network as a module in float64, whose parameters want gradients."""
    if not offers(fitted, "to_torch"):
        raise TypeError(
            f"{who} looks into networks: it needs an estimator with to_torch(), such as "
            f"MLPClassifier or MLPRegressor; {type(fitted).__name__} has none. Use History or "
            "EpochScoring for it."
        )
    return fitted.to_torch().double().requires_grad_(True)


def look_into(
    fitted: Any, sample: Sample, who: str, loss: SampleLoss | None = None
) -> list[LayerSample]:
    """Weights, gradients and activations of each layer.

    Parameters
    ----------
    fitted : estimator
    sample : Sample
    who : str
        Named in errors.
    loss : callable or None
        Of predictions (n, k) and targets (n, k); None for :func:`default_loss`.
    """
    # training runs without gradients, and perhaps in a forked child
    with torch_ready(), torch.enable_grad():
        module = module_of(fitted, who)
        calls: list[_Call] = []
        names: dict[nn.Module, str] = {}
        for name, part in _called(module):
            names.setdefault(part, name)  # one that stands in two places has its first name
        hooks = [
            part.register_forward_hook(partial(_note, calls, name)) for part, name in names.items()
        ]
        predictions = module(sample.X)
        for hook in hooks:
            hook.remove()
        groups = _groups(calls)
        if loss is None:
            value = default_loss(fitted, predictions, sample.y)
        else:
            value = loss(predictions, _columns(sample.y))
        parameters = dict(module.named_parameters())
        gradients = torch.autograd.grad(
            value, list(parameters.values()), allow_unused=True, retain_graph=True
        )
        by_name = dict(zip(parameters, gradients, strict=True))
        return [_layer(group, by_name, last=group is groups[-1]) for group in groups]


def weights_of(fitted: Any, who: str) -> dict[str, Tensor]:
    """Matrices of weights by name, as they are now."""
    module = module_of(fitted, who)
    named = module.named_parameters()
    return {name: value.detach().clone() for name, value in named if value.dim() >= 2}


def default_loss(fitted: Any, predictions: Tensor, y: np.ndarray) -> Tensor:
    """Mean log loss of probabilities, or half the mean squared error over the targets' variance.

    Parameters
    ----------
    predictions : Tensor of shape (n, k)
        As ``to_torch()`` gives them.
    y : ndarray of shape (n,) or (n, k)
    """
    if is_classifier(fitted):
        classes = np.asarray(fitted.classes_)
        # log of 0 has no gradient; float64 comes down to 1e-308 before that
        tiny = torch.finfo(predictions.dtype).tiny
        if y.ndim == 2 and y.shape[1] > 1:
            hit = torch.from_numpy(y.astype(np.float64))
        elif predictions.shape[1] == 1:
            # the last class: the second of two, or the only one there is
            hit = torch.from_numpy((y.ravel() == classes[-1]).astype(np.float64))[:, None]
        else:
            index = torch.from_numpy(np.searchsorted(classes, y.ravel()))
            return -predictions.gather(1, index[:, None]).clamp_min(tiny).log().mean()
        log_p, log_q = predictions.clamp_min(tiny).log(), (1 - predictions).clamp_min(tiny).log()
        return -(hit * log_p + (1 - hit) * log_q).sum(1).mean()
    target = _columns(y)
    if target.shape != predictions.shape:
        raise ValueError(
            f"The network predicts {predictions.shape[1]} numbers a row where y has "
            f"{target.shape[1]}: give the callback its loss, a function of predictions and "
            "targets (tensors) that returns the mean, as loss=..."
        )
    variance = target.var(0, correction=0)
    scale = torch.where(variance > 0, variance, torch.ones_like(variance))
    return ((predictions - target).square() / (2 * scale)).sum(1).mean()


def _columns(y: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(y, dtype=np.float64).reshape(len(y), -1))


def _called(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The innermost modules that are called, by name.

    Lists of parameters are never called. What joins a skip connection is one module, whose own
    matrix is no layer.
    """
    parts = [
        (key, part)
        for key, part in module.named_children()
        if not isinstance(part, nn.ParameterDict | nn.ParameterList)
    ]
    if not parts or isinstance(module, Join):
        yield name, module
        return
    for key, part in parts:
        yield from _called(part, f"{name}.{key}" if name else key)


def _note(calls: list[_Call], name: str, module: nn.Module, given: Any, out: Any) -> None:
    x = next((thing for thing in given if isinstance(thing, Tensor)), None)
    if x is not None and isinstance(out, Tensor):
        calls.append(_Call(name, module, x, out))


def _is_dense(module: nn.Module) -> bool:
    return any(parameter.dim() >= 2 for parameter in module.parameters(recurse=False))


def _groups(calls: list[_Call]) -> list[list[_Call]]:
    """Calls in their order, cut before each module with a matrix of weights."""
    groups: list[list[_Call]] = []
    for call in calls:
        if _is_dense(call.module):
            groups.append([call])
        elif groups:
            groups[-1].append(call)
    return groups


def _layer(
    group: list[_Call],
    gradients: Mapping[str, Tensor | None],
    *,
    last: bool,
) -> LayerSample:
    layer = LayerSample(group[0].name or "network")
    for call in group:
        for short, value in call.module.named_parameters():
            name = f"{call.name}.{short}" if call.name else short
            layer.weights[name] = value.detach()
            slope = gradients.get(name)
            layer.gradients[name] = torch.zeros_like(value) if slope is None else slope
    out = group[-1].out
    layer.activations = out.detach().flatten(1) if out.dim() > 1 else out.detach()[:, None]
    function = None if last else _function(group)
    if function is not None and function.x.requires_grad:
        (slopes,) = torch.autograd.grad(function.out.sum(), function.x, retain_graph=True)
        layer.slopes = slopes.flatten(1)
    return layer


def _function(group: list[_Call]) -> _Call | None:
    """The call of the activation function: the last that is neither dropout nor a norm."""
    rest = [call for call in group[1:] if not isinstance(call.module, DROPOUTS)]
    bare = [
        call
        for call in rest
        if not [*call.module.parameters(recurse=False), *call.module.buffers(recurse=False)]
    ]
    found = bare or rest
    return found[-1] if found else None
