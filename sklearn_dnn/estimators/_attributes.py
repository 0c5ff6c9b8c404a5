"""The fitted attributes of the estimators: their texts, declared once."""

from __future__ import annotations

from typing import NamedTuple


class Attribute(NamedTuple):
    """One entry of the docstrings' section of attributes.

    Parameters
    ----------
    name : str
        Or several, with commas between.
    kind, text : str
        As numpydoc has them.
    only : str or None
        The estimator that has it, or has it so; None for both.
    """

    name: str
    kind: str
    text: str
    only: str | None = None


ATTRIBUTES = [
    Attribute(
        "classes_",
        "ndarray of shape (n_classes,)",
        """Labels, sorted; for an indicator matrix the numbers of its columns.""",
        only="MLPClassifier",
    ),
    Attribute(
        "coefs_",
        "list of ndarray of shape (n_in, n_out)",
        """Weights of each layer; the first one's refer to standardised columns, or to what
        `numeric_embedding` makes of them. With ``n_members > 1`` these arrays, and those of the
        next five attributes, have a leading axis of members.""",
    ),
    Attribute(
        "intercepts_",
        "list of ndarray of shape (n_out,)",
        """Biases of each layer; zeros where a norm behind it makes them redundant.""",
    ),
    Attribute(
        "norm_weights_, norm_statistics_",
        "list of dict of ndarray",
        """What the norm of each hidden layer has learnt and measured.""",
    ),
    Attribute(
        "extra_weights_",
        "dict of ndarray",
        """What else the network consists of, by name: learnt slopes, skip connections, the norm of
        the inputs, embeddings, an auxiliary output, a hidden part of the user's own, and what
        each of the members that share the network has for its own.""",
    ),
    Attribute(
        "embeddings_",
        "dict of ndarray or None",
        """Of these, what `numeric_embedding` has learnt and measured, and the vectors of
        categories' levels ("codes"); None where there are none.""",
    ),
    Attribute(
        "input_mean_, input_scale_",
        "ndarray of shape (n_features,) or None",
        """The standardisation of the inputs, in front of a norm of the inputs too; NaN for columns
        that are no numbers. None without.""",
    ),
    Attribute(
        "input_columns_",
        "dict",
        """What else becomes of the columns: medians that stand for gaps, which columns have an
        indicator of gaps, other scalings, and slots of levels.""",
    ),
    Attribute(
        "is_categorical_",
        "ndarray of bool, shape (n_features,), or None",
        """Columns of categories; None without any.""",
    ),
    Attribute(
        "is_parsed_",
        "ndarray of bool, shape (n_features,), or None",
        """Columns of numbers that came as text or as objects; None without any. In these a cell of
        text that does not read as a number is a gap later on, with a warning.""",
    ),
    Attribute(
        "categories_",
        "list of ndarray",
        """The levels of each column of categories that were seen in `fit`.""",
    ),
    Attribute(
        "target_mean_, target_scale_",
        "ndarray of shape (n_outputs,)",
        """The units of the targets: the network learns ``(y - mean) / scale``.""",
        only="MLPRegressor",
    ),
    Attribute(
        "target_is_column_",
        "bool",
        """Whether y had one axis, as predictions then have.""",
        only="MLPRegressor",
    ),
    Attribute(
        "n_features_in_",
        "int",
        """Columns seen in `fit`.""",
    ),
    Attribute(
        "feature_names_in_",
        "ndarray of shape (`n_features_in_`,)",
        """Their names; only where all are strings.""",
    ),
    Attribute(
        "members_",
        "list of dict",
        """One a member: "n_iter", "best_iter", "end_reason", "loss_curve",
        "validation_loss_curve", "validation_scores" and "history". The attributes below are the
        largest numbers of epochs, the end of the member that trained longest, and means of
        curves over the members that were still training.""",
    ),
    Attribute(
        "n_iter_",
        "int",
        """Epochs that the last call of `fit` or `partial_fit` did. `t_` and the curves are of all
        calls that went on from each other.""",
    ),
    Attribute(
        "t_",
        "int",
        """Rows that training has seen.""",
    ),
    Attribute(
        "best_iter_",
        "int",
        """The epoch, from 1, after which the monitored value was best.""",
    ),
    Attribute(
        "end_reason_",
        "str",
        """Why training ended: "max_iter", "patience" (what early stopping watches saw no
        improvement), "tol" (the training loss did not fall, or the gradient vanished), "target"
        or "baseline" (of :class:`~sklearn_dnn.components.EarlyStopping`), "time", "callback",
        "interrupted" or "diverged" (the loss was no longer finite, or rose from the first epoch
        on and never again came below it).""",
    ),
    Attribute(
        "loss_",
        "float",
        """Training loss of the last epoch, penalties included.""",
    ),
    Attribute(
        "best_loss_",
        "float or None",
        """Smallest training loss; None under early stopping.""",
    ),
    Attribute(
        "loss_curve_",
        "list of float",
        """Training loss of each epoch, penalties included.""",
    ),
    Attribute(
        "validation_loss_curve_",
        "list of float or None",
        """Loss on the validation part after each epoch, without penalties.""",
    ),
    Attribute(
        "validation_scores_",
        "list of float or None",
        """Accuracy on the validation part after each epoch, weighted as training is by
        `sample_weight` and `class_weight`; the `monitor`'s score where one is given.""",
        only="MLPClassifier",
    ),
    Attribute(
        "validation_scores_",
        "list of float or None",
        """Coefficient of determination on the validation part after each epoch; the `monitor`'s
        score where one is given.""",
        only="MLPRegressor",
    ),
    Attribute(
        "best_validation_score_",
        "float or None",
        """The largest of them.""",
    ),
    Attribute(
        "temperature_",
        "float",
        """What `calibration` divided raw outputs by, which `coefs_` and `intercepts_` of the
        output layer hold already; 1.0 without.""",
        only="MLPClassifier",
    ),
    Attribute(
        "lr_curve_",
        "list of float",
        """Learning rate of each epoch's last step.""",
    ),
    Attribute(
        "history_",
        "dict of list",
        """All of these by name, with the seconds of each epoch; ``pd.DataFrame(est.history_)``.
        Where gradients are clipped, "gradient_norm" is an epoch's mean l2 norm of the whole
        gradient before any clip, and "clipped" the share of its steps in which `clip_norm` or
        `clip_value` cut something; else both are None.""",
    ),
    Attribute(
        "n_layers_",
        "int",
        """Layers, inputs and outputs counted.""",
    ),
    Attribute(
        "n_outputs_",
        "int",
        """Raw outputs.""",
    ),
    Attribute(
        "n_parameters_",
        "int",
        """Trainable numbers.""",
    ),
    Attribute(
        "out_activation_",
        "str",
        """Name of the inverse link.""",
    ),
    Attribute(
        "spec_",
        "dict",
        """What was really done, as nested plain values: no "auto" is left.""",
    ),
    Attribute(
        "device_",
        "str",
        """Where the network was trained.""",
    ),
    Attribute(
        "own_components_",
        "dict",
        """Components of a user's own that the network was fitted with; empty without.""",
    ),
    Attribute(
        "state_format_",
        "int",
        """Version of these attributes.""",
    ),
]
