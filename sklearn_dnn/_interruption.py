"""Ctrl-C where a loop fits: a fit that was cut off is told to the loop, and never counts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

_IN_LOOP: ContextVar[bool] = ContextVar("in_loop", default=False)
_STOP: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


def in_loop() -> bool:
    """Whether a loop surrounds what is done in this thread."""
    return _IN_LOOP.get()


@contextmanager
def loop() -> Iterator[None]:
    """Within the block, a network's fit that the user interrupts raises KeyboardInterrupt.

    Outside it ends with a warning, and keeps what was learnt: right for a person who watches,
    and wrong for a loop that would judge the half-trained network and go on. Threads and
    processes that work for the loop open a block of their own.
    """
    token = _IN_LOOP.set(True)
    try:
        yield
    finally:
        _IN_LOOP.reset(token)


@contextmanager
def stopped_by(event: threading.Event) -> Iterator[None]:
    """Within the block, networks stop at the end of an epoch once an event is set.

    Ctrl-C and errors reach one thread; so those that work beside it need not go on for nothing.
    """
    token = _STOP.set(event)
    try:
        yield
    finally:
        _STOP.reset(token)


def raise_if_stopped() -> None:
    """Raise KeyboardInterrupt if the event of :func:`stopped_by` is set."""
    event = _STOP.get()
    if event is not None and event.is_set():
        raise KeyboardInterrupt("What this fit was for has ended.")


@contextmanager
def whole_fit() -> Iterator[None]:
    """A :func:`loop` that no estimator, of whatever make, leaves as if it was not interrupted.

    Others catch Ctrl-C as well, such as scikit-learn's networks; after the signal the block ends
    with KeyboardInterrupt.
    """
    pressed: list[int] = []
    with loop(), _noting(pressed):
        try:
            yield
        except Exception as error:
            if pressed:  # what follows from a fit that was cut off
                raise KeyboardInterrupt from error
            raise
    if pressed:
        raise KeyboardInterrupt


@contextmanager
def _noting(pressed: list[int]) -> Iterator[None]:
    """Note Ctrl-C in a list, and let the handler that is there do what it does."""
    before = signal.getsignal(signal.SIGINT)
    # only the main thread may set handlers, and gets the interruption
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def noting(number: int, frame: FrameType | None) -> None:
        try:
            before(number, frame)
        except KeyboardInterrupt:
            pressed.append(number)
            raise

    signal.signal(signal.SIGINT, noting)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
