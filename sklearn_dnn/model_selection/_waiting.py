"""Threads that a search waits for, whatever ends it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Event
from typing import Any

from .._interruption import raise_if_stopped, stopped_by

Task = Callable[..., Any]


@contextmanager
def waited_for() -> Iterator[Task]:
    """A block that threads' tasks do not outlive; it gives what calls one: ``does(task, *args)``.

    Where the block ends by an error, networks stop at the end of their epoch. The filters of
    warnings are those from before: scikit-learn changes them in each task, and puts back what
    other threads had changed at that time.
    """
    stop, changed, running = Event(), Condition(), set()

    def does(task: Task, *args: Any) -> Any:
        me = object()
        with changed:
            running.add(me)
        try:
            with stopped_by(stop):
                raise_if_stopped()
                return task(*args)
        finally:
            with changed:
                running.remove(me)
                changed.notify_all()

    with warnings.catch_warnings():
        try:
            yield does
        except BaseException:
            stop.set()
            raise
        finally:
            with changed:
                changed.wait_for(lambda: not running)
