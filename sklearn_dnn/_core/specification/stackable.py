"""What fits must have in common to train as one stack."""

from __future__ import annotations

from typing import Any

from .spec import FitSpec

# Numbers that are columns of a stack: its members may differ in them.
COLUMNS = (
    "learning_rate_init",
    "schedule",
    "driven",
    "max_iter",
    "clip_norm",
    "clip_value",
    "alpha",
    "l1",
    "activity_l1",
    "weight_decay",
    "label_smoothing",
    "stopping",
    "n_iter_no_change",
    "whole_cycles",
    "tol",
    "initializer",
    "bias_initializer",
    "input_dropout",
    "weight_noise",
    "ema_decay",
    # which rows members have, and how many predict together, is no matter of the stack's
    "n_members",
    "ensemble",
)


def structure(spec: FitSpec) -> dict[str, Any]:
    """What the members of a stack must have in common: all but numbers that are columns there."""
    shared = spec.as_dict()
    for name in COLUMNS:
        del shared[name]
    for name in (*spec.optimizer.varying, "weight_decay"):
        *inner, last = name.split("__")
        part = shared["optimizer"]
        for step in inner:
            part = part[step] if isinstance(part[step], dict) else {}
        part.pop(last, None)
    for rule in shared["dropout"]:
        rule.pop("rate")
    for plain, component in zip(shared["augmentation"], spec.augmentation, strict=True):
        for name in component.varying:
            plain.pop(name, None)
    for name in ("constraint", "numeric_embedding"):
        component = getattr(spec, name)
        for number in () if component is None else component.varying:
            shared[name].pop(number, None)
    shared["is_shared"], shared["n_shared"] = spec.ensemble == "shared", spec.n_shared
    shared["averages"] = spec.ema_decay > 0
    shared["watches"] = None if spec.stopping is None else spec.stopping.watch
    return shared
