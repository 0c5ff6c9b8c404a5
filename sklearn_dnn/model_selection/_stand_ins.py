"""What stands in the place of an estimator's ``fit``, or of a table, in a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._compat import check_method_params, safe_split
from ._composites import with_network


@dataclass(frozen=True)
class Place:
    """Stands for a table in a list."""

    index: int


class Prepared:
    """In place of an estimator's ``fit``: gives it what was fitted beforehand."""

    def __init__(self, call: Any) -> None:
        self.call = call

    def __call__(self, X: Any, y: Any = None, **params: Any) -> Any:
        """As ``fit``; the arguments were known before."""
        call = self.call
        assert call.asked is not None
        assert call.fit is not None
        call.fit.finish()
        network = call.fit.estimator
        whole = network if call.is_bare else with_network(call.composition, call.candidate, network)
        estimator = call.asked["estimator"]
        vars(estimator).update(vars(whole))
        return estimator


def interrupted(*_: Any, **__: Any) -> Any:
    raise RuntimeError("The search was interrupted before this fit was done.")


class OnSharedTable:
    """The estimator's own ``fit``, on a table that all calls of a fold share.

    Parameters
    ----------
    call : Call
    tables : dict
        Those of the calls before, by their folds.
    """

    def __init__(self, call: Any, tables: dict[Any, Any]) -> None:
        self.call, self.tables = call, tables

    def __call__(self, X: Any, y: Any = None, **params: Any) -> Any:
        """As ``fit``; the arguments are cut from the whole table."""
        asked = self.call.asked
        assert asked is not None
        estimator = asked["estimator"]
        key = (id(asked["X"]), id(asked["y"]), id(asked["train"]))
        if key not in self.tables:
            given = asked.get("fit_params") or {}
            self.tables[key] = (
                *safe_split(estimator, asked["X"], asked["y"], asked["train"]),
                check_method_params(asked["X"], params=given, indices=asked["train"]),
            )
        X, y, params = self.tables[key]
        return type(estimator).fit(estimator, X, y, **params)
