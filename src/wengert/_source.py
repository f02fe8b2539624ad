"""Where in the user's code something happens: the line, the expression on it, and the names in it.

All of this runs only when a message is made; while a program runs, no more than `user_frame` is asked.
"""

from __future__ import annotations

import ast
import builtins
import functools
import linecache
import opcode
import os
import sys
from collections.abc import Iterator
from itertools import islice
from types import CodeType, FrameType, ModuleType
from typing import Any

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED = tuple(f"{os.sep}{folder}{os.sep}" for folder in ("site-packages", "dist-packages"))
_LIBRARIES = ("numpy", "scipy", "optree", "sklearn", "matplotlib", "pandas", "joblib", "sympy", "numba", "tqdm")

Span = tuple[int, int, int, int]  # first line and column, last line and column, in bytes as Python counts them


def is_user_code(filename: str) -> bool:
    """Neither ours, nor Python's own, nor an array library's."""
    if filename.startswith((_PACKAGE, "<frozen", "<__array_function__")):
        return False
    installed = next((part for part in _INSTALLED if part in filename), None)
    if installed is None:
        return not filename.startswith(_STANDARD)
    return not filename.partition(installed)[2].startswith(tuple(name + os.sep for name in _LIBRARIES))


def is_installed(filename: str) -> bool:
    """Whether a file belongs to an installed package, whoever wrote it."""
    return any(part in filename for part in _INSTALLED)


_known: dict[str, bool] = {}  # file -> whether it is the user's


def user_frame() -> FrameType | None:
    """The nearest frame of the user's code."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        is_user = _known.get(filename)
        if is_user is None:
            is_user = _known[filename] = is_user_code(filename)
        if is_user:
            break
        frame = frame.f_back
    return frame


Instruction = tuple[CodeType | None, int]


def running_instruction() -> Instruction:
    """The user's code that is running, and where in it; `quoted` finds the line, if it is ever asked for."""
    frame = user_frame()
    return (None, 0) if frame is None else (frame.f_code, frame.f_lasti)


def location(filename: str, line: int) -> str:
    """`model.py:31`."""
    return f"{os.path.basename(filename)}:{line}"


def quoted(code: CodeType | None, last: int) -> str:
    """`model.py:31   best = np.argmax(scores)` for what `running_instruction` found."""
    if code is None:
        return "<unknown>"
    line = next((line for start, stop, line in code.co_lines() if start <= last < stop), None) or code.co_firstlineno
    text = linecache.getline(code.co_filename, line).strip()
    return f"{location(code.co_filename, line)}   {text}".rstrip()


def is_raised_by_user(error: BaseException) -> bool:
    """Whether a `raise` statement of the user's raised it, and neither compiled code nor a library."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or not is_user_code(last.tb_frame.f_code.co_filename):
        return False
    return opcode.opname[last.tb_frame.f_code.co_code[last.tb_lasti]] in ("RAISE_VARARGS", "RERAISE")


def is_traced(value: Any) -> bool:
    """Whether some transformation watches `value`; tracers are not known on this floor, but their fields are."""
    return hasattr(type(value), "extra") and hasattr(type(value), "watcher")


class Place:
    """The instruction of the user's code that is running.

    `line` is the source line without its indentation; `line[start:end]` is the expression that the instruction
    belongs to, empty where Python does not know it; `operation` is the name of the instruction; `node` is the
    expression, `parent` what it is a part of, and `statement` the statement around it, where the source can be read.
    """

    __slots__ = ("end", "frame", "line", "location", "node", "operation", "parent", "start", "statement")

    def __init__(self) -> None:
        self.frame = frame = user_frame()
        self.location, self.line, self.operation = "<unknown>:0", "", ""
        self.start = self.end = 0
        self.node: ast.AST | None = None
        self.parent: ast.AST | None = None
        self.statement: ast.stmt | None = None
        if frame is None:
            return
        self.location = location(frame.f_code.co_filename, frame.f_lineno)
        lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
        span = _span(frame)
        text = lines[frame.f_lineno - 1] if 0 < frame.f_lineno <= len(lines) else ""
        self.line = text.strip()
        if frame.f_lasti >= 0:
            self.operation = opcode.opname[frame.f_code.co_code[frame.f_lasti]]
        if span is None or not self.line:
            return
        self._find_nodes(_parsed("".join(lines)), span)
        if self.is_assignment:  # Python's position is the target, or all; there is more to say about the value
            span = _span_of(getattr(self.statement, "value", None), span)
        self._underline(text, span, frame.f_lineno)

    def _underline(self, text: str, span: Span, number: int) -> None:
        first, begin, last, stop = span
        if first != number:
            return
        indent = len(text) - len(text.lstrip())
        self.start = max(0, _characters(text, begin) - indent)
        self.end = _characters(text, stop) - indent if last == first else len(self.line)

    def _find_nodes(self, tree: ast.AST | None, span: Span) -> None:
        """The innermost node that holds the instruction, and its statement."""
        node = tree
        while node is not None:
            if isinstance(node, ast.stmt):
                self.statement = node
            if isinstance(node, (ast.stmt, ast.expr)):
                self.parent, self.node = self.node, node
            node = next((child for child in _children(node) if _holds(child, span)), None)

    @property
    def is_assignment(self) -> bool:
        """Whether it is `target[i] = value`, or `target += value`."""
        return self.is_store or isinstance(self.node, ast.AugAssign)

    @property
    def is_store(self) -> bool:
        """Whether it is `target[i] = value`; a slice has an instruction of its own from Python 3.12 on."""
        return self.operation in ("STORE_SUBSCR", "STORE_SLICE")

    @property
    def expression(self) -> str:
        """The source of the expression on this line, or an empty string."""
        return self.line[self.start : self.end]

    @property
    def call(self) -> ast.Call | None:
        """The expression, where it is a call."""
        return self.node if isinstance(self.node, ast.Call) else None

    @property
    def target(self) -> ast.expr | None:
        """`table` in `table[i] = value`, `table[i] += value`, and `table += value`."""
        if self.is_store and isinstance(self.node, ast.Subscript):
            return self.node.value
        return self.statement.target if isinstance(self.statement, ast.AugAssign) else None

    def value_of(self, node: ast.AST | None) -> Any:
        """What an expression without calls stands for in the user's frame; `None` for anything else.

        Nothing of the user's is run to find out: no properties, no `__getitem__`.
        """
        frame = self.frame
        if frame is None:
            return None
        if isinstance(node, ast.Name):
            found = frame.f_locals.get(node.id, frame.f_globals.get(node.id))
            return getattr(builtins, node.id, None) if found is None else found
        if isinstance(node, ast.Attribute):
            return _attribute(self.value_of(node.value), node.attr)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return _item(self.value_of(node.value), node.slice.value)
        return node.value if isinstance(node, ast.Constant) else None

    def names(self, traced: Any) -> list[str]:
        """How the user writes the traced values in the expression, or this very value in the frame."""
        inside = getattr(self.statement, "value", None) if self.is_assignment else self.node
        nodes = list(self._traced_nodes(inside)) if isinstance(inside, ast.expr) else []
        exact = [node for node in nodes if self.value_of(node) is traced]
        found = list(dict.fromkeys(map(self.text, exact or nodes)))
        if not found and self.frame is not None:
            found = [name for name, value in self.frame.f_locals.items() if value is traced and name.isidentifier()][:1]
        return found

    def _traced_nodes(self, node: ast.AST) -> Iterator[ast.expr]:
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
            value = self.value_of(node)
            if is_traced(value) or (type(value) in (list, tuple) and any(map(is_traced, value))):
                yield node
                return
        for child in ast.iter_child_nodes(node):
            yield from self._traced_nodes(child)

    def text(self, node: ast.AST | None) -> str:
        """An expression as the user wrote it, or as Python would, where it takes several lines."""
        if node is None or self.frame is None:
            return ""
        first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
        if not first or first != last:
            return ast.unparse(node)
        line = linecache.getline(self.frame.f_code.co_filename, first, self.frame.f_globals)
        return line.encode()[node.col_offset : node.end_col_offset].decode(errors="replace")  # type: ignore[attr-defined]

    def has_traced(self, node: ast.AST) -> bool:
        """Whether a traced value is named in this expression."""
        return next(self._traced_nodes(node), None) is not None

    def shown(self, note: str = "") -> str:
        """The place as two lines of a message: the source line, and the expression underlined."""
        if self.frame is None:
            return "  (in a thread that runs no code of yours)"
        head = f"  {self.location}" + (f"   {self.line}" if self.line else "")
        if not note and self.expression in ("", self.line):
            return head
        if not self.expression:
            return f"{head}\n      {note}"
        marks = " " * (len(self.location) + 5 + self.start) + "^" * (self.end - self.start)
        return f"{head}\n{marks} {note}".rstrip()


def _span(frame: FrameType) -> Span | None:
    """Where the source of the running instruction begins and ends."""
    positions: Any = next(islice(frame.f_code.co_positions(), max(frame.f_lasti, 0) // 2, None), (None,) * 4)
    first, last, begin, stop = positions
    return None if None in positions else (first, begin, last, stop)


def _span_of(node: Any, otherwise: Span) -> Span:
    if not isinstance(node, ast.expr):
        return otherwise
    return node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0


@functools.lru_cache(maxsize=8)
def _parsed(text: str) -> ast.AST | None:
    """The tree of a file; `None` where the source is not plain Python (a notebook's magic commands)."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LOOPS = (ast.For, ast.AsyncFor, ast.While, *COMPREHENSIONS)


def loops_around(code: CodeType, line: int, names: dict[str, Any] | None = None) -> list[Any]:
    """The loops of a function around one of its lines, outermost first; none where its file cannot be read."""
    text = "".join(linecache.getlines(code.co_filename, names))
    return [node for node in _loops(text) if code.co_firstlineno <= node.lineno <= line <= (node.end_lineno or node.lineno)]


@functools.lru_cache(maxsize=32)
def _loops(text: str) -> tuple[Any, ...]:
    tree = _parsed(text)
    found: list[Any] = [] if tree is None else [node for node in ast.walk(tree) if isinstance(node, _LOOPS)]
    return tuple(sorted(found, key=lambda node: (node.lineno, node.col_offset)))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The children that have positions, and those of the ones that have none."""
    for child in ast.iter_child_nodes(node):
        if hasattr(child, "lineno"):
            yield child
        else:
            yield from _children(child)


def _holds(node: Any, span: Span) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.decorator_list:
        return node.decorator_list[0].lineno <= span[0] and span[2] <= (node.end_lineno or 0)
    begin, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    return begin <= span[:2] and span[2:] <= end


def _attribute(owner: Any, name: str) -> Any:
    if isinstance(owner, ModuleType) or (isinstance(owner, type) and name in vars(owner)):
        return getattr(owner, name, None)
    found = getattr(owner, "__dict__", {}).get(name)
    if found is not None:
        return found
    method: Any = getattr(type(owner), name, None)
    is_method = callable(method) and not isinstance(method, property) and hasattr(method, "__get__")
    return method.__get__(owner) if is_method else None


def _item(owner: Any, key: Any) -> Any:
    if type(owner) is dict:
        return owner.get(key)
    if type(owner) in (list, tuple) and type(key) is int and -len(owner) <= key < len(owner):
        return owner[key]
    return None


def _characters(text: str, n_bytes: int) -> int:
    """Python counts columns in bytes of UTF-8."""
    return len(text.encode()[:n_bytes].decode(errors="ignore"))
