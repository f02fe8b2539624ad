"""Tensors as PyTorch prints them: four digits, the dtype where it is not the default, and how they were made."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.tensor.dtypes import bool_, complex_of, get_default_dtype, int64
from wengert.tensor.traced import method

_PRECISION, _EDGE, _LINE, _LARGEST = 4, 3, 80, 1000


class _Format:
    """How the numbers of one array are written: all in the same way, and in the same width."""

    def __init__(self, values: Any) -> None:
        flat = np.asarray(values, float).reshape(-1) if values.dtype.kind == "f" else values.reshape(-1)
        self.is_floating = values.dtype.kind == "f"
        self.is_whole = self.is_scientific = False
        if self.is_floating:
            flat = flat[np.isfinite(flat) & (flat != 0)]
            self._choose(flat)
        self.width = 1
        self.width = max([len(self(x)) for x in flat] + [1])

    def _choose(self, flat: Any) -> None:
        if not flat.size:
            self.is_whole = True
            return
        sizes = np.abs(flat)
        top, bottom = float(sizes.max()), float(sizes.min())
        self.is_whole = bool((flat == np.ceil(flat)).all())
        self.is_scientific = top / bottom > 1000 or top > 1e8 or (not self.is_whole and bottom < 1e-4)

    def __call__(self, x: Any) -> str:
        if not self.is_floating:
            text = str(x)
        elif self.is_scientific:
            text = f"{float(x):.{_PRECISION}e}"
        elif self.is_whole:
            text = f"{float(x):.0f}" + ("." if math.isfinite(x) else "")
        else:
            text = f"{float(x):.{_PRECISION}f}"
        return text.rjust(self.width)


class _ComplexFormat:
    def __init__(self, values: Any) -> None:
        self.real, self.imag = _Format(values.real), _Format(values.imag)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, z: Any) -> str:
        imag = self.imag(z.imag).lstrip()
        return self.real(z.real) + (imag if imag.startswith("-") else f"+{imag}") + "j"


def _summarised(value: Any) -> Any:
    """The entries that are shown: of a long axis the first and last three."""
    for axis, n in enumerate(value.shape):
        if n > 2 * _EDGE:
            edges = [*range(_EDGE), *range(n - _EDGE, n)]
            value = np.take(value, edges, axis)
    return value


def _body(value: Any) -> str:
    if not value.size:
        return "[]" if value.ndim == 1 else f"[], size={value.shape}"
    is_short = value.size > _LARGEST
    number = (_ComplexFormat if value.dtype.kind == "c" else _Format)(_summarised(value) if is_short else value)
    return _written(value, number, len("tensor("), is_short)


def _written(value: Any, number: Any, indent: int, is_short: bool) -> str:
    """Nested brackets; rows of a matrix on lines of their own, matrices with an empty line between."""
    if not value.ndim:
        return str(number(value[()]))
    is_cut = is_short and len(value) > 2 * _EDGE
    shown = [*value[:_EDGE], None, *value[-_EDGE:]] if is_cut else value
    if value.ndim == 1:
        return f"[{_row([' ...' if x is None else number(x) for x in shown], number.width, indent)}]"
    parts = ["..." if part is None else _written(part, number, indent + 1, is_short) for part in shown]
    return f"[{(',' + chr(10) * (value.ndim - 1) + ' ' * (indent + 1)).join(parts)}]"


def _row(words: list[str], width: int, indent: int) -> str:
    """Words in lines of at most 80 characters."""
    n = max(1, (_LINE - indent) // (width + 2))
    lines = [", ".join(words[k : k + n]) for k in range(0, len(words), n)]
    return (",\n" + " " * (indent + 1)).join(lines)


@method("__repr__", "__str__")
def _printed(self: Any) -> str:
    value = np.asarray(self.value)
    notes: list[str] = []
    if value.dtype not in (get_default_dtype(), int64, bool_, complex_of(get_default_dtype())) or not value.size and value.dtype != get_default_dtype():
        notes.append(f"dtype={value.dtype}")
    if self.grad_fn is not None:
        notes.append(f"grad_fn={self.grad_fn!r}")
    elif self.extra is not None:
        notes.append("requires_grad=True")
    return _joined(f"tensor({_body(value)}", notes)


def _joined(text: str, notes: list[str]) -> str:
    """The notes behind the numbers, on a line of their own where there is no room."""
    line = len(text) - text.rfind("\n") - 1
    for note in notes:
        if line + len(note) + 3 > 80:
            text += f",\n{' ' * 7}{note}"
            line = 7 + len(note)
        else:
            text += f", {note}"
            line += len(note) + 2
    return text + ")"
