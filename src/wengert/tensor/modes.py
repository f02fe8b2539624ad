"""Whether operations are recorded: `no_grad` and its relatives, as context managers and as decorators."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import Token
from typing import Any

from wengert.core.tape import NOTED, is_recording
from wengert.transforms.watch import is_watching


def recording(is_on: bool) -> Any:
    """The state in which operations are recorded, or are not: within `wengert.anomaly` nodes remember where they were made."""
    return (NOTED if is_watching.get() else True) if is_on else False


class Mode:
    """Recording switched on or off inside a `with` block, or while a decorated function runs."""

    is_on = False

    def __init__(self) -> None:
        self._tokens: list[Token[Any]] = []

    def __enter__(self) -> None:
        self._tokens.append(is_recording.set(recording(self.is_on)))

    def __exit__(self, *reason: object) -> None:
        is_recording.reset(self._tokens.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, run in this mode."""

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            token = is_recording.set(recording(self.is_on))
            try:
                return function(*args, **kwargs)
            finally:
                is_recording.reset(token)

        return run


class no_grad(Mode):
    """Nothing is recorded: results require no gradient, and leaves may be written into.

    Example:
        >>> import wengert as wg
        >>> x = wg.tensor([1.0], requires_grad=True)
        >>> with wg.no_grad():
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        """`@no_grad` and `@no_grad()` are the same."""
        mode = super().__new__(cls)
        if function is None:
            return mode
        mode.__init__()  # type: ignore[misc]  # a decorator without parentheses makes the mode itself
        return mode(function)


class enable_grad(no_grad):
    """Operations are recorded again, inside a `no_grad`."""

    is_on = True


class inference_mode(no_grad):
    """`no_grad`; there is nothing more to switch off here."""

    def __new__(cls, mode: Any = True) -> Any:
        """`inference_mode(False)` changes nothing."""
        return set_grad_enabled(is_recording.get()) if mode is False else super().__new__(cls, None if mode is True else mode)

    def __init__(self, mode: Any = True) -> None:
        super().__init__()


class set_grad_enabled(Mode):
    """Recording as `mode` says, at once; used in a `with` statement, until the block ends."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.is_on = bool(mode)
        self._tokens.append(is_recording.set(recording(self.is_on)))

    def __enter__(self) -> None:
        if not self._tokens:
            super().__enter__()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, run in this mode; here and now the mode is as before."""
        if self._tokens:
            is_recording.reset(self._tokens.pop())
        return super().__call__(function)


def is_grad_enabled() -> bool:
    """Whether operations are recorded now."""
    return bool(is_recording.get())
