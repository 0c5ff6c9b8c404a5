"""What both estimators share: the way from `fit` to the engine, and from weights to outputs."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state

from .._compat import (
    CallbackSupportMixin,
    GroupedParams,
    NamesReadOnce,
    available_if,
    fit_context,
    fitted_copy,
    has_callbacks,
    with_callbacks,
)
from .._core.fitted.exports import member_of, module_of
from .._core.fitted.fitted import Fitted, beside_each_other
from .._core.fitted.states import refuse_other_format
from .._core.fitted.summary import summary
from .._core.fitting.ending import Ended, attributes_now, end, fitted_attributes
from .._core.fitting.opening import open_session
from .._core.fitting.refit import trained_on_all
from .._core.fitting.request import Arguments, Earlier, Request
from .._core.fitting.running import train_session
from .._core.fitting.transaction import all_or_nothing
from .._core.fitting.weights import get_weights, set_weights
from .._core.messages import component_advice, memory_advice, refuse_columns, refuse_functions
from .._core.reading.inputs import read_given
from .._core.reading.targets import TargetReader
from .._core.specification import plain_value, refuse_scheduled
from .._core.training.engine import Observer
from .._core.training.range_test import RangeTest
from .._threads import torch_ready
from ..callbacks._observers import CallbackObserver
from ..components.activations import Bounded
from ..components.base import Component, refuse_parameters
from ..components.batches import Accumulated
from ..components.clipping import ClipNorm
from ..components.ensembles import Bagging
from ..components.optimizers import OPTIMIZERS
from ._parameters import GROUPS, Parameter

F = TypeVar("F", bound=Callable[..., Any])
# Components that stand for a plain value with more to it.
VALUES = (Accumulated, Bagging, Bounded, ClipNorm)


class BaseMLP(
    NamesReadOnce,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Fit, prediction and state of a multilayer perceptron; see its two subclasses."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}
    _parameters: ClassVar[dict[str, Parameter]] = {}
    # names of arrays around the network, and the attributes that hold them
    _target_arrays: ClassVar[dict[str, str]]

    @abstractmethod
    def _targets(self) -> TargetReader:
        """How targets are read: what differs between classification and regression."""

    # Fitting

    @all_or_nothing
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
        difficulty: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame, Tensor} of shape (n_samples, n_features)
            Numbers and categories, with gaps (NaN, None, or under a mask); in a sparse matrix
            finite numbers alone. A CSR matrix and a memory map are read, and made dense, batch by
            batch; on the CPU a table of up to 64 MiB is held as a dense copy instead, on a GPU one
            of up to a third of its free memory.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets: numbers for a regressor; labels, or a 0/1 indicator matrix of several
            labels, for a classifier.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative. A row of weight 0 is left out; with a single batch, a row
            of weight 2 is the same as the row given twice.
        X_val : array-like of shape (n_val, n_features), default=None
            Table that early stopping is judged on, instead of a part of X.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Its targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Its weights.
        groups : array-like of shape (n_samples,), default=None
            Passed to a splitter given as `validation_fraction`.
        difficulty : array-like of shape (n_samples,), default=None
            How hard each row is, in any unit: what `curriculum` orders rows by.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            For input or parameters that are not allowed or contradict each other, and if the
            loss was not finite after any epoch. After these and all other errors the estimator
            is as it was before, fitted or not.
        KeyboardInterrupt
            Before the end of the first epoch. Later it ends training, with a warning.
        """
        arguments = Arguments(
            X, y, sample_weight, X_val, y_val, sample_weight_val, groups, difficulty
        )
        with torch_ready():
            going_on = bool(self.warm_start) and self.__sklearn_is_fitted__()
            request = self._request(going_on=going_on)
            session = open_session(request, arguments)
            spec = session.spec
            root = self._init_callback_context(max_subtasks=spec.max_iter)
            metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
            told = {"estimator": self, "X": X, "y": y, "metadata": metadata}
            root.call_on_fit_task_begin(**told)
            observers: list[Observer] = []
            if has_callbacks(self):
                now = partial(attributes_now, session)
                observers.append(CallbackObserver(self, root, X, y, metadata, now, session.part))
            began = perf_counter()
            outcomes = train_session(
                request, session, observers, n_epochs=spec.max_iter, patient=True
            )
            ended = end(request, session, outcomes)
            if spec.refits:
                left = None if self.max_time is None else began + self.max_time - perf_counter()
                ended = trained_on_all(request, arguments, ended, left)
            self._store(ended)
            ended.tell()
            root.call_on_fit_task_end(
                **told,
                reconstruction_attributes=lambda: fitted_attributes(ended.session, ended.outcomes),
            )
            return self

    def _partial_fit(self, arguments: Arguments) -> Self:
        """One epoch over the rows given."""
        with torch_ready():
            request = self._request(going_on=self.__sklearn_is_fitted__(), in_calls=True)
            session = open_session(request, arguments)
            outcomes = train_session(request, session, n_epochs=1, patient=False)
            ended = end(request, session, outcomes)
            self._store(ended)
            ended.tell()
            return self

    def _request(self, *, going_on: bool = False, in_calls: bool = False) -> Request:
        """What this estimator asks of a fit."""
        targets = self._targets()
        return Request(
            parameters={name: getattr(self, name) for name in self._parameters},
            targets=targets,
            read=partial(read_given, self, y_numeric=targets.is_numeric),
            copy=partial(fitted_copy, self),
            name=type(self).__name__,
            seed=self._draw_seed(),
            draw_seed=self._draw_seed,
            earlier=Earlier.of(self) if going_on else None,
            in_calls=in_calls,
        )

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    # State: written in one place, as NumPy arrays and plain Python values

    def _store(self, ended: Ended) -> None:
        if "_progress" in vars(self):
            del self._progress
        for name, value in ended.attributes().items():
            setattr(self, name, value)

    def __sklearn_is_fitted__(self) -> bool:
        return "coefs_" in vars(self)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        device = state["device"]  # by its name: files hold nothing of torch's
        return {**state, "device": str(device) if isinstance(device, torch.device) else device}

    def __setstate__(self, state: dict[str, Any]) -> None:
        refuse_other_format(state, type(self).__name__)
        super().__setstate__(state)

    # Outputs

    def transform(self, X: Any) -> np.ndarray:
        """Activations of the last hidden layer, those of an ensemble's members side by side.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_units), or (n_samples, n_members * n_units), in X's type
            Of a network without hidden layers, the standardised columns.
        """
        # a copy, since without hidden layers and scaling it would be X itself
        return Fitted(self).outputs(
            X,
            lambda network, x: network.hidden(x).clone(),
            join=beside_each_other,
            fold=False,
            keeps_type=True,
        )

    @property
    def embeddings_(self) -> dict[str, np.ndarray] | None:
        """What embeddings have learnt and measured, by name; None without any.

        The arrays are those of `extra_weights_`. "codes" has a row for each level of each
        category, those of one category together.
        """
        prefix = "embedding."
        found = {
            name.removeprefix(prefix).rstrip("*"): array
            for name, array in self.extra_weights_.items()
            if name.startswith(prefix)
        }
        return found or None

    @property
    def _n_features_out(self) -> int:
        return int(np.prod(self.coefs_[-1].shape[:-1])) * Fitted(self).n_shared

    def member(self, i: int) -> Self:
        """One member of an ensemble as a fitted estimator of its own.

        Parameters
        ----------
        i : int
            Its number, from 0.

        Returns
        -------
        estimator
            With ``n_members=1``; its arrays are copies. What inspects a single network takes it.
        """
        return member_of(self, i)

    def to_torch(self, *, fold_norms: bool = False) -> torch.nn.Module:
        """The fitted network as a module, from raw columns to what `predict` needs.

        Parameters
        ----------
        fold_norms : bool, default=False
            Whether batch and weight norms of hidden layers are folded into the dense layers beside
            them, as `predict` does: the same function with fewer layers, to predict and not to
            train on. Norms of a row, such as ``"layer"``, can't be folded and stay.

        Returns
        -------
        torch.nn.Module
            On the CPU, in evaluation mode and in the type it was trained in; of an ensemble, what
            its members predict as one. It scales its input (n, n_features) itself and fills gaps
            (NaN), unless there were none in `fit`; columns far from zero, such as times in seconds,
            need float64 for that (``dtype="float64"``). A regressor's gives predictions
            (n, n_outputs) in the units of y, as float64 where float32 can't tell targets apart;
            a classifier's gives probabilities: of the second class (n, 1) for two classes, else
            one a class or label (n, n_classes).

        Raises
        ------
        ValueError
            If there are columns of categories: a module takes numbers.
        """
        return module_of(self, fold_norms=fold_norms)

    def _range_test(
        self, X: Any, y: Any, sample_weight: Any, rates: tuple[float, float], n_steps: int
    ) -> RangeTest:
        """A range test of the learning rate on these rows; the estimator stays as it is."""
        with torch_ready(), memory_advice(self.device):
            session = open_session(self._request(), Arguments(X, y, sample_weight))
            return session.range_test(*rates, n_steps)

    def get_weights(self) -> dict[str, np.ndarray]:
        """Copies of all arrays that predictions depend on, by name.

        ``other.set_weights(model.get_weights())`` lets `other`, fitted with the same parameters on
        a table with the same columns and categories, predict what `model` does, bit for bit.

        Returns
        -------
        dict of str to ndarray
            Layer by layer ``"layers.0.weight"`` (n_in, n_out) and ``"layers.0.bias"`` (n_out,),
            those of `coefs_` and `intercepts_`, and what a norm (``"layers.0.norm.weight"``,
            ``"layers.0.statistics.mean"``), an activation (``"layers.0.activation.slope"``) or a
            skip connection (``"layers.0.skip.projection"``) has. Then what else is trained or
            measured: ``"entrance."`` (a norm of the inputs), ``"embedding."``, ``"module."``,
            ``"members."``, ``"auxiliary."``. Last what is around the network: ``"inputs."``
            (center, scale, fill, knots, levels, ... of the columns), ``"targets."`` (mean, scale
            and whether float32 tells them apart, or classes) and ``"temperature"``. There are
            those that the parameters ask for; a bias that a norm makes redundant is none. Arrays of
            an ensemble's network have their member axis.
        """
        with torch_ready():
            return get_weights(self)

    def set_weights(self, weights: Mapping[str, Any] | Sequence[Any]) -> Self:
        """Put other arrays in place of those of `get_weights`.

        They predict from here on, and training goes on from them (`warm_start`, `partial_fit`).
        Curves and counts stay those of this estimator's own training.

        Parameters
        ----------
        weights : dict of str to array-like, or list of array-like
            All arrays, as from `get_weights`; ``"inputs.names"`` may be left out. With
            ``norm="weight"`` matrices give directions, and ``"layers.0.norm.gain"`` the lengths.
            Where the matrix and the bias of each layer are all that is trained, they may be a
            list: matrix (n_in, n_out), bias (n_out,), matrix, ... from the inputs on; all other
            arrays stay. Knots and levels of columns may be more or fewer than those here, as other
            rows have them, where the network has the same inputs.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If names or shapes differ, or numbers are complex, not finite, or so large that
            products overflow in the network's type. The estimator is then as it was.
        """
        with torch_ready():
            set_weights(self, weights)
        return self

    def summary(self) -> str:
        """A table of the layers: units, activation, and how many numbers are trained or measured.

        Returns
        -------
        str
        """
        with torch_ready():
            return summary(self)

    # Parameters

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator, or nested ones of its components.

        Parameters
        ----------
        **params : dict
            ``name=value``, or ``component__name=value`` where the parameter holds a component.

        Returns
        -------
        self : estimator
        """
        for key in params:
            name, nested, sub = key.partition("__")
            value = params.get(name, vars(self).get(name))
            if nested and name in self._parameters and not isinstance(value, Component):
                raise ValueError(
                    f"{key!r} can't be set: {name}={value!r} has no parameters of its own."
                    + component_advice(name, value, sub)
                )
        return super().set_params(**params)

    def _get_params_html(self, deep: bool = True, doc_link: str = "") -> GroupedParams:
        """What notebooks show of the parameters, in the groups of their table."""
        groups = {name.capitalize(): group for name, group in GROUPS.items()}
        return GroupedParams(super()._get_params_html(deep=deep, doc_link=doc_link), groups)

    def _validate_params(self) -> None:
        """Refuse bad values, with the nearest known name for a misspelt one."""
        parameters = self.get_params(deep=False)
        with torch_ready():  # users' functions are tried
            refuse_parameters(self._parameter_constraints, parameters, type(self).__name__)
        refuse_columns(self.categorical_features)
        refuse_functions(parameters)
        refuse_scheduled(parameters)
        for value in parameters.values():
            if isinstance(value, VALUES):  # those of a family are checked where names are resolved
                value.validate()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        # not `categorical`, nor `string`: arrays of numbers are numbers, and text in arrays is
        # refused, unless `categorical_features` says otherwise
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _has_steps(self) -> bool:
        """True if the optimizer learns from batches: what ``partial_fit`` needs."""
        with torch_ready():  # one of torch's is tried
            rule = OPTIMIZERS.resolve(plain_value("optimizer", self.optimizer))
        if rule.full_batch:
            raise AttributeError(
                f"partial_fit is only available for optimizers that learn from batches; "
                f"optimizer={self.optimizer!r} takes all rows at once. Use fit, or "
                "optimizer='adam'."
            )
        return True


def partial_fit_available(method: F) -> F:
    """Decorator of `partial_fit`, which optimizers that take all rows at once lack."""
    return available_if(lambda self: self._has_steps())(method)
