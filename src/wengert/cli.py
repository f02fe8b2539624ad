"""The command `wengert`: explain a function of yours, train a network, or run the demonstration."""

from __future__ import annotations

import argparse
import ast
import builtins
import difflib
import functools
import importlib
import importlib.util
import inspect
import io
import linecache
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
  wengert explain model.py:loss model.py:params "np.linspace(0, 1, 20)" --open
  wengert train digits --model cnn
  wengert demo
"""

_HERE = "<command line>"  # what is written there counts as a file of this name
_NAMES = {"np": np, "numpy": np, "wg": wg, "wengert": wg}
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
    drawing = Drawing(explanation)
    page = options.html
    if options.open and page is None:
        page = str(Path(tempfile.mkdtemp(prefix="wengert-")) / "graph.html")
    try:
        if options.text is not None:
            Path(options.text).write_text(f"{explanation}\n", encoding="utf-8")
            sys.stdout.write(f"wrote {options.text}\n")
        for path in (options.svg, page, *options.save):
            if path is not None:
                drawing.save(path)
                sys.stdout.write(f"wrote {path}\n")
    except (OSError, ValueError, ImportError) as error:
        sys.stderr.write(f"wengert: {error}\n")
        return 1
    if options.open:
        open_page(Path(page).resolve().as_uri())
    return 0


def open_page(address: str) -> None:
    """Show a page in the browser; the address is said in any case, for there may be no browser, or it may show nothing."""
    sys.stdout.flush()  # a browser in the terminal writes there too
    try:
        is_open = webbrowser.open(address)
    except webbrowser.Error:
        is_open = False
    said = "opened in the browser" if is_open else "no browser could be started here; open the page in one"
    sys.stdout.write(f"{said}: {address}\n")


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
    explaining.add_argument(
        "arguments", nargs="*", help="its arguments: Python literals (lists become arrays), expressions, or path/to/file.py:name"
    )
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
    found = find(text)
    if found is None and text.endswith(".py"):
        names = functions_of(_load_file(text))
        msg = f"{text}: which function? write {text}:NAME" + (f" with one of {', '.join(names)}" if names else "")
        raise UsageError(msg)
    if found is None:
        found = evaluated(text)
    if not callable(found):
        msg = f"{text!r} is {type(found).__name__}, not a function"
        raise UsageError(msg)
    return found if inspect.isfunction(found) and not _is_library(found) else _called_here(found)


def find(text: str) -> Any:
    """What `path/to/file.py:name` or `module:name` means; `None` for a text of another form."""
    place, colon, name = text.rpartition(":")
    is_place = place.endswith(".py") or place.replace(".", "").isidentifier()
    if not (colon and is_place and name.replace(".", "").isidentifier()):
        return None
    found: Any = _load_file(place) if place.endswith(".py") else _load_module(place)
    for part in name.split("."):
        if not hasattr(found, part):
            close = difflib.get_close_matches(part, functions_of(found), 3, 0.3)
            msg = f"{place} has no {part!r}" + (f"; it has {', '.join(close)}" if close else "")
            raise UsageError(msg)
        found = getattr(found, part)
    return found


def evaluated(text: str) -> Any:
    """A function that is written out, as `lambda x: np.sin(x)` or `np.sin`."""
    try:
        found = evaluate(text)
    except Exception as error:
        msg = f"{text!r} is neither a Python expression ({error}) nor path/to/file.py:function"
        name = getattr(error, "name", None)
        if isinstance(error, NameError) and callable(getattr(np, name or "", None)):
            msg += f"; is np.{name} meant?"
        raise UsageError(msg) from error
    quote(text)
    return found


def quote(text: str) -> None:
    """Let messages and the explorer quote this line as the one that is running."""
    linecache.cache[_HERE] = (len(text), None, [text], _HERE)


def evaluate(text: str) -> Any:
    """The value of a Python expression, in which installed packages are there by their names."""
    text = text.strip()
    tree = ast.parse(text, _HERE, "eval")
    names = dict(_NAMES)
    bound = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        name = node.value.id if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) else ""
        if name and name not in names and name not in bound and not hasattr(builtins, name) and importlib.util.find_spec(name):
            names[name] = importlib.import_module(name)
    return eval(compile(tree, _HERE, "eval"), names)  # noqa: S307 - the user's own code


def _is_library(function: Callable[..., Any]) -> bool:
    return (function.__module__ or "").partition(".")[0] in ("numpy", "scipy", "wengert")


def _called_here(found: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a library as one that is called on the command line, so that this is its operations' line."""
    name = getattr(found, "__name__", "")
    name = name if name.isidentifier() else "f"
    text = f"lambda *args: {name}(*args)"
    quote(text)
    caller: Callable[..., Any] = eval(compile(text, _HERE, "eval"), {name: found})  # noqa: S307 - ours
    functools.update_wrapper(caller, found)
    caller.__name__ = name
    return caller


def functions_of(module: Any) -> list[str]:
    """The names of the functions that a module defines."""
    name = getattr(module, "__name__", "")
    return [key for key, value in vars(module).items() if inspect.isfunction(value) and value.__module__ == name]


@functools.cache
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
    """An argument as floats and arrays of floats: `3`, `[1, 2]`, `{'w': [[1, 2], [3, 4]]}`, `np.ones(3)`, `model.py:params`."""
    found = find(text.strip())
    if found is not None:
        return found
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        try:
            value = evaluate(text)
        except Exception as error:
            msg = f"the argument {text!r} is not a number, a list, tuple or dict of numbers, or an expression that gives them ({error})"
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
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == _HERE or not f.filename.startswith((here, "<"))]
    lines = [f"  {f.filename}:{f.lineno}   {f.line or ''}".rstrip() for f in frames]
    return "\n".join([f"the function raised {type(error).__name__}: {error}", *lines])
