"""What a fitted estimator hands out: a member of its own, and a module of torch."""

from __future__ import annotations

import copy
from numbers import Integral
from typing import Any

import torch
from sklearn.base import clone

from ..._compat import Interval
from ..._threads import torch_ready
from ...components.base import shown
from ..network.export import TorchEnsemble, TorchNetwork
from ..reading.tables import names_of_categories
from .fitted import Fitted


def member_of(estimator: Any, i: int) -> Any:
    """One member of an ensemble as a fitted estimator of its own."""
    fitted = Fitted(estimator)
    if fitted.n_shared > 1:
        raise ValueError(
            f"The {fitted.n_shared} members share one network (ensemble='shared'), and none is "
            "an estimator of its own. Use predict_members, or ensemble='independent'."
        )
    n_members = fitted.n_networks
    if not Interval(Integral, 0, n_members - 1, closed="both").is_satisfied_by(i):
        raise ValueError(f"i must be the number of a member, 0 to {n_members - 1}. Got {shown(i)}.")
    twin = clone(estimator).set_params(n_members=1)
    vars(twin).update(copy.deepcopy(_member_attributes(estimator, int(i))))
    return twin


def _member_attributes(estimator: Any, i: int) -> dict[str, Any]:
    """The fitted attributes of an ensemble's member as those of a single network."""
    own = {k: v for k, v in vars(estimator).items() if k.endswith("_") and not k.startswith("_")}
    member = estimator.members_[i]
    weights = Fitted(estimator).weights.members()[i]
    history, scores = member["history"], member["validation_scores"]
    best = own["best_validation_score_"]
    if scores is not None and best is not None:
        rising = best == max(s for s in own["validation_scores_"] if s is not None)
        best = (max if rising else min)(s for s in scores if s is not None)
    return own | {
        "coefs_": weights.coefs,
        "intercepts_": weights.intercepts,
        "norm_weights_": weights.norms,
        "norm_statistics_": weights.statistics,
        "extra_weights_": weights.extras,
        "n_parameters_": own["n_parameters_"] // len(estimator.members_),
        "spec_": own["spec_"] | {"n_members": 1},
        "n_iter_": member["n_iter"],
        "best_iter_": member["best_iter"],
        "end_reason_": member["end_reason"],
        "loss_": history["loss"][-1],
        "best_loss_": None if own["best_loss_"] is None else min(history["loss"]),
        "loss_curve_": member["loss_curve"],
        "validation_loss_curve_": member["validation_loss_curve"],
        "validation_scores_": scores,
        "best_validation_score_": best,
        "lr_curve_": history["learning_rate"],
        "history_": history,
        "members_": [member],
    }


def module_of(estimator: Any, *, fold_norms: bool = False) -> torch.nn.Module:
    """The fitted network as a module, from raw columns to what `predict` needs."""
    fitted = Fitted(estimator)
    codec = fitted.codec
    categories = names_of_categories(estimator)
    if categories:
        raise ValueError(
            "to_torch gives a module of numbers, but the estimator was fitted with categories "
            f"in the columns {categories}. Fit it on encoded columns, such as those of "
            "sklearn.preprocessing.OneHotEncoder in a pipeline."
        )
    with torch_ready():
        networks = [
            TorchNetwork(
                weights,
                fitted.architecture,
                fitted.loss,
                fitted.columns,
                codec.units(),
                codec.bounds,
                is_calibrated=fitted.is_calibrated,
                fold=fold_norms,
                suits_float32=fitted.suits_float32,
            )
            for weights in fitted.weights.members()
        ]
        network = TorchEnsemble(networks) if len(networks) > 1 else networks[0]
        return network.eval()
