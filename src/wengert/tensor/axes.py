"""Axes as PyTorch names them: `dim`, a number, several, or none for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Dim = int | Sequence[int] | None


def axes_of(x: Any, dim: Dim) -> tuple[int, ...]:
    """The axes that `dim` names, counted from the end; all of them for `None` and for none."""
    rank = len(x.shape)
    if type(dim) is int and rank:  # the usual case first
        return (axis_of(dim, rank) - rank,)
    if dim is None:
        return tuple(range(-rank, 0))
    wanted = (dim,) if isinstance(dim, int) else tuple(dim) or tuple(range(rank))
    if not rank and set(wanted) <= {0, -1}:
        return ()
    return tuple([axis_of(k, rank) - rank for k in wanted])


def axis_of(dim: int, rank: int) -> int:
    """An axis counted from the front."""
    if -rank <= dim < rank:
        return dim % rank
    if not -max(rank, 1) <= dim < max(rank, 1):
        msg = f"Dimension out of range (expected to be in range of [{-max(rank, 1)}, {max(rank, 1) - 1}], but got {dim})"
        raise IndexError(msg)
    return dim % max(rank, 1)
