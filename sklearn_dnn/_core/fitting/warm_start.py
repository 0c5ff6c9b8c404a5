"""A session that goes on from where an earlier one ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from ..._warnings import warn
from ..data.scaling import has_gaps
from ..network.architecture import Architecture
from ..network.parameters import Layout
from ..network.weights import Weights
from ..reading.given import Given
from ..reading.inputs import tell_of_new_gaps
from ..specification import MIXED, FitSpec, is_auto, resolve, settled, stops_early
from ..training.state import Progress, driven_schedules
from ..training.streams import Streams
from .far import check_sizes_of_targets, tell_of_strong_penalties
from .request import Earlier, Request, Weigher, saved_members
from .session import (
    Held,
    Session,
    member_rows,
    refuse_targets_outside,
    task_of,
    tests_rates,
    weighted,
)


def go_on(request: Request, earlier: Earlier, given: Given, validation: Given | None) -> Session:
    """A session from where an earlier fit ended, by ``warm_start`` or ``partial_fit``.

    Parameters
    ----------
    given, validation : Given
        The tables of this call, read as those of the first one.
    """
    before, saved, weights, codec = earlier.spec, earlier.saved, earlier.weights, earlier.codec
    parameters = request.parameters
    asked = parameters["early_stopping"]
    if before["by_recipe"] and is_auto(parameters["schedule"]):
        # that of the recipe has come to its end, where nothing is learnt any more
        parameters = {**parameters, "schedule": "constant"}
    parameters = settled(
        parameters,
        codec.kind,
        before["task"]["n_samples"],
        given.X.shape[1],
        by_recipe=before["by_recipe"],
    )
    # without what was kept, as after set_weights alone, chance begins anew
    streams = Streams.of_members(request.seed, len(weights))
    draws = [stream.rows for stream in streams]
    if saved is not None:
        draws = saved["draws"]
    given, rows, held, fresh = _parted(given, validation, saved, request.weigher(codec))
    own = member_rows(rows, draws, parameters["ensemble"])
    for table, counted in ((given, rows), *([(fresh.given, fresh.rows)] if fresh else [])):
        if table.gappy:
            tell_of_new_gaps(earlier.columns, table.X[counted], given.names, table.unread)
    task = task_of(given, codec, earlier.columns, own.shape[1], held is not None)
    first = before["task"]["float32_targets"]  # later rows change no type
    task = replace(task, float32_targets=first)
    stops = stops_early(parameters["early_stopping"], task.n_samples, task.has_validation)
    if held is None and stops:
        _tell_no_part_is_held(asked, before, saved)
    # anew, since a call may change whatever does not change the network's shape
    spec = resolve(
        _as_begun(parameters, before, weights[0]),
        task,
        by_recipe=before["by_recipe"],
        is_judged=held is not None or not stops,
    )
    _refuse_other_shape(spec, before, weights[0])
    refuse_targets_outside(spec, given, rows, held)
    check_sizes_of_targets(spec, codec, given, rows, fresh=False)
    tell_of_strong_penalties(spec, given, rows)
    if saved is not None:
        progress = _all_restored(spec, before, saved, fresh)
    else:
        progress = [
            _from_weights(spec, stream, own_weights, member["history"], earlier.samples)
            for stream, own_weights, member in zip(streams, weights, earlier.members, strict=True)
        ]
    session = Session(spec, codec, earlier.columns, progress, given, rows, own, held, draws)
    if not request.in_calls:
        _renew(session, earlier.members)
    return session


def _renew(session: Session, members: Sequence[Mapping[str, Any]]) -> None:
    """Let a warm start begin anew what its last call came to the end of."""
    for progress, member in zip(session.progress, members, strict=True):
        anew = session.spec.ending_with_training
        for name in anew:
            progress.origins[name] = progress.epoch
        if anew or member["end_reason"] in {"patience", "tol", "baseline", "diverged"}:
            progress.patience[0].count = progress.patience[0].unbeaten = 0
        if member["end_reason"] == "diverged" and not session.spec.early_stopping:
            progress.patience[0].forget()  # an epoch's loss is that of weights within it


def _as_begun(
    parameters: Mapping[str, Any], before: Mapping[str, Any], weights: Weights
) -> dict[str, Any]:
    """The parameters with what the first call found, and training can't change on its way."""
    kept = {}
    dtype = str(weights.coefs[0].dtype)
    if not (parameters["dtype"] == MIXED and dtype == "float32"):
        kept["dtype"] = dtype
    if tests_rates(parameters):
        kept["learning_rate_init"] = before["learning_rate_init"]
    return {**parameters, **kept}


def refuse_what_ends(request: Request, session: Session) -> None:
    """Refuse to promise that training can be gone on with where it can't."""
    parameters = request.parameters
    if session.spec.refits and parameters["warm_start"]:
        raise ValueError(
            f"early_stopping={parameters['early_stopping']!r} trains a new network at the end, "
            "which warm_start=True can't go on from. Set refit=False or warm_start=False."
        )
    if request.may_go_on and session.held is not None and session.held.by_member:
        what = "partial_fit" if request.in_calls else "warm_start=True"
        raise ValueError(
            f"{what} can't go on with validation_fraction='folds', whose parts are those of one "
            "table. Give a fraction, or early_stopping=False."
        )


def _parted(
    given: Given, validation: Given | None, saved: Mapping[str, Any] | None, weigher: Weigher
) -> tuple[Given, np.ndarray, Held | None, Held | None]:
    """The weighted table, its rows that train, what judges, and that if it was given anew."""
    rows, held, fresh = given.rows, None, None
    if validation is not None:
        fresh = Held(validation, validation.rows, inner=False)
    elif saved is not None and saved["validation"] is not None:
        held, rows = _held_before(saved["validation"], given, rows)
    given, rows, fresh = weighted(weigher, given, rows, fresh)
    return given, rows, held if fresh is None else fresh, fresh


def _all_restored(
    spec: FitSpec, before: Mapping[str, Any], saved: Mapping[str, Any], fresh: Held | None
) -> list[Progress]:
    """The members' progress from what was kept to go on."""
    anew = _judged_otherwise(spec, before, fresh, saved["validation"])
    were_set = bool(saved.get("weights_were_set"))
    return [
        _restored(spec, before, state, anew=anew, were_set=were_set)
        for state in saved_members(saved)
    ]


def _restored(
    spec: FitSpec, before: Mapping[str, Any], state: dict[str, Any], *, anew: bool, were_set: bool
) -> Progress:
    """A member's progress, without what belongs to schedules or judges that are no more."""
    progress = Progress.restore(spec, state)
    if were_set:
        progress.begin_from_theta(spec.optimizer)
    afresh = spec.schedule.start()
    if (
        before["schedule"]["component"] != spec.as_dict()["schedule"]["component"]
        or progress.schedules[0].keys() != afresh.keys()  # another one behind a warmup
    ):
        progress.schedules = [afresh]
    for name, first in driven_schedules(spec).items():
        old, kept = before["driven"].get(name), progress.driven[0][name]
        now = spec.as_dict()["driven"][name]
        if old is None or old["component"] != now["component"] or kept.keys() != first.keys():
            progress.driven[0][name] = first
    if anew:
        progress.patience[0].forget()
        progress.schedules = [spec.schedule.start()]
        progress.driven = [driven_schedules(spec)]
    return progress


def _from_weights(
    spec: FitSpec,
    stream: Streams,
    weights: Weights,
    history: Mapping[str, list[Any]],
    samples: int,
) -> Progress:
    """A member's progress where its weights alone were kept."""
    progress = Progress.begin([spec], [stream])
    weights.write(Layout(Architecture.of(spec)), progress.theta, progress.statistics)
    progress.begin_from_theta(spec.optimizer)
    progress.samples = samples
    progress.histories = [{name: list(values) for name, values in history.items()}]
    progress.epoch = progress.began = len(history["loss"])
    return progress


def _tell_no_part_is_held(
    asked: Any, before: Mapping[str, Any], saved: Mapping[str, Any] | None
) -> None:
    """Refuse, or warn, where early stopping is on but nothing can judge."""
    by_itself = before["by_recipe"] and is_auto(asked)  # which says that it goes on without
    if saved is None and before["early_stopping"] and not by_itself:
        warn(
            "The validation part of the earlier fit was not kept: all rows train, and the "
            "training loss is monitored. Give X_val and y_val, or fit with warm_start=True from "
            "the start."
        )
    elif saved is not None and asked is True and not saved["asked"]:
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
    if sp.issparse(a):
        return bool((a != b).nnz == 0)
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f" and b.dtype.kind == "f")


def _held_before(
    saved: Mapping[str, Any], given: Given, rows: np.ndarray
) -> tuple[Held, np.ndarray]:
    """The validation part of the first call, and the rows that may train beside it.

    Where the same table comes again, its held-out rows stay held out; all rows of another
    table train.
    """
    part = Given(saved["X"], saved["y"], saved["weight"])
    part = replace(part, reading=given.reading, gappy=has_gaps(part.X))
    positions = saved["positions"]
    if positions is not None and saved["n"] == given.X.shape[0]:
        again = given.X[positions]
        if _equal(again, part.X):
            rows = np.setdiff1d(rows, positions, assume_unique=True)
    origin = None if positions is None else (positions, saved["n"])
    return Held(part, part.rows, inner=False, origin=origin), rows


def _refuse_other_shape(spec: FitSpec, before: Mapping[str, Any], weights: Weights) -> None:
    """What can't change between calls that go on from each other."""
    n_raw = weights.coefs[-1].shape[1]
    now = spec.as_dict()
    for name, old, new in (
        ("hidden_layer_sizes", _layers(before), _layers(now)),
        ("n_members", before["n_members"], now["n_members"]),
        ("ensemble", _shares(before), _shares(now)),
        ("norm", before["norm"], now["norm"]),
        ("topology", before["topology"], now["topology"]),
        ("loss", *((before["loss"], now["loss"]) if n_raw != spec.n_raw else ("", ""))),
        ("output_activation", _link(before), _link(now)),
        ("input_scaling", before["input_scaling"], now["input_scaling"]),
        ("numeric_embedding", before["numeric_embedding"], now["numeric_embedding"]),
        ("target_scaling", before["target_scaling"], now["target_scaling"]),
        ("optimizer", _rules(before["optimizer"]), _rules(now["optimizer"])),
    ):
        if old != new:
            raise ValueError(
                f"Training can't go on with another {name}: it was {old!r} and is {new!r}. Restore "
                "the parameter, or call fit with warm_start=False."
            )

    here = Layout(Architecture.of(spec)).shapes_by_name()
    there = weights.network(torch.float64, "cpu").trained()
    missing = [n for n, shape in here.items() if n not in there or there[n].shape != shape]
    lost = [n for n in there if n not in here and ".activation." in n]
    if missing or lost:
        raise ValueError(
            f"Training can't go on with an activation of other trained numbers or of another "
            f"width ({', '.join(missing + lost)}). Restore activation={before['activation']!r}, or "
            "call fit with warm_start=False."
        )


def _rules(optimizer: Mapping[str, Any]) -> list[Any]:
    """The rule, and what it wraps."""
    inner = optimizer.get("optimizer")
    inside = _rules(inner) if isinstance(inner, Mapping) else inner
    return [optimizer["component"], optimizer.get("wrapped"), inside]


def _shares(spec: Mapping[str, Any]) -> str:
    """Whether members share one network, as the parameter says it."""
    return "shared" if spec["ensemble"] == "shared" else "independent"


def _link(spec: Mapping[str, Any]) -> list[Any]:
    """The activation of the output, and what predictions lie between."""
    return [spec["output_activation"], spec["output_range"]]


def _layers(spec: Mapping[str, Any]) -> Any:
    """The shape of the network as it is said in messages."""
    hidden = spec["hidden_layer_sizes"]
    if isinstance(hidden, Mapping):
        return hidden
    sizes = [spec["task"]["n_features"], *hidden, spec["task"]["n_outputs"]]
    return f"{'-'.join(map(str, sizes))} (inputs to outputs)"
