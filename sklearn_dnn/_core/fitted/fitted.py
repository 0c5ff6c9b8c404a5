"""The network of a fitted estimator, read back from its attributes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..._devices import is_present
from ..._threads import available_threads, in_forked_child, limit_threads, torch_ready
from ...components import FAMILIES
from ...components.activations import Activation
from ...components.dropouts import DropoutRule
from ...components.losses import Loss
from ...components.registry import Registry
from ...components.topologies import Plain
from ..data.columns import Columns
from ..data.encoder import encoding_for
from ..data.features import Encoding, Standardiser
from ..data.scaling import Scaling
from ..data.targets import CODECS, Codec
from ..messages import memory_advice, tell_of_overflow
from ..network.architecture import Architecture
from ..network.fold import folded, is_foldable
from ..network.members import joined, log_joined, log_mean
from ..network.mlp import Evaluator, InTurn, Noise
from ..network.weights import Weights
from ..reading.inputs import all_finite, read_table
from ..specification import objective
from ..training.forward import for_all, table_outputs

# The usual topology, which building anew for each prediction would take longer than a small layer.
_PLAIN = Plain()
_PLAIN_AS_DICT = {"component": "Plain", **_PLAIN.get_params(deep=False)}
# The parts of a specification that prediction needs, and the families of their components.
PARTS: dict[str, Registry[Any]] = {
    name: FAMILIES[family]
    for name, family in (
        ("activation", "activation"),
        ("output_activation", "activation"),
        ("norm", "norm"),
        ("input_scaling", "norm"),
        ("numeric_embedding", "numeric_embedding"),
        ("topology", "topology"),
        ("dropout", "dropout"),
        ("loss", "loss"),
    )
}
Finish = Callable[[Evaluator | InTurn, Tensor], Tensor]


def mean_of_members(values: Tensor) -> Tensor:
    """(m, b, r) -> (b, r)."""
    return values.mean(0)


def beside_each_other(values: Tensor) -> Tensor:
    """(m, b, r) -> (b, m * r)."""
    return values.transpose(0, 1).flatten(1)


class Fitted:
    """The network of a fitted estimator, read from its attributes at each use.

    Nothing is cached: arrays become tensors on the same memory, and weights that a user puts
    in place of others count at once.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor

    Raises
    ------
    NotFittedError
    """

    def __init__(self, estimator: Any) -> None:
        check_is_fitted(estimator)
        self.estimator = estimator
        spec, coef = estimator.spec_, estimator.coefs_[0]
        is_stack = coef.ndim == 3
        self.n_networks: int = len(coef) if is_stack else 1
        self.n_shared: int = spec["n_members"] if spec["ensemble"] == "shared" else 1
        several = self.n_networks * self.n_shared
        self.n_members = several if is_stack or several > 1 else None

    @property
    def weights(self) -> Weights:
        e = self.estimator
        return Weights(
            e.coefs_, e.intercepts_, e.norm_weights_, e.norm_statistics_, e.extra_weights_
        )

    @property
    def scaling(self) -> Scaling | None:
        e = self.estimator
        return None if e.input_mean_ is None else Scaling(e.input_mean_, e.input_scale_)

    @property
    def columns(self) -> Columns:
        """What becomes of the columns of a table."""
        e = self.estimator
        kept = e.input_columns_
        if kept["fill"] is None:
            mean = np.zeros(e.n_features_in_) if e.input_mean_ is None else e.input_mean_
            kept = kept | {"fill": mean}
        return Columns.from_dict(kept, e.is_categorical_, self.scaling)

    def encoding(self, dtype: torch.dtype, device: str, *, gappy: bool) -> Encoding:
        """What turns rows of a table, which may have gaps, into rows of network inputs."""
        if not gappy and "slots" not in self.estimator.input_columns_:
            return Standardiser(self.scaling, dtype, device)
        return encoding_for(self.columns, dtype, device, gappy=gappy)

    @property
    def architecture(self) -> Architecture:
        """With the noise of training, which plain predictions do without."""
        return self._architecture(tuple(self._components("dropout")))

    def _architecture(self, dropouts: tuple[DropoutRule, ...]) -> Architecture:
        e = self.estimator
        spec, task = e.spec_, e.spec_["task"]
        normed = isinstance(spec["input_scaling"], dict)
        n_passed, levels = task["n_passed"], tuple(task["levels"])
        return Architecture.of_parts(
            e.own_components_.get("hidden_layer_sizes", spec["hidden_layer_sizes"]),
            n_raw=e.coefs_[-1].shape[-1],
            n_numbers=task["n_features"] - n_passed - len(levels),
            n_passed=n_passed,
            levels=levels,
            activations=tuple(self._components("activation")),
            norm=self._component("norm"),
            topology=_PLAIN if spec["topology"] == _PLAIN_AS_DICT else self._component("topology"),
            input_norm=self._component("input_scaling") if normed else None,
            dropouts=dropouts,
            n_shared=self.n_shared,
            embedding=self._component("numeric_embedding"),
        )

    @property
    def codec(self) -> Codec:
        """What knows the units or labels of targets."""
        e = self.estimator
        return CODECS[e.spec_["task"]["kind"]].read(vars(e))

    @property
    def loss(self) -> Loss:
        spec = self.estimator.spec_
        link: Activation | None = self._component("output_activation")
        kind = spec["task"]["kind"]
        return objective(self._component("loss"), kind, spec["output_weights"], link)

    def _component(self, name: str) -> Any:
        e = self.estimator
        if name in e.own_components_:
            return e.own_components_[name]
        plain = e.spec_[name]
        return None if plain is None else PARTS[name].rebuild(plain)

    def _components(self, name: str) -> list[Any]:
        e = self.estimator
        if name in e.own_components_:
            return e.own_components_[name]
        built: list[Any] = []
        last = None
        for plain in e.spec_[name]:
            built.append(built[-1] if plain == last else PARTS[name].rebuild(plain))
            last = plain
        return built

    def raw(self, X: Any) -> np.ndarray:
        """Raw outputs, of shape (n, k); of an ensemble their mean."""
        return self.outputs(X, lambda network, x: network.raw(x))

    def predictions(self, X: Any) -> np.ndarray:
        """Raw outputs through the inverse link, of shape (n, k); of an ensemble joined."""
        return self.linked(X, self.loss.inverse_link)

    @property
    def suits_float32(self) -> bool:
        """Whether float32 tells the targets of `fit` apart."""
        return self.estimator.spec_["task"]["float32_targets"]

    @property
    def is_calibrated(self) -> bool:
        """Whether a temperature was asked for."""
        return self.estimator.spec_["calibration"] is not None

    def linked(
        self, X: Any, link: Callable[[Tensor], Tensor], *, is_log: bool = False
    ) -> np.ndarray:
        """What a link (.., k) -> (.., r) makes of raw outputs, of shape (n, r).

        Of an ensemble the members' mean, or of calibrated ones :func:`joined`; where the link
        gives logarithms, the logarithm of that.
        """
        # the logarithm of a link of a user's own may be that of 0
        may_be_infinite = is_log and type(self.loss).log_inverse_link is Loss.log_inverse_link
        if self.n_members is not None and self.is_calibrated:
            join = log_joined if is_log else joined
            return self.outputs(
                X,
                lambda network, x: network.raw(x),
                join=lambda raw: join(raw, link),
                may_be_infinite=may_be_infinite,
            )
        return self.outputs(
            X,
            lambda network, x: link(network.raw(x)),
            join=log_mean if is_log else mean_of_members,
            may_be_infinite=may_be_infinite,
        )

    def outputs(
        self,
        X: Any,
        finish: Finish,
        *,
        join: Callable[[Tensor], Tensor] = mean_of_members,
        fold: bool = True,
        noise_from: torch.Generator | None = None,
        keeps_type: bool = False,
        may_be_infinite: bool = False,
    ) -> np.ndarray:
        """What ``finish(network, x)`` makes of standardised rows of X, computed in X's type.

        Parameters
        ----------
        X : table of shape (n, p)
        finish : callable
            Gives (b, r), or (m, b, r) for an ensemble.
        join : callable
            Takes an ensemble's (m, b, r) to (b, r).
        fold : bool
            Whether norms may be folded into the dense layers, which changes what hidden layers
            put out.
        noise_from : torch.Generator or None
            For a pass with the noise of training.
        keeps_type : bool
            Whether it is computed in X's type even where float32 can't tell the targets of `fit`
            apart; otherwise that is done in float64.
        may_be_infinite : bool
            Whether there is nothing to tell where results are not finite.
        """
        table, gappy = read_table(self.estimator, X)
        device = present(self.estimator.device_)
        is_double = table.dtype == np.float64 or not (keeps_type or self.suits_float32)
        dtype = torch.float64 if is_double else torch.float32
        with torch_ready(), torch.no_grad(), memory_advice(device):
            # building what a plain prediction does not ask for would take longer than it
            dropouts = () if noise_from is None else tuple(self._components("dropout"))
            architecture = self._architecture(dropouts)
            noise = None if noise_from is None else self._noise(noise_from)
            is_stack = self.n_members is not None
            open_network = self._opener(dtype, device, architecture, noise, fold=fold)
            encoding = self.encoding(dtype, device, gappy=gappy)
            alone = noise is not None or architecture.module is not None
            n_threads = 1 if alone else self._n_threads(table.shape[0], device)
            with self._one_thread_a_kernel(table.shape[0], device):
                found = table_outputs(
                    table,
                    encoding,
                    open_network,
                    (lambda n, x: join(finish(n, for_all(x, n)))) if is_stack else finish,
                    n_threads,
                )
        if not (may_be_infinite or all_finite(found)):
            tell_of_overflow(found, is_double=is_double)
        return found

    def _opener(
        self,
        dtype: torch.dtype,
        device: str,
        architecture: Architecture,
        noise: Noise | None,
        *,
        fold: bool,
    ) -> Callable[[], Evaluator | InTurn]:
        """What makes an evaluator, one a thread."""
        if architecture.module is not None and self.n_networks > 1:
            networks = [weights.network(dtype, device) for weights in self.weights.members()]
            return lambda: InTurn([Evaluator(n, architecture, noise) for n in networks])
        network = self.weights.network(dtype, device)
        if fold and noise is None and is_foldable(architecture):
            network, architecture = folded(network, architecture)
        return lambda: Evaluator(network, architecture, noise)

    def member_outputs(
        self, X: Any, finish: Finish, *, noise_from: torch.Generator | None = None
    ) -> np.ndarray:
        """The same of each member: (n, m, r), with m = 1 for a single network."""
        flat = self.outputs(X, finish, join=beside_each_other, noise_from=noise_from)
        return flat.reshape(len(flat), self.n_members or 1, -1)

    def _noise(self, generator: torch.Generator) -> Noise:
        spec = self.estimator.spec_
        rates = [float(rule["rate"]) for rule in spec["dropout"]]
        seed = torch.empty((), dtype=torch.int64, device=generator.device)
        seed.random_(2**62, generator=generator)
        shared = torch.Generator(generator.device).manual_seed(int(seed))
        return Noise(rates, spec["input_dropout"], spec["weight_noise"], generator, shared)

    def is_noisy(self) -> bool:
        """Whether the network was trained with noise in its forward pass."""
        spec = self.estimator.spec_
        amounts = [*(r["rate"] for r in spec["dropout"]), spec["input_dropout"]]
        return (
            max(*amounts, spec["weight_noise"]) > 0
            or any(activation.noisy for activation in self._components("activation"))
            or "hidden_layer_sizes" in self.estimator.own_components_
        )

    def _n_threads(self, n_rows: int, device: str) -> int:
        """Threads that are worth starting: one for each 16 million multiply-adds."""
        if device != "cpu" or in_forked_child():
            return 1
        wanted = n_rows * self.estimator.n_parameters_ * self.n_shared >> 24
        if wanted < 2:
            return 1
        limit = self.estimator.n_threads
        return min(available_threads() if limit is None else int(limit), wanted)

    def _one_thread_a_kernel(self, n_rows: int, device: str) -> Any:
        """A limit of one thread, where kernels are large enough to ask for a second."""
        small = n_rows * self.estimator.n_parameters_ * self.n_shared < 2**16
        return nullcontext() if small or device != "cpu" else limit_threads(1)


def present(device: str) -> str:
    """The device that was trained on, or the CPU where this machine lacks it."""
    return device if device == "cpu" or is_present(device) else "cpu"
