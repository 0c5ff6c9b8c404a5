"""Conditions of activations and initializers that nothing refuses, and that are told of."""

from __future__ import annotations

from ..._warnings import warn
from ...components.activations import ACTIVATIONS
from ...components.dropouts import AlphaDropout
from ...components.initializers import LecunNormal, LecunUniform
from .spec import FitSpec, is_on

# An l2 penalty of this strength, scikit-learn's default, is too weak to move selu's fixed point.
WEAK_ALPHA = 1e-4


def warn_of_missing_blocks(spec: FitSpec) -> None:
    """Say that a residual network without a whole block is a plain one."""
    size = spec.topology.block_size
    if spec.module is None and size > len(spec.hidden_layer_sizes):
        warn(
            f"topology={spec.topology!r} bridges blocks of {size} hidden layers, but "
            f"hidden_layer_sizes={spec.hidden_layer_sizes!r} has none: the network is a plain one. "
            "Use more layers, or Residual(block_size=1)."
        )


def warn_of_broken_conditions(spec: FitSpec, standardised: bool) -> None:
    """Say which of selu's conditions are broken, since it then no longer normalizes itself.

    Parameters
    ----------
    spec : FitSpec
    standardised : bool
        Whether the network's inputs have about mean 0 and standard deviation 1.
    """
    selus = [ACTIVATIONS.name_of(activation) == "selu" for activation in spec.activation]
    if not any(selus):
        return
    broken = []
    drawn = [i for i, is_selu in zip(spec.initializer, selus, strict=False) if is_selu]
    if not all(isinstance(i, LecunNormal | LecunUniform) for i in drawn):
        broken.append(f"initializer={drawn[0]!r} (use 'lecun_normal')")
    if spec.norm is not None:
        broken.append(f"norm={spec.norm!r} (use None)")
    for rule in spec.dropout:
        if rule.rate > 0 and not isinstance(rule, AlphaDropout):
            broken.append(f"dropout={rule!r} (use AlphaDropout)")
            break
    if spec.topology.block_size or spec.topology.wide:
        broken.append(f"topology={spec.topology!r} (use 'plain')")
    if not standardised:
        broken.append("the inputs' scale (standardize them, e.g. input_scaling='standard')")
    if spec.numeric_embedding is not None:
        broken.append(f"numeric_embedding={spec.numeric_embedding!r} (use None)")
    strengths = spec.alpha if isinstance(spec.alpha, tuple) else (spec.alpha,)
    if max(strengths) > WEAK_ALPHA:
        broken.append(f"alpha={spec.alpha!r} (use alpha dropout instead of a penalty)")
    if is_on(spec.l1):
        broken.append(f"l1={spec.l1!r} (use alpha dropout instead of a penalty)")
    if spec.constraint is not None:
        broken.append(f"constraint={spec.constraint!r} (use None)")
    if broken:
        warn(
            f"activation='selu' keeps mean 0 and variance 1 only under its conditions; broken: "
            f"{'; '.join(broken)}."
        )
