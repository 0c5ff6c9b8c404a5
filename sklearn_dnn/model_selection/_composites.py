"""Networks inside of scikit-learn's compositions: what they are given to learn from."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from copy import copy
from numbers import Integral
from typing import Any

from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from .._compat import take_requests
from ..estimators._base import BaseMLP


class Recorder(BaseEstimator):
    """Stands in a network's place, and notes what it would learn from."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Recorder:
        """Note the arguments."""
        self.given_ = (X, y, sample_weight)
        return self

    def predict(self, X: Any) -> Any:
        """Compositions ask whether there is one, and must not call it."""
        raise NotImplementedError("A recorder learns nothing.")


def network_of(estimator: Any) -> BaseMLP | None:
    """The network at the end of a composition whose ``fit`` is known; None elsewhere."""
    inner = _inner(estimator)
    if inner is not None:
        return network_of(inner)
    return estimator if isinstance(estimator, BaseMLP) else None


def may_hold_network(estimator: Any) -> bool:
    """Whether an estimator holds a network with some parameters, perhaps others than it has."""
    return type(estimator) in {Pipeline, TransformedTargetRegressor} or isinstance(
        estimator, BaseMLP
    )


def holds_theirs(estimator: Any, parameters: Mapping[str, Any] | None) -> bool:
    """Whether an estimator holds scikit-learn's networks that the engine may train in step.

    Not a subclass, which may hold a lock, or what belongs to the process, while it waits.

    Parameters
    ----------
    estimator : estimator
    parameters : mapping or None
        That it is to get.
    """
    # who has none of them has not imported their module, which takes its time
    module = sys.modules.get("sklearn_dnn.neural_network")
    if module is None:
        return False
    kinds = {module.MLPClassifier, module.MLPRegressor}
    parts = [estimator, *estimator.get_params().values(), *(parameters or {}).values()]
    found = [part for part in parts if type(part) in kinds]
    seeds = {name: value for name, value in (parameters or {}).items() if "random_state" in name}
    # chance of the process is drawn from by one fit after the other
    drawn = [part.random_state for part in found] + list(seeds.values())
    return bool(found) and all(isinstance(seed, Integral) for seed in drawn)


def path_of(estimator: Any) -> str:
    """The prefix of the network's parameters, such as ``regressor__mlp__``; may be empty."""
    if type(estimator) is Pipeline:
        name, last = estimator.steps[-1]
        return f"{name}__{path_of(last)}"
    if type(estimator) is TransformedTargetRegressor:
        return f"regressor__{path_of(estimator.regressor)}"
    return ""


def surroundings(estimator: Any) -> dict[str, Any]:
    """All parameters but the network's: what decides which table it is given."""
    path = path_of(estimator)
    whole = path.removesuffix("__")
    # parts that hold the network hold its parameters, too
    holders = {whole[:i] for i in range(len(whole) + 1) if whole[i : i + 2] == "__"} | {whole}
    holders |= {f"{holder}__steps" for holder in holders} | {"steps"}
    return {
        name: value
        for name, value in estimator.get_params(deep=True).items()
        if not name.startswith(path) and name not in holders
    }


def record(estimator: Any, X: Any, y: Any, fit_params: dict[str, Any]) -> Any:
    """A copy of a composition, fitted but for its network, whose place a recorder has."""
    recorder = take_requests(Recorder(), network_of(estimator))
    stand_in = clone(estimator).set_params(**{path_of(estimator).removesuffix("__"): recorder})
    return stand_in.fit(X, y, **fit_params)


def recorded(composition: Any) -> Recorder:
    """The recorder of a composition from :func:`record`."""
    inner = _inner(composition, fitted=True)
    return composition if inner is None else recorded(inner)


def with_network(composition: Any, estimator: Any, network: BaseMLP) -> Any:
    """An estimator with the fitted parts of a recorded composition, and a fitted network."""
    if type(estimator) is Pipeline:
        name, last = estimator.steps[-1]
        end = with_network(composition.steps[-1][1], last, network)
        whole = copy(estimator)
        whole.steps = [*composition.steps[:-1], (name, end)]
        return whole
    if type(estimator) is TransformedTargetRegressor:
        whole = copy(estimator)
        parameters = estimator.get_params(deep=False)
        vars(whole).update({k: v for k, v in vars(composition).items() if k not in parameters})
        inner = clone(estimator.regressor)
        whole.regressor_ = with_network(composition.regressor_, inner, network)
        return whole
    return network


def _inner(estimator: Any, fitted: bool = False) -> Any:
    if type(estimator) is Pipeline:
        return estimator.steps[-1][1]
    if type(estimator) is TransformedTargetRegressor:
        return estimator.regressor_ if fitted else estimator.regressor
    return None
