"""scikit-learn's fitted networks as this package's."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier

from .._core.data.columns import fit_columns
from .._core.data.labels import BinaryCodec, MulticlassCodec, MultilabelCodec
from .._core.data.numbers import RegressionCodec
from .._core.data.targets import Codec
from .._core.fitting.ending import fitted_attributes
from .._core.fitting.session import Session
from .._core.network.architecture import Architecture
from .._core.network.parameters import Layout
from .._core.network.weights import Weights
from .._core.reading.given import Given
from .._core.specification import Task, resolve
from .._core.training.ends import MAX_ITER, Outcome
from .._core.training.state import HISTORY, Progress
from .._core.training.streams import Streams
from ..components.schedules import InverseScaling, Performance, Schedule
from ..estimators._classifier import MLPClassifier
from ..estimators._regressor import MLPRegressor
from ._terms import kind_of, packed, rule_of


def as_ours(network: Any) -> Any:
    """An estimator of this package with the parameters and the weights of a fitted network."""
    n, n_rows, dtype = network.n_features_in_, _rows_seen(network), network.coefs_[0].dtype
    ours = _estimator(network, n_rows)
    task = Task(kind_of(network), n, network.n_outputs_, n_rows, n_rows, dtype.name)
    spec = resolve(ours.get_params(deep=False), task)
    progress = Progress.begin([spec], [Streams(0, 0, 0, 0, 0)])
    progress.theta[0].copy_(packed([*network.coefs_, *network.intercepts_]))
    progress.begin_from_theta(spec.optimizer)
    losses = [float(loss) for loss in getattr(network, "loss_curve_", [network.loss_])]
    scores = getattr(network, "validation_scores_", None) or [None] * len(losses)
    curves = {"loss": losses, "train_loss": losses, "validation_score": scores}
    history = {name: list(curves.get(name, [None] * len(losses))) for name in HISTORY}
    progress.histories, progress.epoch = [history], len(losses)
    progress.samples = int(network.t_)
    session = Session(
        spec=spec,
        codec=_codec(network),
        columns=fit_columns(np.zeros((1, n)), None, None, scaling=None, gappy=False),
        progress=[progress],
        given=Given(np.zeros((0, n)), np.zeros(0), None),
        training=np.arange(0),
        rows=np.zeros((1, 0), dtype=np.int64),
        held=None,
        draws=[0],
    )
    weights = Weights.read(Layout(Architecture.of(spec)), progress.theta[0], progress.statistics[0])
    ended = Outcome(weights, history, MAX_ITER, network.n_iter_, 0, progress)
    for name, value in fitted_attributes(session, [ended]).items():
        setattr(ours, name, value)
    for name in ("n_features_in_", "feature_names_in_"):
        if name in vars(network):
            setattr(ours, name, getattr(network, name))
    return ours


def _estimator(network: Any, n_rows: int) -> MLPClassifier | MLPRegressor:
    """One with the same parameters, not fitted."""
    classifies = is_classifier(network)
    given: dict[str, Any] = {
        name: getattr(network, name)
        for name in (
            "hidden_layer_sizes",
            "activation",
            "alpha",
            "batch_size",
            "learning_rate_init",
            "max_iter",
            "loss",
            "shuffle",
            "random_state",
            "tol",
            "verbose",
            "warm_start",
            "early_stopping",
            "validation_fraction",
            "n_iter_no_change",
        )
    }
    if network.early_stopping:
        given["monitor"] = "accuracy" if classifies else "r2"
    if network.solver == "lbfgs":
        given |= {"optimizer": "lbfgs", "batch_size": "auto", "early_stopping": False}
        given |= {"learning_rate_init": "auto", "monitor": "loss"}
    else:
        given |= {"optimizer": rule_of(network), "schedule": _schedule(network, n_rows)}
    given |= {"input_scaling": None, "dtype": network.coefs_[0].dtype.name}
    if classifies:
        return MLPClassifier(**given)
    return MLPRegressor(**given, target_scaling=None)


def _schedule(network: Any, n_rows: int) -> str | Schedule:
    if network.solver == "adam" or network.learning_rate == "constant":
        return "constant"
    if network.learning_rate == "invscaling":
        return InverseScaling(network.power_t, per_epoch=float(n_rows))
    idle = network.n_iter_no_change
    # it counts one more than are borne, and asks for an end where the rate is nothing
    least = min(1.0, 1e-6 / network.learning_rate_init)
    borne = int(idle) + 1 if np.isfinite(idle) else network.max_iter
    return Performance(0.2, patience=borne, threshold=network.tol, min_factor=least)


def _rows_seen(network: Any) -> int:
    """Rows of an epoch, as far as a fitted network tells."""
    epochs = len(getattr(network, "loss_curve_", ()))
    return max(1, round(network.t_ / epochs)) if epochs else 1


def _codec(network: Any) -> Codec:
    kind, n = kind_of(network), network.n_outputs_
    if kind == "regression":
        return RegressionCodec(np.zeros(n), np.ones(n), n == 1)
    if kind == "multilabel":
        return MultilabelCodec(n)
    return (BinaryCodec if kind == "binary" else MulticlassCodec)(network.classes_)
