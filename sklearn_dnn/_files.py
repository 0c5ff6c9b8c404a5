"""One way to write a file: it is there whole, or is as it was."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where a file that is open can't be removed
    fcntl = None  # type: ignore[assignment]

_END = ".sklearn-dnn.tmp"  # nobody else's files end so
_LEFT = re.compile(rf"\..*\.[0-9a-f]{{8}}{re.escape(_END)}", re.DOTALL)
_KEPT_OF_NAME = 50  # characters, of up to 4 bytes; names have at most 255 bytes


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write what takes the place of another when the block ends without an error.

    Parameters
    ----------
    path : path-like
        Links are followed. The mode of a file that is there is kept, and its owner and group as
        far as the system allows it. Of a file with several names (hard links) this name alone
        gets what is new. A pipe, a device and what the process' own output goes to are written
        directly.

    Yields
    ------
    binary file
        It stands beside the other until it is whole. What killed processes left in the folder
        is removed.

    Raises
    ------
    OSError
        If it can't be written, naming `path`; a file that was there is then as before.
    """
    with _naming(path):
        direct = _direct(path)
        if direct is not None:
            with direct:
                yield direct
            return
        real, old = _replaceable(path)
        sweep(real.parent)
        beside, file = _beside(real)
        try:
            with file:
                if old is not None:
                    _keep_rights(beside, old)
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(real)
        except BaseException:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise


def begin_once(path: str | os.PathLike[str], head: bytes) -> None:
    """Put a first line into a file that is not there, or empty; of several processes one does."""
    with _naming(path), open(path, "ab") as file:
        with suppress(OSError):  # a file system without locks
            _lock(file, wait=True)
        if os.fstat(file.fileno()).st_size == 0:
            file.write(head)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise at once what `replacing` would begin with, before minutes of work; change nothing."""
    with _naming(path):
        if _own_descriptor(path) is not None:
            return
        if not _is_direct(path):
            beside, file = _beside(_replaceable(path)[0])
            file.close()
            beside.unlink()
        elif not _may_write(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def is_stream(path: str | os.PathLike[str], stream: Any) -> bool:
    """Whether a path leads to where a stream of the process, such as `sys.stdout`, goes."""
    with suppress(OSError, ValueError, AttributeError):  # not there, closed, or not of the system
        return os.path.samestat(os.stat(path), os.fstat(stream.fileno()))
    return False


def sweep(folder: Path) -> None:
    """Remove what killed processes left of files that they wrote in a folder."""
    try:
        names = os.listdir(folder)
    except OSError:  # who writes there is told
        return
    for name in names:
        if name.endswith(_END) and _LEFT.fullmatch(name):
            left = folder / name
            with suppress(OSError):  # somebody writes it, removed it already, or it is another's
                with left.open("ab") as file:
                    _lock(file, wait=False)
                    if fcntl is not None:
                        left.unlink()
                if fcntl is None:
                    left.unlink()


@contextmanager
def _naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """The system's errors name the file that was asked for, not the one beside it."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _direct(path: str | os.PathLike[str]) -> BinaryIO | None:
    """The open file of what can't be replaced; None for a regular file, there or not."""
    number = _own_descriptor(path)
    if number is not None:
        return os.fdopen(os.dup(number), "wb")
    return open(path, "wb") if _is_direct(path) else None


def _own_descriptor(path: str | os.PathLike[str]) -> int | None:
    """The number of the open file of this process that a path is a name of."""
    folder, name = os.path.split(os.path.abspath(path))
    if name.isdigit() and os.path.realpath(folder) in {"/dev/fd", f"/proc/{os.getpid()}/fd"}:
        return int(name)
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if is_stream(path, stream):
            assert stream is not None
            stream.flush()
            return stream.fileno()
    return None


def _is_direct(path: str | os.PathLike[str]) -> bool:
    try:
        kind = os.stat(path).st_mode
    except OSError:  # not there, or told of later
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def _replaceable(path: str | os.PathLike[str]) -> tuple[Path, os.stat_result | None]:
    """Where a path leads to, and what is there."""
    real = Path(os.path.realpath(path))
    try:
        old = real.stat()
    except FileNotFoundError:
        return real, None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not _may_write(real):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return real, old


def _may_write(path: str | os.PathLike[str]) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _beside(real: Path) -> tuple[Path, BinaryIO]:
    """A new file in the same folder, with the umask's mode, locked against those who sweep."""
    while True:
        name = f".{real.name[:_KEPT_OF_NAME]}.{secrets.token_hex(4)}{_END}"
        beside = real.with_name(name)
        file = beside.open("xb")
        with suppress(OSError):  # a file system without locks, where nobody sweeps
            _lock(file, wait=True)
        if beside.exists():  # it was not swept before it was locked
            return beside, file
        file.close()


def _lock(file: BinaryIO, *, wait: bool) -> None:
    """Hold a file until it is closed, or the process ends however it may."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def _keep_rights(beside: Path, old: os.stat_result) -> None:
    if os.name == "posix":
        for owner in ((-1, old.st_gid), (old.st_uid, -1)):
            with suppress(OSError):  # only root may give files away
                os.chown(beside, *owner)
    mode = stat.S_IMODE(old.st_mode)
    if stat.S_IMODE(beside.stat().st_mode) != mode:
        beside.chmod(mode)
