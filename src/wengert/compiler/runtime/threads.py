"""How many threads compiled programs may use."""

from __future__ import annotations

from wengert.compiler.runtime.library import default_threads, library
from wengert.errors import ArgumentError, page


def set_threads(n: int | None = None) -> None:
    """See `wengert.set_threads`."""
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
        raise ArgumentError(page(
            f"set_threads was given {n!r}.",
            "It takes the number of threads that compiled programs may use at once: 1 or more.",
            "wg.set_threads(4)\nwg.set_threads()   # as many as there are processors",
            "argument",
        ))  # fmt: skip
    library().set_word("wg_threads", default_threads() if n is None else n)


def get_threads() -> int:
    """See `wengert.get_threads`."""
    return library().word("wg_threads")
