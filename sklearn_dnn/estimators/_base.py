"""What both estimators share: the way from `fit` to the engine, and from weights to outputs."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from .._compat import (
    CallbackSupportMixin,
    InvalidParameterError,
    NamesReadOnce,
    fit_context,
    has_callbacks,
    with_callbacks,
)
from .._threads import torch_ready
from ..callbacks.observers import Bar, CallbackObserver, Lines, shows_bar
from ..components.base import Component, public_names
from ..components.losses import LOSSES, as_loss
from ..components.optimizers import OPTIMIZERS
from ..data.targets import Codec
from ..network.export import TorchNetwork
from ..network.weights import Weights
from ..training.engine import DIVERGED, INTERRUPTED, MAX_ITER, Observer, Outcome, train
from ..training.range_test import RangeTest
from ._beginning import begin
from ._fitted import STATE_FORMAT, Fitted, fitted_attributes, outcome_now
from ._going_on import go_on
from ._inputs import Given, read_difficulty, read_given, read_validation
from ._judging import first_split, scorer_judge
from ._messages import (
    component_advice,
    divergence_advice,
    memory_advice,
    parameter_advice,
    told_of,
)
from ._parameters import Parameter
from ._session import Session
from ._weights import get_weights, set_weights, summary


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
    _numeric_targets: ClassVar[bool]

    # What differs between classification and regression

    @abstractmethod
    def _read_targets(self, given: Given, classes: Any, *, going_on: bool) -> tuple[Given, Codec]:
        """Checked targets, and the codec that knows their units or labels."""

    @abstractmethod
    def _fitted_codec(self) -> Codec:
        """The codec, from fitted attributes."""

    @abstractmethod
    def _codec_attributes(self, codec: Codec) -> dict[str, Any]:
        """The fitted attributes that :meth:`_fitted_codec` reads."""

    @abstractmethod
    def _weigher(self, codec: Codec, given: Given, rows: np.ndarray) -> Callable[[Given], Given]:
        """What multiplies class weights, computed on `rows`, into a table's weights."""

    # Fitting

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
    ) -> BaseMLP:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame, Tensor} of shape (n_samples, n_features)
            Finite numbers. A CSR matrix and a memory map are read, and made dense, batch by
            batch; on the CPU a table of up to 64 MiB is held as a dense copy instead, on a GPU
            one of up to a third of its free memory.
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
            loss was not finite after any epoch.
        """
        with torch_ready():
            going_on = bool(self.warm_start) and self.__sklearn_is_fitted__()
            validation = (X_val, y_val, sample_weight_val)
            table, seed = (X, y, sample_weight), self._draw_seed()
            with memory_advice(self.device):
                session = self._open(
                    *table, validation, groups, difficulty=difficulty, going_on=going_on, seed=seed
                )
            if session.spec.refits and self.warm_start:
                raise ValueError(
                    f"early_stopping={self.early_stopping!r} trains a new network at the end, "
                    "which warm_start=True can't go on from. Set refit=False or warm_start=False."
                )
            if going_on:
                self._forgive(session)
            root = self._init_callback_context(max_subtasks=int(self.max_iter))
            metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
            told = {"estimator": self, "X": X, "y": y, "metadata": metadata}
            root.call_on_fit_task_begin(**told)
            observers: list[Observer] = []
            if has_callbacks(self):
                now = self._attributes_now(session)
                observers.append(CallbackObserver(self, root, X, y, metadata, now, session.part))
            outcome = self._train(session, observers, n_epochs=int(self.max_iter), patient=True)
            if session.spec.refits and session.held is not None and outcome.best_iter > 0:
                session, outcome = self._trained_on_all(table, difficulty, session, outcome)
            self._store(session, outcome, keep_progress=bool(self.warm_start))
            self._tell_how_it_ended(session, outcome, warn_of_max_iter=True)
            root.call_on_fit_task_end(
                **told,
                reconstruction_attributes=lambda: self._attributes(session, outcome),
            )
            return self

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _forgive(self, session: Session) -> None:
        """Let a fit that goes on begin anew what its last call came to the end of."""
        spec, progress = session.spec, session.progress
        if any(schedule.ends_with_training for schedule in spec.schedules):
            progress.origin = progress.epoch
        if self.end_reason_ in {"patience", "tol", "baseline"}:
            progress.patience[0].count = progress.patience[0].unbeaten = 0

    def _trained_on_all(
        self, table: tuple[Any, Any, Any], difficulty: Any, session: Session, outcome: Outcome
    ) -> tuple[Session, Outcome]:
        """The outcome with the weights of a network that trained on the held-out rows too.

        The session gets the units that this network learned in.
        """
        whole = self._open(
            *table,
            (None, None, None),
            None,
            difficulty=difficulty,
            going_on=False,
            changes={
                "early_stopping": False,
                "monitor": "loss",
                "learning_rate_init": session.spec.learning_rate_init,  # not found once more
            },
        )
        again = self._train(whole, [], n_epochs=outcome.best_iter, patient=False)
        session = replace(session, scaling=whole.scaling, codec=whole.codec)
        return session, replace(outcome, weights=again.weights, progress=again.progress)

    def _open(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any],
        groups: Any,
        *,
        going_on: bool,
        classes: Any = None,
        difficulty: Any = None,
        changes: dict[str, Any] | None = None,
        seed: int | None = None,
    ) -> Session:
        """Check everything that was given, and set up what the engine needs.

        Parameters
        ----------
        changes : dict or None
            Parameters that take the place of the estimator's own.
        seed : int or None
            Of all streams of chance; None draws one from `random_state`.
        """
        numeric = self._numeric_targets
        given = read_given(self, X, y, sample_weight, y_numeric=numeric, reset=not going_on)
        given, codec = self._read_targets(given, classes, going_on=going_on)
        given = replace(given, difficulty=read_difficulty(difficulty, given.X))
        with told_of("The validation set (X_val, y_val, sample_weight_val)"):
            held = read_validation(self, *validation, y_numeric=numeric)
        if held is not None:
            with told_of("The validation set (X_val, y_val, sample_weight_val)"):
                held, _ = self._read_targets(held, codec, going_on=going_on)
        for name, part in (("", given), ("y_val: ", held)):
            lowest = float(np.min(part.y)) if numeric and part is not None else np.inf
            fault = LOSSES.resolve(as_loss(self.loss)).target_fault(lowest)
            if fault:
                raise ValueError(f"loss={self.loss!r}: {name}{fault}. Choose another loss.")
        parameters = {name: getattr(self, name) for name in self._parameters} | (changes or {})
        if groups is not None and isinstance(self.validation_fraction, Real):
            raise ValueError(
                f"groups was given, but validation_fraction={self.validation_fraction!r} holds out "
                "rows without regard to groups. Give a splitter such as "
                "sklearn.model_selection.GroupShuffleSplit as validation_fraction."
            )
        if seed is None:
            seed = self._draw_seed()
        weigher = partial(self._weigher, codec)
        if not going_on:
            return begin(
                parameters,
                given,
                codec,
                held,
                weigher=weigher,
                splitter=lambda how, rows: first_split(how, rows, given.y, groups),
                seed=seed,
            )
        fitted = Fitted(self)
        return go_on(
            parameters,
            given,
            codec,
            held,
            weigher=weigher,
            seed=seed,
            samples=self.t_,
            scaling=fitted.scaling,
            before=self.spec_,
            saved=vars(self).get("_progress"),
            weights=fitted.weights,
            history=self.history_,
        )

    def _train(
        self, session: Session, observers: list[Observer], *, n_epochs: int, patient: bool
    ) -> Outcome:
        """Let the engine train."""
        with memory_advice(session.spec.device):
            training = session.training_set()
            validation = session.validation_set(training)
        bar = Bar(n_epochs, type(self).__name__) if shows_bar(self.verbose) else None
        if bar is not None:
            observers = [*observers, bar]
        elif self.verbose:
            observers = [*observers, Lines()]
        try:
            with memory_advice(session.spec.device):
                (outcome,) = train(
                    [session.spec],
                    session.progress,
                    training,
                    validation,
                    observers=observers,
                    judge=scorer_judge(self, session, self._attributes_now(session)),
                    n_epochs=n_epochs,
                    patient=patient,
                )
        finally:
            if bar is not None:
                bar.close()
        if outcome.end_reason == DIVERGED and outcome.best_iter == 0:
            raise ValueError(
                f"The loss was not finite after any epoch. {divergence_advice(session.spec)}"
            )
        return outcome

    def _tell_how_it_ended(
        self, session: Session, outcome: Outcome, *, warn_of_max_iter: bool
    ) -> None:
        """Warnings about an end that the user should know of."""
        spec = session.spec
        if outcome.end_reason == INTERRUPTED:
            warnings.warn("Training interrupted by user.", UserWarning, stacklevel=5)
        elif outcome.end_reason == DIVERGED:
            warnings.warn(
                f"The loss was no longer finite after epoch {outcome.n_iter}; the weights of "
                f"epoch {outcome.best_iter} are kept. {divergence_advice(session.spec)}",
                ConvergenceWarning,
                stacklevel=5,
            )
        elif (
            warn_of_max_iter
            and outcome.end_reason == MAX_ITER
            and outcome.improving
            and not spec.schedule.ends_with_training
        ):
            warnings.warn(
                f"Maximum iterations ({spec.max_iter}) reached and the optimization hasn't "
                "converged yet: the last epoch still improved. Increase max_iter.",
                ConvergenceWarning,
                stacklevel=5,
            )

    # State: written in one place, as NumPy arrays and plain Python values

    def _store(self, session: Session, outcome: Outcome, *, keep_progress: bool) -> None:
        vars(self).pop("_progress", None)
        vars(self).update(self._attributes(session, outcome))
        if keep_progress:
            held = session.held
            self._progress = {
                "asked": self.early_stopping is True,
                "progress": outcome.progress.export(),
                "validation": None if held is None else held.export(),
            }

    def _attributes(self, session: Session, outcome: Outcome) -> dict[str, Any]:
        return fitted_attributes(session, outcome) | self._codec_attributes(session.codec)

    def _attributes_now(self, session: Session) -> Callable[[Weights], dict[str, Any]]:
        """Fitted attributes as if training had ended with some weights."""
        return lambda weights: self._attributes(session, outcome_now(session, weights))

    def __sklearn_is_fitted__(self) -> bool:
        return "coefs_" in vars(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        found = state.get("state_format_", STATE_FORMAT)
        if found < STATE_FORMAT:
            raise ValueError(
                f"This {type(self).__name__} was saved in state format {found}, and this version "
                f"of sklearn_dnn reads format {STATE_FORMAT}. Load it with the version that saved "
                "it, or fit it again."
            )
        if found > STATE_FORMAT:
            raise ValueError(
                f"This {type(self).__name__} was saved in state format {found}, and this "
                f"version of sklearn_dnn reads formats up to {STATE_FORMAT}. Load it with the "
                "version that saved it, or a newer one."
            )
        super().__setstate__(state)

    # Outputs

    def transform(self, X: Any) -> np.ndarray:
        """Activations of the last hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_units), in X's type
            Of a network without hidden layers, the standardised columns.
        """
        # a copy, since without hidden layers and scaling it would be X itself
        return Fitted(self).outputs(X, lambda network, x: network.hidden(x).clone(), fold=False)

    @property
    def _n_features_out(self) -> int:
        return int(self.coefs_[-1].shape[0])

    def to_torch(self) -> torch.nn.Module:
        """The fitted network as a module, from raw columns to what `predict` needs.

        Returns
        -------
        torch.nn.Module
            On the CPU, in evaluation mode and in the type it was trained in. It standardises
            its input (n, n_features) itself. A regressor's gives predictions (n, n_outputs) in
            the units of y; a classifier's gives probabilities: of the second class (n, 1) for
            two classes, else one a class or label (n, n_classes).
        """
        fitted, codec = Fitted(self), self._fitted_codec()
        with torch_ready():
            return TorchNetwork(
                fitted.weights,
                fitted.architecture,
                fitted.loss,
                fitted.scaling,
                codec.units(),
                codec.bounds,
            ).eval()

    def _range_test(
        self, X: Any, y: Any, sample_weight: Any, rates: tuple[float, float], n_steps: int
    ) -> RangeTest:
        """A range test of the learning rate on these rows; the estimator stays as it is."""
        with torch_ready(), memory_advice(self.device):
            session = self._open(X, y, sample_weight, (None, None, None), None, going_on=False)
            return session.range_test(*rates, n_steps)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the weights and biases of all layers.

        Returns
        -------
        list of ndarray
            Matrix (n_in, n_out) and bias (n_out,) of each layer in turn, from the inputs on: the
            same as `coefs_` and `intercepts_`.
        """
        return get_weights(self)

    def set_weights(self, weights: Sequence[Any]) -> BaseMLP:
        """Put weights given by hand in place of those of `coefs_` and `intercepts_`.

        They predict from here on, and training goes on from them (`warm_start`, `partial_fit`).

        Parameters
        ----------
        weights : list of array-like
            As from `get_weights`.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If their number or a shape differs, or a number is not finite.
        """
        set_weights(self, weights)
        return self

    def summary(self) -> str:
        """A table of the layers: units, activation, and how many numbers are trained or measured.

        Returns
        -------
        str
        """
        return summary(self)

    # Parameters

    def set_params(self, **params: Any) -> BaseMLP:
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

    def _validate_params(self) -> None:
        """Refuse bad values, with the nearest known name for a misspelt one."""
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            advice = "".join(
                parameter_advice(error, name, parameter, getattr(self, name))
                for name, parameter in self._parameters.items()
            )
            raise InvalidParameterError(public_names(f"{error}{advice}")) from None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _has_steps(self) -> bool:
        """True if the optimizer learns from batches: what ``partial_fit`` needs."""
        if OPTIMIZERS.resolve(self.optimizer).full_batch:
            raise AttributeError(
                f"partial_fit is only available for optimizers that learn from batches; "
                f"optimizer={self.optimizer!r} takes all rows at once. Use fit, or "
                "optimizer='adam'."
            )
        return True

    def _partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any],
        classes: Any = None,
    ) -> BaseMLP:
        """One epoch over the rows given."""
        with torch_ready():
            with memory_advice(self.device):
                session = self._open(
                    X,
                    y,
                    sample_weight,
                    validation,
                    None,
                    going_on=self.__sklearn_is_fitted__(),
                    classes=classes,
                )
            outcome = self._train(session, [], n_epochs=1, patient=False)
            self._store(session, outcome, keep_progress=True)
            self._tell_how_it_ended(session, outcome, warn_of_max_iter=False)
            return self


def partial_fit_available(method: Any) -> Any:
    """Decorator of `partial_fit`, which optimizers that take all rows at once lack."""
    return available_if(lambda self: self._has_steps())(method)
