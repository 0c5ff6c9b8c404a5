"""The one door for private or version-bound names of scikit-learn and torch.

Nothing else in the package imports a name that starts with an underscore from another library.
"""

import copy
import inspect
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.callback import AutoPropagatedCallback, CallbackSupportMixin
from sklearn.model_selection._validation import _fit_and_predict, _fit_and_score
from sklearn.utils._param_validation import (
    HasMethods,
    InvalidParameterError,
    Options,
    make_constraint,
)
from sklearn.utils._param_validation import Interval as _Interval
from sklearn.utils._param_validation import StrOptions as _StrOptions
from sklearn.utils._repr_html.params import ParamsDict
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.validation import _check_categorical_features as check_categorical_features
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_features as num_features
from sklearn.utils.validation import _num_samples as num_samples
from torch.utils._device import DeviceContext

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    # a method behind an untyped decorator would have no signature for checkers of types

    def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[F], F]:
        """scikit-learn's decorator of ``fit``."""

    def with_callbacks(fit: F) -> F:
        """scikit-learn's decorator of a ``fit`` that callbacks watch."""

    def available_if(check: Callable[[Any], bool]) -> Callable[[F], F]:
        """scikit-learn's decorator of a method that not all instances have."""

else:
    from sklearn.base import _fit_context as fit_context
    from sklearn.callback import with_callbacks
    from sklearn.utils.metaestimators import available_if

# Kernels that update a parameter, its gradient and the optimizer's state in one pass.
fused_adam_ = torch._fused_adam_
fused_sgd_ = torch._fused_sgd_
fused_adagrad_ = torch._fused_adagrad_

foreach_copy_ = torch._foreach_copy_

# What a caller may have set for its own thread: autocast, and modes that change what functions of
# torch do, of which a default device is one.
any_autocast = torch._C._is_any_autocast_enabled
count_function_modes = torch._C._len_torch_function_stack
pop_function_mode = torch._C._pop_torch_function_stack
push_function_mode = torch._C._push_on_torch_function_stack

# What the whole process multiplies float32 matrices in on the CPU, and what is float32.
read_precision: Callable[[], str] = torch.get_float32_matmul_precision
write_precision: Callable[[str], Any] = torch.set_float32_matmul_precision
EXACT_PRECISIONS: tuple[str, ...] = ("highest",)
if hasattr(torch._C, "_get_fp32_precision_getter"):  # since 2.9 apart from that of CUDA
    read_precision = partial(torch._C._get_fp32_precision_getter, "mkldnn", "matmul")
    write_precision = partial(torch._C._set_fp32_precision_setter, "mkldnn", "matmul")
    EXACT_PRECISIONS = ("ieee", "none")

# Element-wise derivatives as single kernels; the overloads with an output allocate nothing.
threshold_backward = torch.ops.aten.threshold_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input
sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
leaky_relu_backward = torch.ops.aten.leaky_relu_backward.grad_input
elu_backward = torch.ops.aten.elu_backward.grad_input
gelu_backward = torch.ops.aten.gelu_backward.grad_input
silu_backward = torch.ops.aten.silu_backward.grad_input
softplus_backward = torch.ops.aten.softplus_backward.grad_input
hardtanh_backward = torch.ops.aten.hardtanh_backward.grad_input
hardsigmoid_backward = torch.ops.aten.hardsigmoid_backward.grad_input
hardshrink_backward = torch.ops.aten.hardshrink_backward.grad_input
softshrink_backward = torch.ops.aten.softshrink_backward.grad_input
hardswish_backward = torch.ops.aten.hardswish_backward.out
mish_backward = torch.ops.aten.mish_backward.default  # it has no overload with an output


class Interval(_Interval):
    """scikit-learn's range of numbers, for those that Python and NumPy calculate with.

    A bool is none, nor are spans of time, which NumPy counts among the integers, fractions, which
    torch does not know, and integers beyond what a float can be.
    """

    def is_satisfied_by(self, val: Any) -> bool:
        if not isinstance(val, int | float | np.integer | np.floating):
            return False
        if isinstance(val, bool | np.timedelta64):
            return False
        try:
            float(val)
        except OverflowError:
            return False
        return super().is_satisfied_by(val)


class StrOptions(_StrOptions):
    """scikit-learn's set of names, listed in the same order each time.

    Parameters
    ----------
    options : set of str
    said : str or None
        What an error says in place of a list that would be too long.
    """

    def __init__(self, options: set[str], *, said: str | None = None) -> None:
        super().__init__(options)
        self.said = said

    def __str__(self) -> str:
        if self.said is not None:
            return self.said
        return f"a str among {{{', '.join(map(repr, sorted(self.options)))}}}"


def from_numpy(array: np.ndarray) -> torch.Tensor:
    """A tensor on an array's memory; a read-only array, of which torch warns, is copied."""
    return torch.from_numpy(array if array.flags.writeable else array.copy(order="K"))


class NamesReadOnce:
    """Mixin of estimators whose constructors are inspected once a class.

    scikit-learn inspects a signature at each ``get_params``, which takes as long as several
    steps of a small network.
    """

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        return super()._get_param_names()  # type: ignore[misc]  # of the estimator it is mixed into


class GroupedParams(ParamsDict):
    """Parameters as notebooks show them: a table for each group instead of one for all.

    Parameters
    ----------
    whole : ParamsDict
        What scikit-learn shows.
    groups : mapping of str to collection of str
        Names of parameters by the title of their table.
    """

    def __init__(self, whole: ParamsDict, groups: Mapping[str, Collection[str]]) -> None:
        super().__init__(
            params=whole.data,
            non_default=whole.non_default,
            estimator_class=whole.estimator_class,
            doc_link=whole.doc_link,
        )
        self.groups = groups

    def _html_repr(self) -> str:
        tables = []
        for title, names in self.groups.items():
            of_group = {k: v for k, v in self.data.items() if k.partition("__")[0] in names}
            n_set = len(set(names) & set(self.non_default))
            table = ParamsDict(
                params=of_group,
                non_default=self.non_default,
                estimator_class=self.estimator_class,
                doc_link=self.doc_link,
            )._html_repr()
            said = f"{title} ({n_set} set)" if n_set else title
            tables.append(table.replace("<summary>Parameters<", f"<summary>{said}<", 1))
        return "\n".join(tables)


class EpochByEpoch:
    """Mixin of scikit-learn's networks whose epochs, and losses, are computed elsewhere.

    scikit-learn's loop takes one batch an epoch. It shuffles the rows, scores, counts, prints,
    warns and stops as ever; what it would do to each batch is a subclass' :meth:`train_epoch`.
    """

    def training(self, X: Any, y: Any, sample_weight: Any, incremental: bool) -> Any:
        """A context in which epochs are trained; it gives what stands for X."""
        raise NotImplementedError

    def train_epoch(self, rows: Any) -> float:
        """Train on rows of what stands for X, in their order; the mean loss."""
        raise NotImplementedError

    def gathered(self, rows: Any) -> Any:
        """Rows of X, for what stands for them."""
        raise NotImplementedError

    def evaluation(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """A context in which losses are computed, which may stand in another one."""
        raise NotImplementedError

    def loss_and_gradient(self, packed: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss of all rows at some parameters, and its gradient."""
        raise NotImplementedError

    def _fit_stochastic(self, X: Any, y: Any, sample_weight: Any, *lists: Any) -> None:
        if self.has_their_own_way():
            super()._fit_stochastic(X, y, sample_weight, *lists)  # type: ignore[misc]
            return
        with self.training(X, y, sample_weight, incremental=lists[-1]) as rows:
            super()._fit_stochastic(rows, y, sample_weight, *lists)  # type: ignore[misc]

    def has_their_own_way(self) -> bool:
        """Whether a subclass has another way to compute a batch, which only their loop follows."""
        whole = EpochByEpoch._backprop
        theirs = super()
        return type(self)._backprop is not whole or any(
            getattr(type(self), name) is not getattr(theirs, name).__func__
            for name in ("_forward_pass", "_compute_loss_grad")
        )

    def _backprop(self, X: Any, *others: Any) -> tuple[Any, list[Any], list[Any]]:
        if "_fit_here" not in vars(self):
            found: tuple[Any, list[Any], list[Any]] = super()._backprop(X, *others)  # type: ignore[misc]
            return found
        return self.train_epoch(X), [], []

    def _fit_lbfgs(self, X: Any, y: Any, sample_weight: Any, *lists: Any) -> None:
        if self.has_their_own_way():
            super()._fit_lbfgs(X, y, sample_weight, *lists)  # type: ignore[misc]
            return
        with self.evaluation(X, y, sample_weight):
            super()._fit_lbfgs(X, y, sample_weight, *lists)  # type: ignore[misc]

    def _loss_grad_lbfgs(
        self, packed: np.ndarray, X: Any, y: Any, sample_weight: Any, *lists: Any
    ) -> tuple[float, np.ndarray]:
        if self.has_their_own_way():
            found: tuple[Any, np.ndarray] = super()._loss_grad_lbfgs(  # type: ignore[misc]
                packed, X, y, sample_weight, *lists
            )
            return found
        with self.evaluation(X, y, sample_weight):
            return self.loss_and_gradient(packed)

    def _score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return super()._score(self.gathered(X), y, sample_weight=sample_weight)  # type: ignore[misc]


def callbacks_of(estimator: Any) -> list[Any]:
    """The scikit-learn callbacks that were set on an estimator, or propagated to it."""
    return list(getattr(estimator, "_skl_callbacks", None) or ())


def has_callbacks(estimator: Any) -> bool:
    """Whether scikit-learn callbacks were set on an estimator, or propagated to it."""
    return bool(getattr(estimator, "_skl_callbacks", None))


def propagated_callbacks(context: Any) -> list[Any]:
    """The callbacks that the callback context of a meta-estimator hands on."""
    callbacks = getattr(context, "_callbacks", [])
    return [callback for callback in callbacks if isinstance(callback, AutoPropagatedCallback)]


def evaluation_of(function: Any) -> Any:
    """scikit-learn's function that fits and judges an estimator, if a task of joblib calls one."""
    target = getattr(function, "function", function)
    return target if target in (_fit_and_score, _fit_and_predict) else None


def take_requests(estimator: Any, source: Any) -> Any:
    """An estimator that asks for the metadata that another one asks for."""
    if hasattr(source, "_metadata_request"):
        estimator._metadata_request = copy.deepcopy(source._metadata_request)
    return estimator


def shares_memory(backend: Any) -> bool:
    """Whether the workers of a joblib backend see this process' objects."""
    return bool(getattr(backend, "supports_sharedmem", False))


def offers(thing: Any, name: str) -> bool:
    """Whether an object of unknown make, such as a user's estimator, has an attribute."""
    return hasattr(thing, name)


def scorer_takes_weights(scorer: Any) -> bool:
    """Whether a scorer of scikit-learn's takes ``sample_weight``; a user's callable does not."""
    metric = getattr(scorer, "_score_func", None)
    return metric is not None and "sample_weight" in inspect.signature(metric).parameters


def fitted_copy(estimator: Any, attributes: dict[str, Any]) -> Any:
    """A shallow copy of an estimator with fitted attributes, for scorers of unnamed arrays."""
    twin = copy.copy(estimator)
    vars(twin).update(attributes)
    vars(twin).pop("feature_names_in_", None)
    return twin


__all__ = [
    "EXACT_PRECISIONS",
    "CallbackSupportMixin",
    "DeviceContext",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "Options",
    "StrOptions",
    "TerminatedWorkerError",
    "any_autocast",
    "available_if",
    "callbacks_of",
    "check_categorical_features",
    "check_method_params",
    "check_sample_weight",
    "count_function_modes",
    "elu_backward",
    "evaluation_of",
    "fit_context",
    "fitted_copy",
    "foreach_copy_",
    "from_numpy",
    "fused_adagrad_",
    "fused_adam_",
    "fused_sgd_",
    "gelu_backward",
    "hardshrink_backward",
    "hardsigmoid_backward",
    "hardswish_backward",
    "hardtanh_backward",
    "has_callbacks",
    "leaky_relu_backward",
    "make_constraint",
    "mish_backward",
    "num_features",
    "num_samples",
    "offers",
    "pop_function_mode",
    "propagated_callbacks",
    "push_function_mode",
    "read_precision",
    "safe_split",
    "scorer_takes_weights",
    "shares_memory",
    "sigmoid_backward",
    "silu_backward",
    "softplus_backward",
    "softshrink_backward",
    "take_requests",
    "tanh_backward",
    "threshold_backward",
    "with_callbacks",
    "write_precision",
]
