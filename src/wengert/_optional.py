"""The one door to optional packages: loaded when first used, with advice when missing."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any


@cache
def load(module: str, purpose: str, extra: str) -> Any:
    """The module; raises `ImportError` that says which extra to install for `purpose`."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        msg = f"{purpose} needs {package}, which is not installed: pip install 'wengert[{extra}]'"
        raise ImportError(msg) from error
