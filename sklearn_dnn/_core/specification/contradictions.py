"""Parameters that do not go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...components.activations import Relu
from ...components.augmentations import TargetNoise
from ...components.dropouts import DropoutRule
from ...components.initializers import Fixup
from ...components.losses import Loss
from ...components.norms import BatchNorm, Norm
from ...components.optimizers import FTRL, OPTIMIZERS
from ...components.schedules import Constant
from .driven import taken_apart
from .spec import FitSpec, is_on

# Rows that torch can draw from with unequal chances.
_DRAWABLE = 2**24


def refuse_contradictions(spec: FitSpec, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that contradict each other, showing both values.

    Parameters
    ----------
    spec : FitSpec
        What they were resolved to.
    parameters : mapping
        As they were given, which says more where nothing was made of them.
    """
    _refuse_norms(spec)
    _refuse_targets(spec)
    _refuse_calibration(spec)
    _refuse_augmentations(spec)
    _refuse_training(spec)
    if spec.module is not None:
        _refuse_beside_module(spec, parameters)
    if spec.n_shared > 1:
        _refuse_beside_shared(spec)
    if spec.optimizer.full_batch:
        _refuse_beside_full_batch(spec)


def _refuse_norms(spec: FitSpec) -> None:
    for name, norm in (("norm", spec.norm), ("input_scaling", spec.input_norm)):
        if isinstance(norm, BatchNorm) and spec.batch_size == 1 and spec.task.n_training > 1:
            raise ValueError(
                f"{name}={norm!r} needs the variance of a batch, but batch_size=1. Use "
                "batch_size >= 2, or norm='layer'."
            )
    if spec.input_norm is not None:
        _refuse_norm_of_inputs(spec.input_norm, spec)
    if spec.norm is not None and spec.module is None:
        for width in spec.hidden_layer_sizes:
            spec.norm.check_width(width)
        if spec.norm.on_weights and spec.hidden_layer_sizes:
            _refuse_beside_norm_of_weights(spec)
    if spec.module is None:
        spec.topology.auxiliary_position(len(spec.hidden_layer_sizes))


def _refuse_norm_of_inputs(norm: Norm, spec: FitSpec) -> None:
    if norm.on_weights:
        raise ValueError(
            f"input_scaling={norm!r} is a norm of weights, and inputs have none. Use "
            "input_scaling='standard' or a norm of outputs, such as 'batch_norm' or LayerNorm()."
        )
    if spec.task.n_numbers > 0:
        norm.check_width(spec.task.n_numbers, "input_scaling")
    embedding = spec.numeric_embedding
    if embedding is not None and embedding.measures:
        raise ValueError(
            f"numeric_embedding={embedding!r} measures columns before the first step, but "
            f"input_scaling={norm!r} changes them while it is trained. Use "
            "input_scaling='standard', or numeric_embedding='periodic'."
        )


def _refuse_beside_norm_of_weights(spec: FitSpec) -> None:
    """What contradicts lengths and directions that are learnt apart."""
    if spec.constraint is not None:
        raise ValueError(
            f"constraint={spec.constraint!r} bounds weights, but norm={spec.norm!r} learns their "
            "lengths and directions apart. Set constraint=None, or use another norm."
        )
    n_hidden = len(spec.hidden_layer_sizes)
    for i, initializer in enumerate(spec.initializer[:-1]):
        if isinstance(initializer, Fixup) and spec.topology.ends_block(i, n_hidden):
            raise ValueError(
                f"initializer={initializer!r} starts the last layer of each block at zero, which "
                f"norm={spec.norm!r} could never leave: zeros have no direction. Use norm=None, as "
                "Fixup is meant for, or initializer='auto'."
            )


def _smooths(loss: Loss) -> bool:
    return type(loss).smooth is not Loss.smooth


def _refuse_targets(spec: FitSpec) -> None:
    if spec.label_smoothing > 0 and not _smooths(spec.objective):
        raise ValueError(
            f"label_smoothing={spec.label_smoothing!r} needs a loss with labels to smooth, but "
            f"loss={spec.loss!r} has no method `smooth`. Set label_smoothing=0.0, or use "
            "loss='log_loss'."
        )


def _refuse_calibration(spec: FitSpec) -> None:
    if spec.calibration is None:
        return
    if not spec.objective.is_calibratable:
        raise ValueError(
            f"calibration={spec.calibration!r} fits a temperature by the log loss, but "
            f"loss={spec.loss!r} is another. Set calibration=None, or use loss='log_loss'."
        )
    if not spec.early_stopping:
        raise ValueError(
            f"calibration={spec.calibration!r} needs rows that do not train, but early stopping "
            "holds none out. Set early_stopping=True, give X_val and y_val, or set "
            "calibration=None."
        )


def _refuse_augmentations(spec: FitSpec) -> None:
    for augmentation in spec.augmentation:
        if spec.task.kind not in augmentation.kinds:
            raise ValueError(
                f"augmentation={augmentation!r} is for {sorted(augmentation.kinds)} targets, but "
                f"these are {spec.task.kind}."
            )
        if isinstance(augmentation, TargetNoise) and not spec.objective.scales_target:
            raise ValueError(
                f"augmentation={augmentation!r} may leave the targets that loss={spec.loss!r} "
                "allows. Use a loss and an output without bounds, or noise on the inputs."
            )
        if spec.task.levels and not augmentation.takes_codes:
            raise ValueError(
                f"augmentation={augmentation!r} makes rows that may lie between others, but "
                f"{len(spec.task.levels)} columns hold categories, which have nothing between "
                "them. Leave the augmentation out, or encode the categories as columns of numbers."
            )
        if augmentation.needs_smoothing and not _smooths(spec.objective):
            raise ValueError(
                f"augmentation={augmentation!r} needs a loss with labels to smooth, but "
                f"loss={spec.loss!r} has no method `smooth`. Leave the augmentation out, or use "
                "loss='log_loss'."
            )
        several = spec.task.kind == "multiclass"
        mixes = augmentation.needs_distribution or augmentation.needs_smoothing
        if several and mixes and not spec.objective.takes_distributions:
            raise ValueError(
                f"augmentation={augmentation!r} makes targets that are shares of several classes, "
                f"but loss={spec.loss!r} takes the index of a single class "
                "(takes_distributions=False). Use an augmentation of the inputs such as "
                "'input_noise', loss='log_loss', or, if your function takes shares too, "
                "FunctionLoss(function, takes_distributions=True)."
            )


def _refuse_training(spec: FitSpec) -> None:
    watches = spec.early_stopping
    if spec.monitor != "loss" and not watches:
        raise ValueError(
            f"monitor={spec.monitor!r} scores a validation part, but early_stopping is off. Use "
            "early_stopping=True, give X_val and y_val, or leave monitor='loss'."
        )
    if spec.refits and (not watches or spec.task.has_validation):
        raise ValueError(
            f"early_stopping={spec.stopping!r} trains again on the held-out rows, but there are "
            "none. Set refit=False, or let early stopping hold rows out (watch='validation', no "
            "X_val)."
        )
    if spec.activity_l1 > 0 and spec.module is None and not spec.hidden_layer_sizes:
        raise ValueError(
            f"activity_l1={spec.activity_l1!r} penalises the outputs of hidden layers, but "
            "hidden_layer_sizes=() has none. Set activity_l1=0.0, or give hidden layers."
        )
    if spec.optimizer.needs_gpu and spec.device == "cpu":
        raise ValueError(
            f"optimizer={spec.optimizer!r} works on a GPU alone (capturable=True), but "
            "device='cpu'. Set capturable=False, or device='cuda' where there is one."
        )
    if not spec.optimizer.follows_rate and not isinstance(spec.schedule, Constant):
        raise ValueError(
            f"optimizer={OPTIMIZERS.name_of(spec.optimizer)!r} finds its own step lengths, but "
            f"schedule={spec.schedule!r}. Leave schedule='constant', or choose another optimizer."
        )
    if isinstance(spec.optimizer, FTRL) and spec.weight_decay > 0:
        raise ValueError(
            f"weight_decay={spec.weight_decay!r} is partly undone by optimizer={spec.optimizer!r}, "
            "which computes weights anew from sums of gradients. Use its own l2, or alpha."
        )
    if spec.curriculum is not None and not spec.task.has_difficulty:
        raise ValueError(
            f"curriculum={spec.curriculum!r} orders rows by difficulty: call "
            "fit(X, y, difficulty=...), or set curriculum=None."
        )
    if spec.curriculum is not None and spec.task.n_training > _DRAWABLE:
        raise ValueError(
            f"curriculum={spec.curriculum!r} draws from at most {_DRAWABLE} rows, but there are "
            f"{spec.task.n_training}. Set curriculum=None, or train on a part of the rows."
        )
    if spec.curriculum is None and spec.task.has_difficulty:
        raise ValueError(
            "difficulty was given, but curriculum=None makes no use of it. Set curriculum='linear' "
            "or leave difficulty out."
        )


def _in_layers(parameters: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """What hidden layers of ours would do, as (name, value, default); equal where it is that."""
    activation, dropout = parameters["activation"], parameters["dropout"]
    is_relu = isinstance(activation, Relu)
    rule, _ = taken_apart(dropout)
    drops_none = rule is None or (rule.rate if isinstance(rule, DropoutRule) else rule) == 0
    return [
        ("activation", "relu" if is_relu else activation, "relu"),
        ("dropout", 0.0 if drops_none else dropout, 0.0),
    ]


def _refuse_beside_module(spec: FitSpec, parameters: Mapping[str, Any]) -> None:
    """What a user's own hidden part does by itself."""
    for name, value, off in (
        ("norm", spec.norm, None),
        ("activity_l1", spec.activity_l1, 0.0),
        ("weight_noise", spec.weight_noise, 0.0),
        ("constraint", spec.constraint, None),
        *_in_layers(parameters),
    ):
        if value != off:
            raise ValueError(
                f"hidden_layer_sizes={spec.module!r} is a module of your own, which {name}="
                f"{value!r} can't reach into. Set {name}={off!r} and put it into the module."
            )
    topology = spec.topology
    if topology.block_size or topology.wide or topology.auxiliary_weight:
        raise ValueError(
            f"hidden_layer_sizes={spec.module!r} is a module of your own, but topology="
            f"{topology!r} joins layers. Use topology='plain'."
        )


def _refuse_beside_shared(spec: FitSpec) -> None:
    """What has no meaning where members multiply one matrix by factors of their own."""
    shares = f"n_members={spec.n_members!r} with ensemble='shared'"
    if spec.module is None and not spec.hidden_layer_sizes:
        raise ValueError(
            f"{shares} shares hidden layers, but hidden_layer_sizes=() has none. Give one at "
            "least, or use ensemble='independent'."
        )
    for name, value, off in (
        ("constraint", spec.constraint, None),
        ("weight_noise", spec.weight_noise, 0.0),
    ):
        if value != off:
            raise ValueError(
                f"{shares} multiplies matrices by factors of each member, so that {name}="
                f"{value!r} would not act on the weights that are used. Set {name}={off!r}, or use "
                "ensemble='independent'."
            )


def _refuse_beside_full_batch(spec: FitSpec) -> None:
    """What a search along a line can't stand: noise, and what follows a step."""
    name = OPTIMIZERS.name_of(spec.optimizer)
    for parameter, value, off in (
        ("dropout", max(spec.dropout_rates, default=0.0), 0.0),
        ("input_dropout", spec.input_dropout, 0.0),
        ("weight_noise", spec.weight_noise, 0.0),
        ("augmentation", spec.augmentation or None, None),
        ("curriculum", spec.curriculum, None),
        ("clip_norm", None if spec.clip_norm is None else spec.clip_norm.max_norm, None),
        ("clip_value", spec.clip_value, None),
        ("l1", spec.l1 if is_on(spec.l1) else 0.0, 0.0),
        ("weight_decay", spec.weight_decay, 0.0),
        ("constraint", spec.constraint, None),
        ("ema_decay", spec.ema_decay, 0.0),
        ("activity_l1", spec.activity_l1, 0.0),
    ):
        if value != off:
            raise ValueError(
                f"optimizer={name!r} minimises one smooth function by a line search, but "
                f"{parameter}={value!r}. Set {parameter}={off!r} (alpha penalises weights "
                "smoothly), or choose another optimizer."
            )
    if any(activation.noisy for activation in spec.activation):
        raise ValueError(
            f"optimizer={name!r} minimises one smooth function by a line search, but "
            f"activation={spec.activation!r} draws at random. Choose another optimizer."
        )
