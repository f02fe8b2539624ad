"""Where in the user's code something happens: the line, the expression on it, and the names in it."""

from __future__ import annotations

import ast
import builtins
import functools
import linecache
import opcode
import os
import sys
from itertools import islice
from types import FrameType, ModuleType
from typing import Any

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED = tuple(f"{os.sep}{folder}{os.sep}" for folder in ("site-packages", "dist-packages"))
_LIBRARIES = ("numpy", "scipy", "optree")


@functools.cache
def _is_user_code(filename: str) -> bool:
    """Neither ours, nor Python's own, nor an array library's."""
    if filename.startswith((_PACKAGE, "<frozen", "<__array_function__")):
        return False
    installed = next((part for part in _INSTALLED if part in filename), None)
    if installed is None:
        return not filename.startswith(_STANDARD)
    return not filename.partition(installed)[2].startswith(tuple(name + os.sep for name in _LIBRARIES))


def user_frame() -> FrameType | None:
    """The nearest frame of the user's code."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _is_user_code(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def caller_location() -> str:
    """`model.py:31` for the user's line that is running."""
    return Place().location


def is_traced(value: Any) -> bool:
    """Whether some transformation watches `value`; tracers are not known on this floor, but their fields are."""
    return hasattr(type(value), "extra") and hasattr(type(value), "trace")


class Place:
    """The instruction of the user's code that is running.

    `line` is the source line without its indentation; `line[start:end]` is the expression that the instruction
    belongs to, empty where Python does not know it; `operation` is the name of the instruction.
    """

    __slots__ = ("end", "frame", "line", "location", "operation", "start")

    def __init__(self) -> None:
        self.frame = frame = user_frame()
        self.location, self.line, self.operation, self.start, self.end = "<unknown>:0", "", "", 0, 0
        if frame is None:
            return
        filename, number, last = frame.f_code.co_filename, frame.f_lineno, frame.f_lasti
        self.location = f"{os.path.basename(filename)}:{number}"
        text = linecache.getline(filename, number, frame.f_globals)
        self.line = text.strip()
        if last < 0:
            return
        self.operation = opcode.opname[frame.f_code.co_code[last]]
        first, final, begin, stop = next(islice(frame.f_code.co_positions(), last // 2, None), (None,) * 4)
        if first != number or begin is None or stop is None:
            return
        indent = len(text) - len(text.lstrip())
        self.start = _characters(text, begin) - indent
        self.end = _characters(text, stop) - indent if final == first else len(self.line)
        if self.operation == "STORE_SUBSCR":
            self._move_to_written_value()

    def _move_to_written_value(self) -> None:
        """Python's position of `target[i] = value` is the target; the value is what there is to say about."""
        statement = self.assignment
        if statement is not None and statement.value.end_lineno == 1:
            self.start = _characters(self.line, statement.value.col_offset)
            self.end = _characters(self.line, statement.value.end_col_offset or 0)

    @property
    def expression(self) -> str:
        """The source of the expression, or an empty string."""
        return self.line[self.start : self.end]

    @property
    def assignment(self) -> ast.Assign | ast.AugAssign | None:
        """The assignment on this line that is running, if it can be read."""
        for statement in _parse(self.line, "exec"):
            is_assignment = isinstance(statement, (ast.Assign, ast.AugAssign))
            if is_assignment and _characters(self.line, statement.end_col_offset or 0) >= self.end:
                return statement
        return None

    @property
    def target(self) -> ast.expr | None:
        """`table` in `table[i] = value`."""
        statement = self.assignment
        if statement is None:
            return None
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        return target.value if isinstance(target, ast.Subscript) else None

    @property
    def call(self) -> ast.Call | None:
        """The expression, where it is a call."""
        for node in _parse(self.expression, "eval"):
            return node if isinstance(node, ast.Call) else None
        return None

    def value_of(self, node: ast.expr | None) -> Any:
        """What a name, or an attribute of a module, stands for in the user's frame; `None` for anything else."""
        frame = self.frame
        if frame is None:
            return None
        if isinstance(node, ast.Name):
            found = frame.f_locals.get(node.id, frame.f_globals.get(node.id))
            return getattr(builtins, node.id, None) if found is None else found
        if isinstance(node, ast.Attribute):
            room = self.value_of(node.value)
            return getattr(room, node.attr, None) if isinstance(room, ModuleType) else None
        return node.value if isinstance(node, ast.Constant) else None

    def names(self, traced: Any) -> list[str]:
        """The names of traced values in the expression, or the name of this very value in the frame."""
        nodes = (node for tree in _parse(self.expression, "eval") for node in ast.walk(tree))
        found = [node.id for node in nodes if isinstance(node, ast.Name) and is_traced(self.value_of(node))]
        if not found and self.frame is not None:
            found = [name for name, value in self.frame.f_locals.items() if value is traced and name.isidentifier()][:1]
        return list(dict.fromkeys(found))

    def shown(self, note: str = "") -> str:
        """The place as two lines of a message: the source line, and the expression underlined."""
        head = f"  {self.location}" + (f"   {self.line}" if self.line else "")
        is_whole = self.expression == self.line
        if not self.line or self.start >= self.end or (is_whole and not note):
            return head
        marks = " " * (len(self.location) + 5 + self.start) + "^" * (self.end - self.start)
        return f"{head}\n{marks} {note}".rstrip()


def _characters(text: str, n_bytes: int) -> int:
    """Python counts columns in bytes of UTF-8."""
    return len(text.encode()[:n_bytes].decode(errors="ignore"))


def _parse(text: str, mode: str) -> list[Any]:
    """The statements of a line, or the one expression; nothing where the text is only a part of them."""
    try:
        body: Any = ast.parse(text, mode=mode).body  # type: ignore[attr-defined]
    except SyntaxError:
        return []
    return body if isinstance(body, list) else [body]
