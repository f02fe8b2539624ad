"""Dataclasses that nobody changes, and of which a long program has a hundred thousand.

`@immutable(frozen=True, ...)` is `@dataclass(frozen=True, ...)` to whoever checks types, so that a line which writes to a field is an
error there.  When it runs, fields are plain slots: a frozen dataclass takes four times as long to make, as each field passes a guard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as immutable
else:
    from dataclasses import dataclass

    def immutable(*, frozen: bool, eq: bool = True, slots: bool = True) -> Any:
        """See the module; equal ones have one hash."""
        assert frozen
        return dataclass(eq=eq, unsafe_hash=eq, slots=slots)


__all__ = ["immutable"]
