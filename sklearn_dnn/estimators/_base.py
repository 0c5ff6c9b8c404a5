"""What both estimators share: the way from `fit` to the engine, and from weights to outputs."""

from __future__ import annotations

import copy
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
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
from ..network.export import TorchEnsemble, TorchNetwork
from ..network.weights import Weights
from ..specification import plain_value
from ..training.engine import (
    DIVERGED,
    INTERRUPTED,
    MAX_ITER,
    TIME,
    Judge,
    Observer,
    Outcome,
    train,
)
from ..training.range_test import RangeTest
from ._beginning import begin
from ._calibration import calibrated
from ._fitted import (
    STATE_FORMAT,
    Fitted,
    beside_each_other,
    fitted_attributes,
    member_attributes,
    outcomes_now,
    with_columns,
    with_members,
    with_recipe,
)
from ._going_on import go_on
from ._inputs import Given, read_difficulty, read_given, read_validation
from ._judging import first_split, scorer_judge
from ._messages import (
    DivergedError,
    component_advice,
    divergence_advice,
    memory_advice,
    parameter_advice,
    told_of,
)
from ._parameters import Parameter
from ._session import SIZES, Session
from ._tables import Reading, names_of_categories, reading_of
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
            Numbers and categories, with gaps (NaN, None); in a sparse matrix finite numbers
            alone. A CSR matrix and a memory map are read, and made dense, batch by batch; on the
            CPU a table of up to 64 MiB is held as a dense copy instead, on a GPU one of up to a
            third of its free memory.
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
            if self.warm_start:
                _refuse_folds(session, "warm_start=True")
            if going_on:
                self._forgive(session)
            root = self._init_callback_context(max_subtasks=session.spec.max_iter)
            metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
            told = {"estimator": self, "X": X, "y": y, "metadata": metadata}
            root.call_on_fit_task_begin(**told)
            observers: list[Observer] = []
            if has_callbacks(self):
                now = self._attributes_now(session)
                observers.append(CallbackObserver(self, root, X, y, metadata, now, session.part))
            everyone = range(len(session.progress))
            began = perf_counter()
            kept, outcomes = self._train(
                session, observers, n_epochs=session.spec.max_iter, patient=True
            )
            session = calibrated(session.only(kept), outcomes)
            judged = session.held is not None and all(o.best_iter > 0 for o in outcomes)
            interrupted = any(o.end_reason == INTERRUPTED for o in outcomes)
            if session.spec.refits and judged and not interrupted:
                left = None if self.max_time is None else began + self.max_time - perf_counter()
                session, outcomes = self._trained_on_all(
                    table, difficulty, session, outcomes, kept, left
                )
            self._store(session, outcomes, keep_progress=bool(self.warm_start))
            self._tell_how_it_ended(session, outcomes, warn_of_max_iter=True)
            self._tell_of_left_out(session, len(everyone) - len(kept))
            root.call_on_fit_task_end(
                **told,
                reconstruction_attributes=lambda: self._attributes(session, outcomes),
            )
            return self

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _forgive(self, session: Session) -> None:
        """Let a fit that goes on begin anew what its last call came to the end of."""
        for progress, member in zip(session.progress, self.members_, strict=True):
            for name in session.spec.ending_with_training:
                progress.origins[name] = progress.epoch
            if member["end_reason"] in {"patience", "tol", "baseline"}:
                progress.patience[0].count = progress.patience[0].unbeaten = 0

    def _trained_on_all(
        self,
        table: tuple[Any, Any, Any],
        difficulty: Any,
        session: Session,
        outcomes: list[Outcome],
        kept: list[int],
        seconds: float | None,
    ) -> tuple[Session, list[Outcome]]:
        """The outcomes with the weights of networks that trained on the held-out rows too.

        The session gets the units that these networks learned in. Where their training is cut
        short, by the `seconds` that are left or otherwise, the first networks stay.
        """
        if seconds is not None and seconds <= 0:
            _tell_of_no_refit(f"max_time={self.max_time!r} was spent before", "Raise max_time")
            return session, outcomes
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
                "max_time": seconds,
            },
        )
        still, again = self._train(
            whole.only(kept), [], n_epochs=[o.best_iter for o in outcomes], patient=False
        )
        ends = {new.end_reason for new in again}
        if INTERRUPTED in ends:
            return session, [replace(outcome, end_reason=INTERRUPTED) for outcome in outcomes]
        if TIME in ends:
            wanted = max(outcome.best_iter for outcome in outcomes)
            when = f"in epoch {max(new.n_iter for new in again)} of {wanted}"
            _tell_of_no_refit(f"max_time={self.max_time!r} ended it {when}", "Raise max_time")
            return session, outcomes
        if DIVERGED in ends or len(still) < len(outcomes):
            _tell_of_no_refit("it diverged", "Lower learning_rate_init")
            return session, outcomes
        sizes = {name: getattr(whole.spec.task, name) for name in SIZES}
        spec = replace(session.spec, task=replace(session.spec.task, **sizes))
        session = replace(session, spec=spec, columns=whole.columns, codec=whole.codec)
        return session, [
            replace(outcome, weights=new.weights, progress=new.progress)
            for outcome, new in zip(outcomes, again, strict=True)
        ]

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
        piecewise: bool = False,
    ) -> Session:
        """Check everything that was given, and set up what the engine needs.

        Parameters
        ----------
        changes : dict or None
            Parameters that take the place of the estimator's own.
        seed : int or None
            Of all streams of chance; None draws one from `random_state`.
        piecewise : bool
            Whether the rows are the first of several calls.
        """
        given, codec = self._read_training(X, y, sample_weight, classes, going_on=going_on)
        given = replace(given, difficulty=read_difficulty(difficulty, given.X))
        held = self._read_held(validation, codec, given.reading, going_on=going_on)
        parameters = {name: getattr(self, name) for name in self._parameters} | (changes or {})
        if groups is not None and isinstance(self.validation_fraction, Real | str):
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
                goes_on=piecewise or bool(self.warm_start),
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
            columns=fitted.columns,
            before=self.spec_,
            saved=vars(self).get("_progress"),
            weights=fitted.weights.members(),
            histories=[member["history"] for member in self.members_],
        )

    def _read_training(
        self, X: Any, y: Any, sample_weight: Any, classes: Any, *, going_on: bool
    ) -> tuple[Given, Codec]:
        """The rows to train on, checked, and the codec of their targets."""
        numeric = self._numeric_targets
        reading = reading_of(self) if going_on else None
        given = read_given(
            self, X, y, sample_weight, y_numeric=numeric, reset=not going_on, reading=reading
        )
        given, codec = self._read_targets(given, classes, going_on=going_on)
        self._refuse_targets(given, "")
        return given, codec

    def _read_held(
        self,
        validation: tuple[Any, Any, Any],
        codec: Codec,
        reading: Reading | None,
        *,
        going_on: bool,
    ) -> Given | None:
        """The validation set that the caller gave, checked; None where there is none."""
        with told_of("The validation set (X_val, y_val, sample_weight_val)"):
            held = read_validation(
                self, *validation, y_numeric=self._numeric_targets, reading=reading
            )
            if held is None:
                return None
            held, _ = self._read_targets(held, codec, going_on=going_on)
        self._refuse_targets(held, "y_val: ")
        return held

    def _refuse_targets(self, given: Given, name: str) -> None:
        """Refuse numbers that the loss is not for."""
        lowest = float(np.min(given.y)) if self._numeric_targets else np.inf
        fault = LOSSES.resolve(as_loss(self.loss)).target_fault(lowest)
        if fault:
            raise ValueError(f"loss={self.loss!r}: {name}{fault}. Choose another loss.")

    def _train(
        self,
        session: Session,
        observers: list[Observer],
        *,
        n_epochs: int | Sequence[int],
        patient: bool,
    ) -> tuple[list[int], list[Outcome]]:
        """Let the engine train: the members that did not diverge at once, and their outcomes."""
        with memory_advice(session.spec.device):
            training = session.training_set()
            validation = session.validation_set(training)
        n_shown = n_epochs if isinstance(n_epochs, int) else max(n_epochs)
        bar = Bar(n_shown, type(self).__name__) if shows_bar(self.verbose) else None
        if bar is not None:
            observers = [*observers, bar]
        elif self.verbose:
            observers = [*observers, Lines()]
        try:
            with memory_advice(session.spec.device):
                outcomes = train(
                    session.specs,
                    session.progress,
                    training,
                    validation,
                    observers=observers,
                    judges=self._judges(session),
                    n_epochs=n_epochs,
                    patient=patient,
                )
        finally:
            if bar is not None:
                bar.close()
        return _with_hope(session, outcomes)

    def _judges(self, session: Session) -> list[Judge | None]:
        """What scores each member, as a single network."""
        judges = []
        for i in range(len(session.progress)):
            alone = session.alone(i)
            judges.append(scorer_judge(self, alone, self._attributes_now(alone)))
        return judges

    def _tell_of_left_out(self, session: Session, n_left_out: int) -> None:
        """Say that some members of an ensemble could not be trained."""
        if n_left_out:
            warnings.warn(
                f"The loss of {n_left_out} of {n_left_out + len(session.progress)} members was not "
                "finite after any epoch; the ensemble goes without them. "
                f"{divergence_advice(session.spec)}",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _tell_how_it_ended(
        self, session: Session, outcomes: list[Outcome], *, warn_of_max_iter: bool
    ) -> None:
        """Warnings about an end that the user should know of."""
        spec = session.spec
        diverged = [outcome for outcome in outcomes if outcome.end_reason == DIVERGED]
        if any(outcome.end_reason == INTERRUPTED for outcome in outcomes):
            warnings.warn("Training interrupted by user.", UserWarning, stacklevel=5)
        elif diverged:
            who = "" if spec.n_networks == 1 else f"of {len(diverged)} members, first "
            warnings.warn(
                f"The loss was no longer finite {who}after epoch {diverged[0].n_iter}; the "
                f"weights of epoch {diverged[0].best_iter} are kept. {divergence_advice(spec)}",
                ConvergenceWarning,
                stacklevel=5,
            )
        elif (
            warn_of_max_iter
            and any(o.end_reason == MAX_ITER and o.improving for o in outcomes)
            and not spec.schedule.ends_with_training
        ):
            warnings.warn(
                f"Maximum iterations ({spec.max_iter}) reached and the optimization hasn't "
                "converged yet: the last epoch still improved. Increase max_iter.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _finish(self, session: Session, outcomes: list[Outcome]) -> None:
        """End a fit that was trained elsewhere, beside others."""
        kept, outcomes = _with_hope(session, outcomes)
        n_left_out = len(session.progress) - len(kept)
        session = calibrated(session.only(kept), outcomes)
        self._store(session, outcomes, keep_progress=bool(self.warm_start))
        self._tell_how_it_ended(session, outcomes, warn_of_max_iter=True)
        self._tell_of_left_out(session, n_left_out)

    # State: written in one place, as NumPy arrays and plain Python values

    def _store(self, session: Session, outcomes: list[Outcome], *, keep_progress: bool) -> None:
        vars(self).pop("_progress", None)
        vars(self).update(self._attributes(session, outcomes))
        if keep_progress:
            held = session.held
            states = [outcome.progress.export() for outcome in outcomes]
            self._progress = {
                "asked": self.early_stopping is True,
                "progress": states if session.spec.n_networks > 1 else states[0],
                "draws": session.draws,
                "validation": None if held is None else held.export(),
            }

    def _attributes(self, session: Session, outcomes: list[Outcome]) -> dict[str, Any]:
        return fitted_attributes(session, outcomes) | self._codec_attributes(session.codec)

    def _attributes_now(
        self, session: Session
    ) -> Callable[[Callable[[int], Weights]], dict[str, Any]]:
        """Fitted attributes as if training had ended with the weights that a function gives."""
        return lambda weights: self._attributes(session, outcomes_now(session, weights))

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
        state = with_columns(with_members(state))
        super().__setstate__(with_recipe(state, is_classifier=not self._numeric_targets))

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
            X, lambda network, x: network.hidden(x).clone(), join=beside_each_other, fold=False
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

    def member(self, i: int) -> BaseMLP:
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
        fitted = Fitted(self)
        if fitted.n_shared > 1:
            raise ValueError(
                f"The {fitted.n_shared} members share one network (ensemble='shared'), and none is "
                "an estimator of its own. Use predict_members, or ensemble='independent'."
            )
        n_members = fitted.n_networks
        if isinstance(i, bool) or not isinstance(i, Integral) or not 0 <= i < n_members:
            raise ValueError(f"i must be the number of a member, 0 to {n_members - 1}. Got {i!r}.")
        twin = clone(self).set_params(n_members=1)
        vars(twin).update(copy.deepcopy(member_attributes(self, int(i))))
        return twin

    def to_torch(self) -> torch.nn.Module:
        """The fitted network as a module, from raw columns to what `predict` needs.

        Returns
        -------
        torch.nn.Module
            On the CPU, in evaluation mode and in the type it was trained in; of an ensemble, what
            its members predict as one. It scales its input (n, n_features) itself and fills gaps
            (NaN), unless there were none in `fit`. A regressor's gives predictions (n, n_outputs)
            in the units of y; a classifier's gives probabilities: of the second
            class (n, 1) for two classes, else one a class or label (n, n_classes).

        Raises
        ------
        ValueError
            If there are columns of categories: a module takes numbers.
        """
        fitted, codec = Fitted(self), self._fitted_codec()
        categories = names_of_categories(self)
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
                )
                for weights in fitted.weights.members()
            ]
            network = TorchEnsemble(networks) if len(networks) > 1 else networks[0]
            return network.eval()

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
            same as `coefs_` and `intercepts_`, with their member axis for an ensemble.
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
        # not `categorical`, nor `string`: arrays of numbers are numbers, and text in arrays is
        # refused, unless `categorical_features` says otherwise
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _has_steps(self) -> bool:
        """True if the optimizer learns from batches: what ``partial_fit`` needs."""
        if OPTIMIZERS.resolve(plain_value(self, "optimizer")).full_batch:
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
                    piecewise=True,
                )
            _refuse_folds(session, "partial_fit")
            n_members = len(session.progress)
            kept, outcomes = self._train(session, [], n_epochs=1, patient=False)
            session = calibrated(session.only(kept), outcomes)
            self._store(session, outcomes, keep_progress=True)
            self._tell_how_it_ended(session, outcomes, warn_of_max_iter=False)
            self._tell_of_left_out(session, n_members - len(kept))
            return self


def _with_hope(session: Session, outcomes: list[Outcome]) -> tuple[list[int], list[Outcome]]:
    """The members that had a finite loss once, and their outcomes."""
    kept = [i for i, o in enumerate(outcomes) if o.end_reason != DIVERGED or o.best_iter > 0]
    if not kept:
        raise DivergedError(
            f"The loss was not finite after any epoch. {divergence_advice(session.spec)}"
        )
    return kept, [outcomes[i] for i in kept]


def _refuse_folds(session: Session, what: str) -> None:
    """Refuse to go on later from members that each hold out rows of a table."""
    if session.held is not None and session.held.by_member:
        raise ValueError(
            f"{what} can't go on with validation_fraction='folds', whose parts are those of one "
            "table. Give a fraction, or early_stopping=False."
        )


def _tell_of_no_refit(why: str, way_out: str) -> None:
    """Warn that the network is not the one that `refit` asks for."""
    warnings.warn(
        f"EarlyStopping(refit=True): the network that trained without the held-out rows is kept, "
        f"because the training with them was not completed: {why}. {way_out}, or set refit=False.",
        ConvergenceWarning,
        stacklevel=6,
    )


def partial_fit_available(method: Any) -> Any:
    """Decorator of `partial_fit`, which optimizers that take all rows at once lack."""
    return available_if(lambda self: self._has_steps())(method)
