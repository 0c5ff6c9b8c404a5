"""From a request and its tables to a session: all is checked, and nothing trained yet."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real

from ..data.targets import Codec
from ..messages import memory_advice, naming_input
from ..reading.given import Given
from ..reading.inputs import read_difficulty, read_validation
from .fresh_start import begin
from .request import Arguments, Request
from .session import Session
from .warm_start import go_on, refuse_what_ends


def open_session(request: Request, arguments: Arguments) -> Session:
    """Check everything that was given, and set up what the engine needs."""
    with memory_advice(request.parameters["device"]):
        given, codec = read_training(request, arguments)
        given = replace(given, difficulty=read_difficulty(arguments.difficulty, given.X))
        validation = _read_validation(request, arguments, given, codec)
        how = request.parameters["validation_fraction"]
        if arguments.groups is not None and isinstance(how, Real | str):
            raise ValueError(
                f"groups was given, but validation_fraction={how!r} holds out rows without regard "
                "to groups. Give a splitter such as sklearn.model_selection.GroupShuffleSplit as "
                "validation_fraction."
            )
        if request.earlier is None:
            session = begin(request, given, codec, validation, arguments.groups)
        else:
            session = go_on(request, request.earlier, given, validation)
    refuse_what_ends(request, session)
    return session


def read_training(request: Request, arguments: Arguments) -> tuple[Given, Codec]:
    """The rows to train on, checked, and the codec of their targets."""
    earlier, targets = request.earlier, request.targets
    given = request.read(
        arguments.X,
        arguments.y,
        arguments.sample_weight,
        reset=earlier is None,
        reading=None if earlier is None else earlier.reading,
    )
    if earlier is None:
        given, codec = targets.first(given, arguments.classes)
    else:
        codec = earlier.codec
        # scikit-learn asks a warm start for rows of all classes
        given = targets.later(given, codec, arguments.classes, all_classes=not request.in_calls)
    targets.refuse_for_loss(given)
    return given, codec


def _read_validation(
    request: Request, arguments: Arguments, given: Given, codec: Codec
) -> Given | None:
    """The validation set that the caller gave, checked; None where there is none."""
    with naming_input("the validation set (X_val, y_val, sample_weight_val)"):
        validation = read_validation(
            request.read,
            arguments.X_val,
            arguments.y_val,
            arguments.sample_weight_val,
            reading=given.reading,
        )
        if validation is None:
            return None
        validation = request.targets.judging(validation, codec)
    request.targets.refuse_for_loss(validation, "y_val: ")
    if request.earlier is None and not request.in_calls:
        request.targets.tell_of_validation(given, validation)
    return validation
