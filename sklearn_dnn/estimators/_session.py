"""One fit: from checked data to what the engine trains on, begun anew or gone on with."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from .._compat import from_numpy
from ..data.batches import TrainingSet
from ..data.features import Features, Scaling, Standardiser, fit_scaling
from ..data.splits import inner_split
from ..data.targets import Codec, RegressionCodec
from ..network.parameters import Layout
from ..network.weights import Weights
from ..specification import FitSpec, Task, resolve, stops_early
from ..training.evaluate import ValidationSet
from ..training.state import Progress, Streams
from ._inputs import Given

Weigher = Callable[[Given, np.ndarray], Callable[[Given], Given]]


@dataclass
class Held:
    """Rows that judge, and whence they came.

    Attributes
    ----------
    given : Given
        Targets and weights of a table.
    rows : ndarray of int
        The table's rows that judge.
    inner : bool
        True if the table is the training table, and the rows were taken out of it.
    origin : tuple of ndarray and int, or None
        Of rows that an earlier call took out: their positions in its table, and its length.
    """

    given: Given
    rows: np.ndarray
    inner: bool
    origin: tuple[np.ndarray, int] | None = None

    def export(self) -> dict[str, Any]:
        """A copy of the judging rows alone, to go on with."""
        given, rows = self.given, self.rows
        positions, n = (rows, given.X.shape[0]) if self.inner else (self.origin or (None, 0))
        return {
            "X": given.X[rows],
            "y": given.y[rows],
            "weight": None if given.weight is None else given.weight[rows],
            "positions": positions,
            "n": n,
        }


@dataclass
class Session:
    """Everything that the engine needs for one estimator's fit.

    Attributes
    ----------
    spec : FitSpec
    codec : Codec
    scaling : Scaling or None
        Of the inputs.
    progress : Progress
    given : Given
        What trains, with class weights multiplied in.
    rows : ndarray of int
        Those of its rows that train.
    held : Held or None
    """

    spec: FitSpec
    codec: Codec
    scaling: Scaling | None
    progress: Progress
    given: Given
    rows: np.ndarray
    held: Held | None

    def standardiser(self) -> Standardiser:
        return Standardiser(self.scaling, self.spec.torch_dtype, self.spec.device)

    def training_set(self) -> TrainingSet:
        """The rows that train, as the engine reads them."""
        features, y, weight = self._tensors(self.given)
        spec = self.spec
        y = spec.objective.prepare(y, spec.task.n_outputs, spec.torch_dtype)
        return TrainingSet(features, y, weight, torch.from_numpy(self.rows)[None])

    def validation_set(self, training: TrainingSet) -> ValidationSet | None:
        """The rows that judge; an inner part shares the training set's table."""
        if self.held is None:
            return None
        if self.held.inner:
            y = self.codec.encode(self.given.y, self.spec.torch_dtype).to(self.spec.device)
            table = (training.features, y, training.weight)
        else:
            table = self._tensors(self.held.given)
        rows = torch.from_numpy(self.held.rows)[None]
        return ValidationSet(*table, rows, self.codec.score)

    def _tensors(self, given: Given) -> tuple[Features, torch.Tensor, torch.Tensor | None]:
        spec = self.spec
        y = self.codec.encode(given.y, spec.torch_dtype).to(spec.device)
        weight = None
        if given.weight is not None:
            weight = from_numpy(given.weight).to(device=spec.device, dtype=spec.torch_dtype)
        return Features(given.X, self.standardiser()), y, weight


def _task(given: Given, codec: Codec, n_training: int, has_validation: bool) -> Task:
    return Task(
        kind=codec.kind,
        n_features=given.X.shape[1],
        n_outputs=codec.n_outputs,
        n_samples=len(given.rows),
        n_training=n_training,
        dtype=given.X.dtype.name,
        has_validation=has_validation,
    )


def begin(
    parameters: Mapping[str, Any],
    given: Given,
    codec: Codec,
    validation: Given | None,
    *,
    weigher: Weigher,
    splitter: Callable[[Any, np.ndarray], tuple[np.ndarray, np.ndarray]],
    seed: int,
) -> Session:
    """A session from the first step.

    Parameters
    ----------
    parameters : mapping
        The estimator's parameters.
    given, validation : Given
        What the user gave.
    codec : Codec
        A regression codec is replaced by one with the training rows' mean and scale.
    weigher : callable
        ``weigher(given, rows)`` computes class weights on `rows`, and gives what multiplies
        them into the weights of a table.
    splitter : callable
        ``splitter(how, rows)`` gives the first split of a scikit-learn splitter.
    seed : int
    """
    streams = Streams.from_seed(seed)
    rows, held = given.rows, None
    if validation is not None:
        held = Held(validation, validation.rows, inner=False)
    elif stops_early(parameters["early_stopping"], len(rows), has_validation=False):
        stratify = codec.kind in {"binary", "multiclass"}
        training, judging = inner_split(
            rows,
            parameters["validation_fraction"],
            labels=given.y[rows] if stratify else None,
            shuffle=parameters["shuffle"],
            seed=streams.split,
            splitter=lambda how: splitter(how, rows),
        )
        rows = training
        if judging is not None:
            held = Held(given, judging, inner=True)
    given, rows, held = _weighted(weigher, given, rows, held)
    spec = resolve(parameters, _task(given, codec, len(rows), validation is not None))
    if held is None:
        spec = replace(spec, early_stopping=False)  # what is really done
    scaling = None
    if spec.input_scaling == "standard":
        whole = len(rows) == given.X.shape[0]
        scaling = fit_scaling(given.X, None if whole else rows, given.weight)
    if spec.target_scaling == "standard" and isinstance(codec, RegressionCodec):
        codec = codec.fitted(given.y[rows], None if given.weight is None else given.weight[rows])
    return Session(spec, codec, scaling, Progress.begin([spec], [streams]), given, rows, held)


def _weighted(
    weigher: Weigher, given: Given, rows: np.ndarray, held: Held | None
) -> tuple[Given, np.ndarray, Held | None]:
    """Class weights multiplied in; rows that then weigh nothing are left out."""
    weighted = weigher(given, rows)
    given = weighted(given)
    if held is not None:
        table = given if held.inner else weighted(held.given)
        held = replace(held, given=table, rows=_that_count(table, held.rows))
        if len(held.rows) == 0:
            raise ValueError(
                "All rows of the validation part have weight 0. Change class_weight or the "
                "validation part."
            )
    rows = _that_count(given, rows)
    if len(rows) == 0:
        raise ValueError("All rows to train on have weight 0. Change class_weight.")
    return given, rows, held


def _that_count(given: Given, rows: np.ndarray) -> np.ndarray:
    return rows if given.weight is None else rows[given.weight[rows] > 0]


def go_on(
    parameters: Mapping[str, Any],
    given: Given,
    codec: Codec,
    validation: Given | None,
    *,
    weigher: Weigher,
    seed: int,
    scaling: Scaling | None,
    samples: int,
    before: Mapping[str, Any],
    saved: Mapping[str, Any] | None,
    weights: Weights,
    history: Mapping[str, list[Any]],
) -> Session:
    """A session from where an earlier one ended.

    Parameters
    ----------
    scaling : Scaling or None
        Of the first call.
    samples : int
        Rows that training has seen before.
    before : mapping
        The specification of the earlier fit, as a dictionary.
    saved : mapping or None
        What the earlier fit kept to go on; None where it kept weights alone.
    weights : Weights
    history : mapping of list
        The curves of earlier epochs.
    """
    rows = given.rows
    held = None
    if validation is None and saved is not None and saved["validation"] is not None:
        held, rows = _held_before(saved["validation"], given, rows)
    fresh = None if validation is None else Held(validation, validation.rows, inner=False)
    given, rows, fresh = _weighted(weigher, given, rows, fresh)
    held = held if fresh is None else fresh
    spec = resolve(parameters, _task(given, codec, len(rows), held is not None))
    spec = replace(spec, dtype=str(weights.coefs[0].dtype))
    _refuse_other_shape(spec, before)
    if held is None and spec.early_stopping:
        _tell_no_part_is_held(parameters, before, saved)
        spec = replace(spec, early_stopping=False)
    if saved is not None:
        progress = Progress.restore(spec, saved["progress"])
        if before["schedule"]["component"] != spec.as_dict()["schedule"]["component"]:
            progress.schedules = [spec.schedule.start()]
        if _judged_otherwise(spec, before, fresh, saved["validation"]):
            progress.patience[0].forget()
            progress.schedules = [spec.schedule.start()]
    else:
        progress = Progress.begin([spec], [Streams.from_seed(seed)])
        layout = Layout(spec.layer_sizes, spec.norm)
        weights.write(layout, progress.theta, progress.statistics)
        progress.best_theta.copy_(progress.theta)
        progress.best_statistics.copy_(progress.statistics)
        progress.samples = samples
        progress.histories = [{name: list(values) for name, values in history.items()}]
        progress.epoch = len(history["loss"])
    return Session(spec, codec, scaling, progress, given, rows, held)


def _tell_no_part_is_held(
    parameters: Mapping[str, Any], before: Mapping[str, Any], saved: Mapping[str, Any] | None
) -> None:
    """Refuse, or warn, where early stopping is on but nothing can judge."""
    if saved is None and before["early_stopping"]:
        warnings.warn(
            "The validation part of the earlier fit was not kept: all rows train, and the "
            "training loss is monitored. Give X_val and y_val, or fit with warm_start=True from "
            "the start.",
            UserWarning,
            stacklevel=6,
        )
    elif saved is not None and parameters["early_stopping"] is True and not saved["asked"]:
        raise ValueError(
            "early_stopping=True needs a validation part, but training began without one. Give "
            "X_val and y_val, or call fit with warm_start=False."
        )


def _judged_otherwise(
    spec: FitSpec,
    before: Mapping[str, Any],
    fresh: Held | None,
    saved: Mapping[str, Any] | None,
) -> bool:
    """Whether earlier values can't be compared with those to come."""
    now = spec.as_dict()
    if any(now[name] != before[name] for name in ("monitor", "loss", "early_stopping")):
        return True
    if not spec.early_stopping:
        return any(now[name] != before[name] for name in ("alpha", "l1", "label_smoothing"))
    if fresh is None:
        return saved is None
    if saved is None:
        return True
    given = fresh.export()
    return not all(_equal(given[name], saved[name]) for name in ("X", "y", "weight"))


def _equal(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    if a.shape != b.shape:
        return False
    return bool((a != b).nnz == 0) if sp.issparse(a) else np.array_equal(a, b)


def _held_before(
    saved: Mapping[str, Any], given: Given, rows: np.ndarray
) -> tuple[Held, np.ndarray]:
    """The validation part of the first call, and the rows that may train beside it.

    Where the same table comes again, its held-out rows stay held out; all rows of another
    table train.
    """
    part = Given(saved["X"], saved["y"], saved["weight"])
    positions = saved["positions"]
    if positions is not None and saved["n"] == given.X.shape[0]:
        again = given.X[positions]
        if _equal(again, part.X):
            rows = np.setdiff1d(rows, positions, assume_unique=True)
    origin = None if positions is None else (positions, saved["n"])
    return Held(part, part.rows, inner=False, origin=origin), rows


def _refuse_other_shape(spec: FitSpec, before: Mapping[str, Any]) -> None:
    """What can't change between calls that go on from each other."""
    now = spec.as_dict()
    sizes = [before["task"]["n_features"], *before["hidden_layer_sizes"]]
    sizes.append(before["task"]["n_outputs"])
    for name, old, new in (
        ("hidden_layer_sizes", _layers(sizes), _layers(spec.layer_sizes)),
        ("norm", before["norm"], now["norm"]),
        ("input_scaling", before["input_scaling"], now["input_scaling"]),
        ("target_scaling", before["target_scaling"], now["target_scaling"]),
        ("optimizer", before["optimizer"]["component"], now["optimizer"]["component"]),
    ):
        if old != new:
            raise ValueError(
                f"Training can't go on with another {name}: it was {old!r} and is {new!r}. Restore "
                "the parameter, or call fit with warm_start=False."
            )


def _layers(sizes: Sequence[int]) -> str:
    return f"{'-'.join(map(str, sizes))} (inputs to outputs)"
