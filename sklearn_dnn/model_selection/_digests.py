"""Digests of bytes, and of the values that have no parts."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

# Values without parts, as bytes.
BYTES_OF: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"",
    bool: lambda value: bytes([value]),
    int: lambda value: hex(value).encode(),
    float: lambda value: struct.pack("<d", value),
    str: lambda value: value.encode("utf-8", "surrogatepass"),
    bytes: lambda value: value,
}


def digest(kind: str, *parts: bytes) -> bytes:
    """The digest of a value of that kind, by the digests or bytes of its parts."""
    found = hashlib.sha256(kind.encode())
    for part in parts:
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    return found.digest()


def is_constant(value: Any) -> bool:
    """Whether a value is a number, a text, or a tuple of them."""
    if type(value) in {tuple, frozenset}:
        return all(map(is_constant, value))
    return type(value) in {*BYTES_OF, complex} or isinstance(value, np.generic)
