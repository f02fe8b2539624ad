"""What an eval asks for: a function, the arrays that it takes, and the answer as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Arrays as lists, and containers of them as containers of lists."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


@dataclass(frozen=True)
class Function:
    """`compute(*prepare(input))` is what is timed; `finish` makes the answer of its result."""

    prepare: Callable[[dict[str, Any]], tuple[Any, ...]]
    compute: Callable[..., Any]
    finish: Callable[[Any], Any] = plain
