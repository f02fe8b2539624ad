"""The command `wengert`: explain a function of yours, train a network, or run the demonstration."""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import importlib.util
import inspect
import io
import sys
import tempfile
import traceback
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import wengert as wg
from wengert.errors import TrainingError, WengertError
from wengert.viz import Drawing, Explanation, explain

_EXAMPLES = """examples:
  wengert explain "lambda x, y: (x + y) * (x - y)" 3 2
  wengert explain "lambda x: np.sum(np.sin(x) ** 2)" "[1, 2, 3]" --svg graph.svg
  wengert explain model.py:loss "{'w': [0.1, 0.2], 'b': 0.5}" --html loss.html --open
  wengert train digits --model cnn
  wengert demo
"""

_PROGRAMS = {"demo": "wengert.demo", "train": "wengert.demo.train"}  # with command lines of their own


class UsageError(Exception):
    """Something on the command line that cannot be understood."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without these letters gets question marks, not a traceback
            stream.reconfigure(errors="replace")
    if argv and argv[0] in _PROGRAMS:  # loaded only now: they need more packages than the rest
        try:
            return int(importlib.import_module(_PROGRAMS[argv[0]]).run(argv[1:]))
        except (ImportError, TrainingError) as error:
            sys.stderr.write(f"wengert: {error}\n")
            return 1
    options = make_parser().parse_args([f" {word}" if _is_negative(word) else word for word in argv])
    if options.command is None:
        make_parser().print_help()
        return 2
    try:
        function = find_function(options.function)
        args = [read_argument(text) for text in options.arguments]
        check_arguments(function, options.function, args)
    except UsageError as error:
        sys.stderr.write(f"wengert: {error}\n")
        return 2
    try:
        explanation = explain(function)(*args)
    except Exception as error:
        sys.stderr.write(f"wengert: {describe_failure(error)}\n")
        return 1
    return report(explanation, options)


def check_arguments(function: Callable[..., Any], text: str, args: Sequence[Any]) -> None:
    """Say so if the function does not take so many arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a builtin function that does not tell
        return
    try:
        signature.bind(*args)
    except TypeError as error:
        msg = f"{text!r} takes {signature}, and {len(args)} argument{'s were' if len(args) != 1 else ' was'} given: {error}"
        raise UsageError(msg) from error


def report(explanation: Explanation, options: argparse.Namespace) -> int:
    """Print the two walks, and write the files that were asked for."""
    explanation.show()
    if options.text is not None:
        Path(options.text).write_text(f"{explanation}\n", encoding="utf-8")
        sys.stdout.write(f"wrote {options.text}\n")
    drawing = Drawing(explanation)
    page = options.html
    if options.open and page is None:
        page = str(Path(tempfile.mkdtemp(prefix="wengert-")) / "graph.html")
    for path in (options.svg, page, *options.save):
        if path is not None:
            try:
                drawing.save(path)
            except (OSError, ValueError, ImportError) as error:
                sys.stderr.write(f"wengert: {error}\n")
                return 1
            sys.stdout.write(f"wrote {path}\n")
    if options.open:
        webbrowser.open(Path(page).resolve().as_uri())
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="wengert", description="Exact derivatives of NumPy programs, explained.", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"wengert {wg.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    explaining = commands.add_parser(
        "explain", help="both walks along a function's program, step by step", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    explaining.add_argument("function", help='a lambda, or path/to/file.py:name, or module:name ("np" is numpy)')
    explaining.add_argument("arguments", nargs="*", help="its arguments, as Python literals; lists become arrays")
    explaining.add_argument("--text", metavar="FILE", help="write the tables as plain text")
    explaining.add_argument("--svg", metavar="FILE", help="write the graph as a picture")
    explaining.add_argument("--html", metavar="FILE", help="write the explorer (graph, walks, tables) as one page")
    explaining.add_argument("--save", metavar="FILE", action="append", default=[], help="write .dot, .png or .pdf")
    explaining.add_argument("--open", action="store_true", help="show the explorer in the browser")
    commands.add_parser("train", help="a network that learns to read digits", add_help=False)
    commands.add_parser("demo", help="the demonstration on real data", add_help=False)
    return parser


def _is_negative(word: str) -> bool:
    """Whether a word is a negative number, which argparse would take for an option."""
    try:
        return word.startswith("-") and float(word) <= 0
    except ValueError:
        return False


def find_function(text: str) -> Callable[..., Any]:
    """The function that a word of the command line means."""
    place, colon, name = text.rpartition(":")
    if colon and (place.endswith(".py") or place.replace(".", "").isidentifier()) and name.replace(".", "").isidentifier():
        found: Any = _load_file(place) if place.endswith(".py") else _load_module(place)
        for part in name.split("."):
            if not hasattr(found, part):
                close = difflib.get_close_matches(part, functions_of(found), 3, 0.3)
                msg = f"{place} has no {part!r}" + (f"; it has {', '.join(close)}" if close else "")
                raise UsageError(msg)
            found = getattr(found, part)
    elif text.endswith(".py"):
        found = functions_of(_load_file(text))
        msg = f"{text}: which function? write {text}:NAME" + (f" with one of {', '.join(found)}" if found else "")
        raise UsageError(msg)
    else:
        try:
            found = eval(text, {"np": np, "numpy": np, "wg": wg, "wengert": wg})  # noqa: S307 - the user's own code
        except Exception as error:
            msg = f"{text!r} is neither a Python expression ({error}) nor path/to/file.py:function"
            raise UsageError(msg) from error
    if not callable(found):
        msg = f"{text!r} is {type(found).__name__}, not a function"
        raise UsageError(msg)
    return found  # type: ignore[no-any-return]


def functions_of(module: Any) -> list[str]:
    """The names of the functions that a module defines."""
    name = getattr(module, "__name__", "")
    return [key for key, value in vars(module).items() if inspect.isfunction(value) and value.__module__ == name]


def _load_file(path: str) -> Any:
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        msg = f"there is no file {path}"
        raise UsageError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(module.__name__, module)
    sys.path.insert(0, str(Path(path).resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        msg = f"{path} could not be imported:\n{describe_failure(error)}"
        raise UsageError(msg) from error
    return module


def _load_module(name: str) -> Any:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ImportError as error:
        msg = f"{name} could not be imported: {error}"
        raise UsageError(msg) from error


def read_argument(text: str) -> Any:
    """A Python literal as floats and arrays of floats: `3`, `[1, 2]`, `{'w': [[1, 2], [3, 4]]}`."""
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError) as error:
        msg = f"the argument {text!r} is not a number, nor a list, tuple or dict of numbers"
        raise UsageError(msg) from error
    return as_arrays(value)


def as_arrays(value: Any) -> Any:
    """Integers as floats, lists as arrays; tuples and dicts stay containers."""
    if isinstance(value, dict):
        return {key: as_arrays(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return tuple(map(as_arrays, value))
    if isinstance(value, list):
        try:
            array = np.array(value)
        except ValueError:  # ragged
            return list(map(as_arrays, value))
        return array.astype(float) if array.dtype.kind in "iu" else array if array.dtype.kind in "fcb" else value
    return float(value) if type(value) is int else value


def describe_failure(error: BaseException) -> str:
    """An error of the user's function: what it says, and the lines of the user's files that led to it."""
    if isinstance(error, WengertError):
        return str(error)
    here = str(Path(__file__).parent)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith((here, "<"))]
    lines = [f"  {f.filename}:{f.lineno}   {f.line or ''}".rstrip() for f in frames]
    return "\n".join([f"the function raised {type(error).__name__}: {error}", *lines])
