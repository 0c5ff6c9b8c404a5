"""The one place where text goes to a terminal, which shows it and never obeys it."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TextIO


def printable(text: object) -> str:
    """Text on one line, without what a terminal would obey, such as colours and line ends.

    What is not printable, in Python's sense, becomes an escape, as in `repr`; other text is as
    it was.
    """
    line = str(text)
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else _escape(c) for c in line)


def printable_lines(text: str) -> str:
    """As `printable`, but for the ends of lines."""
    return "\n".join(map(printable, text.split("\n")))


def show(text: str, stream: TextIO | None) -> None:
    """Print lines, whatever the encoding of the stream; see `write` for its errors."""
    encoding = (None if stream is None else stream.encoding) or "utf-8"
    lines = printable_lines(text)
    write(lines.encode(encoding, "backslashreplace").decode(encoding), stream)


def write(text: str, stream: TextIO | None) -> None:
    """Write all of a text as it is, or raise.

    Raises
    ------
    OSError
        If the stream can't take it, such as a file on a full disk, or a pipe whose reader has
        gone.
    """
    if stream is None:  # it was closed before Python began
        raise OSError(errno.EBADF, "it is closed")
    stream.flush()
    try:
        number = None if stream.isatty() else stream.fileno()
    except OSError:  # not of the system
        number = None
    if number is None:
        stream.write(text)
        stream.flush()
        return
    # Where Python does not buffer (PYTHONUNBUFFERED), a stream drops without a word what a disk
    # has no room for.
    with os.fdopen(os.dup(number), "wb") as file:
        file.write(text.replace("\n", os.linesep).encode(stream.encoding))


def say(text: object) -> None:
    """Print one line on the standard error."""
    if sys.stderr is not None:
        with suppress(OSError):  # nobody listens, and the work goes on
            show(f"{printable(text)}\n", sys.stderr)


def say_over(text: object = "") -> None:
    """Print a line on a terminal over the one before."""
    with suppress(OSError):
        print(f"\r{printable(text)}\x1b[K", end="", file=sys.stderr, flush=True)


def is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
