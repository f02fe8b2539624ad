"""Which loop of Python's a recording has gone round: found by lines of the user's that repeat.

A line is met again and again because a loop around it goes round, in its own frame or in one that calls it.  Between two such meetings
the frames from there on outwards are the same, and the ones inside are new: the innermost frame in common is that of the loop.
"""

from __future__ import annotations

import ast
import linecache
import sys
import warnings
from dataclasses import dataclass
from types import CodeType, FrameType

from wengert._source import is_user_code, location, loops_around
from wengert.errors import UnrolledWarning

OFTEN = 50  # meetings with a line, after which it is looked at, and after as many again
LARGE = 2_000  # operations that take about a second to compile, if their arrays are not single numbers


@dataclass(frozen=True)
class PythonLoop:
    """A loop of the user's."""

    filename: str
    line: int
    text: str  # its first line
    is_while: bool
    n: int = 0  # operations that were recorded in it


class Repeats:
    """Counts how often each line is met, within one recording, and looks for the loop around lines that are met often."""

    __slots__ = ("counts", "end", "loops", "met")

    def __init__(self) -> None:
        self.end: FrameType | None = None  # the frame of the recording: loops further outside have nothing to do with it
        self.counts: dict[tuple[CodeType, int], int] = {}
        self.met: dict[tuple[CodeType, int], list[FrameType]] = {}
        self.loops: dict[tuple[CodeType, int], PythonLoop] = {}

    def begin(self) -> None:
        """The caller's frame is that of the recording."""
        self.end = sys._getframe(1)

    def close(self) -> None:
        """Frames are let go."""
        self.end = None
        self.met.clear()

    def see(self, frame: FrameType, key: tuple[CodeType, int]) -> None:
        """An operation is recorded on a line."""
        n = self.counts[key] = self.counts.get(key, 0) + 1
        if n == OFTEN:
            self.met[key] = self.chain(frame)
        elif n == 2 * OFTEN:
            again = {id(f) for f in self.chain(frame)}
            common = next((f for f in self.met.pop(key) if id(f) in again), None)
            loop = None if common is None else loop_in(common)
            if loop is not None:
                self.loops[key] = loop

    def chain(self, frame: FrameType) -> list[FrameType]:
        """The user's frames from this one to the recording; none where it is not inside."""
        found: list[FrameType] = []
        walked: FrameType | None = frame
        while walked is not None and walked is not self.end:
            if is_user_code(walked.f_code.co_filename):
                found.append(walked)
            walked = walked.f_back
        return found if walked is not None else []

    def largest(self, n_recorded: int) -> PythonLoop | None:
        """The loop in which most was recorded, if that was much."""
        if n_recorded < LARGE:
            return None
        totals: dict[PythonLoop, int] = {}
        for key, loop in self.loops.items():
            totals[loop] = totals.get(loop, 0) + self.counts[key]
        return max((PythonLoop(p.filename, p.line, p.text, p.is_while, n) for p, n in totals.items()), key=lambda p: p.n, default=None)


def loop_in(frame: FrameType) -> PythonLoop | None:
    """The outermost loop around the line that a frame is at, within its function."""
    code = frame.f_code
    outermost = next(iter(loops_around(code, frame.f_lineno, frame.f_globals)), None)
    if outermost is None:
        return None
    text = linecache.getline(code.co_filename, outermost.lineno, frame.f_globals).strip()
    return PythonLoop(code.co_filename, outermost.lineno, text, isinstance(outermost, ast.While))


def warn_unrolled(name: str, n: int, loop: PythonLoop) -> None:
    """Issue an `UnrolledWarning` at a loop of the user's."""
    written = "wg.while_loop(test, step, state)" if loop.is_while else "wg.scan(step, state, xs)   # or wg.fori_loop(0, n, step, state)"
    message = (
        f"a loop of Python's makes the compiled program {name} large: {n:,} operations.\n\n"
        f"  {location(loop.filename, loop.line)}   {loop.text}\n"
        "  It is written out step by step, and the more steps it has the longer it takes to compile.\n\n"
        f"  Write   {written}\n"
        "  Read    docs/errors.md#unrolled"
    )
    module = next((m for m in list(sys.modules.values()) if getattr(m, "__file__", None) == loop.filename), None)
    registry = {} if module is None else vars(module).setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, UnrolledWarning, loop.filename, loop.line, getattr(module, "__name__", loop.filename), registry)
