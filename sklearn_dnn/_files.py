"""One way to write a file: it is there whole, or is as it was."""

from __future__ import annotations

import glob
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where a file that is open can't be removed
    fcntl = None  # type: ignore[assignment]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write what takes the place of another when the block ends without an error.

    Parameters
    ----------
    path : path-like
        Links are followed. The mode of a file that is there is kept. A pipe, a device and what the
        process' own standard output goes to are written directly.

    Yields
    ------
    binary file
        It stands beside the other until it is whole. What a process left that was killed while
        it wrote is removed.

    Raises
    ------
    OSError
        If it can't be written; a file that was there is then as before.
    """
    direct = _direct(path)
    if direct is not None:
        with direct:
            yield direct
        return
    real = Path(os.path.realpath(path))
    mode = None
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(real.stat().st_mode)
        if not os.access(real, os.W_OK):
            raise PermissionError(f"{os.fspath(path)!r} may not be written")
    sweep(real.parent, real.name)
    beside, file = _beside(real)
    try:
        with file:
            if mode is not None:
                beside.chmod(mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(real)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def sweep(folder: Path, name: str = "") -> None:
    """Remove what killed processes left beside a file, or beside all files of a folder."""
    pattern = f".{glob.escape(_short(name)) if name else '*'}.????????.tmp"
    for left in folder.glob(pattern):
        with suppress(OSError):  # somebody writes it, or removed it already
            with left.open("rb") as file:
                _lock(file)
                if fcntl is not None:
                    left.unlink()
            left.unlink(missing_ok=True)


def _direct(path: str | os.PathLike[str]) -> BinaryIO | None:
    """The open file of what can't be replaced; None for a regular file, there or not."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or not of the system
            number = stream.fileno()
            if os.path.samestat(found, os.fstat(number)):
                stream.flush()
                return os.fdopen(os.dup(number), "wb")
    if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        return None
    return open(path, "wb")


def _beside(real: Path) -> tuple[Path, BinaryIO]:
    """A new file in the same folder, locked against those who sweep, with the umask's mode."""
    if real.is_dir():
        raise IsADirectoryError(f"{os.fspath(real)!r} is a folder, not a file")
    while True:
        beside = real.with_name(f".{_short(real.name)}.{secrets.token_hex(4)}.tmp")
        file = os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb")
        with suppress(OSError):  # a file system without locks
            _lock(file)
        if os.fstat(file.fileno()).st_nlink:  # it was not swept before it was locked
            return beside, file
        file.close()


def _lock(file: BinaryIO) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _short(name: str) -> str:
    """A part of a name that leaves room for a suffix."""
    return name[:60]
