"""Optimizers of torch's kind, as components."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from ..base import Scheduled, changed, computed
from ..foreign import ForeignClass
from ._base import (
    Coefficient,
    Coefficients,
    Move,
    Optimizer,
    Shapes,
    State,
    kept_shapes,
    matrices,
    n_weights,
)


class TorchOptimizer(ForeignClass, Optimizer):
    """Any class of ``torch.optim``, or of a user's own that derives from torch's optimizer.

    ``TorchOptimizer(torch.optim.ASGD, lambd=1e-3)`` gives the class and its arguments; a search
    reaches ``optimizer__lambd``. The learning rate is the estimator's, set before every step.

    Parameters
    ----------
    wrapped : type
        A subclass of ``torch.optim.Optimizer`` whose ``step`` needs no closure.
    **arguments
        Its keyword arguments. Not ``params``, nor ``lr``, which is the estimator's
        ``learning_rate_init`` and ``schedule``, nor ``maximize`` and ``differentiable``, which
        make no sense here.

    Notes
    -----
    What the class sees as parameters: every weight matrix, with torch's orientation (n_out,
    n_in), and the rest of the row (biases and the vectors of norms) as one vector. Its own
    ``weight_decay`` acts on all of them; the estimator's spares the vector.

    Rules of this package are faster, have no first object to make (a second or more, once a
    process) and are stacked; this is for those that it lacks. Members are not stacked. The
    default rate is the class', or 0.001 where it has none. ``momentum``, or the first of ``betas``,
    may be :class:`~sklearn_dnn.components.Scheduled`. With ``capturable=True``, which keeps the
    counts of steps on the GPU, training takes a GPU (``device="cuda"``, or "auto").

    To go on from an earlier fit, the tensors and numbers of its state, and the numbers that it
    keeps in its group beside its arguments, are saved; other state is refused.
    """

    reserved = ("params", "lr", "maximize", "differentiable")
    stackable = False
    rate_linear = False

    @computed
    def default_rate(self) -> float:
        """The default of ``lr``, or 0.001."""
        rate = self._argument("lr")
        return float(rate) if isinstance(rate, int | float) else 0.001

    @computed
    def momentum_name(self) -> str | None:
        """``momentum`` or ``beta_1``, as the class has."""
        return next(iter(self.coefficients()), None)

    @computed
    def needs_gpu(self) -> bool:
        """Whether ``capturable=True`` is given, which torch allows on a GPU alone."""
        return bool(self._argument("capturable"))

    def coefficients(self) -> dict[str, float]:
        """The momentum, if the class has one by the name of torch's."""
        momentum, betas = self._argument("momentum"), self._argument("betas")
        if isinstance(momentum, int | float):
            return {"momentum": float(momentum)}
        if isinstance(betas, Sequence) and betas:
            return {"beta_1": float(betas[0])}
        return {}

    def taken_apart(self) -> tuple[Self, dict[str, Scheduled]]:
        """Numbers for scheduled ones: ``momentum``, or the first of ``betas``."""
        momentum, betas = (self.arguments.get(name) for name in ("momentum", "betas"))
        if isinstance(momentum, Scheduled):
            return changed(self, {"momentum": momentum.value}), {"momentum": momentum}
        if isinstance(betas, Sequence) and betas and isinstance(betas[0], Scheduled):
            first, *others = betas
            return changed(self, {"betas": (first.value, *others)}), {"beta_1": first}
        return self, {}

    def bind(
        self, theta: Tensor, grad: Tensor, state: dict[str, Tensor], shapes: Shapes = ()
    ) -> Move:
        """The step of one live object, which goes on from `state` and keeps it current."""
        parameters = _parameters(theta, grad, shapes)
        rate = {"lr": self.default_rate} if "lr" in self._signature() else {}
        live = self.wrapped(parameters, **rate, **self.arguments)
        (group,) = live.param_groups
        if "lr" not in group:
            raise TypeError("its group has no 'lr', by which a learning rate could be set.")
        extra = [name for name in group if name not in {"params", *self._signature()}]
        _restore(live, parameters, state)

        def move(rate: Coefficient, c: dict[str, Coefficient]) -> None:
            group["lr"] = rate
            if "momentum" in c:
                group["momentum"] = c["momentum"]
            elif "beta_1" in c:
                group["betas"] = (c["beta_1"], *group["betas"][1:])
            live.step()
            state.update(_saved(live, parameters, extra))

        return move

    def _check(self) -> None:
        if isinstance(self.wrapped, type) and not issubclass(self.wrapped, torch.optim.Optimizer):
            raise TypeError(
                "TorchOptimizer wraps a subclass of torch.optim.Optimizer. Got "
                f"{self.wrapped!r} instead: derive it from that, or give an optimizer of "
                "sklearn_dnn.components."
            )
        super()._check()
        name = self.wrapped.__name__
        self._refuse_scheduled()
        _, *needed = inspect.signature(self.wrapped.step).parameters.values()
        if any(p.default is p.empty and p.kind < p.VAR_POSITIONAL for p in needed):
            raise ValueError(
                f"TorchOptimizer can't drive {name}: its step needs a closure, and a step here "
                "has one gradient. Use optimizer='lbfgs', or a class whose step needs nothing."
            )
        try:
            self._try()
        except (TypeError, ValueError, RuntimeError, AssertionError) as error:
            raise ValueError(
                f"TorchOptimizer can't make a step with {name} and {self.arguments}: {error} "
                "(It is given each weight matrix, and biases and norms as one vector.)"
            ) from error

    def _refuse_scheduled(self) -> None:
        """Refuse a schedule of what the class reads once."""
        for argument, value in self.arguments.items():
            numbers = value if isinstance(value, Sequence) else (value,)
            if any(isinstance(number, Scheduled) for number in numbers):
                raise ValueError(
                    f"A schedule can't drive {argument}={value!r} of {self.wrapped.__name__}: only "
                    "`momentum`, or the first of `betas`, is read at each step. Give a number."
                )

    def _try(self) -> None:
        """Make a step, on the CPU: without what needs a GPU."""
        arguments = self.arguments | ({"capturable": False} if self.needs_gpu else {})
        twin = TorchOptimizer(self.wrapped, **arguments)
        theta = torch.ones((1, 9), dtype=torch.float64)
        state = twin.start(theta, ((2, 3),))
        with torch.no_grad():
            move = twin.bind(theta, torch.ones_like(theta), state, ((2, 3),))
            move(0.001, dict(twin.coefficients()))

    def _signature(self) -> dict[str, inspect.Parameter]:
        return dict(inspect.signature(self.wrapped).parameters)

    def _argument(self, name: str) -> Any:
        """What an argument is, given or by default; None where there is none."""
        if name in self.arguments:
            return self.arguments[name]
        signature = self._signature()
        return signature[name].default if name in signature else None

    def _more_state(self, theta: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        return {"shapes": kept_shapes(shapes)}

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        self.bind(theta, grad, state, state["shapes"].tolist())(rate, c)


def _parameters(theta: Tensor, grad: Tensor, shapes: Shapes) -> list[Tensor]:
    """Leaves on the memory of a row, with gradients on that of its twin."""

    def parts(row: Tensor) -> list[Tensor]:
        cut = [matrix.T for matrix in matrices(row, shapes)]
        vector = row[0, n_weights(shapes) :]
        return [part.detach() for part in ([*cut, vector] if len(vector) else cut)]

    leaves = parts(theta)
    for leaf, gradient in zip(leaves, parts(grad), strict=True):
        leaf.grad = gradient
    return leaves


# State as tensors: "<number of the parameter, or group>.<kind>.<name>"
_KINDS: dict[str, Any] = {"bool": bool, "int": int, "float": float}


def _saved(
    live: torch.optim.Optimizer, parameters: list[Tensor], extra: list[str]
) -> dict[str, Tensor]:
    """The state of an optimizer as tensors."""
    (group,) = live.param_groups
    saved: State = {}
    for name in extra:
        if isinstance(group[name], Tensor | bool | int | float):
            saved |= _encoded("group", name, group[name])
    for i, parameter in enumerate(parameters):
        for name, value in live.state.get(parameter, {}).items():
            saved |= _encoded(str(i), name, value)
    return saved


def _encoded(owner: str, name: str, value: Any) -> dict[str, Tensor]:
    if isinstance(value, Tensor):
        return {f"{owner}.tensor.{name}": value}
    if value is None:
        return {f"{owner}.none.{name}": torch.zeros((), dtype=torch.float64)}
    for kind, cls in _KINDS.items():  # a bool is an int too, so it comes first
        if isinstance(value, cls):
            dtype = torch.float64 if cls is float else torch.int64
            return {f"{owner}.{kind}.{name}": torch.tensor(value, dtype=dtype)}
    raise TypeError(
        f"its state {name!r} is a {type(value).__name__}, and only tensors and numbers can be "
        "kept to go on from."
    )


def _restore(
    live: torch.optim.Optimizer, parameters: list[Tensor], state: dict[str, Tensor]
) -> None:
    """Put saved state into a new optimizer."""
    (group,) = live.param_groups
    on_device = bool(group.get("capturable") or group.get("fused"))
    for key, value in state.items():
        owner, *rest = key.split(".", 2)
        if not rest:
            continue
        kind, name = rest
        if owner == "group":
            group[name] = _decoded(kind, value, value)
            continue
        parameter = parameters[int(owner)]
        decoded = _decoded(kind, value, parameter)
        if name == "step" and isinstance(decoded, Tensor) and not on_device:
            decoded = decoded.cpu()  # torch wants its counters there
        live.state[parameter][name] = decoded


def _decoded(kind: str, value: Tensor, like: Tensor) -> Any:
    if kind == "none":
        return None
    if kind in _KINDS:
        return _KINDS[kind](value.item())
    if value.shape == like.shape:  # kernels want the parameter's order in memory
        return torch.empty_like(like, dtype=value.dtype).copy_(value)
    return value.clone()
