"""How targets are read: of a first table, of a later one, of a validation set; and weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from ..._compat import Interval
from ...components.base import shown
from ...components.losses import LOSSES, as_loss
from ..data.scaling import is_sparse
from ..data.targets import (
    BinaryCodec,
    ClassCodec,
    Codec,
    MulticlassCodec,
    MultilabelCodec,
    RegressionCodec,
)
from .inputs import Given
from .labels import as_column, kind_of_labels, read_classes, tell_of_other_units

# The largest size of targets whose squares, and sums of them, are numbers.
LARGEST_TARGET = 1e150
_WEIGHT = Interval(Real, 0, None, closed="left")


@dataclass(frozen=True)
class TargetReader(ABC):
    """How an estimator's targets become what its network learns.

    The two kinds are all that tells numbers from labels above the codecs: an estimator of another
    kind of targets brings a reader and a codec of its own.

    Parameters
    ----------
    loss : object
        The parameter.
    """

    loss: Any
    is_numeric: ClassVar[bool]

    @abstractmethod
    def first(self, given: Given, classes: Any) -> tuple[Given, Codec]:
        """Checked targets of a first table, and the codec that they make.

        Parameters
        ----------
        classes : array-like or None
            Labels that will come, as ``partial_fit`` takes them.
        """

    @abstractmethod
    def later(self, given: Given, codec: Codec, classes: Any, *, all_classes: bool) -> Given:
        """Checked targets of a table that training goes on with, by the codec of the first.

        Parameters
        ----------
        all_classes : bool
            Whether rows of all classes must be there, as scikit-learn asks of a warm start.
        """

    @abstractmethod
    def judging(self, given: Given, codec: Codec) -> Given:
        """Checked targets of a validation set."""

    @abstractmethod
    def tell_of_validation(self, training: Given, validation: Given) -> None:
        """Warn where a validation set is unlike what trains."""

    @abstractmethod
    def weigher(self, codec: Codec, given: Given, rows: np.ndarray) -> Callable[[Given], Given]:
        """What multiplies class weights, computed on `rows`, into a table's weights."""

    def refuse_for_loss(self, given: Given, name: str = "") -> None:
        """Refuse targets that the loss is not for; `name` says whose they are."""
        lowest = float(np.min(given.y)) if self.is_numeric else np.inf
        fault = LOSSES.resolve(as_loss(self.loss)).target_fault(lowest)
        if fault:
            raise ValueError(f"loss={self.loss!r}: {name}{fault}. Choose another loss.")


@dataclass(frozen=True)
class NumberTargets(TargetReader):
    """Numbers, in one column or several."""

    is_numeric = True

    def first(self, given: Given, classes: Any) -> tuple[Given, Codec]:
        given = self._numbers(given)
        return given, RegressionCodec.unscaled(given.y)

    def later(self, given: Given, codec: Codec, classes: Any, *, all_classes: bool) -> Given:
        return self._of_columns(self._numbers(given), codec)

    def judging(self, given: Given, codec: Codec) -> Given:
        return self._of_columns(self._numbers(given), codec)

    def tell_of_validation(self, training: Given, validation: Given) -> None:
        tell_of_other_units(training.y[training.rows], validation.y)

    def weigher(self, codec: Codec, given: Given, rows: np.ndarray) -> Callable[[Given], Given]:
        return lambda table: table

    def _numbers(self, given: Given) -> Given:
        y = given.y
        if y.dtype.kind not in "biuf":
            raise ValueError(
                f"y must hold numbers for a regressor. Got {y.dtype} such as {y.flat[0]!r} "
                "instead. For labels use MLPClassifier."
            )
        y = as_column(y)
        refuse_far_targets(y)
        return replace(given, y=y)

    def _of_columns(self, given: Given, codec: Codec) -> Given:
        """Refuse another number of columns than training began with."""
        if RegressionCodec.unscaled(given.y).n_outputs != codec.n_outputs:
            raise ValueError(
                f"y must have {codec.n_outputs} column{'s' * (codec.n_outputs > 1)}, as it is "
                f"trained with. Got shape {given.y.shape} instead."
            )
        return given


@dataclass(frozen=True)
class LabelTargets(TargetReader):
    """Labels in one column, or an indicator matrix.

    Parameters
    ----------
    class_weight : object
        The parameter.
    """

    class_weight: Any
    is_numeric = False

    def first(self, given: Given, classes: Any) -> tuple[Given, Codec]:
        given, kind = self._labels(given)
        if kind == "multilabel-indicator":
            return given, MultilabelCodec(given.y.shape[1])
        known = np.unique(given.y) if classes is None else read_classes(classes)
        codec: ClassCodec = BinaryCodec(known) if len(known) <= 2 else MulticlassCodec(known)
        self._refuse_other_shape(given.y, codec)
        codec.index(given.y)
        return given, codec

    def later(self, given: Given, codec: Codec, classes: Any, *, all_classes: bool) -> Given:
        given, _ = self._labels(given)
        assert isinstance(codec, ClassCodec | MultilabelCodec)
        if classes is not None and not np.array_equal(read_classes(classes), codec.classes):
            raise ValueError(
                f"classes={classes!r} is not the same as on the last call, {codec.classes!r}. "
                "Leave it out, or call fit to begin anew."
            )
        self._refuse_other_shape(given.y, codec)
        if isinstance(codec, ClassCodec):
            if all_classes and not np.array_equal(np.unique(given.y), codec.classes):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the "
                    f"previous call to fit. Previously got {codec.classes}, `y` has "
                    f"{np.unique(given.y)}. Set warm_start=False, or use partial_fit for a part "
                    "of them."
                )
            codec.index(given.y)
        return given

    def judging(self, given: Given, codec: Codec) -> Given:
        given, _ = self._labels(given)
        self._refuse_other_shape(given.y, codec)
        if isinstance(codec, ClassCodec):
            codec.index(given.y, "Leave those rows out, or give rows of these labels to train on.")
        return given

    def tell_of_validation(self, training: Given, validation: Given) -> None:
        """Labels have no units that could differ."""

    def weigher(self, codec: Codec, given: Given, rows: np.ndarray) -> Callable[[Given], Given]:
        if self.class_weight is None:
            return lambda table: table
        if not isinstance(codec, ClassCodec):
            raise ValueError(
                f"class_weight={self.class_weight!r} is for one column of labels, but y is an "
                "indicator matrix. Use sample_weight."
            )
        if isinstance(self.class_weight, dict):
            by_label = self._named(codec)
        else:
            y = given.y[rows]
            weight = None if given.weight is None else given.weight[rows]
            present = np.unique(y)
            values = compute_class_weight(
                self.class_weight, classes=present, y=y, sample_weight=weight
            )
            by_label = dict(zip(present.tolist(), values, strict=True))
        return lambda table: _weighed(table, by_label)

    def _named(self, codec: ClassCodec) -> dict[Any, float]:
        """The weights that a dictionary gives, checked; labels it does not name weigh 1."""
        labels = codec.classes.tolist()
        for label, value in self.class_weight.items():
            if label not in labels:
                raise ValueError(
                    f"class_weight={self.class_weight!r} names {label!r}, which is no label of y: "
                    f"{codec.classes!r}."
                )
            if not _WEIGHT.is_satisfied_by(value):
                raise ValueError(
                    f"class_weight={shown(self.class_weight)} must map labels to finite numbers "
                    f">= 0. Got {shown(value)} for label {label!r}."
                )
        return {label: float(self.class_weight.get(label, 1.0)) for label in labels}

    def _labels(self, given: Given) -> tuple[Given, str]:
        """Targets as an array, and what scikit-learn calls their type."""
        y = as_column(given.y.toarray() if is_sparse(given.y) else given.y)
        return replace(given, y=y), kind_of_labels(y)

    def _refuse_other_shape(self, y: np.ndarray, codec: Codec) -> None:
        if isinstance(codec, MultilabelCodec):
            if y.ndim != 2 or y.shape[1] != codec.n_outputs:
                raise ValueError(
                    f"y must be an indicator matrix of {codec.n_outputs} columns, as before. Got "
                    f"shape {y.shape} instead."
                )
        elif y.ndim != 1:
            raise ValueError(
                f"y must be one column of labels, as before. Got shape {y.shape} instead."
            )


def _weighed(table: Given, by_label: Mapping[Any, float]) -> Given:
    factor = np.array([by_label.get(label, 1.0) for label in table.y.tolist()])
    return replace(table, weight=factor if table.weight is None else factor * table.weight)


def refuse_far_targets(y: np.ndarray) -> None:
    """Refuse numbers whose squares are none, in an array of shape (n,) or (n, k)."""
    size = np.abs(y.reshape(len(y), -1).astype(np.float64, copy=False))
    if size.max(initial=0.0) <= LARGEST_TARGET:
        return
    row, column = np.unravel_index(np.argmax(size), size.shape)
    where = f"row {row}" if y.ndim == 1 else f"row {row} of column {column}"
    raise ValueError(
        f"y has {y.reshape(len(y), -1)[row, column]:g} in {where}, but squares of numbers beyond "
        f"{LARGEST_TARGET:g} are not finite in float64. Divide y by a number of its size, or "
        "leave the row out."
    )
