"""The dials: density, length of functions, length of files, promises.  Four of them, so that none is gamed.

Run this file itself to print the readings.
"""

import ast
import importlib.util
import io
import re
import token
import tokenize
from pathlib import Path

PACKAGE = Path(importlib.util.find_spec("wengert").origin).parent

TOKENS_PER_LINE = 14.0  # to be tightened: 9 is the aim, cards are tables
FUNCTION_LINES = 60  # lines of code: docstrings, comments and blank lines are free
FILE_LINES = 400
PROMISES = re.compile(r"\b(?:TODO|HACK|FIXME)\b")

# "core/array.py" or "core/array.py::Array.method" -> why it may be longer.
LONGER: dict[str, str] = {}

LAYOUT = {
    token.ENCODING, token.ENDMARKER, token.NEWLINE, token.INDENT, token.DEDENT, tokenize.NL, tokenize.COMMENT,
}  # fmt: skip
# From Python 3.12 an f-string is several tokens; it is counted as one, as in 3.11.
OPENING = {getattr(token, name) for name in ("FSTRING_START", "TSTRING_START") if hasattr(token, name)}
CLOSING = {getattr(token, name) for name in ("FSTRING_END", "TSTRING_END") if hasattr(token, name)}


def docstring_lines(tree):
    lines = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                lines.update(range(first.lineno, first.end_lineno + 1))
    return lines


def measure(text):
    """The lines that hold code, and the number of tokens on them."""
    free = docstring_lines(ast.parse(text))
    lines, count, depth = set(), 0, 0
    for item in tokenize.generate_tokens(io.StringIO(text).readline):
        if item.type in LAYOUT or item.start[0] in free:
            continue
        lines.update(range(item.start[0], item.end[0] + 1))
        count += depth == 0
        depth += (item.type in OPENING) - (item.type in CLOSING)
    rows = text.splitlines()
    return {row for row in lines if rows[row - 1].strip()}, count


def functions(tree, prefix=""):
    """Every function and method, with its qualified name."""
    for node in ast.iter_child_nodes(tree):
        name = prefix
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{prefix}.{node.name}".lstrip(".")
            if not isinstance(node, ast.ClassDef):
                yield name, node
        yield from functions(node, name)


def sources():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")


def readings():
    """(package -> (tokens, lines), file -> lines, function -> lines)."""
    density, files, lengths = {}, {}, {}
    for name, text in sources():
        package = name.partition("/")[0] if "/" in name else "wengert"
        lines, count = measure(text)
        tokens, total = density.get(package, (0, 0))
        density[package] = tokens + count, total + len(lines)
        files[name] = len(lines)
        for function, node in functions(ast.parse(text)):
            inside = sum(node.lineno <= row <= node.end_lineno for row in lines)
            lengths[f"{name}::{function}"] = max(inside, lengths.get(f"{name}::{function}", 0))
    return density, files, lengths


def report():
    density, files, lengths = readings()
    rows = [f"{'package':<14}{'lines':>7}{'tokens per line':>17}"]
    rows += [f"{name:<14}{lines:>7}{count / max(lines, 1):>17.2f}" for name, (count, lines) in sorted(density.items())]
    for title, table in (("longest files", files), ("longest functions", lengths)):
        longest = sorted(table.items(), key=lambda item: -item[1])[:5]
        rows += [f"{title}:", *(f"{lines:>6}  {name}" for name, lines in longest)]
    return "\n".join(rows)


def test_density():
    print(report())
    density, _, _ = readings()
    dense = {name: round(count / lines, 2) for name, (count, lines) in density.items() if lines and count / lines > TOKENS_PER_LINE}
    assert not dense, f"more than {TOKENS_PER_LINE} tokens per line: {dense}"


def test_functions_are_short():
    long = {name: lines for name, lines in readings()[2].items() if lines > FUNCTION_LINES and name not in LONGER}
    assert not long, f"longer than {FUNCTION_LINES} lines of code: {long}"


def test_files_are_short():
    long = {name: lines for name, lines in readings()[1].items() if lines > FILE_LINES and name not in LONGER}
    assert not long, f"longer than {FILE_LINES} lines of code: {long}"


def test_exceptions_are_needed_and_have_a_reason():
    _, files, lengths = readings()
    for name, reason in LONGER.items():
        limit, table = (FUNCTION_LINES, lengths) if "::" in name else (FILE_LINES, files)
        assert table.get(name, 0) > limit, f"{name} needs no exception any more"
        assert reason.strip(), f"{name} needs a reason"


def test_no_promises():
    found = [
        f"{name}:{row}: {line.strip()}"
        for name, text in sources()
        for row, line in enumerate(text.splitlines(), 1)
        if PROMISES.search(line)
    ]
    assert not found, "\n".join(found)


def test_the_instrument_counts():
    text = '"""Module."""\n\n# comment\ndef f(x):\n    """Doc\n    string."""\n    y = f"{x} {x}"\n    return (\n        y\n    )\n'
    lines, count = measure(text)
    assert lines == {4, 7, 8, 9, 10}
    assert count == len("def f ( x ) : y = f-string return ( y )".split())


if __name__ == "__main__":
    print(report())
