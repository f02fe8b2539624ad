"""How values, adjoints and formulas are written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from wengert.core.graph import Const, Node
from wengert.core.text import format_literal

LETTERS = "abcdfgh"  # the operands in a card's formula; e is Euler's number
_RAISED = "ᵃᵇᶜᵈᶠᵍʰ"
_SUPERSCRIPTS = dict(zip("0123456789-abcdefghijklmnoprstuvwxyz", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", strict=True))
_POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_WORD = re.compile(r"(^|[(+\-/·,] ?)([A-Za-z₀-₉]{2,}) ([a-df-h])(?![A-Za-z])")
_PRODUCT = re.compile(r"(?<![A-Za-z])([a-df-h]) (?=[a-df-h\d](?![A-Za-z]))|(?<=[\dπ]) (?=[a-df-h](?![A-Za-z]))")
_OPERAND = re.compile(r"(?<![A-Za-z])[a-df-h](?![A-Za-z])|⁻?[ᵃᵇᶜᵈᶠᵍʰ]")
_PRODUCTS = {"i,i->", "ij,j->i", "i,ij->j", "ij,jk->ik"}  # index sentences that NumPy writes with @
_FEW = 4  # an array of so many elements is written out


def number(value: Any, digits: int = 6) -> str:
    """A number in a few digits: `5`, `0.333333`, `1+2j`."""
    value = value.item() if isinstance(value, (np.ndarray, np.generic)) else value
    if isinstance(value, complex):
        return f"{number(value.real, digits)}{'-' if value.imag < 0 else '+'}{number(abs(value.imag), digits)}j"
    if isinstance(value, float):
        text = f"{value:.{digits}g}"
        return "0" if text == "-0" else text
    return str(value)


def brief(value: Any) -> str:
    """A value in one line: all of it if it is small, else its type, range and mean."""
    array = np.asarray(0 if value is None else value)
    written = compact(array)
    if array.ndim == 0 or _is_small(array):
        return written
    if array.dtype.kind not in "iuf" or " … " not in written:
        return f"{array.dtype}{written}"
    mean = np.mean(array)
    is_rounding = np.abs(mean) < 1e-12 * np.max(np.abs(array))
    return f"{array.dtype}{written}, mean {'0' if is_rounding else number(mean, 3)}"


def compact(value: Any) -> str:
    """The same in less room: `[3,2] -1.3 … 2.3` for a large array."""
    array = np.asarray(0 if value is None else value)
    if array.ndim == 0:
        return number(array[()])
    if _is_small(array):
        return _nested(array)
    shape = f"[{','.join(map(str, array.shape))}]"
    if array.dtype.kind not in "biuf" or array.size == 0:
        return shape
    if array.dtype.kind == "b":
        return f"{shape} {int(array.sum())} true"
    low, high = array.min(), array.max()
    return f"{shape} all {number(low, 4)}" if low == high else f"{shape} {number(low, 3)} … {number(high, 3)}"


def _is_small(array: Any) -> bool:
    return bool(0 < array.size <= _FEW and array.ndim <= 2)


def terse(value: Any) -> str:
    """A value in a few letters, for columns and edges: a large array by its norm."""
    if value is None:
        return "0"
    array = np.asarray(value)
    if array.ndim == 0:
        return number(array[()], 5)
    if array.size <= _FEW and array.ndim == 1 and array.size:
        return _nested(array, 3)
    if array.size and array.dtype.kind in "fc":
        if np.all(array == array.flat[0]):
            return f"{number(array.flat[0], 4)} everywhere"
        return f"norm {number(np.sqrt(np.sum(np.square(np.abs(array)))), 3)}"
    return f"{array.dtype}[{','.join(map(str, array.shape))}]"


def cut(text: str, longest: int) -> str:
    """`text`, or its beginning and an ellipsis."""
    return text if width(text) <= longest else text[: longest - 1] + "…"


def _nested(array: Any, digits: int = 4) -> str:
    return _nested_list(array.tolist(), digits)


def _nested_list(values: Any, digits: int) -> str:
    return f"[{', '.join(_nested_list(x, digits) if isinstance(x, list) else number(x, digits) for x in values)}]"


@lru_cache(10_000)
def bar(name: str) -> str:
    """The adjoint of a variable: its name with a bar over it, of `params['w']` over `params`."""
    head = re.match(r"\w*", name)
    n = head.end() if head else 0
    if len(name) == 1:
        return unicodedata.normalize("NFC", name + "\u0304")
    return "".join(letter + "\u0305" for letter in name[:n]) + name[n:]


def width(text: str) -> int:
    """How many columns a text takes in a terminal."""
    return len(text) if text.isascii() else sum(not unicodedata.combining(letter) for letter in text)


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """`text` filled with spaces to so many columns."""
    space = " " * max(0, columns - width(text))
    return space + text if right else text + space


def constant(atom: Const) -> str:
    """A constant inside a formula: its value if it is one number, else its type."""
    value = np.asarray(atom.value)
    return number(value[()]) if value.ndim == 0 else str(atom.type)


def formula(node: Node, texts: Sequence[str]) -> str:
    """What a node computes, as its card writes it, with these texts for its operands."""
    if node.params.get("sentence") in _PRODUCTS:
        return " @ ".join(text if is_atomic(text) else f"({text})" for text in texts)
    template = node.primitive.formula
    if not isinstance(template, str) or not template or " = " in template:  # an equation says what results mean
        return _call(node, texts)
    if "{" in template:
        template = re.sub(r"\{(\w+)\}", lambda match: _param(node.params.get(match[1]), len(texts)), template)
    template, last = _prepared(template)
    if last >= len(texts):
        return _call(node, texts)
    return _OPERAND.sub(lambda match: _operand(match, template, texts), template)


@lru_cache(10_000)
def _prepared(template: str) -> tuple[str, int]:
    """A card's formula with `f(a)` for `f a` and `a·b` for `a b`, and the last operand that it names."""
    template = _WORD.sub(r"\1\2(\3)", template)
    template = _PRODUCT.sub(lambda match: f"{match[1] or ''}·", template)
    return template, max((_slot(match[0]) for match in _OPERAND.finditer(template)), default=-1)


def _slot(letter: str) -> int:
    letter = letter[-1]
    return LETTERS.index(letter) if letter in LETTERS else _RAISED.index(letter)


def _operand(match: re.Match[str], template: str, texts: Sequence[str]) -> str:
    letter = match[0]
    text = texts[_slot(letter)]
    is_compound = not is_atomic(text)
    if letter[-1] not in LETTERS:
        minus = letter[:-1]
        if all(c in _SUPERSCRIPTS for c in text) and len(text) <= 3:
            return minus + "".join(_SUPERSCRIPTS[c] for c in text)
        return f"^(-{text})" if minus else f"^({text})" if is_compound else f"^{text}"
    before, after = template[: match.start()].rstrip(), template[match.end() :].lstrip()
    is_enclosed = (not before or before[-1] in "(|,[") and (not after or after[0] in ")|,]=")
    return f"({text})" if is_compound and not is_enclosed else text


@lru_cache(10_000)
def is_atomic(text: str) -> bool:
    """Whether a formula needs no parentheses around it: a name, a number, `f(...)`, `x[...]`, `|x|`."""
    if text.isidentifier() and "·" not in text:  # a dot in the middle is a letter of Catalan names
        return True
    text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)).rstrip(_POWERS)
    if re.fullmatch(r"[\w.]+|[\d.]+e[+-]\d+", text) or (text[:1] == text[-1:] == "|" and text.count("|") == 2):
        return True
    if text[-1:] not in {")", "]"} or not re.match(r"\w|\(", text):
        return False
    depth = 0
    start = re.match(r"[\w.]*", text)
    for k, letter in enumerate(text[start.end() if start else 0 :]):
        if depth == 0 and k and letter not in "[(.":
            return False
        depth += (letter in "([") - (letter in ")]")
    return True


_COUNTS = ("n_consts", "n_carry", "n_test", "flags")  # which operands of a loop are which, that nobody asks for


def _call(node: Node, texts: Sequence[str]) -> str:
    """`name(x, y, axis=-1)` for a card without a formula; an axis that says all axes is not said, nor is a body."""
    params = [
        f"{key}={_param(value, 0)}"
        for key, value in node.params.items()
        if value is not None and value is not False and not hasattr(value, "nodes") and key not in _COUNTS
        and not (key == "axis" and _is_every_axis(node, value))
    ]
    return f"{node.primitive.name.rstrip('_')}({', '.join([*texts, *params])})"


def _is_every_axis(node: Node, axes: Any) -> bool:
    operands = getattr(node, "operands", ())
    rank = len(operands[0].type.shape) if operands else -1
    return isinstance(axes, tuple) and sorted(k % rank for k in axes if rank) == list(range(rank))


def _param(value: Any, n_operands: int) -> str:
    """A param as one would write it in NumPy; the arrays of an index are the last operands."""
    if isinstance(value, tuple) and n_operands:
        n_arrays = sum(isinstance(part, str) for part in value)
        letters = iter(LETTERS[n_operands - n_arrays : n_operands])
        return ", ".join(next(letters) if isinstance(part, str) else _param(part, 0) for part in value)
    if isinstance(value, tuple) and len(value) == 1:
        return _param(value[0], 0)
    if isinstance(value, slice):
        parts = ["" if part is None else str(part) for part in (value.start, value.stop)]
        return ":".join(parts) + ("" if value.step is None else f":{value.step}")
    if isinstance(value, np.dtype):
        return value.name
    text = "..." if value is Ellipsis else format_literal(value, 4)
    return text if len(text) <= 40 else text[:37] + "..."


def expression(outputs: Sequence[Any], producers: Mapping[Any, Node], name: Callable[[Any], str], longest: int) -> str:
    """The first output as one formula of the inputs; empty if that is longer than `longest`."""
    texts: dict[Any, str] = {}
    for var, node in producers.items():
        parts = [texts.get(a) or name(a) for a in node.operands]
        if node.primitive.n_outputs is not None or sum(map(len, parts)) > longest:
            return ""
        texts[var] = formula(node, parts)
    text = texts.get(outputs[0], "")
    return text if len(text) <= longest else ""
