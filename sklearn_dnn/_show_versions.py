"""What a report of a problem should begin with."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch
from threadpoolctl import threadpool_info

from ._threads import available_threads
from ._version import __version__

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "pandas", "threadpoolctl", "joblib")
OPTIONAL = ("matplotlib", "polars", "pyarrow", "skops", "tensorboard", "tqdm")


def show_versions() -> None:
    """Print what a report of a problem should begin with.

    Versions of Python, of this package and of those it uses; devices; default types and the
    smallest relative difference (eps) of each; threads; libraries with pools of threads.

    Examples
    --------
    >>> from sklearn_dnn import show_versions
    >>> show_versions()  # doctest: +SKIP
    """
    blocks = {
        "System": {
            "python": sys.version.replace("\n", " "),
            "executable": sys.executable,
            "machine": platform.platform(),
        },
        "Packages": {"sklearn_dnn": __version__} | {name: _version(name) for name in PACKAGES},
        "Optional packages": {name: _version(name) for name in OPTIONAL},
        "Devices": _devices(),
        "Numbers": {
            "torch default": str(torch.get_default_dtype()),
            "numpy default": str(np.zeros(1).dtype),
            "eps float32": f"{torch.finfo(torch.float32).eps:.6g}",
            "eps float64": f"{torch.finfo(torch.float64).eps:.6g}",
        },
        "Threads": {
            "of torch": str(torch.get_num_threads()),
            "between operations": str(torch.get_num_interop_threads()),
            "granted to a fit": str(available_threads()),
        },
    }
    for title, block in blocks.items():
        _print_block(title, block)
    for i, library in enumerate(threadpool_info()):
        _print_block(f"Pool of threads {i}", {name: str(v) for name, v in library.items()})


def _devices() -> dict[str, str]:
    """CUDA as torch was built for it, and what devices it finds."""
    found = {
        "CUDA build": str(torch.version.cuda),
        "CUDA available": str(torch.cuda.is_available()),
    }
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            found[f"cuda:{i}"] = torch.cuda.get_device_name(i)
    return found


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _print_block(title: str, block: dict[str, str]) -> None:
    print(f"\n{title}:")
    width = max(map(len, block))
    for name, value in block.items():
        print(f"{name:>{width + 4}}: {value}")
